//! Rules every row of the table keeps.

use std::collections::BTreeSet;

use super::*;
use crate::endpoint::Form;

#[test]
fn rows_are_unique_and_their_paths_fit_their_targets() {
    let mut seen = BTreeSet::new();
    for name in Name::ALL {
        let row = name.endpoint();
        assert_eq!(row.name, *name);
        assert!(
            seen.insert((row.method.to_string(), row.path)),
            "{name:?} is there twice"
        );
        assert!(row.path.starts_with("/api/") && !row.path.ends_with('/'));
        let in_path: Vec<&str> = row
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let in_target: Vec<&str> = row.parameters.iter().map(|p| p.name).collect();
        assert_eq!(in_path, in_target, "{name:?}");
        assert!(!row.summary().is_empty() && row.summary().len() < 130, "{name:?}");
    }
}

#[test]
fn permissions_fit_what_the_path_names() {
    for name in Name::ALL {
        let row = name.endpoint();
        let of_project = matches!(
            row.permission,
            Permission::ReadProject
                | Permission::DeployProject
                | Permission::ManageSecrets
                | Permission::ManageAccess
                | Permission::DeleteProject
        );
        assert_eq!(of_project, row.has_project(), "{name:?}");
        let reads = row.method == Method::GET && row.response.form != Form::Socket;
        let may_only_look = matches!(
            row.permission,
            Permission::Public
                | Permission::KnowOneself
                | Permission::ReadInstallation
                | Permission::ReadCertificates
                | Permission::ReadProject
        );
        assert!(
            reads || !may_only_look,
            "{name:?} changes something and asks for the right to look only"
        );
    }
    let public: Vec<_> = Name::ALL
        .iter()
        .filter(|n| n.endpoint().permission == Permission::Public)
        .collect();
    assert_eq!(public, [&Name::GetHealth, &Name::GetOpenApi]);
}
