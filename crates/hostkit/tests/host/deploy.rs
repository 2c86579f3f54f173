//! Projects on a server: deployed, rolled back, removed, and what of them is on the machine meanwhile.

use hostkit_testkit::machine::{Flavour, Machine, World, wait_until};

use crate::apps::{APPS, body, deploy, deploy_all, write_app, write_version};
use crate::installed::{property, said, server};

/// Owner, group, mode and kind of what is at a path.
fn facts(machine: &Machine, path: &str) -> String {
    said(machine, &["stat", "-c", "%U:%G %a %F", path]).replace("regular empty file", "regular file")
}

/// The unit of the only instance of a project's only process.
pub(crate) fn unit(machine: &Machine, name: &str) -> String {
    let pattern = format!("hostkit-{name}.production.*");
    let listed = said(
        machine,
        &["systemctl", "list-units", "--plain", "--no-legend", &pattern],
    );
    assert_eq!(listed.lines().count(), 1, "{listed}");
    listed.split_whitespace().next().unwrap().to_owned()
}

/// Everything that document 003 says of a project's places, by name.
pub(crate) fn check_places(machine: &Machine, name: &str) {
    let release = said(machine, &["readlink", &format!("/home/{name}/app")]);
    assert!(release.starts_with("releases/20"), "{release}");
    let own = format!("{name}:{name}");
    let roots = format!("root:{name}");
    for (path, expected) in [
        ("", format!("{roots} 750 directory")),
        ("/app", "root:root 777 symbolic link".to_owned()),
        ("/releases", format!("{roots} 750 directory")),
        (&format!("/{release}"), format!("{own} 750 directory")),
        ("/shared", format!("{own} 700 directory")),
        ("/.env", format!("{own} 600 regular file")),
        ("/.cache", format!("{own} 700 directory")),
        ("/.ssh", format!("{roots} 750 directory")),
        ("/build", format!("{roots} 750 directory")),
        ("/environments", format!("{roots} 750 directory")),
    ] {
        let path = format!("/home/{name}{path}");
        assert_eq!(facts(machine, &path), expected, "{path}");
    }
    for (path, expected) in [
        (
            format!("/var/log/projects/{name}"),
            format!("{name}:adm 2750 directory"),
        ),
        (
            format!("/etc/sudoers.d/hostkit-{name}"),
            "root:root 440 regular file".to_owned(),
        ),
    ] {
        assert_eq!(facts(machine, &path), expected, "{path}");
    }
    let home = said(
        machine,
        &["getfacl", "--absolute-names", &format!("/home/{name}")],
    );
    assert!(home.contains("user:hostkit-proxy:--x"), "{home}");
    assert_eq!(said(machine, &["ls", "-A", &format!("/home/{name}/build")]), "");
    let account = said(machine, &["getent", "passwd", name]);
    assert!(
        account.ends_with(&format!("HostKit project {name}:/home/{name}:/bin/bash")),
        "{account}"
    );
}

/// What is so of a project with a program.
fn check_unit(machine: &Machine, name: &str) {
    let unit = unit(machine, name);
    let file = format!("/etc/systemd/system/{unit}");
    assert_eq!(facts(machine, &file), "root:root 644 regular file");
    for (key, value) in [
        ("ActiveState", "active"),
        ("User", name),
        ("Slice", &format!("hostkit-projects-{name}.slice")),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
    ] {
        assert_eq!(property(machine, &unit, key), value, "{key}");
    }
    let alias = format!("hostkit-{name}.service");
    assert_eq!(property(machine, &alias, "Id"), unit);
    for log in ["app.log", "error.log"] {
        let path = format!("/var/log/projects/{name}/{log}");
        assert_eq!(
            facts(machine, &path),
            format!("{name}:adm 640 regular file"),
            "{path}"
        );
    }
    let score = said(machine, &["systemd-analyze", "security", "--no-pager", &unit]);
    let level = score.lines().last().unwrap().to_owned();
    let level = level.split_whitespace().find_map(|word| word.parse::<f64>().ok());
    assert!(level.unwrap() <= 2.5, "{score}");
    let shown = machine
        .exec(&["hostkit", "project", "show", name, "--json"])
        .json();
    assert_eq!(shown["on_machine"]["exposure"].as_f64(), level, "{shown}");
    let row = format!("{:.1} exposed of 10", level.unwrap());
    let shown = said(machine, &["hostkit", "project", "show", name]);
    assert!(shown.contains(&row), "{shown}");
}

/// Nothing of a project that was removed.
pub(crate) fn check_gone(machine: &Machine, name: &str) {
    machine.exec(&["getent", "passwd", name]).failed();
    machine.exec(&["getent", "group", name]).failed();
    for path in ["/home", "/var/log/projects", "/var/lib/hostkit/projects"] {
        machine.exec(&["test", "-e", &format!("{path}/{name}")]).failed();
    }
    for (folder, pattern) in [
        ("/etc", format!("hostkit-{name}*")),
        ("/run", format!("*hostkit*{name}*")),
    ] {
        assert_eq!(said(machine, &["find", folder, "-name", &pattern]), "");
    }
    let pattern = format!("hostkit-{name}*");
    let units = [
        "systemctl",
        "list-units",
        "--all",
        "--plain",
        "--no-legend",
        &pattern,
    ];
    assert_eq!(said(machine, &units), "");
}

#[test]
#[ignore = "lane host: boots a machine"]
fn three_projects_are_deployed_rolled_back_and_removed() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Ready);
    deploy_all(&machine);
    for (name, _) in APPS {
        check_places(&machine, name);
    }
    for name in ["blog", "counter"] {
        check_unit(&machine, name);
    }
    let page = format!(
        "/home/shop/{}/index.html",
        said(&machine, &["readlink", "/home/shop/app"])
    );
    let rights = said(&machine, &["getfacl", "--absolute-names", &page]);
    assert!(
        rights.contains("user:hostkit-proxy:r--") && rights.contains("other::---"),
        "{rights}"
    );

    for (name, _) in APPS {
        write_version(&machine, name, 2);
        deploy(&machine, name).ok();
        assert_eq!(body(&machine, name), format!("{name} 2"));
        machine.exec(&["hostkit", "rollback", "--project", name]).ok();
        assert_eq!(body(&machine, name), format!("{name} 1"));
        check_places(&machine, name);
    }
    check_unit(&machine, "blog");

    for (name, _) in APPS {
        machine
            .exec(&["hostkit", "project", "delete", name, "--yes"])
            .ok();
        check_gone(&machine, name);
    }
    machine.exec(&["hostkit", "status"]).ok();
}

/// A site and a program from two folders of one source, files that outlive releases, variables, and what a project
/// may try with its own places.
#[test]
#[ignore = "lane host: boots a machine"]
fn parts_kept_files_and_variables_are_the_projects_own() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Ready);
    machine.exec(&["hostkit", "project", "create", "shop"]).ok();
    let program = "import http.server, os\n\
                   print('started', flush=True)\n\
                   open('data/visits.txt', 'a').write('x')\n\
                   class Answer(http.server.BaseHTTPRequestHandler):\n\
                   \x20   def do_GET(self):\n\
                   \x20       self.send_response(200)\n\
                   \x20       self.end_headers()\n\
                   \x20       said = os.environ.get('GREETING', 'none') + open('data/visits.txt').read()\n\
                   \x20       self.wfile.write(said.encode())\n\
                   http.server.HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Answer).serve_forever()\n";
    let manifest = "keep = [\"api/data\"]\n\
                    [process.web]\nroot = \"api\"\ncommand = \"python3 app.py\"\n\
                    [process.tick]\nroot = \"tick\"\n\
                    command = [\"python3\", \"-u\", \"-c\", \"import time\\nwhile True: print('tick'); time.sleep(1)\"]\n\
                    public = false\n";
    write_app(
        &machine,
        "shop",
        &[
            ("hostkit.toml", manifest),
            ("api/requirements.txt", ""),
            ("api/app.py", program),
            ("tick/requirements.txt", ""),
        ],
    );
    deploy(&machine, "shop").ok();
    assert_eq!(body(&machine, "shop"), "nonex");
    assert_eq!(
        facts(&machine, "/home/shop/shared/api/data"),
        "shop:shop 700 directory"
    );

    machine
        .exec(&[
            "hostkit",
            "env",
            "set",
            "GREETING=hello",
            "--apply",
            "--project",
            "shop",
        ])
        .ok();
    wait_until("the variable is there", || body(&machine, "shop") == "helloxx");
    assert!(machine.read("/home/shop/.env").contains("GREETING="));
    assert_eq!(facts(&machine, "/home/shop/.env"), "shop:shop 600 regular file");
    let said_by_run = machine.exec(&[
        "hostkit",
        "run",
        "--project",
        "shop",
        "--",
        "python3",
        "-c",
        "import os; print(os.environ['GREETING'], os.getuid())",
    ]);
    let uid = said(&machine, &["id", "-u", "shop"]);
    assert_eq!(said_by_run.ok().out.trim(), format!("hello {uid}"));
    let logs = machine.exec(&["hostkit", "logs", "--project", "shop"]).ok().out;
    assert!(logs.contains("started") && logs.contains("tick"), "{logs}");

    // A folder of its own that leads elsewhere: root does not follow.
    machine
        .exec(&["mv", "/home/shop/shared/api", "/home/shop/shared/kept"])
        .ok();
    machine.exec(&["ln", "-s", "/etc", "/home/shop/shared/api"]).ok();
    let refused = deploy(&machine, "shop").failed();
    assert!(refused.err.contains("is not a folder"), "{refused:?}");
    machine.exec(&["test", "-e", "/etc/data"]).failed();
    assert_eq!(said(&machine, &["ls", "-A", "/home/shop/build"]), "");
    machine.exec(&["rm", "/home/shop/shared/api"]).ok();
    machine
        .exec(&["mv", "/home/shop/shared/kept", "/home/shop/shared/api"])
        .ok();
    assert_eq!(body(&machine, "shop"), "helloxx");
    deploy(&machine, "shop").ok();
    assert_eq!(body(&machine, "shop"), "helloxxx");
}
