//! What can go wrong on the bus, in our words.

use hostkit_core::kind::{Failure, Kind};
use zbus::fdo;

use super::timeouts::CALL;

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nobody was there to take it: it was not done.
    NobodyThere(String),
    /// Who took it went away: it may have been done.
    Lost(String),
    /// Systemd says no: the last part of its error's name, and its words.
    No { name: String, message: String },
}

impl Refusal {
    pub(super) fn timed_out() -> Self {
        Refusal::No {
            name: "Silent".to_owned(),
            message: format!("systemd did not answer within {} s", CALL.as_secs()),
        }
    }

    /// Whether systemd says that there is no such unit.
    pub(super) fn is_no_such_unit(&self) -> bool {
        self.is("NoSuchUnit") || self.is("FileNotFound")
    }

    /// Whether this is systemd's error of that name.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Refusal::No { name, .. } if name == wanted)
    }

    /// The failure of what was tried: `start`, `` `hostkit-shop.service` ``.
    pub(super) fn into_failure(self, verb: &str, thing: impl std::fmt::Display) -> Failure {
        let cannot = |kind, why: &str| Failure::new(kind, format!("cannot {verb} {thing}: {why}"));
        match self {
            Refusal::NobodyThere(why) | Refusal::Lost(why) => {
                cannot(Kind::Unavailable, &format!("systemd cannot be reached ({why})"))
                    .hint("systemctl is-system-running; systemctl status dbus.service")
            }
            Refusal::No { name, message } => match name.as_str() {
                "NoSuchUnit" | "FileNotFound" => cannot(Kind::NotFound, "there is no such unit"),
                "NoSuchProcess" => cannot(Kind::NotFound, "none of its processes runs"),
                "UnitMasked" => cannot(Kind::Conflict, "it is masked").hint("systemctl unmask it"),
                "UnitExists" => cannot(Kind::Conflict, "a unit of that name is there already"),
                "AccessDenied" | "InteractiveAuthorizationRequired" => {
                    cannot(Kind::Denied, "only root may").hint("run it as root")
                }
                "LoadFailed" | "BadUnitSetting" => {
                    cannot(Kind::Internal, &message).hint("systemd-analyze verify its file")
                }
                "Silent" => cannot(Kind::Unavailable, &message).hint("systemctl list-jobs"),
                _ => cannot(Kind::Internal, &message),
            },
        }
    }
}

impl From<zbus::Error> for Refusal {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::MethodError(name, message, _) => {
                let name = name.as_str();
                let message = message.unwrap_or_else(|| name.to_owned());
                // A bus that is asked to start systemd answers with one of these while systemd starts itself afresh.
                if name.contains("Error.Spawn") {
                    return Refusal::NobodyThere(message);
                }
                Refusal::No {
                    name: name.rsplit('.').next().unwrap_or_default().to_owned(),
                    message,
                }
            }
            zbus::Error::FDO(error) => from_bus(*error),
            zbus::Error::InputOutput(why) => Refusal::Lost(why.to_string()),
            zbus::Error::Connection(why, _) => Refusal::NobodyThere(why.to_string()),
            zbus::Error::Handshake(why) => Refusal::NobodyThere(why),
            other => Refusal::No {
                name: "Unreadable".to_owned(),
                message: other.to_string(),
            },
        }
    }
}

fn from_bus(error: fdo::Error) -> Refusal {
    use fdo::Error;
    let message = error.to_string();
    let no = |name: &str| Refusal::No {
        name: name.to_owned(),
        message: message.clone(),
    };
    match &error {
        Error::ServiceUnknown(_) | Error::NameHasNoOwner(_) => Refusal::NobodyThere(message),
        Error::SpawnExecFailed(_)
        | Error::SpawnForkFailed(_)
        | Error::SpawnChildExited(_)
        | Error::SpawnChildSignaled(_)
        | Error::SpawnFailed(_)
        | Error::SpawnFailedToSetup(_) => Refusal::NobodyThere(message),
        Error::NoReply(_) | Error::Disconnected(_) | Error::Timeout(_) | Error::TimedOut(_) => {
            Refusal::Lost(message)
        }
        Error::AccessDenied(_) | Error::InteractiveAuthorizationRequired(_) => no("AccessDenied"),
        Error::FileNotFound(_) => no("FileNotFound"),
        _ => no("Other"),
    }
}
