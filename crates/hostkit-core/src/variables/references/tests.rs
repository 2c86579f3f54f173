use proptest::prelude::*;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let parsed = pairs
        .iter()
        .map(|(name, value)| (VariableName::parse(name).unwrap(), Secret::new(*value)));
    parsed.collect()
}

fn name(text: &str) -> VariableName {
    VariableName::parse(text).unwrap()
}

#[track_caller]
fn assert_value(pairs: &[(&str, &str)], of: &str, expected: &str) {
    let resolved = resolve(&variables(pairs)).unwrap();
    assert_eq!(resolved[&name(of)].reveal(), expected);
    assert_eq!(resolved.len(), pairs.len());
}

#[test]
fn a_reference_stands_for_the_value() {
    let all = [
        ("HOST", "db"),
        ("PORT_", "5432"),
        ("URL", "postgres://${{HOST}}:${{ PORT_ }}/x"),
        ("COPY", "${{URL}}?a=${{URL}}"),
    ];
    assert_value(&all, "URL", "postgres://db:5432/x");
    assert_value(&all, "COPY", "postgres://db:5432/x?a=postgres://db:5432/x");
}

#[test]
fn all_else_is_text_byte_for_byte() {
    for text in [
        "$HOST ${HOST} ${{ github.sha }}",
        "${{",
        "${{}}",
        "${{A",
        "${{A B}}",
        "${{${{",
        "$$ $${ }}",
        "a\r\n\u{1F600}${{\n}}",
    ] {
        assert_value(&[("A", text)], "A", text);
    }
    assert_value(
        &[("A", "x"), ("B", "$${{A}} ${{A}} $$${{A}}")],
        "B",
        "${{A}} x $${{A}}",
    );
    assert_value(&[("A", "x"), ("B", "${{ ${{A}}")], "B", "${{ x");
}

#[test]
fn what_a_reference_stands_for_is_not_read_again() {
    assert_value(&[("A", "$${{B}}"), ("B", "x"), ("C", "${{A}}")], "C", "${{B}}");
}

#[test]
fn what_cannot_be_filled_in_is_named_without_a_value() {
    let why = |pairs: &[(&str, &str)]| resolve(&variables(pairs)).unwrap_err();
    assert_eq!(
        why(&[("A", "secret ${{NONE}}")]).to_string(),
        "`A` refers to `NONE`, which has no value"
    );
    assert_eq!(why(&[("A", "${{A}}")]), ReferenceError::Circle(name("A")));
    assert_eq!(
        why(&[("A", "${{B}}"), ("B", "${{C}}"), ("C", "${{A}}")]),
        ReferenceError::Circle(name("A"))
    );
}

#[test]
fn what_cannot_be_filled_in_yet_leaves_the_others_alone() {
    let all = variables(&[("A", "${{LATER}}"), ("B", "x"), ("C", "${{B}}"), ("D", "${{A}}")]);
    let resolved = resolve_where_possible(all);
    let found: Vec<&str> = resolved.values().map(Secret::reveal).collect();
    assert_eq!(found, ["${{LATER}}", "x", "x", "${{A}}"]);
}

#[test]
fn values_that_grow_without_bound_are_refused() {
    let mut doubling: Vec<(String, String)> = vec![("V0".into(), "lol".repeat(10))];
    for at in 1..40 {
        let last = format!("${{{{V{}}}}}", at - 1);
        doubling.push((format!("V{at}"), last.repeat(10)));
    }
    let pairs: Vec<(&str, &str)> = doubling
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert!(matches!(
        resolve(&variables(&pairs)),
        Err(ReferenceError::TooLong(_))
    ));

    let chain: Vec<(String, String)> = (0..5000)
        .map(|at| (format!("V{at:05}"), format!("${{{{V{:05}}}}}", at + 1)))
        .collect();
    let pairs: Vec<(&str, &str)> = chain
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        resolve(&variables(&pairs)),
        Err(ReferenceError::TooDeep(name("V00000")))
    );
}

proptest! {
    #[test]
    fn whatever_is_written_is_filled_in_or_refused(values in prop::collection::vec("([a$]|\\$\\{\\{| |\\}\\}|A|B|C){0,12}", 3)) {
        let pairs: Vec<(&str, &str)> = ["A", "B", "C"].into_iter().zip(values.iter().map(String::as_str)).collect();
        if let Ok(resolved) = resolve(&variables(&pairs)) {
            prop_assert_eq!(resolved.len(), 3);
        }
    }
}
