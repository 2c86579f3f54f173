//! From a URL's path to a file's: decoded once, free of anything that could lead out of the root or to what is
//! hidden.

use percent_encoding::percent_decode_str;

/// The file a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Relative to the root, without slashes at its ends. Empty for the root itself.
    pub(super) file: Vec<u8>,
    /// The path ended with a slash.
    pub(super) is_folder: bool,
}

impl Wanted {
    /// A file right below the root.
    pub(super) fn named(name: &str) -> Wanted {
        Wanted {
            file: name.as_bytes().to_vec(),
            is_folder: false,
        }
    }

    /// A file in the wanted folder.
    pub(super) fn below(&self, name: &str) -> Vec<u8> {
        let mut file = self.file.clone();
        if !file.is_empty() {
            file.push(b'/');
        }
        file.extend_from_slice(name.as_bytes());
        file
    }
}

/// What `path` asks for; nothing for a path that no file may answer.
pub(super) fn wanted(path: &str) -> Option<Wanted> {
    let mut file: Vec<u8> = percent_decode_str(path.strip_prefix('/')?).collect();
    if file
        .iter()
        .any(|byte| *byte < b' ' || matches!(byte, b'\\' | 0x7f))
        || file.len() > 4096
    {
        return None;
    }
    let is_folder = file.is_empty() || file.ends_with(b"/");
    if is_folder {
        file.pop();
    }
    if !file.is_empty() {
        for (at, part) in file.split(|byte| *byte == b'/').enumerate() {
            // A part that begins with a dot is hidden, `.` and `..` with it; `/.well-known/` is meant to be seen.
            if part.is_empty() || (part[0] == b'.' && !(at == 0 && part == b".well-known")) {
                return None;
            }
        }
    }
    Some(Wanted { file, is_folder })
}
