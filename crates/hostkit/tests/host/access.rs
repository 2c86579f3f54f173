//! A project's account as its operator: over SSH with a key that `hostkit access` let in, on its own project, which
//! need not be named, and on no other.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::machine::{Flavour, Machine, World, wait_until};

use crate::installed::server;

/// Somebody with a key of their own.
struct Operator<'a> {
    world: &'a World,
    machine: &'a Machine,
    folder: tempfile::TempDir,
}

/// What a command said over SSH.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    #[track_caller]
    fn refused(self, why: &str) -> Self {
        assert!(self.code != 0 && self.err.contains(why), "{why}: {self:#?}");
        self
    }
}

impl<'a> Operator<'a> {
    /// Makes a key with this comment.
    fn new(world: &'a World, machine: &'a Machine, comment: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
            .arg(folder.path().join("id"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Operator {
            world,
            machine,
            folder,
        }
    }

    fn key(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Runs a line as an account, with a file as its input.
    fn run_with(&self, account: &str, line: &str, input: Option<&Path>) -> Said {
        let input = input.map_or(Stdio::null(), |path| std::fs::File::open(path).unwrap().into());
        let mut command = Command::new("ssh");
        command
            .args([
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
            ])
            .args(["-o", "BatchMode=yes", "-o", "LogLevel=ERROR"])
            .args(["-o", "IdentitiesOnly=yes", "-i"])
            .arg(self.folder.path().join("id"))
            .args([&format!("{account}@{}", self.machine.address()), line])
            .stdin(input);
        Said::of(&self.world.run(|| command.output().unwrap()))
    }

    fn run(&self, line: &str) -> Said {
        self.run_with("shop", line, None)
    }
}

/// A server with two projects, `shop` and `blog`.
fn with_projects(world: &World) -> (Machine, tempfile::TempDir) {
    let (machine, folder) = server(world, Flavour::Ready);
    for name in ["shop", "blog"] {
        machine.exec(&["hostkit", "project", "create", name]).ok();
    }
    (machine, folder)
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_key_is_a_login_as_the_operator_of_one_project() {
    let world = World::new();
    let (machine, _folder) = with_projects(&world);
    let ci = Operator::new(&world, &machine, "ci@example.com");
    ci.run("true").refused("Permission denied");

    machine.write(ci.key("id"), "/root/id", 0o600);
    let refused = machine
        .exec(&["hostkit", "access", "add", "shop", "/root/id"])
        .failed();
    assert!(refused.err.contains("it is a private one"), "{refused:?}");
    machine.write(ci.key("id.pub"), "/root/id.pub", 0o644);
    machine
        .exec(&["hostkit", "access", "add", "shop", "/root/id.pub"])
        .ok();
    let listed = machine
        .exec(&["hostkit", "--json", "access", "list", "shop"])
        .json();
    assert_eq!(listed[0]["comment"], "ci@example.com");
    assert_eq!(
        machine
            .exec(&["stat", "-c", "%U %a", "/home/shop/.ssh/authorized_keys"])
            .ok()
            .out,
        "root 644\n"
    );

    // Nobody names a project here.
    assert!(ci.run("hostkit status").ok().out.contains("shop"));
    assert_eq!(ci.run("id --user --name; pwd").ok().out, "shop\n/home/shop\n");
    ci.run("hostkit env set GREETING=hello").ok();
    assert!(ci.run("hostkit env list").ok().out.contains("GREETING"));
    assert_eq!(ci.run("sudo -n hostkit env get GREETING").ok().out, "hello\n");
    assert!(ci.run("hostkit access list").ok().out.contains("ci@example.com"));
    let listed = ci.run("hostkit project list").ok().out;
    assert!(listed.contains("shop") && !listed.contains("blog"), "{listed}");
    ci.run("hostkit events").ok();
    ci.run("hostkit releases").ok();

    // Nothing but its own project.
    for line in [
        "hostkit env list --project blog",
        "hostkit restart --project blog",
        "hostkit logs --project blog",
        "hostkit project show blog",
        "HOSTKIT_PROJECT=blog hostkit env set GREETING=hello",
        "hostkit access list blog",
        "sudo -n hostkit env list --project blog",
    ] {
        ci.run(line).refused(
            "cannot find project `blog`: there is none of this name that account `shop` may work on",
        );
    }
    for line in ["hostkit access add shop -", "sudo -n hostkit access add shop -"] {
        ci.run_with("shop", line, Some(&ci.folder.path().join("id.pub")))
            .refused("cannot decide who may log in to the project with account `shop`");
    }
    for line in [
        "hostkit project create more",
        "hostkit token create mine",
        "hostkit project delete shop --yes",
        "hostkit server token --new",
        "sudo -n hostkit server token --new",
    ] {
        ci.run(line).refused("account `shop`");
    }
    ci.run("sudo -n true").refused("is not allowed to execute");
    for other in ["root", "blog"] {
        let line = format!("sudo -n -u {other} hostkit status");
        ci.run(&line).refused("a password is required");
    }
    ci.run_with("blog", "true", None).refused("Permission denied");
    // No program of the project lets anybody in.
    ci.run("echo ssh-ed25519 AAAA >> .ssh/authorized_keys")
        .refused("Permission denied");
    ci.run("mv .ssh old").refused("Permission denied");

    machine
        .exec(&["hostkit", "access", "remove", "shop", "ci@example.com"])
        .ok();
    ci.run("true").refused("Permission denied");
}

/// A program without anything from a registry; what it answers is in its file.
fn write_app(folder: &Path, answer: &str) {
    let app = format!(
        "import http.server, os\n\
         class Answer(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       self.send_response(200)\n\
         \x20       self.end_headers()\n\
         \x20       self.wfile.write(b'{answer}')\n\
         print('{answer} begins', flush=True)\n\
         http.server.HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Answer).serve_forever()\n"
    );
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("app.py"), app).unwrap();
    std::fs::write(folder.join("requirements.txt"), "").unwrap();
    let manifest = "[process.web]\ncommand = \"python3 app.py\"\n";
    std::fs::write(folder.join("hostkit.toml"), manifest).unwrap();
}

fn archive(folder: &Path, to: &Path) {
    let made = Command::new("tar")
        .arg("-cf")
        .arg(to)
        .arg("-C")
        .arg(folder)
        .arg(".")
        .status()
        .unwrap();
    assert!(made.success());
}

#[test]
#[ignore = "lane host: boots a machine"]
fn an_operator_deploys_looks_and_goes_back_without_naming_the_project() {
    let world = World::new();
    let (machine, _folder) = with_projects(&world);
    let ci = Operator::new(&world, &machine, "ci@example.com");
    machine.write(ci.key("id.pub"), "/root/id.pub", 0o644);
    machine
        .exec(&["hostkit", "access", "add", "shop", "/root/id.pub"])
        .ok();
    let body = || http::get(Place::on(&machine, 80), "shop.apps.example.com", "/").body;

    // As CI does it: the files come through the connection.
    let (app, tar) = (ci.folder.path().join("app"), ci.folder.path().join("app.tar"));
    write_app(&app, "first");
    archive(&app, &tar);
    ci.run_with("shop", "hostkit deploy --archive -", Some(&tar)).ok();
    assert_eq!(body(), "first");

    // As a person does it: from a folder that lies there.
    write_app(&app, "second");
    archive(&app, &tar);
    let unpack = "mkdir shared/checkout && tar -xf - -C shared/checkout";
    ci.run_with("shop", unpack, Some(&tar)).ok();
    ci.run("cd shared/checkout && hostkit deploy").ok();
    assert_eq!(body(), "second");
    // A home is no app, and holds what must not leave it.
    ci.run("hostkit deploy").refused("it is your home folder");
    ci.run("hostkit deploy shared/checkout --project blog")
        .refused("cannot find project `blog`: there is none of this name that account `shop` may work on");

    assert!(ci.run("hostkit ps").ok().out.contains("web"));
    wait_until("its log is there", || {
        ci.run("hostkit logs -n 50").ok().out.contains("second begins")
    });
    let followed = ci.run("timeout 5 hostkit logs -f");
    assert!(followed.out.contains("second begins"), "{followed:?}");
    ci.run("hostkit env set GREETING=hello --apply").ok();
    ci.run("hostkit restart").ok();
    assert_eq!(body(), "second");
    ci.run("hostkit rollback").ok();
    assert!(ci.run("hostkit releases").ok().out.lines().count() >= 2);
    let answer = ci.run("hostkit run -- id --user --name").ok().out;
    assert_eq!(answer.trim(), "shop");
    assert!(ci.run("sudo -n hostkit ps").ok().out.contains("web"));
    let status: serde_json::Value = serde_json::from_str(&ci.run("hostkit --json status").ok().out).unwrap();
    assert_eq!(status["project"], "shop");
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_project_is_provisioned_once_and_leaves_its_last_archive() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Ready);
    let is_there = |path: &str| machine.exec(&["test", "-e", path]).code == 0;
    let refused = machine.exec(&["hostkit", "provision", "shop"]).failed();
    assert!(
        refused.err.contains("`hostkit provision shop --no-auth`"),
        "{refused:?}"
    );
    assert!(!is_there("/home/shop"));

    // A program that is not HostKit's, where the first project's auth service would be.
    let serve = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "9001"];
    machine
        .exec(&[&["systemd-run", "--unit=foreign"], &serve[..]].concat())
        .ok();
    wait_until("it listens", || {
        machine.exec(&["curl", "-s", "http://127.0.0.1:9001/"]).code == 0
    });
    let line = [
        "hostkit",
        "--json",
        "provision",
        "shop",
        "--no-db",
        "--no-auth",
        "--no-storage",
    ];
    let made = machine.exec(&line).json();
    assert_eq!(made["is_new"], true);
    let there = &made["project"]["on_machine"];
    assert_eq!(there["base_port"], 8002, "{made}");
    assert_eq!(there["home"], "/home/shop");
    assert_eq!(there["logs"], "/var/log/projects/shop");
    let again = machine.exec(&line).json();
    assert_eq!(
        (&again["is_new"], &again["changes"]),
        (&false.into(), &serde_json::json!([]))
    );
    machine.exec(&["rm", "/etc/sudoers.d/hostkit-shop"]).ok();
    let mended = machine.exec(&line).json();
    assert_eq!(mended["changes"], serde_json::json!(["rule for sudo"]));
    machine.exec(&["hostkit", "project", "create", "shop"]).failed();

    machine.write("rows", "/home/shop/shared/data.db", 0o600);
    let delete = ["hostkit", "--json", "project", "delete", "shop", "--yes"];
    let deleted = machine.exec(&delete).json();
    let file = deleted["archive"]["file"].as_str().unwrap();
    assert!(file.starts_with("/var/lib/hostkit/archives/shop-20"), "{deleted}");
    let facts = machine.exec(&["stat", "-c", "%U %a %s", file]).ok().out;
    assert_eq!(facts.trim(), format!("root 600 {}", deleted["archive"]["bytes"]));
    let folder = machine
        .exec(&["stat", "-c", "%U %a", "/var/lib/hostkit/archives"])
        .ok()
        .out;
    assert_eq!(folder.trim(), "root 700");
    assert!(!is_there("/home/shop"));

    machine.exec(&line).ok();
    machine
        .exec(&["hostkit", "project", "delete", "shop", "--yes", "--no-archive"])
        .ok();
    let kept = machine.exec(&["ls", "/var/lib/hostkit/archives"]).ok().out;
    assert_eq!(kept.lines().count(), 1, "{kept}");
}
