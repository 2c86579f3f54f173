//! The address of something that somebody else keeps, read from where no other account sees it.

use std::fs::File;
use std::io::Read;

use hostkit_api::addon::OutsideAddress;
use hostkit_core::addon::AddonId;
use hostkit_core::kind::{Failure, Kind};

use super::variable::from_stdin;
use crate::args::AddressSource;
use crate::output::Printer;
use crate::stop::Stop;
use crate::upload::reason;

/// The longest that is read, in bytes: a few lines.
const LONGEST: u64 = 64 * 1024;

/// Reads it.
pub(super) fn read(printer: &Printer, id: &AddonId, source: &AddressSource) -> Result<OutsideAddress, Stop> {
    let what = format!("the address of the {} of `{}`", id.kind.title(), id.environment);
    let refused = |why: &str| Failure::new(Kind::Invalid, format!("cannot read {what}: {why}"));
    let address = match source {
        AddressSource::Argument => {
            return Err(Stop::usage(
                format!("cannot take {what} from the command line: every account of a machine can read that"),
                "`--outside -` has it typed or piped in; `--outside FILE` and `--outside env:NAME` read it there",
            ));
        }
        AddressSource::Stdin => from_stdin(printer, &what, "Address")?,
        AddressSource::Variable(name) => {
            std::env::var(name).map_err(|_| refused(&format!("there is no variable `{name}`")))?
        }
        AddressSource::File(path) => {
            let mut text = String::new();
            let mut file = File::open(path)
                .map_err(|why| refused(&format!("`{}`: {}", path.display(), reason(&why))))?;
            file.by_ref()
                .take(LONGEST)
                .read_to_string(&mut text)
                .map_err(|why| refused(&format!("`{}`: {}", path.display(), reason(&why))))?;
            text
        }
    };
    if address.trim().is_empty() {
        return Err(refused("nothing is there").into());
    }
    Ok(OutsideAddress { address })
}
