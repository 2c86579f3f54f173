//! The `hostkit.toml` that `hostkit init` writes: what differs from the defaults, and a few commented keys to go on
//! from. It reads back as the manifest it was written from.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::{BuildRule, Command, HealthRule, Manifest, ProcessRule, Reach, StopRule};
use crate::names::ProcessName;
use crate::route::Protocol;
use crate::scan::Policy;
use crate::size::{ByteSize, Processors};

/// Writes a manifest. `notes` go on top as comments: what was detected, one sentence each.
pub fn render(manifest: &Manifest, notes: &[String]) -> String {
    let mut document = DocumentMut::new();
    let root = document.as_table_mut();
    if let Some(name) = &manifest.name {
        root["name"] = value(name.as_str());
    }
    if !manifest.hosts.is_empty() {
        let hosts: Vec<String> = manifest.hosts.iter().map(ToString::to_string).collect();
        root["hosts"] = list(hosts.iter().map(String::as_str));
    }
    if !manifest.keep.is_empty() {
        root["keep"] = list(manifest.keep.iter().map(|path| path.as_str()));
    }
    insert(root, "build", build(&manifest.build));
    if !manifest.processes.is_empty() {
        let mut processes = Table::new();
        processes.set_implicit(true);
        for (name, rule) in &manifest.processes {
            processes[name.as_str()] = Item::Table(process(name, rule));
        }
        root["process"] = Item::Table(processes);
    }
    insert(root, "variables", variables(manifest));
    let mut releases = Table::new();
    if manifest.releases != Manifest::default().releases {
        releases["keep"] = value(i64::from(manifest.releases));
    }
    set_command(&mut releases, "command", manifest.release_command.as_ref());
    insert(root, "releases", releases);
    let mut scan = Table::new();
    set_changed(
        &mut scan,
        "secrets",
        &manifest.scan.secrets,
        &Policy::default(),
        |policy| policy.as_str().into(),
    );
    if !manifest.scan.ignore.is_empty() {
        scan["ignore"] = list(manifest.scan.ignore.iter().map(String::as_str));
    }
    insert(root, "scan", scan);
    if !manifest.cron.is_empty() {
        root["cron"] = Item::ArrayOfTables(cron(manifest));
    }
    format!("{}{document}{}", heading(notes), ideas(manifest))
}

fn heading(notes: &[String]) -> String {
    let mut text = String::from(
        "# How HostKit builds and runs this project. Every key is optional; what is not said is detected.\n",
    );
    for note in notes {
        // A line break in a note would end the comment.
        let note: String = note
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        text.push_str(&format!("# {note}\n"));
    }
    text.push('\n');
    text
}

/// Commented keys that a newcomer looks for, where the file does not have them yet.
fn ideas(manifest: &Manifest) -> String {
    let mut text = String::new();
    if manifest.processes.is_empty() {
        text.push_str(
            "\n# [process.web]\n# command = \"npm start\"\n# count = 2\n# health = { path = \"/healthz\" }\n",
        );
    }
    if manifest.required.is_empty() {
        text.push_str("\n# [variables]\n# required = [\"DATABASE_URL\"]\n");
    }
    if manifest.keep.is_empty() {
        text.push_str("\n# Files that outlive releases; this key stands above the first table:\n# keep = [\"uploads\"]\n");
    }
    text
}

fn insert(table: &mut Table, key: &str, below: Table) {
    if !below.is_empty() {
        table[key] = Item::Table(below);
    }
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Item {
    value(texts.collect::<Array>())
}

fn set_command(table: &mut Table, key: &str, command: Option<&Command>) {
    match command {
        Some(Command::Line(line)) => table[key] = value(line.as_str()),
        Some(Command::Arguments(parts)) => table[key] = list(parts.iter().map(String::as_str)),
        None => {}
    }
}

fn set_changed<T: PartialEq>(table: &mut Table, key: &str, now: &T, default: &T, write: fn(&T) -> Value) {
    if now != default {
        table[key] = value(write(now));
    }
}

/// A size that reads back exactly, which the short form for people may not.
fn exact(size: &ByteSize) -> Value {
    match size.0 {
        bytes if bytes > 0 && bytes.is_multiple_of(1 << 30) => format!("{}GB", bytes >> 30).into(),
        bytes if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{}MB", bytes >> 20).into(),
        bytes => format!("{bytes}B").into(),
    }
}

/// Whole processors as a whole number, parts of them as people write them.
fn number(cpus: Processors) -> Item {
    match cpus.0 {
        hundredths if hundredths.is_multiple_of(100) => value(i64::from(hundredths / 100)),
        hundredths => value(f64::from(hundredths) / 100.0),
    }
}

fn build(rule: &BuildRule) -> Table {
    let default = BuildRule::default();
    let mut table = Table::new();
    if let Some(builder) = &rule.builder {
        table["builder"] = value(builder);
    }
    set_command(&mut table, "install", rule.install.as_ref());
    set_command(&mut table, "command", rule.command.as_ref());
    if let Some(output) = &rule.output {
        table["output"] = value(output.as_str());
    }
    set_changed(
        &mut table,
        "single_page",
        &rule.single_page,
        &default.single_page,
        |on| (*on).into(),
    );
    if let Some(version) = &rule.node {
        table["node"] = value(version);
    }
    if let Some(version) = &rule.python {
        table["python"] = value(version);
    }
    set_changed(&mut table, "timeout", &rule.timeout, &default.timeout, |span| {
        span.to_string().into()
    });
    set_changed(&mut table, "memory", &rule.memory, &default.memory, exact);
    table
}

fn process(name: &ProcessName, rule: &ProcessRule) -> Table {
    let default = ProcessRule::named(name);
    let mut table = Table::new();
    set_command(&mut table, "command", rule.command.as_ref());
    set_changed(&mut table, "root", &rule.root, &default.root, |path| {
        path.as_str().into()
    });
    set_changed(
        &mut table,
        "directory",
        &rule.directory,
        &default.directory,
        |path| path.as_str().into(),
    );
    set_changed(&mut table, "count", &rule.count, &default.count, |count| {
        i64::from(*count).into()
    });
    match rule.reach {
        reach if reach == default.reach => {}
        Reach::Public => table["public"] = value(true),
        Reach::Internal => table["internal"] = value(true),
        Reach::Unreachable => table["public"] = value(false),
    }
    set_changed(
        &mut table,
        "port_variable",
        &rule.port_variable,
        &default.port_variable,
        |name| name.as_str().into(),
    );
    set_changed(&mut table, "drain", &rule.drain, &default.drain, |span| {
        span.to_string().into()
    });
    if let Some(memory) = &rule.memory {
        table["memory"] = value(exact(memory));
    }
    if let Some(cpus) = &rule.cpus {
        table["cpus"] = number(*cpus);
    }
    if rule.sticky {
        table["sticky"] = value(true);
    }
    if rule.health.protocol == Protocol::H2c {
        table["protocol"] = value("h2c");
    }
    insert(&mut table, "health", health(&rule.health));
    insert(&mut table, "stop", stop(&rule.stop));
    if let Some(rule) = &rule.build {
        table["build"] = Item::Table(build(rule));
    }
    table
}

fn health(rule: &HealthRule) -> Table {
    let default = HealthRule::default();
    let mut table = Table::new();
    if let Some(path) = &rule.path {
        table["path"] = value(path);
    }
    if let Some(path) = &rule.ready {
        table["ready"] = value(path);
    }
    set_changed(
        &mut table,
        "interval",
        &rule.interval,
        &default.interval,
        |span| span.to_string().into(),
    );
    set_changed(&mut table, "timeout", &rule.timeout, &default.timeout, |span| {
        span.to_string().into()
    });
    set_changed(&mut table, "failures", &rule.failures, &default.failures, |n| {
        i64::from(*n).into()
    });
    set_changed(
        &mut table,
        "start_period",
        &rule.start_period,
        &default.start_period,
        |span| span.to_string().into(),
    );
    table
}

fn stop(rule: &StopRule) -> Table {
    let default = StopRule::default();
    let mut table = Table::new();
    set_changed(&mut table, "signal", &rule.signal, &default.signal, |signal| {
        signal.name().into()
    });
    set_changed(&mut table, "grace", &rule.grace, &default.grace, |span| {
        span.to_string().into()
    });
    table
}

fn variables(manifest: &Manifest) -> Table {
    let mut table = Table::new();
    if !manifest.required.is_empty() {
        table["required"] = list(manifest.required.iter().map(|name| name.as_str()));
    }
    let mut defaults = Table::new();
    for (name, text) in &manifest.defaults {
        defaults[name.as_str()] = value(text);
    }
    insert(&mut table, "defaults", defaults);
    let mut generate = Table::new();
    for (name, recipe) in &manifest.generate {
        generate[name.as_str()] = value(recipe.to_string());
    }
    insert(&mut table, "generate", generate);
    if let Some(every) = &manifest.rotate_every {
        table["rotate_every"] = value(every.to_string());
    }
    let mut checks = Table::new();
    for (name, rule) in &manifest.checks {
        let mut check = Table::new();
        if let Some(least) = rule.min_length {
            check["min_length"] = value(i64::from(least));
        }
        if let Some(format) = rule.format {
            check["format"] = value(format.as_str());
        }
        if let Some(pattern) = &rule.pattern {
            check["pattern"] = value(pattern);
        }
        checks[name.as_str()] = Item::Table(check);
    }
    insert(&mut table, "checks", checks);
    table
}

fn cron(manifest: &Manifest) -> ArrayOfTables {
    let mut tables = ArrayOfTables::new();
    for rule in &manifest.cron {
        let mut table = Table::new();
        table["name"] = value(rule.name.as_str());
        table["schedule"] = value(&rule.schedule);
        set_command(&mut table, "command", Some(&rule.command));
        tables.push(table);
    }
    tables
}
