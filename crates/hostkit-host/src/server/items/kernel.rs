//! Kernel settings: a drop-in of sysctl, and the same values in the running kernel.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Change, Comment, KERNEL, Machine, sysctl_settings};

use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{is_container, want_file};

/// Read after those of the distribution, before `99-sysctl.conf` and what operators write behind it.
const FILE: &str = "/etc/sysctl.d/60-hostkit.conf";
/// Where drop-ins lie, in the order in which one of a name hides the others.
const FOLDERS: [&str; 3] = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d"];

pub(super) struct Kernel;

impl Item for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn title(&self) -> &'static str {
        "settings of the kernel"
    }

    fn why(&self) -> &'static str {
        "many connections and files at once, and less to learn for whoever breaks into an app"
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding {
            missing: site.machine.look(FILE)?.is_none(),
            ..Finding::default()
        };
        let container = is_container(site.machine)?;
        let (mut settings, mut due, mut of_host) = (Vec::new(), Vec::new(), Vec::new());
        for setting in KERNEL {
            // A kernel that does not know it has nothing to set.
            let (Some(found), Some(value)) = (
                site.machine.look(&setting.path())?,
                site.machine.read(&setting.path())?,
            ) else {
                continue;
            };
            let is_met = setting.is_met_by(&value);
            if container && !found.writable {
                if !is_met {
                    of_host.push(setting.key);
                }
                continue;
            }
            settings.push((setting.key, setting.value()));
            if !is_met {
                due.push((setting, value.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
        }
        if !of_host.is_empty() {
            let note = format!("a container leaves these to its host: {}", of_host.join(", "));
            finding.notes.push(note);
        }
        if settings.is_empty() {
            finding.missing = false;
            return Ok(finding);
        }
        let pairs: Vec<(&str, &str)> = settings
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let text = sysctl_settings(Comment("Limits for many apps on one machine."), &pairs)?;
        want_file(site, FILE, text, &mut finding)?;
        for (setting, value) in due {
            finding.find(format!(
                "{} is {value}, not {}: {}",
                setting.key,
                setting.value(),
                setting.why
            ));
            finding.change(Change::Kernel {
                key: setting.key.to_owned(),
                from: value,
                to: setting.value(),
            });
        }
        for (path, key) in overruling(site.machine)? {
            finding.find(format!("{path} sets {key} otherwise at the next boot"));
            finding.refused = Some(
                Failure::new(
                    Kind::Conflict,
                    format!("cannot keep `{key}` over a boot: {path} is read after ours"),
                )
                .hint(format!("take the line with `{key}` out of {path}")),
            );
        }
        Ok(finding)
    }
}

/// Lines of files behind ours that would not do.
fn overruling(machine: &dyn Machine) -> Result<Vec<(String, &'static str)>, Failure> {
    let ours = FILE.rsplit('/').next().unwrap_or_default();
    let mut found = Vec::new();
    for folder in FOLDERS {
        for name in machine.list(folder)? {
            let hidden = FOLDERS
                .iter()
                .take_while(|other| **other != folder)
                .map(|other| machine.look(&format!("{other}/{name}")))
                .collect::<Result<Vec<_>, _>>()?
                .iter()
                .any(Option::is_some);
            if name.as_str() <= ours || !name.ends_with(".conf") || hidden {
                continue;
            }
            let path = format!("{folder}/{name}");
            let text = machine.read(&path)?.unwrap_or_default();
            for line in text
                .lines()
                .filter(|line| !line.trim_start().starts_with(['#', ';']))
            {
                let Some((key, value)) = line.split_once('=') else {
                    continue;
                };
                let key = key.trim().trim_start_matches('-').replace('/', ".");
                if let Some(setting) = KERNEL.iter().find(|setting| setting.key == key)
                    && !setting.is_met_by(value)
                {
                    found.push((path.clone(), setting.key));
                }
            }
        }
    }
    Ok(found)
}
