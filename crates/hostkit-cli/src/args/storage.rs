//! Arguments of `storage`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::size::{ByteSize, Span};

use super::addon::Whose;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct StorageArgs {
    #[command(subcommand)]
    pub(crate) command: StorageCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// List objects
    Ls {
        /// The project, and how their keys begin: shop:photos/
        #[arg(value_name = "NAME[:PREFIX]")]
        place: Place,
        #[command(flatten)]
        environment: OfEnvironment,
        /// All below the prefix, not only up to the next `/`
        #[arg(long, short)]
        recursive: bool,
    },
    /// Copy files into the bucket, or out of it
    Cp {
        /// A file, `-` for stdin, or an object as NAME:KEY
        source: End,
        /// Where to: the other of the two, `-` for stdout; a key or a folder that ends with `/` keeps the name
        destination: End,
        #[command(flatten)]
        environment: OfEnvironment,
        /// A whole folder, or all objects whose keys begin so
        #[arg(long, short)]
        recursive: bool,
        /// What the objects are, such as text/html [default: by the ending of the name]
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
        /// How long others may keep them, such as "public, max-age=3600"
        #[arg(long, value_name = "TEXT")]
        cache_control: Option<String>,
    },
    /// Remove objects
    Rm {
        /// The project and the key: shop:photos/cat.jpg
        #[arg(value_name = "NAME:KEY")]
        place: Place,
        #[command(flatten)]
        environment: OfEnvironment,
        /// All objects whose keys begin so
        #[arg(long, short)]
        recursive: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Print a URL with which anybody who has it may read an object, or write it, for a while
    Presign {
        /// The project and the key: shop:photos/cat.jpg
        #[arg(value_name = "NAME:KEY")]
        place: Place,
        #[command(flatten)]
        environment: OfEnvironment,
        /// For how long, at most 7 days
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = Span::parse)]
        expires: Span,
        /// One to write the object with (PUT), not to read it
        #[arg(long)]
        put: bool,
    },
    /// Show how many objects and bytes there are
    Stats {
        #[command(flatten)]
        whose: Whose,
    },
    /// Show or change what is public, the quota, CORS and what expires
    Policy {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        change: PolicyChange,
    },
}

/// What of a policy is changed.
#[derive(Debug, Args)]
pub(crate) struct PolicyChange {
    /// Have anybody read objects whose keys begin so
    #[arg(long, value_name = "PREFIX")]
    pub(crate) public: Vec<String>,
    /// No more
    #[arg(long, value_name = "PREFIX")]
    pub(crate) private: Vec<String>,
    /// The most bytes the objects may take, such as 10GB
    #[arg(long, value_name = "SIZE", value_parser = ByteSize::parse, conflicts_with = "no_quota")]
    pub(crate) quota: Option<ByteSize>,
    /// As much as the disk has
    #[arg(long)]
    pub(crate) no_quota: bool,
    /// Let pages of this origin read and write, such as https://shop.example.com
    #[arg(long, value_name = "ORIGIN", conflicts_with = "no_cors")]
    pub(crate) cors: Vec<String>,
    /// Let no page of another origin
    #[arg(long)]
    pub(crate) no_cors: bool,
    /// Remove objects whose keys begin so after some days: uploads/=30d
    #[arg(long, value_name = "PREFIX=DAYS", value_parser = expiry)]
    pub(crate) expire: Vec<(String, i32)>,
    /// Remove nothing by its age
    #[arg(long, conflicts_with = "expire")]
    pub(crate) no_expire: bool,
}

fn expiry(text: &str) -> Result<(String, i32), String> {
    let (prefix, days) = text
        .rsplit_once('=')
        .ok_or("write PREFIX=DAYS, such as uploads/=30d")?;
    let days = days.strip_suffix('d').unwrap_or(days);
    match days.parse::<i32>() {
        Ok(days) if days > 0 => Ok((prefix.to_owned(), days)),
        _ => Err("days are a number from 1, such as 30d".to_owned()),
    }
}

/// Which environment of the project.
#[derive(Debug, Clone, Args)]
pub(crate) struct OfEnvironment {
    /// The environment of the project
    #[arg(
        long = "env",
        short = 'e',
        value_name = "ENV",
        env = "HOSTKIT_ENV",
        hide_env_values = true,
        default_value = "production"
    )]
    pub(crate) environment: EnvironmentName,
}

/// A project, and a key of its bucket or the beginning of some: `shop:photos/cat.jpg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The project.
    pub(crate) project: ProjectName,
    /// The key, or how keys begin. Empty: all.
    pub(crate) key: String,
}

impl std::str::FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (project, key) = text.split_once(':').unwrap_or((text, ""));
        Ok(Place {
            project: project.parse().map_err(|why| format!("{why}"))?,
            key: key.to_owned(),
        })
    }
}

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// In a bucket.
    There(Place),
    /// On this machine.
    Here(PathBuf),
    /// Standard input or output.
    Stream,
}

impl std::str::FromStr for End {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            _ if text == "-" => Ok(End::Stream),
            // A file with a colon in its name is written with its folder: ./a:b
            Some((project, _)) if !project.contains('/') => Ok(End::There(text.parse()?)),
            _ if text.is_empty() => Err("a name is empty".to_owned()),
            _ => Ok(End::Here(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_in_a_bucket_or_on_this_machine() {
        let there = |project: &str, key: &str| {
            End::There(Place {
                project: ProjectName::parse(project).unwrap(),
                key: key.to_owned(),
            })
        };
        assert_eq!("shop:a:b/../c".parse(), Ok(there("shop", "a:b/../c")));
        assert_eq!("shop:".parse(), Ok(there("shop", "")));
        assert_eq!("./a:b".parse(), Ok(End::Here("./a:b".into())));
        assert_eq!("cat.jpg".parse(), Ok(End::Here("cat.jpg".into())));
        assert_eq!("-".parse(), Ok(End::Stream));
        assert!("Shop!:a".parse::<End>().is_err() && "".parse::<End>().is_err());
    }

    #[test]
    fn what_expires_is_a_prefix_and_days() {
        assert_eq!(expiry("a=b/=30d"), Ok(("a=b/".to_owned(), 30)));
        assert_eq!(expiry("=1"), Ok((String::new(), 1)));
        for bad in ["a", "a=", "a=0", "a=-1d", "a=1h"] {
            assert!(expiry(bad).is_err(), "{bad}");
        }
    }
}
