//! How well a unit is shut in, by systemd's own measure.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::workload::InstanceId;
use hostkit_host::system_program::SystemProgram;

use super::SystemdRuntime;
use super::unit;

const ANALYZE: SystemProgram = SystemProgram::new("systemd-analyze", "systemd");

impl SystemdRuntime {
    /// An instance's unit as `systemd-analyze security` scores it.
    pub(super) async fn score(&self, id: &InstanceId) -> Result<f64, Failure> {
        let name = unit::name_of(id)?;
        let outcome = ANALYZE
            .run(&["security", "--no-pager", "--", name.as_str()], b"")
            .await?;
        let text = String::from_utf8_lossy(&outcome.output);
        exposure_in(&text).ok_or_else(|| {
            Failure::new(
                Kind::Unavailable,
                format!("cannot score `{name}`: {}", outcome.why()),
            )
        })
    }
}

/// The last line: `→ Overall exposure level for NAME: 1.9 OK :-)`.
fn exposure_in(text: &str) -> Option<f64> {
    let line = text.lines().rev().find(|line| line.contains("exposure level"))?;
    line.rsplit_once(": ")?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_found_in_the_last_line() {
        let text = "  NAME DESCRIPTION EXPOSURE\n\u{2717} PrivateNetwork=  0.5\n\n\u{2192} Overall exposure level for hostkit-shop.service: 1.9 OK :-)\n";
        assert_eq!(exposure_in(text), Some(1.9));
        assert_eq!(exposure_in("nothing of that sort"), None);
    }
}
