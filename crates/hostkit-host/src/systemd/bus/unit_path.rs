//! Names of units as the last part of their object's path on the bus: letters and digits as they are, every other byte
//! as `_` and two hex digits.

/// Where unit objects are.
pub(super) const FOLDER: &str = "/org/freedesktop/systemd1/unit/";

/// The path of a unit's object. The manager loads the unit when the object is asked for.
pub(super) fn of(name: &str) -> String {
    let mut path = FOLDER.to_owned();
    for (at, byte) in name.bytes().enumerate() {
        // A digit in front would not be taken by the bus everywhere.
        if byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

/// The unit an object is for; `None` for an object that is no unit.
pub(super) fn name_of(path: &str) -> Option<String> {
    let mut rest = path.strip_prefix(FOLDER)?.bytes();
    let mut name = Vec::new();
    while let Some(byte) = rest.next() {
        if byte != b'_' {
            name.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        name.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_names_are_the_same_thing() {
        let path = "/org/freedesktop/systemd1/unit/hostkit_2dshop_2eproduction_2eweb_2e42_2e1_2eservice";
        assert_eq!(of("hostkit-shop.production.web.42.1.service"), path);
        for name in [
            "hostkit-a_b.service",
            "hostkit-projects-my\\x2dshop.slice",
            "1a.service",
        ] {
            assert_eq!(name_of(&of(name)).as_deref(), Some(name));
        }
    }

    #[test]
    fn strange_paths_are_no_units() {
        for path in [
            "",
            "/",
            "/org/freedesktop/systemd1",
            "/org/freedesktop/systemd1/job/1",
        ] {
            assert_eq!(name_of(path), None);
        }
        for rest in ["a_", "a_2", "a_zz", "a_ff", "_+1"] {
            assert_eq!(name_of(&format!("{FOLDER}{rest}")), None, "{rest}");
        }
    }
}
