//! Logs in files: the folder of the projects' logs, and the rotation of the system's own.
//!
//! logrotate is kept away from the projects' logs on purpose: it works as root by file names, in folders that projects
//! may write to, and would take files from under the process that writes, rotates and reads them back. That process
//! bounds each log in size and age by itself.

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Comment, FoundKind};

use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{want_file, want_unit};

const FOLDER: &str = "/var/log/projects";
const MODE: u32 = 0o755;
/// Makes the folder again at boot where somebody emptied `/var/log`.
const FILE: &str = "/etc/tmpfiles.d/hostkit-logs.conf";

pub(super) struct Logs;

impl Item for Logs {
    fn name(&self) -> &'static str {
        "logs"
    }

    fn title(&self) -> &'static str {
        "log files and their rotation"
    }

    fn why(&self) -> &'static str {
        "logs are where everybody looks for them, and do not fill the disk"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["packages"]
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding::default();
        let found = site.machine.look(FOLDER)?;
        finding.missing = found.is_none();
        match found {
            Some(found) if found.kind != FoundKind::Folder => {
                finding.find(format!("{FOLDER} is no folder"));
                finding.refused = Some(
                    Failure::new(
                        hostkit_core::kind::Kind::Conflict,
                        format!("cannot make the folder {FOLDER}: something else is there"),
                    )
                    .hint(format!("move it away: `mv {FOLDER} {FOLDER}.old`")),
                );
                return Ok(finding);
            }
            Some(found) if found.mode == MODE && found.uid == 0 => {}
            Some(found) => {
                finding.find(format!(
                    "{FOLDER} is of account {} with mode {:04o}",
                    found.uid, found.mode
                ));
                finding.change(folder());
            }
            None => {
                finding.find(format!("{FOLDER} is not there"));
                finding.change(folder());
            }
        }
        let text = tmpfiles_line();
        want_file(site, FILE, text, &mut finding)?;
        want_unit(site, "logrotate.timer", true, &mut finding)?;
        Ok(finding)
    }
}

fn folder() -> Change {
    Change::Folder {
        path: FOLDER.to_owned(),
        mode: MODE,
    }
}

fn tmpfiles_line() -> String {
    let top = hostkit_core::server::comment_lines(Comment("Logs of projects; each rotates its own."));
    format!("{top}\nd {FOLDER} {MODE:04o} root root -\n")
}
