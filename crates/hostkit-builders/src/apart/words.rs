//! What control and the role `build` say to each other: one order, then words, one line of JSON each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogStream;
use hostkit_core::manifest::BuildRule;
use hostkit_core::names::{ProjectName, VariableName};
use hostkit_core::release::Artifact;
use hostkit_core::secret::Secret;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::BuildJob;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::BuilderSettings;

/// Longer than any word of ours: an artifact with hundreds of processes. What a build prints in one line is cut by its
/// guard far below.
const LONGEST: u64 = 4 * 1024 * 1024;

/// What is to be built.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) builder: String,
    pub(super) project: ProjectName,
    pub(super) source: PathBuf,
    pub(super) output: PathBuf,
    pub(super) cache: PathBuf,
    pub(super) rule: BuildRule,
    variables: BTreeMap<VariableName, String>,
    pub(super) operator_environment: BTreeMap<String, String>,
    pub(super) min_free: ByteSize,
}

impl Order {
    pub(super) fn new(builder: &str, job: &BuildJob, settings: &BuilderSettings) -> Self {
        let revealed = |(name, value): (&VariableName, &Secret)| (name.clone(), value.reveal().to_owned());
        Order {
            builder: builder.to_owned(),
            project: job.project.clone(),
            source: job.source.clone(),
            output: job.output.clone(),
            cache: job.cache.clone(),
            rule: job.rule.clone(),
            variables: job.variables.iter().map(revealed).collect(),
            operator_environment: settings.operator_environment.clone(),
            min_free: settings.min_free,
        }
    }

    pub(super) fn text(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self)
            .map_err(|why| Failure::new(Kind::Internal, format!("cannot write down a build: {why}")))
    }

    pub(super) fn job(&self) -> BuildJob {
        let hidden = |(name, value): (&VariableName, &String)| (name.clone(), Secret::new(value));
        BuildJob {
            project: self.project.clone(),
            source: self.source.clone(),
            output: self.output.clone(),
            cache: self.cache.clone(),
            rule: self.rule.clone(),
            variables: self.variables.iter().map(hidden).collect(),
        }
    }
}

/// What the worker says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// A line of a program's output or of the builder's own.
    Line {
        /// Whose.
        stream: LogStream,
        /// The line.
        text: String,
    },
    /// How it ended: the last word.
    Ended(Box<Result<Artifact, Failure>>),
}

/// The words of a worker as they come. What is none is passed over: a project's programs may write there, too.
pub(super) struct Words<R> {
    from: BufReader<R>,
}

impl<R: AsyncRead + Unpin> Words<R> {
    pub(super) fn new(from: R) -> Self {
        Words {
            from: BufReader::new(from),
        }
    }

    /// The next word; none at the end, or where something is said that is longer than any word.
    pub(super) async fn next(&mut self) -> Option<Word> {
        loop {
            let mut line = Vec::new();
            let read = (&mut self.from).take(LONGEST).read_until(b'\n', &mut line).await;
            if read.unwrap_or(0) == 0 || line.len() as u64 == LONGEST {
                return None;
            }
            if let Ok(word) = serde_json::from_slice(&line) {
                return Some(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &[u8]) -> Vec<Word> {
        let mut words = Words::new(text);
        let mut found = Vec::new();
        while let Some(word) = words.next().await {
            found.push(word);
        }
        found
    }

    #[tokio::test]
    async fn words_are_told_from_everything_else() {
        let word = Word::Line {
            stream: LogStream::Out,
            text: "a \n line".into(),
        };
        let mut text = b"nonsense\n{\"line\":7}\n\xff\xfe\n\n".to_vec();
        text.extend(serde_json::to_vec(&word).unwrap());
        text.extend(b"\n{\"ended\":{\"Err\":{\"kind\":\"failed\"");
        assert_eq!(all(&text).await, [word]);
    }

    #[tokio::test]
    async fn a_word_without_an_end_ends_all() {
        let mut text = vec![b'x'; LONGEST as usize + 1];
        text.extend(b"\n{\"line\":{\"stream\":\"out\",\"text\":\"later\"}}\n");
        assert!(all(&text).await.is_empty());
    }

    #[test]
    fn an_order_says_all_of_a_job() {
        let job = BuildJob {
            project: "shop".parse().unwrap(),
            source: "/home/shop/build/1/source".into(),
            output: "/home/shop/build/1/output".into(),
            cache: "/home/shop/.cache".into(),
            rule: BuildRule::default(),
            variables: [("KEY".parse().unwrap(), Secret::new("a\n\"$x"))].into(),
        };
        let settings = BuilderSettings {
            own: hostkit_host::roles::SelfProgram::current(),
            operator_environment: [("PATH".to_owned(), "/usr/bin".to_owned())].into(),
            min_free: ByteSize::mib(1),
        };
        let text = Order::new("node", &job, &settings).text().unwrap();
        let read: Order = serde_json::from_slice(&text).unwrap();
        assert_eq!(format!("{:?}", read.job()), format!("{job:?}"));
        assert_eq!(read.job().variables, job.variables);
        assert_eq!((read.builder.as_str(), read.min_free), ("node", ByteSize::mib(1)));
    }
}
