//! What the fake knows: files as they lie on the disk, and units as the manager has loaded them, which is not the same
//! until it is told to reload.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hostkit_host::systemd::unit_file::UnitFile;
use hostkit_host::systemd::{
    ActiveState, Ending, ListedUnit, LoadState, MainExit, TransientEnd, UnitName, UnitResult, UnitStatus,
};
use jiff::Timestamp;

use super::Program;

/// How a main process that was asked to end by its manager may end without that being a failure.
const CLEAN_SIGNALS: [i32; 4] = [1, 2, 13, 15];

#[derive(Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<UnitName, UnitFile>,
    pub(super) aliases: BTreeMap<UnitName, UnitName>,
    pub(super) enabled: BTreeSet<UnitName>,
    /// As the manager read them last.
    pub(super) loaded_aliases: BTreeMap<UnitName, UnitName>,
    pub(super) units: BTreeMap<UnitName, Unit>,
    pub(super) programs: BTreeMap<UnitName, Program>,
    started: u32,
}

/// A unit that is loaded.
#[derive(Clone)]
pub(super) struct Unit {
    pub(super) program: Program,
    pub(super) is_kept_running: bool,
    pub(super) is_transient: bool,
    pub(super) active: ActiveState,
    pub(super) sub: &'static str,
    pub(super) result: UnitResult,
    pub(super) main_pid: Option<u32>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) last_exit: Option<MainExit>,
    pub(super) restarts: u32,
}

impl Unit {
    pub(super) fn new(program: Program) -> Self {
        Unit {
            program,
            is_kept_running: false,
            is_transient: false,
            active: ActiveState::Inactive,
            sub: "dead",
            result: UnitResult::Success,
            main_pid: None,
            started_at: None,
            last_exit: None,
            restarts: 0,
        }
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.active, ActiveState::Inactive | ActiveState::Failed)
    }

    fn run(&mut self, pid: u32) {
        self.active = ActiveState::Active;
        self.sub = "running";
        self.result = UnitResult::Success;
        self.main_pid = Some(pid);
        self.started_at = Some(Timestamp::now());
        self.last_exit = None;
    }

    fn ended(&mut self, ending: Ending, result: UnitResult) {
        self.main_pid = None;
        self.last_exit = Some(MainExit {
            ending: match ending {
                Ending::TimedOut => Ending::Signalled(15),
                Ending::OutOfMemory => Ending::Signalled(9),
                shown => shown,
            },
            at: Timestamp::now(),
        });
        (self.active, self.sub) = match result {
            UnitResult::Success => (ActiveState::Inactive, "dead"),
            _ => (ActiveState::Failed, "failed"),
        };
        self.result = result;
    }
}

/// Systemd's word for an end nobody asked for.
pub(super) fn result_of(ending: Ending) -> UnitResult {
    match ending {
        Ending::Exited(0) => UnitResult::Success,
        Ending::Exited(_) => UnitResult::ExitCode,
        Ending::Signalled(signal) if CLEAN_SIGNALS.contains(&signal) => UnitResult::Success,
        Ending::Signalled(_) => UnitResult::Signal,
        Ending::TimedOut => UnitResult::Timeout,
        Ending::OutOfMemory => UnitResult::OomKill,
    }
}

impl State {
    /// The unit a name stands for.
    pub(super) fn target<'a>(&'a self, name: &'a UnitName) -> &'a UnitName {
        self.loaded_aliases.get(name).unwrap_or(name)
    }

    /// Reads a unit from its file where it is not loaded.
    pub(super) fn load(&mut self, name: &UnitName) -> Option<&mut Unit> {
        if !self.units.contains_key(name) {
            let file = self.files.get(name)?;
            let unit = of_file(file, self.programs.get(name).copied());
            self.units.insert(name.clone(), unit);
        }
        self.units.get_mut(name)
    }

    /// The manager reads everything again: what runs goes on, with what its file now says.
    pub(super) fn reload(&mut self) {
        self.loaded_aliases = self.aliases.clone();
        let State {
            units,
            files,
            programs,
            ..
        } = self;
        for (name, unit) in units.iter_mut() {
            if let Some(file) = files.get(name) {
                let read = of_file(file, programs.get(name).copied());
                unit.is_kept_running = read.is_kept_running;
                unit.program = read.program;
            }
        }
        self.forget();
    }

    /// What neither runs nor failed nor has a file is not loaded any more.
    pub(super) fn forget(&mut self) {
        let files = &self.files;
        self.units.retain(|name, unit| {
            unit.is_transient || files.contains_key(name) || unit.active != ActiveState::Inactive
        });
    }

    /// How a unit without a file ended, once it has; it is not loaded after that.
    pub(super) fn take_ended(&mut self, name: &UnitName) -> Option<TransientEnd> {
        let is_ended = |unit: &Unit| unit.is_transient && unit.is_down();
        if !self.units.get(name).is_some_and(is_ended) {
            return None;
        }
        let unit = self.units.remove(name)?;
        let exit = unit.last_exit?;
        Some(TransientEnd {
            ending: match unit.result {
                UnitResult::Timeout => Ending::TimedOut,
                UnitResult::OomKill => Ending::OutOfMemory,
                _ => exit.ending,
            },
            result: unit.result,
            at: Some(exit.at),
        })
    }

    fn next_pid(&mut self) -> u32 {
        self.started += 1;
        200_000 + self.started
    }

    /// Runs the program of a loaded unit; `false` where there is none to be executed.
    pub(super) fn run(&mut self, name: &UnitName) -> bool {
        let pid = self.next_pid();
        let Some(unit) = self.units.get_mut(name) else {
            return false;
        };
        unit.run(pid);
        match unit.program {
            Program::Runs | Program::IgnoresSignals => true,
            Program::Ends(ending) => {
                self.end(name, ending);
                true
            }
            Program::IsMissing => {
                unit.ended(Ending::Exited(203), UnitResult::ExitCode);
                false
            }
        }
    }

    /// The main process ends, and nobody asked it to.
    pub(super) fn end(&mut self, name: &UnitName, ending: Ending) {
        let pid = self.next_pid();
        let Some(unit) = self.units.get_mut(name).filter(|unit| !unit.is_down()) else {
            return;
        };
        unit.ended(ending, result_of(ending));
        if unit.is_kept_running {
            unit.restarts += 1;
            match unit.program {
                Program::Ends(_) | Program::IsMissing => {
                    (unit.active, unit.sub) = (ActiveState::Activating, "auto-restart");
                }
                Program::Runs | Program::IgnoresSignals => unit.run(pid),
            }
        }
        self.forget();
    }

    /// It was asked to end and did.
    pub(super) fn stop(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get_mut(name).filter(|unit| !unit.is_down()) else {
            return;
        };
        let ending = match unit.program {
            Program::IgnoresSignals => Ending::Signalled(9),
            _ => Ending::Signalled(15),
        };
        unit.ended(ending, UnitResult::Success);
        unit.restarts = 0;
        self.forget();
    }

    pub(super) fn lose_power(&mut self) {
        self.units.clear();
        self.loaded_aliases = self.aliases.clone();
        for name in self.enabled.clone() {
            if self.load(&name).is_some() {
                self.run(&name);
            }
        }
    }

    pub(super) fn status(&self, asked: &UnitName) -> UnitStatus {
        let name = self.target(asked).clone();
        let has_file = self.files.contains_key(&name);
        let unloaded = Unit::new(Program::Runs);
        let found = self.units.get(&name);
        let unit = found.unwrap_or(&unloaded);
        UnitStatus {
            load: match has_file || found.is_some() {
                true => LoadState::Loaded,
                false => LoadState::NotFound,
            },
            active: unit.active.clone(),
            sub: unit.sub.to_owned(),
            result: unit.result.clone(),
            main_pid: unit.main_pid,
            started_at: unit.started_at,
            last_exit: unit.last_exit.clone(),
            restarts: unit.restarts,
            memory: unit.main_pid.map(|_| 10 << 20),
            control_group: unit
                .main_pid
                .map(|_| PathBuf::from(format!("/hostkit.slice/{name}"))),
            is_enabled: self.enabled.contains(&name),
            name,
        }
    }

    pub(super) fn list(&self, prefix: &str) -> Vec<ListedUnit> {
        let names: BTreeSet<&UnitName> = self.files.keys().chain(self.units.keys()).collect();
        names
            .into_iter()
            .filter(|name| name.as_str().starts_with(prefix))
            .map(|name| {
                let unit = self.units.get(name);
                ListedUnit {
                    name: name.clone(),
                    load: unit.map(|_| LoadState::Loaded),
                    active: unit.map_or(ActiveState::Inactive, |unit| unit.active.clone()),
                    sub: unit.map_or("dead", |unit| unit.sub).to_owned(),
                    has_file: self.files.contains_key(name),
                }
            })
            .collect()
    }
}

fn of_file(file: &UnitFile, told: Option<Program>) -> Unit {
    let commands = file.commands("ExecStart");
    let program = commands
        .last()
        .map_or(Program::Runs, |(path, arguments)| Program::of(path, arguments));
    let restart = file.written("Restart").unwrap_or_default();
    Unit {
        is_kept_running: restart.last().is_some_and(|word| word == "always"),
        ..Unit::new(told.unwrap_or(program))
    }
}
