//! A deployment as it happens: a line for each step that ended, the build's lines below its step, and, on a terminal,
//! what is being done just now.

use std::collections::{BTreeMap, VecDeque};

use hostkit_api::deployment::DeploymentUpdate;
use hostkit_core::deployment::{Deployment, DeploymentState, StepName, StepRecord, StepState};
use hostkit_core::log::{LogLine, LogStream};
use jiff::Timestamp;

use crate::output::{Printer, StepsView, Style, milliseconds};

pub(super) struct View<'a> {
    printer: &'a Printer,
    live: StepsView<'a>,
    seen: BTreeMap<StepName, StepState>,
    said_queued: bool,
    undone: Vec<StepName>,
    /// Lines that wait for the step they belong to: they come before the news that the step before them has ended.
    waiting: Vec<LogLine>,
    /// How the line begins that says how it ended.
    outcome: Option<String>,
    /// The last lines of programs that were shown.
    shown: VecDeque<String>,
}

/// How many lines shown are remembered: as many as a failure may repeat.
const REMEMBERED: usize = 200;

impl<'a> View<'a> {
    pub(super) fn new(printer: &'a Printer) -> Self {
        View {
            printer,
            live: StepsView::new(printer),
            seen: BTreeMap::new(),
            said_queued: false,
            undone: Vec::new(),
            waiting: Vec::new(),
            outcome: None,
            shown: VecDeque::new(),
        }
    }

    /// Whether lines wait for the news of their step.
    pub(super) fn waits_for_step(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Shows the lines that wait.
    pub(super) fn flush(&mut self) {
        for line in std::mem::take(&mut self.waiting) {
            self.line(&line);
        }
    }

    /// Whether everything that explains a failure stands on the screen already.
    pub(super) fn has_shown(&self, details: &[String]) -> bool {
        self.printer.talks() && details.iter().all(|line| self.shown.contains(line))
    }

    pub(super) fn show(&mut self, update: &DeploymentUpdate) {
        match update {
            DeploymentUpdate::Line(line) => self.waiting.push(line.clone()),
            DeploymentUpdate::Deployment(deployment) => self.deployment(deployment),
        }
    }

    /// Says that it has to wait, once; for those who do not see the moving line.
    pub(super) fn waits(&mut self) {
        if !self.said_queued && !self.printer.is_live() {
            self.printer
                .say("  queued: another deployment or build comes first");
            self.said_queued = true;
        }
    }

    pub(super) fn say(&mut self, text: &str) {
        self.live.clear();
        self.printer.say(text);
    }

    fn line(&mut self, line: &LogLine) {
        let failed = self
            .seen
            .values()
            .any(|state| matches!(state, StepState::Failed | StepState::Undone));
        if failed && line.stream == LogStream::Hostkit {
            // What HostKit says of a failure is told as the command's error, once.
            return;
        }
        if self
            .outcome
            .as_ref()
            .is_some_and(|words| line.stream == LogStream::Hostkit && line.text.starts_with(words))
        {
            // How it ended is the command's last line.
            return;
        }
        let text = self.printer.foreign_on_err(&line.text);
        // Below the names of the steps, which stand behind their marks on a terminal.
        let indent = if self.printer.is_live() { "      " } else { "    " };
        let say = |text: String| {
            self.printer
                .say(&self.printer.on_err(text.trim_end(), Style::Dim));
        };
        match line.stream {
            LogStream::Hostkit => say(format!("{indent}{text}")),
            LogStream::Out | LogStream::Err => {
                say(format!("{indent}| {text}"));
                self.shown.push_back(line.text.clone());
                if self.shown.len() > REMEMBERED {
                    self.shown.pop_front();
                }
            }
        }
    }

    fn deployment(&mut self, deployment: &Deployment) {
        self.outcome = Some(format!("deployment {} ", deployment.id));
        for (at, step) in deployment.steps.iter().enumerate() {
            // After a lost connection it is told from the beginning: what was shown is not shown again.
            if self
                .seen
                .get(&step.name)
                .is_none_or(|seen| rank(*seen) < rank(step.state))
            {
                if step.state != StepState::Running {
                    let next = deployment.steps.get(at + 1).map(|next| next.started_at);
                    self.flush_until(next);
                }
                self.seen.insert(step.name, step.state);
                self.step(step);
            }
        }
        self.flush();
        if deployment.state == DeploymentState::Queued {
            self.live.now("queued: another deployment or build comes first");
        } else if deployment.state.is_final() {
            self.live.clear();
            if !self.undone.is_empty() {
                let names: Vec<&str> = self.undone.iter().map(|name| name.as_str()).collect();
                let indent = if self.printer.is_live() { "    " } else { "  " };
                self.printer
                    .say(&format!("{indent}undone   {}", names.join(", ")));
                self.undone.clear();
            }
        }
    }

    /// Shows the waiting lines from before the next step.
    fn flush_until(&mut self, next: Option<Timestamp>) {
        let until = next.map_or(self.waiting.len(), |next| {
            self.waiting.iter().take_while(|line| line.at < next).count()
        });
        let lines: Vec<LogLine> = self.waiting.drain(..until).collect();
        for line in lines {
            self.line(&line);
        }
    }

    fn step(&mut self, step: &StepRecord) {
        let time = step.milliseconds.map(milliseconds).unwrap_or_default();
        let (word, fine) = match step.state {
            StepState::Running => {
                self.live.now(step.name.as_str());
                return;
            }
            StepState::Done => (time, true),
            StepState::Failed if time.is_empty() => ("failed".to_owned(), false),
            StepState::Failed => (format!("failed after {time}"), false),
            StepState::Undone => {
                self.undone.push(step.name);
                return;
            }
        };
        self.live.clear();
        self.printer.step(step.name.as_str(), &word, fine);
    }
}

/// Steps only go this way.
fn rank(state: StepState) -> u8 {
    match state {
        StepState::Running => 0,
        StepState::Done | StepState::Failed => 1,
        StepState::Undone => 2,
    }
}
