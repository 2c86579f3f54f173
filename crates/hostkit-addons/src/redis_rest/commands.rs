//! Which commands a connection that all requests share can take.

/// Commands that wait for others: they would make everybody wait.
const WAITING: &[&str] = &[
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "WAIT",
    "WAITAOF",
];

/// Commands that change what the connection is, for all that come after.
const OF_A_CONNECTION: &[&str] = &[
    "ASKING",
    "AUTH",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "RESET",
    "SELECT",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WATCH",
];

/// What of CLIENT changes nothing but what is shown of a client.
const OF_CLIENT: &[&str] = &["GETNAME", "HELP", "ID", "INFO", "LIST", "SETINFO"];

/// One command: its name and its arguments, as bytes.
pub(super) type Command = Vec<Vec<u8>>;

/// Why a command cannot be taken here, as Redis would say it.
pub(super) fn refuse(command: &Command) -> Option<String> {
    let Some(name) = command.first() else {
        return Some("ERR empty command".to_owned());
    };
    let upper = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_ascii_uppercase();
    let name = upper(name);
    let is = |list: &[&str], word: &str| list.contains(&word);
    let waits = is(WAITING, &name)
        || matches!(name.as_str(), "XREAD" | "XREADGROUP")
            && options(command).any(|word| upper(word) == "BLOCK");
    if waits {
        return Some(format!(
            "ERR Command is not available: '{name}' waits, and REST does not"
        ));
    }
    let changes = is(OF_A_CONNECTION, &name)
        || name == "CLIENT" && !command.get(1).is_some_and(|word| is(OF_CLIENT, &upper(word)));
    changes.then(|| format!("ERR Command is not available: '{name}' is for a connection, and REST has none"))
}

/// The words before the keys: a key may be called BLOCK.
fn options(command: &Command) -> impl Iterator<Item = &Vec<u8>> {
    command
        .iter()
        .skip(1)
        .take_while(|word| !word.eq_ignore_ascii_case(b"streams"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Command {
        text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn what_waits_or_changes_the_connection_is_refused() {
        for text in [
            "BLPOP a 0",
            "blpop a 0",
            "XREAD BLOCK 0 STREAMS a $",
            "xreadgroup GROUP g c block 5 streams a >",
            "SELECT 1",
            "multi",
            "CLIENT REPLY OFF",
            "client kill ID 3",
            "CLIENT",
            "SUBSCRIBE a",
            "HELLO 3",
        ] {
            assert!(refuse(&command(text)).is_some(), "{text}");
        }
        assert!(refuse(&Vec::new()).is_some());
    }

    #[test]
    fn all_else_is_for_redis_to_judge() {
        for text in [
            "GET a",
            "XREAD COUNT 2 STREAMS BLOCK 0",
            "CLIENT SETINFO LIB-NAME x",
            "EVAL return 0",
            "nonsense",
        ] {
            assert_eq!(refuse(&command(text)), None, "{text}");
        }
    }
}
