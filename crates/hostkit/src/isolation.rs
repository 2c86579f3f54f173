//! `hostkit doctor isolation`: what is asked of control as somebody else, from the table of endpoints.

use hostkit_api::endpoint::Endpoint;
use hostkit_api::endpoints::Name;
use hostkit_core::access::Permission;
use hostkit_core::isolation::IsolationReport;
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_host::isolation::Question;
use hostkit_host::roles::SelfProgram;

/// Tries everything as `from` at `to`.
pub(crate) fn examine(from: &ProjectName, to: &ProjectName) -> anyhow::Result<IsolationReport> {
    let questions: Vec<Question> = Name::ALL
        .iter()
        .map(|name| name.endpoint())
        .filter_map(|endpoint| question(&endpoint, to))
        .collect();
    Ok(hostkit_host::isolation::examine(
        &Layout::server(),
        (from, to),
        &questions,
        &SelfProgram::current(),
    )?)
}

/// The endpoint as a question about a project; nothing where it is anybody's to ask, where the question would have to
/// name what only the project knows, or where obeying it would do harm.
fn question(endpoint: &Endpoint, to: &ProjectName) -> Option<Question> {
    let body = match endpoint.name {
        // Each lacks what it must say: whoever is let through is told so, and nothing is done.
        Name::CreateToken | Name::CreateProject | Name::CreateDeployment => Some("{}".to_owned()),
        // Set nothing and remove nothing.
        Name::ChangeVariables => Some("{}".to_owned()),
        Name::ExportVariables => None,
        _ if endpoint.method == "GET" => None,
        _ => return None,
    };
    let production = EnvironmentName::production();
    let path = endpoint
        .path
        .replace("{project}", to.as_str())
        .replace("{environment}", production.as_str());
    // What everybody is told, and what everybody is told of themselves, is nobody else's.
    let is_private = !matches!(
        endpoint.permission,
        Permission::Public | Permission::KnowOneself | Permission::ReadCertificates
    );
    let is_askable = is_private && !path.contains('{');
    is_askable.then(|| Question {
        says: format!("answer {} {path}", endpoint.method),
        method: endpoint.method.to_string(),
        path,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_covers_reading_and_changing_and_harms_nothing() {
        let shop = ProjectName::parse("shop").unwrap();
        let asked: Vec<String> = Name::ALL
            .iter()
            .filter_map(|name| question(&name.endpoint(), &shop))
            .map(|question| format!("{} {}", question.method, question.path))
            .collect();
        for wanted in [
            "GET /api/projects",
            "GET /api/tokens",
            "POST /api/tokens",
            "GET /api/projects/shop",
            "POST /api/projects/shop/environments/production/deployments",
            "PATCH /api/projects/shop/environments/production/variables",
            "POST /api/projects/shop/environments/production/variables/export",
        ] {
            assert!(asked.iter().any(|line| line == wanted), "{wanted}: {asked:?}");
        }
        assert!(
            !asked
                .iter()
                .any(|line| line.starts_with("DELETE") || line.contains('{')),
            "{asked:?}"
        );
    }
}
