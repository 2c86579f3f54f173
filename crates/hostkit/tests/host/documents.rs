//! What the pages about a server say to type is typed, in their order, on one machine, and shows what they show.
//!
//! A line `$ COMMAND` of a `console` block is run by bash as root; `# exits with N` at its end is how it has to end, else
//! 0. Lines below it are looked for in what it says, in their order; `…` stands for anything, spaces for any number of
//! them. Before some sections the machine is brought to where the section begins.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::machine::{Flavour, Machine, World};

use crate::installed::{API, APT, OPEN, package, until_healthy};

/// How long something may take to show that is looked at again and again.
const PATIENCE: Duration = Duration::from_secs(90);
/// Commands that only look, and so may be repeated until they show what is expected.
const LOOKS: [&str; 10] = [
    "hostkit status",
    "hostkit ps",
    "hostkit events",
    "hostkit logs",
    "hostkit doctor",
    "systemctl is-active",
    "systemctl list-units",
    "systemctl status",
    "journalctl",
    "curl",
];

/// A program that says hello, without anything from a registry.
const APP: [(&str, &str); 3] = [
    ("requirements.txt", ""),
    ("Procfile", "web: python3 app.py\n"),
    (
        "app.py",
        "import http.server, os\n\
         print('started', flush=True)\n\
         class Answer(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       self.send_response(200)\n\
         \x20       self.end_headers()\n\
         \x20       self.wfile.write(b'hello\\n')\n\
         http.server.ThreadingHTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Answer).serve_forever()\n",
    ),
];

/// One line to type.
#[derive(Debug)]
struct Step {
    page: &'static str,
    line: usize,
    section: String,
    command: String,
    exit: i32,
    shown: Vec<String>,
}

/// The steps of a page, without those of other sorts of blocks.
fn steps(page: &'static str) -> Vec<Step> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let mut found: Vec<Step> = Vec::new();
    let (mut section, mut block) = (String::new(), None);
    for (number, line) in text.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            block = match block {
                None => Some(kind == "console"),
                Some(_) => None,
            };
        } else if let (None, Some(title)) = (block, line.strip_prefix("## ")) {
            section = title.to_owned();
        } else if block == Some(true) {
            match line.strip_prefix("$ ") {
                Some(typed) => {
                    let (command, exit) = typed.split_once("  # exits with ").unwrap_or((typed, "0"));
                    found.push(Step {
                        page,
                        line: number + 1,
                        section: section.clone(),
                        command: command.trim_end().to_owned(),
                        exit: exit.trim().parse().unwrap(),
                        shown: Vec::new(),
                    });
                }
                None => found
                    .last_mut()
                    .expect("a block begins with a command")
                    .shown
                    .push(line.to_owned()),
            }
        }
    }
    found
}

fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line that is shown is what a line says.
fn fits(shown: &str, line: &str) -> bool {
    let mut rest = line;
    shown.split('…').map(str::trim).all(|part| {
        let at = rest.find(part);
        rest = at.map_or("", |at| &rest[at + part.len()..]);
        at.is_some()
    })
}

/// The first shown line that what was said lacks.
fn lacks<'a>(step: &'a Step, said: &str) -> Option<&'a str> {
    let mut lines = said.lines();
    step.shown
        .iter()
        .find(|shown| !lines.any(|line| fits(&plain(shown), &plain(line))))
        .map(String::as_str)
}

/// The machine, and the folder somebody has gone to.
struct Terminal {
    machine: Machine,
    folder: String,
    packages: tempfile::TempDir,
    /// What was not as written. One run shows all of it.
    wrong: Vec<String>,
}

impl Terminal {
    fn run(&mut self, step: &Step) {
        let began = Instant::now();
        if let Some(folder) = step.command.strip_prefix("cd ") {
            self.machine.exec(&["test", "-d", folder]).ok();
            folder.clone_into(&mut self.folder);
            return;
        }
        let only_looks = LOOKS.iter().any(|look| step.command.starts_with(look));
        loop {
            let line = [
                "bash",
                "-c",
                "exec 2>&1; cd \"$0\" && eval \"$1\"",
                &self.folder,
                &step.command,
            ];
            let said = self.machine.exec_within(APT, &line);
            let lacking = lacks(step, &said.out);
            if said.code == step.exit && lacking.is_none() {
                eprintln!("{}:{}: $ {}", step.page, step.line, step.command);
                return;
            }
            if !only_looks || began.elapsed() > PATIENCE {
                self.wrong.push(format!(
                    "{}:{}: `{}` ended with {}, which should be {}; lacking: {lacking:?}; it said:\n{}",
                    step.page, step.line, step.command, said.code, step.exit, said.out
                ));
                eprintln!("{}", self.wrong.last().unwrap());
                return;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn typed(&self, arguments: &[&str]) {
        self.machine.exec(arguments).ok();
    }

    /// The package that lies in root's home is this one.
    fn has_package(&self, version: &str) {
        let deb: PathBuf = package(self.packages.path(), version);
        self.typed(&["find", "/root", "-maxdepth", "1", "-name", "*.deb", "-delete"]);
        let name = deb.file_name().unwrap().to_str().unwrap().to_owned();
        self.machine.put(&deb, &format!("/root/{name}"), 0o644);
    }

    /// Brings the machine to where a section begins.
    fn sets_the_scene(&mut self, section: &str) {
        let stop = |units: &[&str]| self.typed(&[&["systemctl", "stop"], units].concat());
        let control = ["hostkit-control.socket", "hostkit-api.socket", "hostkit-control"];
        match section {
            "Upgrade" => self.has_package("0.2.0"),
            "A site is down" => self.typed(&["hostkit", "stop", "--project", "shop"]),
            "Control does not answer" => stop(&control),
            "The front door does not answer" => {
                stop(&["hostkit-proxy.socket", "hostkit-tables.socket", "hostkit-proxy"]);
            }
            "The machine was restarted" => {
                self.machine.power_cut();
                self.machine.power_on();
            }
            "The state database is damaged" => {
                stop(&control);
                self.machine
                    .write("lost\n".repeat(9999), "/var/lib/hostkit/hostkit.db", 0o600);
                self.machine
                    .exec(&["systemctl", "start", "--no-block", "hostkit-control"])
                    .ok();
            }
            _ => {}
        }
    }

    /// After each section of a day that went wrong, all is as it was.
    fn all_is_well(&self) {
        until_healthy(&self.machine);
        let began = Instant::now();
        loop {
            let found = http::get(Place::on(&self.machine, 80), "shop.apps.example.com", "/");
            if found.body == "hello\n" {
                break;
            }
            let doctor = || self.machine.exec(&["hostkit", "doctor"]).all();
            assert!(began.elapsed() < PATIENCE, "{found:?}\n{}", doctor());
            std::thread::sleep(Duration::from_millis(500));
        }
        assert_eq!(http::get(Place::on(&self.machine, 80), API, OPEN).status, 200);
    }
}

#[test]
#[ignore = "lane host: boots a machine"]
fn the_pages_about_a_server_are_as_written() {
    let world = World::new();
    let mut terminal = Terminal {
        machine: Machine::boot(&world, Flavour::Bare),
        folder: "/root".to_owned(),
        packages: tempfile::tempdir().unwrap(),
        wrong: Vec::new(),
    };
    terminal.has_package("0.1.0");
    for (path, content) in APP {
        terminal
            .machine
            .write(content, &format!("/root/shop/{path}"), 0o644);
    }
    // The server goes with the last two sections of the first page.
    let mut all = steps("server-setup.md");
    let end = all.iter().position(|step| step.section == "Upgrade").unwrap();
    let last = all.split_off(end);
    let bad_days = steps("incident-response.md");
    assert!(bad_days.len() > 40, "{}", bad_days.len());
    all.extend(steps("runbook.md"));
    let on_a_server = steps("troubleshooting.md").into_iter();
    all.extend(on_a_server.filter(|step| step.section == "On a server"));
    all.extend(bad_days);
    all.extend(last);
    assert!(all.len() > 110, "{}", all.len());

    let mut before: Option<(&str, String)> = None;
    for step in &all {
        let here = (step.page, step.section.clone());
        if before.as_ref() != Some(&here) {
            if before.is_some_and(|(page, _)| page == "incident-response.md") {
                terminal.all_is_well();
            }
            "/root".clone_into(&mut terminal.folder);
            terminal.sets_the_scene(&step.section);
            before = Some(here);
        }
        terminal.run(step);
    }
    let wrong = terminal.wrong.len();
    assert_eq!(
        wrong,
        0,
        "{wrong} of {}:\n{}",
        all.len(),
        terminal.wrong.join("\n")
    );
}

#[test]
fn what_is_shown_is_what_was_said() {
    assert!(fits("Live in …", "Live in 2.4 s: release 20261121-163000"));
    assert!(fits("front door … fine", "front door answers, fine"));
    assert!(!fits("Live in …", "Stopped in 1 s"));
    assert!(!fits("b … a", "a b"));
    let step = Step {
        page: "page.md",
        line: 1,
        section: String::new(),
        command: "true".into(),
        exit: 0,
        shown: vec!["one".into(), "two".into()],
    };
    assert_eq!(lacks(&step, "one   1\nmiddle\ntwo\n"), None);
    assert_eq!(lacks(&step, "two\none\n"), Some("two"));
}
