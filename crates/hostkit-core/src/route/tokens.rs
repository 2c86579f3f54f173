//! The parts of a path pattern, read as path-to-regexp 6 reads them: letters, names with a colon, groups in round
//! brackets, optional parts in curly ones, each with `?`, `*` or `+` behind it.

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Literal(String),
    Group(Group),
}

/// A part that is not the same in every path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Group {
    pub(super) name: Option<String>,
    pub(super) prefix: String,
    pub(super) suffix: String,
    /// Empty for curly brackets with letters alone.
    pub(super) pattern: String,
    pub(super) modifier: Option<char>,
}

/// What a name without a group of its own stands for: up to the next slash.
const ONE_PART: &str = "[^/]+?";

impl Group {
    /// The group as an expression; the pattern is the group's without what it excludes.
    pub(super) fn regex(&self, prefix: &str, pattern: &str, suffix: &str) -> String {
        let modifier = self.modifier.map(String::from).unwrap_or_default();
        if pattern.is_empty() {
            return format!("(?:{prefix}{suffix}){modifier}");
        }
        let repeats = matches!(self.modifier, Some('*' | '+'));
        let optional = if self.modifier == Some('*') { "?" } else { "" };
        match (repeats, prefix.is_empty() && suffix.is_empty()) {
            (true, false) => {
                format!("(?:{prefix}((?:{pattern})(?:{suffix}{prefix}(?:{pattern}))*){suffix}){optional}")
            }
            (true, true) => format!("((?:{pattern}){modifier})"),
            (false, false) => format!("(?:{prefix}({pattern}){suffix}){modifier}"),
            (false, true) => format!("({pattern}){modifier}"),
        }
    }
}

/// Reads a pattern.
pub(super) fn parse(source: &str) -> Result<Vec<Token>, String> {
    let mut reader = Reader {
        rest: source,
        tokens: Vec::new(),
        letters: String::new(),
    };
    while !reader.rest.is_empty() {
        reader.part()?;
    }
    reader.end_letters();
    Ok(reader.tokens)
}

struct Reader<'s> {
    rest: &'s str,
    tokens: Vec<Token>,
    letters: String,
}

impl Reader<'_> {
    fn part(&mut self) -> Result<(), String> {
        if self.take('{') {
            return self.curly();
        }
        if self.rest.starts_with(['}', '*', '+', '?']) {
            let found: String = self.rest.chars().take(1).collect();
            return Err(format!(
                "there is nothing before `{found}`: write `\\{found}` for the character itself"
            ));
        }
        let letter = match self.rest.chars().next() {
            Some(':' | '(') | None => None,
            Some('\\') => return self.escaped().map(|letter| self.letters.push(letter)),
            letter => letter,
        };
        if let Some(letter) = letter {
            self.rest = &self.rest[letter.len_utf8()..];
        }
        let name = self.name()?;
        let pattern = self.group()?;
        if name.is_none() && pattern.is_none() {
            self.letters.extend(letter);
            return Ok(());
        }
        // A slash or a dot right before belongs to the group: with `*` or `?` it may be missing as well.
        let prefix = letter.filter(|letter| matches!(letter, '/' | '.'));
        if prefix.is_none() {
            self.letters.extend(letter);
        }
        self.end_letters();
        let modifier = self.modifier();
        self.add(Group {
            name,
            prefix: prefix.map(String::from).unwrap_or_default(),
            suffix: String::new(),
            pattern: pattern.unwrap_or_else(|| ONE_PART.to_owned()),
            modifier,
        })
    }

    fn curly(&mut self) -> Result<(), String> {
        self.end_letters();
        let prefix = self.text()?;
        let name = self.name()?;
        let pattern = self.group()?;
        let suffix = self.text()?;
        if !self.take('}') {
            return Err("`{` has no `}`".into());
        }
        let pattern = match (&name, pattern) {
            (_, Some(pattern)) => pattern,
            (Some(_), None) => ONE_PART.to_owned(),
            (None, None) => String::new(),
        };
        let modifier = self.modifier();
        self.add(Group {
            name,
            prefix,
            suffix,
            pattern,
            modifier,
        })
    }

    fn add(&mut self, group: Group) -> Result<(), String> {
        let is_same = |token: &Token| matches!(token, Token::Group(other) if other.name == group.name);
        if let Some(name) = group.name.as_ref().filter(|_| self.tokens.iter().any(is_same)) {
            return Err(format!("`:{name}` stands in it twice"));
        }
        self.tokens.push(Token::Group(group));
        Ok(())
    }

    fn end_letters(&mut self) {
        if !self.letters.is_empty() {
            self.tokens
                .push(Token::Literal(std::mem::take(&mut self.letters)));
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn modifier(&mut self) -> Option<char> {
        ['?', '*', '+'].into_iter().find(|modifier| self.take(*modifier))
    }

    fn escaped(&mut self) -> Result<char, String> {
        let letter = self.rest.chars().nth(1).ok_or("it ends with `\\`")?;
        self.rest = &self.rest[1 + letter.len_utf8()..];
        Ok(letter)
    }

    /// Letters inside of curly brackets.
    fn text(&mut self) -> Result<String, String> {
        let mut text = String::new();
        while let Some(letter) = self.rest.chars().next() {
            match letter {
                ':' | '(' | '}' => break,
                '{' | '*' | '+' | '?' => return Err(format!("`{letter}` cannot stand inside of `{{…}}`")),
                '\\' => text.push(self.escaped()?),
                letter => {
                    text.push(letter);
                    self.rest = &self.rest[letter.len_utf8()..];
                }
            }
        }
        Ok(text)
    }

    fn name(&mut self) -> Result<Option<String>, String> {
        if !self.take(':') {
            return Ok(None);
        }
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err("`:` has no name behind it: write `\\:` for the character itself".into());
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Some(name.to_owned()))
    }

    /// A group in round brackets, without them.
    fn group(&mut self) -> Result<Option<String>, String> {
        if !self.rest.starts_with('(') {
            return Ok(None);
        }
        let mut depth = 0usize;
        let mut in_class = false;
        let mut letters = self.rest.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => {
                    letters.next();
                }
                _ if !letter.is_ascii() => {
                    return Err("letters outside of ASCII in a group must be percent-encoded".into());
                }
                '[' => in_class = true,
                ']' => in_class = false,
                '(' if !in_class => {
                    depth += 1;
                    let inner = &self.rest[at + 1..];
                    if depth > 1 && !inner.starts_with("?:") && !inner.starts_with("?!") {
                        return Err("a group inside of a group begins with `?:`".into());
                    }
                }
                ')' if !in_class => {
                    depth -= 1;
                    if depth == 0 {
                        let pattern = self.rest[1..at].to_owned();
                        self.rest = &self.rest[at + 1..];
                        return match pattern.as_str() {
                            "" => Err("a group is empty".into()),
                            text if text.starts_with('?') => Err("a group cannot begin with `?`".into()),
                            _ => Ok(Some(pattern)),
                        };
                    }
                }
                _ => {}
            }
        }
        Err("`(` has no `)`".into())
    }
}
