//! Virtual environments that work wherever they are: no file in `bin` holds the place it was made at.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostkit_host::files::replace;

use crate::shared::tree::inside;

/// Makes a virtual environment independent of its place: its scripts find their interpreter beside themselves, as
/// pip's own scripts with long paths do.
pub(super) fn make_movable(venv: &Path) -> io::Result<()> {
    let own = format!("#!{}/bin/python", venv.display());
    let Some(scripts) = inside(venv, &venv.join("bin")) else {
        return Ok(());
    };
    for entry in fs::read_dir(scripts)? {
        let (entry, path) = {
            let entry = entry?;
            let path = entry.path();
            (entry, path)
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_file() {
            continue;
        }
        if name == "activate" {
            replace(&path, ACTIVATE.as_bytes(), 0o644)?;
        } else if name.starts_with("activate") || name.starts_with("Activate") {
            // For other shells, with the old place in them: worse than none.
            fs::remove_file(&path)?;
        } else if let Some(body) = body_of_script(&path, &own, venv)? {
            let mut script = TRAMPOLINE.as_bytes().to_vec();
            script.extend_from_slice(&body);
            let mode = entry.metadata()?.permissions().mode() & 0o777;
            replace(&path, &script, mode)?;
        }
    }
    Ok(())
}

/// What follows the line that names the interpreter; nothing for a file that is no script of this environment.
fn body_of_script(path: &Path, own: &str, venv: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = fs::File::open(path)?;
    let mut start = [0; 2];
    if file.read(&mut start)? < 2 || &start != b"#!" {
        return Ok(None);
    }
    let text = fs::read(path)?;
    if text.starts_with(own.as_bytes()) {
        return Ok(text
            .iter()
            .position(|b| *b == b'\n')
            .map(|end| text[end + 1..].to_vec()));
    }
    // pip and uv write this form themselves when the path is long: three lines.
    let long = format!("'''exec' \"{}/bin/python", venv.display());
    let alternative = format!("'''exec' {}/bin/python", venv.display());
    let mut lines = text.splitn(4, |b| *b == b'\n');
    let (_, second, _) = (lines.next(), lines.next().unwrap_or_default(), lines.next());
    let is_long = second.starts_with(long.as_bytes()) || second.starts_with(alternative.as_bytes());
    Ok(lines.next().filter(|_| is_long).map(<[u8]>::to_vec))
}

/// Read by the shell as a command that becomes Python, by Python as a text that does nothing.
const TRAMPOLINE: &str =
    "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/python \"$0\" \"$@\"\n' '''\n";
/// Sourced from the folder of the release by a shell that does not tell a script its place.
const ACTIVATE: &str = "VIRTUAL_ENV=$(CDPATH= cd -- \"$(dirname -- \"${BASH_SOURCE:-venv/bin/activate}\")/..\" && pwd)\n\
                        PATH=$VIRTUAL_ENV/bin:$PATH\nexport VIRTUAL_ENV PATH\n";
