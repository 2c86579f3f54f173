//! The properties of a unit, as they come over the bus.

use std::path::PathBuf;

use hostkit_core::kind::Failure;
use jiff::Timestamp;
use zbus::{DeserializeDict, Type};

use super::failure::Refusal;
use super::link::{Again, Call, Link};
use super::timeouts::CALL;
use super::{PROPERTIES, unit_path};
use crate::guard::Ending;
use crate::systemd::{ActiveState, LoadState, MainExit, UnitName, UnitResult, UnitStatus};

/// The few of a unit's many properties that say how it is. Which there are depends on the sort of unit.
#[derive(Debug, Default, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", rename_all = "PascalCase")]
struct Properties {
    id: Option<String>,
    load_state: Option<String>,
    active_state: Option<String>,
    sub_state: Option<String>,
    unit_file_state: Option<String>,
    result: Option<String>,
    #[zbus(rename = "MainPID")]
    main_pid: Option<u32>,
    exec_main_start_timestamp: Option<u64>,
    exec_main_exit_timestamp: Option<u64>,
    exec_main_code: Option<i32>,
    exec_main_status: Option<i32>,
    #[zbus(rename = "NRestarts")]
    restarts: Option<u32>,
    memory_current: Option<u64>,
    control_group: Option<String>,
}

/// How a unit is.
pub(super) async fn status(link: &Link, name: &UnitName) -> Result<UnitStatus, Failure> {
    let failed = |refusal: Refusal| refusal.into_failure("look at", format!("`{name}`"));
    let path = unit_path::of(name.as_str());
    let every_interface = "";
    let call = Call {
        path: &path,
        interface: PROPERTIES,
        method: "GetAll",
        body: &every_interface,
        again: Again::Freely,
        patience: CALL,
    };
    let answer = link.call(call).await.map_err(failed)?;
    let found: Properties = answer
        .body()
        .deserialize()
        .map_err(|e| failed(Refusal::from(e)))?;
    Ok(found.into_status(name))
}

impl Properties {
    fn into_status(self, asked: &UnitName) -> UnitStatus {
        let at = |micros: Option<u64>| {
            micros
                .filter(|micros| *micros > 0)
                .and_then(|micros| Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok())
        };
        let is_set = |number: &u64| *number != u64::MAX;
        UnitStatus {
            name: self
                .id
                .and_then(|id| UnitName::parse(&id).ok())
                .unwrap_or_else(|| asked.clone()),
            load: LoadState::from_word(self.load_state.as_deref().unwrap_or_default()),
            active: ActiveState::from_word(self.active_state.as_deref().unwrap_or_default()),
            sub: self.sub_state.unwrap_or_default(),
            result: UnitResult::from_word(self.result.as_deref().unwrap_or("success")),
            main_pid: self.main_pid.filter(|pid| *pid > 0),
            started_at: at(self.exec_main_start_timestamp),
            last_exit: at(self.exec_main_exit_timestamp).and_then(|at| {
                let ending = main_ending(self.exec_main_code?, self.exec_main_status?)?;
                Some(MainExit { ending, at })
            }),
            restarts: self.restarts.unwrap_or_default(),
            memory: self.memory_current.filter(is_set),
            control_group: self
                .control_group
                .filter(|group| !group.is_empty())
                .map(PathBuf::from),
            is_enabled: self.unit_file_state.as_deref() == Some("enabled"),
        }
    }
}

/// The kernel's way to say how a process ended (`si_code` of `SIGCHLD`).
fn main_ending(code: i32, status: i32) -> Option<Ending> {
    const EXITED: i32 = 1;
    const KILLED: i32 = 2;
    const DUMPED: i32 = 3;
    match code {
        EXITED => Some(Ending::Exited(status)),
        KILLED | DUMPED => Some(Ending::Signalled(status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_mean_nothing_are_nothing() {
        let name = UnitName::service("shop").unwrap();
        let status = Properties {
            memory_current: Some(u64::MAX),
            main_pid: Some(0),
            control_group: Some(String::new()),
            exec_main_exit_timestamp: Some(0),
            exec_main_code: Some(0),
            exec_main_status: Some(0),
            exec_main_start_timestamp: Some(u64::MAX),
            id: Some("../../ssh.service".into()),
            active_state: Some("dreaming".into()),
            ..Properties::default()
        }
        .into_status(&name);
        assert_eq!(status.name, name);
        assert_eq!(status.active, ActiveState::Other("dreaming".into()));
        assert_eq!(
            (status.memory, status.main_pid, status.control_group),
            (None, None, None)
        );
        assert_eq!((status.last_exit, status.started_at), (None, None));
    }

    #[test]
    fn exits_and_signals_are_told_apart() {
        for (code, status, ending) in [
            (1, 7, Some(Ending::Exited(7))),
            (2, 9, Some(Ending::Signalled(9))),
            (3, 6, Some(Ending::Signalled(6))),
            (0, 0, None),
            (99, 1, None),
        ] {
            assert_eq!(main_ending(code, status), ending);
        }
    }
}
