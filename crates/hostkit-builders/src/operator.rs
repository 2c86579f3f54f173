//! What builds take over from the environment HostKit itself was started with: where packages come from and where
//! programs lie. Nothing else of it reaches a build.

use std::collections::BTreeMap;

/// Settings of package registries and of the way to them.
const PASSED_ON: [&str; 18] = [
    "NPM_CONFIG_REGISTRY",
    "npm_config_registry",
    "NPM_CONFIG_USERCONFIG",
    "NODE_EXTRA_CA_CERTS",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_CERT",
    "PIP_FIND_LINKS",
    "PIP_DEFAULT_TIMEOUT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "UV_INDEX",
];
/// The same for `uv`, by how the names begin.
const PASSED_ON_PREFIXES: [&str; 4] = [
    "UV_INDEX_",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
];
/// Where programs are looked for when HostKit's own environment says nothing.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Picks, from the variables HostKit was started with, those that builds get to see: registry addresses and their
/// certificates, proxies, and PATH. The home folder of a build is not the operator's, so his `~/.npmrc` is named by
/// `NPM_CONFIG_USERCONFIG` where it exists.
pub fn operator_environment_from(
    variables: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let mut home = None;
    let mut kept = BTreeMap::new();
    for (name, value) in variables {
        if name == "HOME" {
            home = Some(value);
        } else if name == "PATH"
            || PASSED_ON.contains(&name.as_str())
            || PASSED_ON_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        {
            kept.insert(name, value);
        }
    }
    if let Some(npmrc) = home.map(|home| std::path::Path::new(&home).join(".npmrc"))
        && !kept.contains_key("NPM_CONFIG_USERCONFIG")
        && npmrc.is_file()
        && let Some(npmrc) = npmrc.to_str()
    {
        kept.insert("NPM_CONFIG_USERCONFIG".into(), npmrc.into());
    }
    kept
}

/// The PATH of builds and of the programs they make: the absolute folders of the operator's, else the system's.
pub fn search_path(operator: &BTreeMap<String, String>) -> String {
    let absolute: Vec<&str> = operator
        .get("PATH")
        .map(|path| path.split(':').filter(|folder| folder.starts_with('/')).collect())
        .unwrap_or_default();
    if absolute.is_empty() {
        SYSTEM_PATH.into()
    } else {
        absolute.join(":")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_to_packages_is_passed_on() {
        let own = [
            ("PATH", "/opt/bin:relative::/usr/bin"),
            ("HOME", "/nonexistent"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("HOSTKIT_TOKEN", "x"),
            ("PIP_INDEX_URL", "https://pypi.example"),
            ("UV_INDEX_CORP_PASSWORD", "x"),
            ("https_proxy", "http://proxy"),
        ];
        let kept = operator_environment_from(own.map(|(n, v)| (n.to_owned(), v.to_owned())));
        let names: Vec<&str> = kept.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["PATH", "PIP_INDEX_URL", "UV_INDEX_CORP_PASSWORD", "https_proxy"]
        );
        assert_eq!(search_path(&kept), "/opt/bin:/usr/bin");
        assert_eq!(search_path(&BTreeMap::new()), SYSTEM_PATH);
    }
}
