//! What a folder looks like from outside: one sentence each for the builder and for what is started. The builders
//! themselves decide at the deploy, and look closer.

use std::path::Path;

/// What a deploy is going to assume, as far as files tell.
pub(super) fn read(folder: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    let has = |name: &str| folder.join(name).is_file();
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let package = text("package.json");
    let sign = if has("package.json") && package.contains("\"next\"") {
        Some(("package.json with `next`", "`nextjs`"))
    } else if has("package.json") {
        Some(("package.json", "`node`"))
    } else if let Some(file) = ["pyproject.toml", "requirements.txt", "Pipfile"]
        .into_iter()
        .find(|f| has(f))
    {
        Some((file, "`python`"))
    } else if has("index.html") {
        Some(("index.html", "`static`"))
    } else {
        None
    };
    notes.push(match sign {
        Some((file, builder)) => {
            format!("It looks like a project for the builder {builder}: there is {file}.")
        }
        None => "No builder knows it by its files so far; `builder` below `[build]` may name one.".to_owned(),
    });
    let processes = processes(&text("Procfile"));
    if !processes.is_empty() {
        notes.push(format!("Procfile names what runs: {}.", processes.join(", ")));
    }
    notes.push("Every deploy says what it detects and assumes.".to_owned());
    notes
}

fn processes(procfile: &str) -> Vec<String> {
    procfile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(|name| format!("`{name}`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_folder_is_known_by_its_files() {
        for (files, first) in [
            (
                &[("package.json", "{\"dependencies\":{\"next\":\"15\"}}")][..],
                "`nextjs`",
            ),
            (&[("package.json", "{}"), ("index.html", "")], "`node`"),
            (&[("requirements.txt", "flask")], "`python`"),
            (&[("index.html", "")], "`static`"),
            (&[], "No builder"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            for (name, text) in files {
                std::fs::write(folder.path().join(name), text).expect("written");
            }
            let notes = read(folder.path());
            assert!(notes[0].contains(first), "{notes:?}");
        }
    }

    #[test]
    fn a_procfile_says_what_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join("Procfile"),
            "# all\nweb: node x\nworker: node y\n",
        )
        .expect("written");
        assert!(read(folder.path()).contains(&"Procfile names what runs: `web`, `worker`.".to_owned()));
    }
}
