//! Text that is not ours: what programs print and users name, made safe for the terminal it is shown on.

/// Whether a character does something else than stand there: control characters, and those that turn the direction of
/// writing, so that a line reads otherwise than it is.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// JSON for a terminal: what [`acts`] is written as `\uXXXX`, which reads back as the same text.
pub(super) fn json_for_terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            // All of them have four digits.
            c if acts(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Drops characters that act: a program's words must not move the reader's cursor or set the window's title.
/// Colours (`ESC [ … m`) stay if `colour`.
pub(super) fn clean(text: &str, colour: bool) -> String {
    if !text.contains(acts) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut coloured = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\t' => out.push(c),
            '\u{1b}' if rest.peek() == Some(&'[') => {
                let mut sequence = String::from("\u{1b}");
                let mut end = None;
                for c in rest.by_ref().take(64) {
                    sequence.push(c);
                    if c != '[' && ('\u{40}'..='\u{7e}').contains(&c) {
                        end = Some(c);
                        break;
                    }
                }
                if colour && end == Some('m') {
                    out.push_str(&sequence);
                    coloured = true;
                }
            }
            c if acts(c) => {}
            c => out.push(c),
        }
    }
    if coloured {
        out.push_str("\u{1b}[0m");
    }
    out
}
