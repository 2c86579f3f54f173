//! From the file's values to a [`Manifest`], and the rules that concern more than one key. Values that broke a rule of
//! their own were reported by [`super::raw`] and are passed over here as if they were missing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::MOST_ENTRIES;
use super::problems::Collector;
use super::raw::{join, number_written};
use super::{
    BuildRule, Command, CronRule, HealthRule, Manifest, ProcessRule, Reach, StopRule, StopSignal, routing,
};
use crate::domain::DomainName;
use crate::names::{ProcessName, RelativePath, VariableName};
use crate::route::Protocol;
use crate::scan::ScanRule;
use crate::size::{ByteSize, Processors, Span};
use crate::variables::generate::Recipe;
use crate::variables::rule::VariableRule;

type Entry<'a> = (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

/// A table that may be missing.
#[derive(Clone, Copy)]
pub(crate) struct View<'a>(pub(crate) Option<&'a DeTable<'a>>);

impl<'a> View<'a> {
    pub(super) fn value(self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.0?.get(key)
    }

    pub(crate) fn has(self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Where to point at for a problem with a key.
    pub(crate) fn place(self, key: &str) -> Range<usize> {
        self.value(key).map_or(0..0, |value| value.span())
    }

    pub(crate) fn table(self, key: &str) -> View<'a> {
        View(match self.value(key).map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => Some(table),
            _ => None,
        })
    }

    pub(super) fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        self.0.into_iter().flatten().take(MOST_ENTRIES)
    }

    pub(super) fn items(self, key: &str) -> impl Iterator<Item = &'a Spanned<DeValue<'a>>> {
        match self.value(key).map(Spanned::get_ref) {
            Some(DeValue::Array(items)) => items.iter().take(MOST_ENTRIES),
            _ => [].iter().take(0),
        }
    }

    pub(super) fn text(self, key: &str) -> Option<&'a str> {
        self.value(key)?.get_ref().as_str()
    }

    pub(crate) fn parsed<T: FromStr>(self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    pub(crate) fn list<T: FromStr>(self, key: &str) -> Vec<(Range<usize>, T)> {
        self.items(key)
            .filter_map(|item| Some((item.span(), item.get_ref().as_str()?.parse().ok()?)))
            .collect()
    }

    pub(super) fn switch(self, key: &str) -> Option<bool> {
        self.value(key)?.get_ref().as_bool()
    }

    pub(crate) fn whole<T: TryFrom<i64>>(self, key: &str) -> Option<T> {
        let number = self.value(key)?.get_ref().as_integer()?;
        T::try_from(i64::from_str_radix(number.as_str(), number.radix()).ok()?).ok()
    }

    /// The whole numbers of a list.
    pub(super) fn wholes(self, key: &str) -> Vec<u32> {
        let numbers = self.items(key).filter_map(|item| number_written(item.get_ref()));
        numbers.filter_map(|number| number.parse().ok()).collect()
    }

    pub(super) fn maybe_span(self, key: &str) -> Option<Span> {
        Span::parse(self.text(key)?).ok()
    }

    fn span(self, key: &str, default: Span) -> Span {
        self.maybe_span(key).unwrap_or(default)
    }

    pub(crate) fn size(self, key: &str) -> Option<ByteSize> {
        ByteSize::parse(self.text(key)?).ok()
    }

    pub(crate) fn processors(self, key: &str) -> Option<Processors> {
        Processors::parse(&number_written(self.value(key)?.get_ref())?).ok()
    }

    fn command(self, key: &str) -> Option<Command> {
        match self.value(key)?.get_ref() {
            DeValue::String(line) => Some(Command::Line(line.to_string())),
            DeValue::Array(parts) => Some(Command::Arguments(
                parts
                    .iter()
                    .filter_map(|part| part.get_ref().as_str().map(str::to_owned))
                    .collect(),
            )),
            _ => None,
        }
    }
}

/// The manifest a file means, its problems reported.
pub(super) fn build(root: &DeTable<'_>, problems: &mut Collector<'_>) -> Manifest {
    let root = View(Some(root));
    let releases = root.table("releases");
    let variables = root.table("variables");
    let processes = processes(root.table("process"), problems);
    let routing = routing::check::routing(root, &processes, problems);
    Manifest {
        name: root.parsed("name"),
        hosts: once_each(root.list::<DomainName>("hosts"), "hosts", problems),
        build: build_rule(root.table("build")),
        processes,
        required: once_each(
            variables.list::<VariableName>("required"),
            "variables.required",
            problems,
        ),
        defaults: variables
            .table("defaults")
            .entries()
            .filter_map(|(name, value)| {
                Some((name.get_ref().parse().ok()?, value.get_ref().as_str()?.to_owned()))
            })
            .collect(),
        generate: generate(variables, problems),
        checks: named(variables.table("checks"), |check| VariableRule {
            min_length: check.whole("min_length"),
            format: check.parsed("format"),
            pattern: check.text("pattern").map(str::to_owned),
        }),
        rotate_every: variables.maybe_span("rotate_every"),
        keep: keep(root, problems),
        releases: releases.whole("keep").unwrap_or(Manifest::default().releases),
        release_command: releases.command("command"),
        cron: cron(root, problems),
        scan: ScanRule {
            secrets: root.table("scan").parsed("secrets").unwrap_or_default(),
            ignore: root
                .table("scan")
                .list("ignore")
                .into_iter()
                .map(|(_, glob)| glob)
                .collect(),
        },
        routing,
    }
}

/// Made-up values, each for a variable without a default.
fn generate(variables: View<'_>, problems: &mut Collector<'_>) -> BTreeMap<VariableName, Recipe> {
    let mut recipes = BTreeMap::new();
    for (name, value) in variables.table("generate").entries() {
        if variables.table("defaults").has(name.get_ref()) {
            let key = join("variables.generate", name.get_ref());
            let message = format!("`{key}` has a default already, so nothing is made up");
            problems.add(name.span(), &key, message, None);
        }
        let recipe = value.get_ref().as_str().and_then(|text| text.parse().ok());
        recipes.extend(name.get_ref().parse().ok().zip(recipe));
    }
    recipes
}

/// Tables by names of variables.
fn named<T>(tables: View<'_>, read: impl Fn(View<'_>) -> T) -> BTreeMap<VariableName, T> {
    let entries = tables.entries();
    entries
        .filter_map(|(name, value)| match value.get_ref() {
            DeValue::Table(table) => Some((name.get_ref().parse().ok()?, read(View(Some(table))))),
            _ => None,
        })
        .collect()
}

fn once_each<T: Ord + Clone + std::fmt::Display>(
    found: Vec<(Range<usize>, T)>,
    key: &str,
    problems: &mut Collector<'_>,
) -> Vec<T> {
    let mut seen = BTreeSet::new();
    for (at, value) in &found {
        if !seen.insert(value.clone()) {
            problems.add(at.clone(), key, format!("`{key}` names `{value}` twice"), None);
        }
    }
    found.into_iter().map(|(_, value)| value).collect()
}

fn keep(root: View<'_>, problems: &mut Collector<'_>) -> Vec<RelativePath> {
    let found = root.list::<RelativePath>("keep");
    for (at, path) in &found {
        let above = found.iter().find(|(_, other)| {
            path.as_str()
                .strip_prefix(other.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        });
        if let Some((_, above)) = above {
            let message = format!("`keep` names `{path}`, which lies in `{above}` that is kept as a whole");
            problems.add(at.clone(), "keep", message, None);
        }
    }
    once_each(found, "keep", problems)
}

fn build_rule(table: View<'_>) -> BuildRule {
    let default = BuildRule::default();
    BuildRule {
        builder: table.text("builder").map(str::to_owned),
        install: table.command("install"),
        command: table.command("command"),
        output: table.parsed("output"),
        single_page: table.switch("single_page").unwrap_or(default.single_page),
        node: table.text("node").map(str::to_owned),
        python: table.text("python").map(str::to_owned),
        timeout: table.span("timeout", default.timeout),
        memory: table.size("memory").unwrap_or(default.memory),
    }
}

fn processes(table: View<'_>, problems: &mut Collector<'_>) -> BTreeMap<ProcessName, ProcessRule> {
    let mut processes = BTreeMap::new();
    let mut public: Option<ProcessName> = None;
    for (key, value) in table.entries() {
        let (Ok(name), DeValue::Table(keys)) = (ProcessName::parse(key.get_ref()), value.get_ref()) else {
            continue;
        };
        let view = View(Some(keys));
        let rule = process_rule(&name, view, problems);
        if rule.reach == Reach::Public {
            if let Some(other) = &public {
                let at = if view.has("public") {
                    view.place("public")
                } else {
                    key.span()
                };
                let second = if name == ProcessName::web() { other } else { &name };
                let message = format!(
                    "`{other}` and `{name}` are both public, one process can be: write `internal = true` for `{second}` in place of `public`, and lead a path to it by `[[routes]]` with `path = \"/{second}\"` and `process = \"{second}\"`"
                );
                problems.add(at, &join("process", name.as_str()), message, None);
            }
            public = Some(name.clone());
        }
        if let Some((other, _)) = processes
            .iter()
            .find(|(_, other)| conflicting_builds(&rule, other))
        {
            let message = format!("`{other}` and `{name}` build the same folder in different ways");
            problems.add(
                view.place("build"),
                &format!("process.{name}.build"),
                message,
                None,
            );
        }
        processes.insert(name, rule);
    }
    processes
}

fn conflicting_builds(one: &ProcessRule, other: &ProcessRule) -> bool {
    one.root == other.root && one.build.is_some() && other.build.is_some() && one.build != other.build
}

fn process_rule(name: &ProcessName, view: View<'_>, problems: &mut Collector<'_>) -> ProcessRule {
    let path = format!("process.{name}");
    let default = ProcessRule::named(name);
    let reach = match (view.switch("public"), view.switch("internal")) {
        (Some(true), Some(true)) => {
            let message = format!("`{path}` is both public and internal, it can be one of them");
            problems.add(view.place("internal"), &format!("{path}.internal"), message, None);
            Reach::Internal
        }
        (_, Some(true)) => Reach::Internal,
        (Some(true), _) => Reach::Public,
        (Some(false), _) => Reach::Unreachable,
        (None, _) => default.reach,
    };
    let health = view.table("health");
    if reach == Reach::Unreachable && health.has("path") {
        let message =
            format!("`{path}` has no port on which its health could be asked: add `internal = true`");
        problems.add(
            health.place("path"),
            &format!("{path}.health.path"),
            message,
            None,
        );
    }
    if reach == Reach::Unreachable && view.switch("sticky") == Some(true) {
        let message = format!("`{path}` has no port, so no visitor can stay on one of its instances");
        problems.add(view.place("sticky"), &format!("{path}.sticky"), message, None);
    }
    if reach == Reach::Unreachable && view.text("protocol") == Some("h2c") {
        let message =
            format!("`{path}` has no port on which it could speak a protocol: add `internal = true`");
        problems.add(view.place("protocol"), &format!("{path}.protocol"), message, None);
    }
    let own_root = view
        .parsed::<RelativePath>("root")
        .is_none_or(|root| !root.is_root());
    if view.has("build") && (!view.has("root") || !own_root) {
        let message =
            format!("`{path}.build` needs a `root` of its own: the root folder is built by `[build]`");
        problems.add(view.place("build"), &format!("{path}.build"), message, None);
    }
    ProcessRule {
        command: view.command("command"),
        root: view.parsed("root").unwrap_or(default.root),
        directory: view.parsed("directory").unwrap_or(default.directory),
        build: view.has("build").then(|| build_rule(view.table("build"))),
        count: view.whole("count").unwrap_or(default.count),
        reach,
        port_variable: view.parsed("port_variable").unwrap_or(default.port_variable),
        health: HealthRule {
            protocol: match view.text("protocol") {
                Some("h2c") => Protocol::H2c,
                _ => default.health.protocol,
            },
            ..health_rule(health)
        },
        drain: view.span("drain", default.drain),
        stop: stop_rule(view.table("stop")),
        memory: view.size("memory"),
        cpus: view.processors("cpus"),
        sticky: view.switch("sticky").unwrap_or(default.sticky),
    }
}

fn health_rule(table: View<'_>) -> HealthRule {
    let default = HealthRule::default();
    HealthRule {
        path: table.text("path").map(str::to_owned),
        ready: table.text("ready").map(str::to_owned),
        protocol: default.protocol,
        interval: table.span("interval", default.interval),
        timeout: table.span("timeout", default.timeout),
        failures: table.whole("failures").unwrap_or(default.failures),
        start_period: table.span("start_period", default.start_period),
    }
}

fn stop_rule(table: View<'_>) -> StopRule {
    let default = StopRule::default();
    StopRule {
        signal: match table.text("signal") {
            Some("SIGINT") => StopSignal::Int,
            Some("SIGQUIT") => StopSignal::Quit,
            Some("SIGHUP") => StopSignal::Hup,
            Some("SIGUSR1") => StopSignal::Usr1,
            Some("SIGUSR2") => StopSignal::Usr2,
            _ => default.signal,
        },
        grace: table.span("grace", default.grace),
    }
}

fn cron(root: View<'_>, problems: &mut Collector<'_>) -> Vec<CronRule> {
    let mut rules: Vec<CronRule> = Vec::new();
    for item in root.items("cron") {
        let DeValue::Table(table) = item.get_ref() else {
            continue;
        };
        let view = View(Some(table));
        let (Some(name), Some(schedule), Some(command)) = (
            view.parsed::<ProcessName>("name"),
            view.text("schedule"),
            view.command("command"),
        ) else {
            continue;
        };
        if rules.iter().any(|rule| rule.name == name) {
            problems.add(
                view.place("name"),
                "cron.name",
                format!("`cron` names `{name}` twice"),
                None,
            );
        }
        rules.push(CronRule {
            name,
            schedule: schedule.to_owned(),
            command,
        });
    }
    rules
}
