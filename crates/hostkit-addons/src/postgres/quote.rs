//! Names and texts inside of SQL. `CREATE ROLE` and its like take no parameters, so these two stand in the text: this is
//! the one place that puts them there.

use hostkit_core::kind::{Failure, Kind};
use postgres_protocol::escape;

/// A name between double quotes: a database, a role, a table.
pub fn identifier(name: &str) -> Result<String, Failure> {
    // Beyond this length PostgreSQL cuts off and thereby means another object.
    if name.is_empty() || name.len() > 63 {
        return Err(refused("a name there has 1 to 63 bytes"));
    }
    whole(name)?;
    Ok(escape::escape_identifier(name))
}

/// A text between single quotes.
pub fn literal(text: &str) -> Result<String, Failure> {
    whole(text)?;
    Ok(escape::escape_literal(text).trim_start().to_owned())
}

/// The protocol ends a statement at the byte 0.
fn whole(text: &str) -> Result<(), Failure> {
    if text.contains('\0') {
        return Err(refused("it has the byte 0 inside"));
    }
    Ok(())
}

fn refused(why: &str) -> Failure {
    Failure::new(Kind::Invalid, format!("cannot say this to PostgreSQL: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_stays_inside_its_quotes() {
        assert_eq!(identifier("my-app_db").unwrap(), r#""my-app_db""#);
        assert_eq!(
            identifier(r#"a"; drop role x; --"#).unwrap(),
            r#""a""; drop role x; --""#
        );
        assert_eq!(literal("it's").unwrap(), "'it''s'");
        assert_eq!(literal(r"a\'; --").unwrap(), r"E'a\\''; --'");
        for bad in ["", "a\0b", &"x".repeat(64)] {
            assert!(identifier(bad).is_err(), "{bad:?}");
        }
        assert!(literal("a\0b").is_err());
        assert_eq!(literal("").unwrap(), "''");
    }
}
