//! Commands to try, completed: what the server suggests knows nothing of the folder somebody stands in.

use crate::args;

/// The hint with `target` (` -p shop -e staging`, or nothing) in each of its commands that is about one project.
pub(super) fn complete(hint: &str, target: &str) -> String {
    if target.is_empty() {
        return hint.to_owned();
    }
    let parts: Vec<String> = hint
        .split('`')
        .enumerate()
        .map(|(at, part)| match at % 2 {
            1 => with_target(part, target),
            _ => part.to_owned(),
        })
        .collect();
    parts.join("`")
}

fn with_target(command: &str, target: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let named = words
        .iter()
        .any(|word| ["-p", "--project"].contains(word) || word.starts_with("--project="));
    if words.first() != Some(&"hostkit") || named || !takes_project(&words) {
        return command.to_owned();
    }
    match command.split_once(" -- ") {
        Some((before, after)) => format!("{before}{target} -- {after}"),
        None => format!("{command}{target}"),
    }
}

fn takes_project(words: &[&str]) -> bool {
    let mut at = args::command();
    // Options that a command hands down to its own ones are there only then.
    at.build();
    for word in words.iter().skip(1) {
        match at.find_subcommand(word) {
            Some(next) => at = next.clone(),
            None => break,
        }
    }
    // A token is *for* a project; the command is not about it.
    at.get_name() != "create" && at.get_arguments().any(|argument| argument.get_id() == "project")
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn commands_about_a_project_name_it() {
        for (hint, told) in [
            (
                "see what it printed: `hostkit logs --process web`",
                "see what it printed: `hostkit logs --process web -p shop`",
            ),
            ("`hostkit env list`", "`hostkit env list -p shop`"),
            (
                "`hostkit run -- sh`, or `hostkit status`",
                "`hostkit run -p shop -- sh`, or `hostkit status`",
            ),
            ("`hostkit ps --project blog`", "`hostkit ps --project blog`"),
            (
                "`hostkit deployments log 3`",
                "`hostkit deployments log 3 -p shop`",
            ),
            (
                "set `PORT`, then `hostkit deploy`",
                "set `PORT`, then `hostkit deploy -p shop`",
            ),
            (
                "see all with `hostkit project list`",
                "see all with `hostkit project list`",
            ),
        ] {
            assert_eq!(complete(hint, " -p shop"), told);
            assert_eq!(complete(hint, ""), hint);
        }
    }
}
