use super::deploy::Count;
use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    use clap::FromArgMatches;
    let matches = command().try_get_matches_from(line.split_whitespace())?;
    Cli::from_arg_matches(&matches)
}

#[test]
fn the_definition_is_sound() {
    command().debug_assert();
}

#[test]
fn every_command_stands_in_one_group() {
    let command = command();
    let mut listed: Vec<&str> = groups::GROUPS
        .iter()
        .flat_map(|(_, names)| names.iter().copied())
        .collect();
    listed.sort_unstable();
    let mut known: Vec<&str> = command
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
        .map(|c| c.get_name())
        .collect();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[test]
fn every_command_has_examples_and_a_sentence() {
    for sub in command().get_subcommands().filter(|c| !c.is_hide_set()) {
        assert!(sub.get_about().is_some(), "{} has no sentence", sub.get_name());
        let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Examples:"), "{} has no examples", sub.get_name());
        assert!(help.contains("hostkit"), "{}", sub.get_name());
    }
}

#[test]
fn every_example_of_a_command_parses() {
    for sub in command().get_subcommands().filter(|c| !c.is_hide_set()) {
        let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines().filter(|l| l.starts_with("  hostkit ")) {
            // What the shell takes for itself.
            let line = line.split(['>', '<']).next().unwrap_or(line).replace('\'', "");
            if let Err(e) = parse(&line) {
                assert!(!e.use_stderr(), "{line}: {e}");
            }
        }
    }
}

#[test]
fn every_command_of_the_documents_parses() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in [
        "README.md",
        "docs/deploying.md",
        "docs/domains.md",
        "docs/troubleshooting.md",
        "docs/server-setup.md",
        "docs/runbook.md",
        "docs/incident-response.md",
    ] {
        let text = std::fs::read_to_string(root.join(file)).expect("a document");
        let in_code = text.split('`').skip(1).step_by(2);
        let in_blocks = text.lines().filter_map(|line| line.trim().strip_prefix("$ "));
        let mut count = 0;
        for line in in_code.chain(in_blocks) {
            // What the shell takes for itself, and what stands for a word.
            let line = line.split(['#', '<', '>', '|', ';']).next().unwrap_or(line);
            if !line.starts_with("hostkit ") || line.contains('…') || line.contains("COMMAND") {
                continue;
            }
            count += 1;
            if let Err(error) = parse(&line.replace("Hello there", "Hello").replace('"', "")) {
                // A sentence may name a command without what follows it.
                let only_named = error.kind() == clap::error::ErrorKind::MissingRequiredArgument;
                assert!(only_named || !error.use_stderr(), "{file}: {line}: {error}");
            }
        }
        assert!(count > 5, "{file} names {count} commands only");
    }
}

#[test]
fn counts() {
    for (text, fine) in [
        ("web=3", true),
        ("web=0", true),
        ("web=64", true),
        ("web=65", false),
        ("web", false),
        ("web=", false),
        ("web=-1", false),
        ("Web=1", false),
        ("=1", false),
    ] {
        assert_eq!(text.parse::<Count>().is_ok(), fine, "{text}");
    }
}

#[test]
fn a_one_off_command_keeps_its_own_options() {
    let cli = parse("hostkit run -p shop -- ls -la --json").expect("parses");
    let Command::Run(run) = cli.command else {
        panic!("not run")
    };
    assert_eq!(run.command, ["ls", "-la", "--json"]);
    assert!(!cli.globals.json);
}

#[test]
fn a_misspelt_command_is_guessed() {
    let error = parse("hostkit depoly").expect_err("no such command").to_string();
    assert!(error.contains("deploy"), "{error}");
}

#[test]
fn globals_stand_before_or_after_the_command() {
    for line in ["hostkit --json ps", "hostkit ps --json"] {
        assert!(parse(line).expect("parses").globals.json, "{line}");
    }
    assert!(parse("hostkit ps -q -v").is_err());
}
