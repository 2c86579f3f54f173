use super::*;

#[test]
fn recipes_are_read_and_written() {
    for text in ["64 hex", "16 letters", "uuid", "4096 hex"] {
        assert_eq!(Recipe::parse(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "hex",
        "64",
        "15 hex",
        "4097 hex",
        "-1 hex",
        "64 base64",
        "64 hex please",
        "uuid 4",
        "x\u{1b}y",
    ] {
        let why = Recipe::parse(text).unwrap_err().to_string();
        assert!(!why.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn values_have_the_length_and_the_letters() {
    let random: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for (text, length) in [("17 hex", 17), ("64 hex", 64), ("33 letters", 33), ("uuid", 36)] {
        let recipe = Recipe::parse(text).unwrap();
        let value = recipe.make(&random[100..100 + recipe.bytes()]);
        assert_eq!(value.reveal().len(), length, "{text}");
        assert!(
            value
                .reveal()
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
    }
    assert_eq!(
        Recipe::Uuid.make(&[0xff; 16]).reveal(),
        "ffffffff-ffff-4fff-bfff-ffffffffffff"
    );
    assert_eq!(
        Recipe::Hex(16).make(&[1, 2, 3, 4, 5, 6, 7, 255]).reveal(),
        "01020304050607ff"
    );
}
