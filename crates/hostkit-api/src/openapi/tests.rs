//! The document says everything the table says, and every reference in it leads somewhere.

use super::*;

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                found.push(reference.clone());
            }
            map.values().for_each(|v| references(v, found));
        }
        Value::Array(all) => all.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

#[test]
fn every_endpoint_is_there_with_its_parameters_and_errors() {
    let document = document();
    let mut operations = 0;
    for name in Name::ALL {
        let row = name.endpoint();
        let operation = &document["paths"][row.path][row.method.as_str().to_ascii_lowercase()];
        assert_eq!(operation["operationId"], name.as_str());
        assert!(!operation["summary"].as_str().unwrap().is_empty());
        let parameters = operation["parameters"].as_array().unwrap();
        for parameter in row.parameters {
            assert!(
                parameters
                    .iter()
                    .any(|p| p["name"] == parameter.name && p["in"] == "path")
            );
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.contains_key(&row.response.status.to_string()),
            "{name:?}"
        );
        assert!(responses.contains_key("default"));
        let open = operation["security"] == json!([]);
        assert_eq!(open, row.permission == Permission::Public, "{name:?}");
        assert_eq!(responses.contains_key("401"), !open, "{name:?}");
        operations += 1;
    }
    let listed: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|p| p.as_object().unwrap().len())
        .sum();
    assert_eq!(listed, operations);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for expected in [
        "Project",
        "Deployment",
        "Instance",
        "LogLine",
        "Event",
        "Error",
        "RunRequest",
    ] {
        assert!(schemas.contains_key(expected), "{expected}");
    }
    assert!(
        schemas.keys().all(|name| !name.ends_with('2')),
        "two types share a name: {:?}",
        schemas.keys()
    );
}

#[test]
fn query_parameters_are_listed() {
    let document = document();
    let logs = &document["paths"]["/api/projects/{project}/environments/{environment}/logs"]["get"];
    let names: Vec<&str> = logs["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["in"] == "query")
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.contains(&"grep"));
}
