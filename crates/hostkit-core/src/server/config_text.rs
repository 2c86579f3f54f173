//! Serialisers of the small files that setting up writes. Each file says on top whose it is. A value that could not
//! be read back as it was is refused: nothing that is written here can begin a second line.

use crate::kind::{Failure, Kind};

/// The first lines of a file: whose it is, and what it is for.
#[derive(Debug, Clone, Copy)]
pub struct Comment(pub &'static str);

impl Comment {
    fn lines(self, mark: &str) -> String {
        let mut text = format!(
            "{mark} Written by `hostkit server setup`, which writes it again where it was changed.\n"
        );
        for line in self.0.lines() {
            text.push_str(&format!("{mark} {line}\n"));
        }
        text
    }
}

/// The first lines of a file that has a form of its own.
pub fn comment_lines(comment: Comment) -> String {
    comment.lines("#")
}

/// A file of `[Section]` and `Key=Value` lines: journald, systemd, fail2ban.
#[derive(Debug, Clone)]
pub struct Sections {
    text: String,
    failure: Option<Failure>,
}

impl Sections {
    /// An empty file.
    pub fn new(comment: Comment) -> Self {
        Sections {
            text: comment.lines("#"),
            failure: None,
        }
    }

    /// Begins a section.
    pub fn section(mut self, name: &str) -> Self {
        if let Err(failure) = plain("section", name) {
            self.failure.get_or_insert(failure);
        }
        self.text.push_str(&format!("\n[{name}]\n"));
        self
    }

    /// Adds a line; `separator` is `=` for systemd and ` = ` for fail2ban.
    pub fn line(mut self, key: &str, separator: &str, value: &str) -> Self {
        for part in [key, value] {
            if let Err(failure) = plain(key, part) {
                self.failure.get_or_insert(failure);
            }
        }
        self.text.push_str(&format!("{key}{separator}{value}\n"));
        self
    }

    /// The file.
    pub fn text(self) -> Result<String, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.text),
        }
    }
}

/// A drop-in of sshd: `Keyword value`.
pub fn sshd_settings(comment: Comment, settings: &[(&str, &str)]) -> Result<String, Failure> {
    lines(comment.lines("#"), settings, |key, value| {
        format!("{key} {value}")
    })
}

/// A drop-in of sysctl: `key = value`.
pub fn sysctl_settings(comment: Comment, settings: &[(&str, &str)]) -> Result<String, Failure> {
    lines(comment.lines("#"), settings, |key, value| {
        format!("{key} = {value}")
    })
}

/// A drop-in of apt: `Key "value";`.
pub fn apt_settings(comment: Comment, settings: &[(&str, &str)]) -> Result<String, Failure> {
    for (key, value) in settings {
        if value.contains(['"', '\\']) {
            return Err(refused(key));
        }
    }
    lines(comment.lines("//"), settings, |key, value| {
        format!("{key} \"{value}\";")
    })
}

fn lines(
    mut text: String,
    settings: &[(&str, &str)],
    line: impl Fn(&str, &str) -> String,
) -> Result<String, Failure> {
    text.push('\n');
    for (key, value) in settings {
        plain(key, key)?;
        plain(key, value)?;
        text.push_str(&line(key, value));
        text.push('\n');
    }
    Ok(text)
}

fn plain(key: &str, text: &str) -> Result<(), Failure> {
    let fine = !text.is_empty()
        && text.trim() == text
        && !text.contains(char::is_control)
        && !text.starts_with(['#', ';', '['])
        && !text.ends_with('\\');
    if fine { Ok(()) } else { Err(refused(key)) }
}

fn refused(key: &str) -> Failure {
    let key: String = key.chars().filter(|c| !c.is_control()).take(64).collect();
    Failure::new(
        Kind::Internal,
        format!("cannot write the setting `{key}`: its value is no single plain line"),
    )
}
