//! An operator's program that makes entries in the DNS: run with `set NAME VALUE` and `clear NAME VALUE` after its own
//! arguments, as whoever runs us, with no variables but `PATH`.

use std::time::Duration;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::DnsHook;
use tokio::process::Command;

use crate::system_program::run;

/// It waits until the entry can be seen by others, which takes some providers minutes.
const LONGEST: Duration = Duration::from_secs(180);

/// The program.
#[derive(Debug, Clone)]
pub struct DnsProgram {
    program: String,
    arguments: Vec<String>,
}

impl DnsProgram {
    /// From the program and its first arguments; none where there are no words.
    pub fn new(words: &[String]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        Some(DnsProgram {
            program: program.clone(),
            arguments: arguments.to_vec(),
        })
    }

    async fn run(&self, verb: &str, name: &str, value: &str) -> Result<(), Failure> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args([verb, name, value]);
        let ended = run(command, &self.program, b"", LONGEST).await?;
        match ended.is_success() {
            true => Ok(()),
            false => Err(Failure::new(
                Kind::Failed,
                format!(
                    "cannot {verb} `{name}` in the DNS: `{}` says: {}",
                    self.program,
                    ended.why()
                ),
            )
            .hint("run the program by hand as the front door's account and see what is wrong")),
        }
    }
}

#[async_trait]
impl DnsHook for DnsProgram {
    async fn set(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.run("set", name, value).await
    }

    async fn clear(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.run("clear", name, value).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(words: &[&str]) -> DnsProgram {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        DnsProgram::new(&words).unwrap()
    }

    #[tokio::test]
    async fn it_is_told_what_to_do_and_no_shell_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told").display().to_string();
        let script = r#"printf '%s\n' "$@" >> "$0""#;
        let program = program(&["/bin/sh", "-c", script, &file]);
        program
            .set("_acme-challenge.example.com", "$(id); `id`")
            .await
            .unwrap();
        program.clear("_acme-challenge.example.com", "-x").await.unwrap();
        let told = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            told,
            "set\n_acme-challenge.example.com\n$(id); `id`\nclear\n_acme-challenge.example.com\n-x\n"
        );
    }

    #[tokio::test]
    async fn what_it_says_when_it_fails_is_passed_on() {
        let failing = program(&["/bin/sh", "-c", "echo no such zone >&2; exit 3"]);
        let failure = failing.set("a", "b").await.unwrap_err();
        assert!(failure.message.ends_with("says: no such zone"), "{failure}");
        let missing = program(&["/nonexistent/program"]);
        assert!(missing.set("a", "b").await.is_err());
        assert!(DnsProgram::new(&[]).is_none());
    }
}
