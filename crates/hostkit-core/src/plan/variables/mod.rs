//! What a program finds in its environment, and from whom.

use std::collections::BTreeMap;
use std::path::Path;

use crate::manifest::{Manifest, Reach};
use crate::names::{ProcessName, ReleaseName, VariableName};
use crate::project::EnvironmentId;
use crate::release::FrozenProcess;
use crate::secret::Secret;
use crate::variables::{RESERVED, Variables, references};

#[cfg(test)]
mod tests;

/// The machine's own programs, behind the folders of the release.
pub const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// All that the environment of a process is made of.
#[derive(Debug, Clone)]
pub struct ProcessContext<'a> {
    /// Whose process it is.
    pub environment: &'a EnvironmentId,
    /// The release it runs.
    pub release: &'a ReleaseName,
    /// The folder of the release's files, absolute.
    pub folder: &'a Path,
    /// The process.
    pub process: &'a FrozenProcess,
    /// The manifest of the release: its defaults and required names.
    pub manifest: &'a Manifest,
    /// What the user set, and what bindings yield.
    pub user: &'a Variables,
    /// The stable ports of the environment's internal processes.
    pub internal_ports: &'a BTreeMap<ProcessName, u16>,
    /// Where the system's programs are, as in PATH; most often [`SYSTEM_PATH`].
    pub system_path: &'a str,
    /// The home folder.
    pub home: &'a Path,
    /// The account it runs as.
    pub account: &'a str,
}

/// The variables of a process (all but HOST and the port's, which an instance gets when it starts).
///
/// What stands later wins: HOME, USER, LANG; the manifest's defaults; the program's own; the addresses of internal
/// processes (`NAME_URL`, `NAME_HOST`, `NAME_PORT`); the user's; HostKit's own, which nobody overrides. A PATH of the
/// user's takes the place of the system's, behind the folders of the release.
pub fn environment_of_process(context: &ProcessContext<'_>) -> Variables {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: &str| {
        if let Ok(name) = VariableName::parse(name) {
            variables.insert(name, Secret::new(value));
        }
    };
    set("HOME", &context.home.to_string_lossy());
    set("USER", context.account);
    set("LANG", "C.UTF-8");
    for (name, value) in &context.manifest.defaults {
        set(name.as_str(), value);
    }
    for (name, value) in &context.process.program.variables {
        set(name, value);
    }
    for (process, port) in context.internal_ports {
        let name = process.as_str().to_ascii_uppercase().replace('-', "_");
        set(&format!("{name}_URL"), &format!("http://127.0.0.1:{port}"));
        set(&format!("{name}_HOST"), "127.0.0.1");
        set(&format!("{name}_PORT"), &port.to_string());
    }
    variables.extend(
        context
            .user
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    variables
        .retain(|name, _| !RESERVED.contains(&name.as_str()) && *name != context.process.rule.port_variable);
    let mut set = |name: &str, value: &str| {
        if let Ok(name) = VariableName::parse(name) {
            variables.insert(name, Secret::new(value));
        }
    };
    set("PROJECT_NAME", context.environment.project.as_str());
    set("HOSTKIT_ENVIRONMENT", context.environment.environment.as_str());
    set("HOSTKIT_RELEASE", context.release.as_str());
    set("PATH", &path(context));
    // A deployment whose references lead nowhere was refused; in a release from before there were any they are text.
    references::resolve_where_possible(variables)
}

/// What is wrong with values, a line each, without the values: references that lead nowhere, and what the manifest's
/// checks refuse. Variables without a value are told by [`missing`].
pub fn refused(manifest: &Manifest, user: &Variables) -> Vec<String> {
    let mut variables: Variables = manifest
        .defaults
        .iter()
        .map(|(name, value)| (name.clone(), Secret::new(value.as_str())))
        .collect();
    variables.extend(user.clone());
    let mut known = variables.clone();
    for name in known_later(manifest) {
        known.entry(name).or_insert_with(|| Secret::new(""));
    }
    let resolved = match references::resolve(&known) {
        Ok(resolved) => resolved,
        Err(why) => return vec![why.to_string()],
    };
    let of = |name: &VariableName| resolved.get(name).filter(|_| variables.contains_key(name));
    let checked = manifest.checks.iter().filter_map(|(name, rule)| {
        let value = of(name).map(Secret::reveal).filter(|value| !value.is_empty())?;
        Some(format!("`{name}` {}", rule.refusal(value)?))
    });
    checked.collect()
}

/// Names that HostKit gives a value when a process starts, whatever it will be.
fn known_later(manifest: &Manifest) -> Vec<VariableName> {
    let own = [
        "PROJECT_NAME",
        "HOSTKIT_ENVIRONMENT",
        "HOSTKIT_RELEASE",
        "HOME",
        "USER",
        "LANG",
        "PATH",
    ];
    let internal = manifest
        .processes
        .iter()
        .filter(|(_, rule)| rule.reach == Reach::Internal);
    let of_internal = internal.flat_map(|(process, _)| {
        let name = process.as_str().to_ascii_uppercase().replace('-', "_");
        ["URL", "HOST", "PORT"].map(|what| format!("{name}_{what}"))
    });
    let all = own.into_iter().map(str::to_owned).chain(of_internal);
    let parsed = all.filter_map(|name| VariableName::parse(&name).ok());
    parsed.chain(manifest.generate.keys().cloned()).collect()
}

fn path(context: &ProcessContext<'_>) -> String {
    let of_user = context
        .user
        .iter()
        .find(|(name, _)| name.as_str() == "PATH")
        .map(|(_, value)| value.reveal());
    let folders = context.process.program.path.iter();
    folders
        .map(|folder| folder.under(context.folder).to_string_lossy().into_owned())
        .chain([of_user.unwrap_or(context.system_path).to_owned()])
        .collect::<Vec<String>>()
        .join(":")
}

/// The names the manifest requires that have no value: neither the user's nor a default, nor one that is made up. An empty
/// value is none. The password visitors are asked for is required, too.
pub fn missing(manifest: &Manifest, user: &Variables) -> Vec<VariableName> {
    let has_value = |name: &&VariableName| {
        let of_user = user.get(*name).map(Secret::reveal);
        let value = of_user.or(manifest.defaults.get(*name).map(String::as_str));
        value.map_or(manifest.generate.contains_key(*name), |value| !value.is_empty())
    };
    let password = manifest.routing.basic_auth.iter().map(|auth| &auth.variable);
    let required = manifest.required.iter();
    let others = password.filter(|name| !manifest.required.contains(name));
    let all = required.chain(others);
    all.filter(|name| !has_value(name)).cloned().collect()
}
