//! The rules by which systemd reads values, turned round. Each function is for one sort of setting, because each sort is
//! read differently: `%` is a specifier in most, `$` a variable in commands alone, `\n` a line end in commands and
//! variables and an `n` in lists of words.

/// Control characters have no form in most settings.
const CONTROL: &str = "it has control characters";

/// A word of systemd's own; nothing in it means anything.
pub(super) fn word(word: &str) -> Result<String, &'static str> {
    let is_known = |b: u8| b.is_ascii_alphanumeric() || b" .,:_-+/%@~=".contains(&b);
    if word.is_empty() || word.trim() != word || !word.bytes().all(is_known) {
        return Err("it is not a word, number, size or time");
    }
    Ok(word.to_owned())
}

/// A text that is the whole rest of its line.
pub(super) fn text(text: &str) -> Result<String, &'static str> {
    carried(text)?;
    if text.contains(|c: char| c.is_control()) {
        return Err(CONTROL);
    }
    if text.is_empty() || text.trim_matches([' ', '\t', '\n', '\r']) != text {
        return Err("it is empty, or has blanks at an end");
    }
    if text.ends_with('\\') {
        return Err("it ends with `\\`, which would join it with the next line");
    }
    Ok(text.replace('%', "%%"))
}

/// One of several words of a line, read with quotes but without `\n` and its like.
pub(super) fn list_word(word: &str) -> Result<String, &'static str> {
    carried(word)?;
    if word.contains(|c: char| c.is_control()) {
        return Err(CONTROL);
    }
    if word.is_empty() {
        return Err("one of its words is empty");
    }
    if word
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/._-:+@".contains(&b))
    {
        return Ok(word.to_owned());
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    Ok(format!("\"{escaped}\""))
}

/// The program of a command. Systemd itself takes no path with quotes, backslashes or control characters; and `$` would
/// reach the file as it is, but not the name the program sees of itself.
pub(super) fn program(path: &str) -> Result<String, &'static str> {
    carried(path)?;
    if !path.starts_with('/') || path.ends_with('/') || path.split('/').any(|part| part == "..") {
        return Err("its program is not an absolute path");
    }
    if path.contains(|c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '$')) {
        return Err("the path of its program has quotes, `$`, `\\` or control characters");
    }
    Ok(format!("\"{}\"", path.replace('%', "%%")))
}

/// An argument of a command: read with quotes and escapes, then specifiers, then variables.
pub(super) fn argument(argument: &str) -> Result<String, &'static str> {
    Ok(escaped(argument)?.replace('%', "%%").replace('$', "$$"))
}

/// `"NAME=value"`: read with quotes and escapes, then specifiers; `$` means nothing.
pub(super) fn variable(name: &str, value: &str) -> Result<String, &'static str> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(is_name) {
        return Err("it is not the name of a variable");
    }
    Ok(escaped(&format!("{name}={value}"))?.replace('%', "%%"))
}

/// The path of a file of variables, which is read as a pattern.
pub(super) fn file(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') || path.contains(['*', '?', '[', ']', '\\']) {
        return Err("it is not an absolute path, or reads as a pattern");
    }
    text(path)
}

/// A text in double quotes.
fn escaped(text: &str) -> Result<String, &'static str> {
    carried(text)?;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\\' | '"' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

/// Fails for characters with which systemd passes over the whole line or file.
fn carried(text: &str) -> Result<(), &'static str> {
    if text.contains('\0') {
        return Err("it has a zero byte");
    }
    if text.contains(is_noncharacter) {
        return Err("it has a code point that Unicode sets aside as no character, which systemd refuses");
    }
    Ok(())
}

/// U+FDD0 to U+FDEF, and the last two of every plane: UTF-8 can carry them, systemd does not take them for text.
pub(in crate::systemd) fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}
