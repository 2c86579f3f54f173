//! What projects of some languages are built and run with. What is there already is left alone, wherever it came from.

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Machine};
use hostkit_core::server_settings::{FILE, Language};

use super::packages::installed;
use crate::server::item::{Finding, Item, Site};

/// Where builds and programs of projects look for them.
const FOLDERS: [&str; 2] = ["/usr/local/bin", "/usr/bin"];

/// What a language needs.
struct Needs {
    title: &'static str,
    programs: &'static [&'static str],
    packages: &'static [&'static str],
}

const fn needs(language: Language) -> Needs {
    match language {
        Language::Node => Needs {
            title: "Node.js",
            programs: &["node", "npm"],
            packages: &["nodejs", "npm"],
        },
        // What virtual environments are made with is among the packages of every server.
        Language::Python => Needs {
            title: "Python",
            programs: &["python3"],
            packages: &["python3"],
        },
    }
}

pub(super) struct Languages;

impl Item for Languages {
    fn name(&self) -> &'static str {
        "languages"
    }

    fn title(&self) -> &'static str {
        "languages of projects"
    }

    fn why(&self) -> &'static str {
        "what apps are built and run with"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["packages"]
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding::default();
        for language in Language::ALL {
            let Needs {
                title,
                programs,
                packages,
            } = needs(language);
            let absent = absent(site.machine, programs)?;
            if absent.is_empty() {
                continue;
            }
            if !site.wish.languages.contains(&language) {
                finding.notes.push(format!(
                    "{title} is not here: for projects that need it, `languages` in {FILE} with \"{language}\" in it",
                    language = language.as_str()
                ));
                continue;
            }
            let there = installed(site.machine, packages.iter().copied())?;
            let due: Vec<String> = packages
                .iter()
                .filter(|name| !there.iter().any(|other| other == *name))
                .map(ToString::to_string)
                .collect();
            if !due.is_empty() {
                finding.missing = true;
                finding.find(format!("{title} is not installed: no {}", absent.join(", ")));
                finding.change(Change::Install(due));
            }
        }
        Ok(finding)
    }
}

/// The programs that are in none of the folders.
fn absent(machine: &dyn Machine, programs: &[&'static str]) -> Result<Vec<&'static str>, Failure> {
    let mut absent = Vec::new();
    for program in programs {
        let mut is_there = false;
        for folder in FOLDERS {
            is_there |= machine.look(&format!("{folder}/{program}"))?.is_some();
        }
        if !is_there {
            absent.push(*program);
        }
    }
    Ok(absent)
}
