//! `hostkit init`: writes a hostkit.toml to start from, and the schema that editors check it with.

mod signs;

use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{self, FILE_NAME, Manifest};
use serde_json::json;

use crate::args::InitArgs;
use crate::session::{Session, name_of_folder};
use crate::stop::Stop;
use crate::upload::reason;

/// Where the schema lies, below the project: a folder that is never uploaded.
const SCHEMA: &str = ".hostkit/hostkit.schema.json";

pub(crate) fn run(session: &Session<'_>, args: &InitArgs) -> Result<(), Stop> {
    let folder = args
        .path
        .canonicalize()
        .map_err(|error| failed(&args.path, &error))?;
    let file = folder.join(FILE_NAME);
    if file.exists() && !args.force {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot write `{}`: it is there already", file.display()),
        )
        .hint("edit it, or replace it with `--force`")
        .into());
    }
    let name = args
        .name
        .clone()
        .or_else(|| name_of_folder(&folder))
        .ok_or_else(|| {
            Failure::new(
                Kind::Invalid,
                format!("cannot name the project after the folder `{}`", folder.display()),
            )
            .hint("name it with `--name NAME`")
        })?;
    let manifest = Manifest {
        name: Some(name.clone()),
        ..Manifest::default()
    };
    let notes = signs::read(&folder);
    let text = format!("#:schema ./{SCHEMA}\n{}", manifest::render(&manifest, &notes));
    write_schema(&folder)?;
    std::fs::write(&file, text).map_err(|error| failed(&file, &error))?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "file": file, "name": name }));
    }
    printer.say(&format!("Wrote {} for the project `{name}`.", file.display()));
    for note in &notes {
        printer.say(note);
    }
    let here = std::env::current_dir().is_ok_and(|here| here == folder);
    let path = if here {
        String::new()
    } else {
        format!(" {}", args.path.display())
    };
    printer.next(&format!("`hostkit deploy{path}` puts it live"));
    Ok(())
}

fn write_schema(folder: &Path) -> Result<(), Failure> {
    let file = folder.join(SCHEMA);
    let own = folder.join(".hostkit");
    std::fs::create_dir_all(&own).map_err(|error| failed(&own, &error))?;
    // The folder holds only what can be made again: it keeps itself out of the repository.
    let ignored = own.join(".gitignore");
    std::fs::write(&ignored, "*\n").map_err(|error| failed(&ignored, &error))?;
    let schema = serde_json::to_string_pretty(&manifest::schema())
        .map_err(|error| Failure::new(Kind::Internal, format!("cannot write JSON: {error}")))?;
    std::fs::write(&file, schema).map_err(|error| failed(&file, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Kind::Invalid,
        format!("cannot write `{}`: {}", path.display(), reason(error)),
    )
}
