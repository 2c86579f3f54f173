//! What a project's program can and cannot do. Each attempt that fails inside of the sandbox is one that works for the
//! same account, or for root, outside of it: so that the test can fail.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use hostkit_core::manifest::Command;
use hostkit_core::traits::OneOff;
use hostkit_core::traits::runtime::ExecOutput;
use hostkit_testkit::conformance::runtime::RuntimeFixture;

use crate::house::{House, environment, eventually, own, run, shell};

/// Lines `NAME yes` or `NAME no` for what was tried.
fn attempts(house: &House) -> String {
    let tries = [
        ("own-shared", "touch /home/shop/shared/x"),
        ("own-release", "touch /home/shop/releases/20250215-120000/x"),
        ("own-tmp", "touch /tmp/hostkit-walls"),
        ("read-app", "cat /home/shop/releases/20250215-120000/file"),
        (
            "loopback",
            "python3 -c 'import socket; s=socket.create_server((\"127.0.0.1\",0)); socket.create_connection(s.getsockname())'",
        ),
        ("write-home", "touch /home/shop/x"),
        ("write-usr", "touch /usr/local/x"),
        ("write-var", "touch /var/tmp/../lib/x"),
        ("see-blog", "ls /home/blog"),
        ("see-homes", "ls /home | grep -v shop | grep ."),
        ("see-keys", "cat /home/shop/.ssh/authorized_keys"),
        ("see-staging", "ls /home/shop/environments"),
        ("see-init", "ls /proc/1"),
        ("see-processes", "ps -e -o user= | grep -q root"),
        (
            "read-spec",
            "cat /var/lib/hostkit/projects/*/environments/*/instances/*/spec.json",
        ),
        ("blog-log", "cat /var/log/projects/blog/app.log"),
        ("namespace", "unshare --user true"),
        (
            "raw-socket",
            "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'",
        ),
        (
            "setuid-file",
            "cp /bin/true /home/shop/shared/t && chmod u+s /home/shop/shared/t",
        ),
        ("kernel", "echo 1 > /proc/sys/vm/swappiness"),
        ("disk", "ls /dev/sda /dev/vda /dev/loop0 /dev/kmsg"),
    ];
    let out = house.scratch().join("attempts").display().to_string();
    let mut script = format!(": > {out}.part;");
    for (name, attempt) in tries {
        script.push_str(&format!(
            "if ({attempt}) >/dev/null 2>&1; then echo {name} yes; else echo {name} no; fi >> {out}.part;"
        ));
    }
    script.push_str(&format!("mv {out}.part {out}; exec sleep 600"));
    script
}

fn prepare(house: &House) {
    let id = environment("shop");
    let release = house.layout.releases(&id).join("20250215-120000");
    std::fs::create_dir_all(&release).unwrap();
    std::fs::set_permissions(
        house.layout.releases(&id),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    std::fs::write(release.join("file"), "content").unwrap();
    own(&release, "shop", 0o750);
    own(&release.join("file"), "shop", 0o640);
    let home = house.layout.environment(&id);
    for folder in ["environments", ".ssh"] {
        std::fs::create_dir(home.join(folder)).unwrap();
        std::fs::set_permissions(
            home.join(folder),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
    }
    std::fs::write(home.join(".ssh/authorized_keys"), "key").unwrap();
}

fn answers(path: &Path) -> Vec<(String, bool)> {
    let text = eventually("everything was tried", || std::fs::read_to_string(path).ok());
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, answer)| (name.to_owned(), answer == "yes"))
        .collect()
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_program_reaches_its_own_places_and_no_others() {
    let house = House::new();
    prepare(&house);
    let runtime = house.runtime();
    let mut other = shell("echo private; exec sleep 600");
    other.id.environment = environment("blog");
    runtime.ensure(&other).await.unwrap();
    let script = attempts(&house);
    let mut wanted = shell(&script);
    wanted.command = Command::Arguments(vec!["/bin/sh".into(), "-c".into(), script.clone()]);
    wanted.directory = house
        .layout
        .releases(&environment("shop"))
        .join("20250215-120000");
    runtime.ensure(&wanted).await.unwrap();
    let file = house.scratch().join("attempts");
    for (name, done) in answers(&file) {
        let is_own = name.starts_with("own-") || name == "read-app" || name == "loopback";
        assert_eq!(done, is_own, "{name}");
    }
    assert!(!Path::new("/tmp/hostkit-walls").exists());
    runtime.remove(&wanted.id).await.unwrap();
    std::fs::remove_file(&file).unwrap();

    // The same without walls, as root: what failed before was the walls' doing.
    let script = script.replace("exec sleep 600", "true");
    assert!(run(&["/bin/sh", "-c", &script]).status.success());
    let answers = answers(&file);
    let worked = |name: &str| answers.iter().any(|(other, done)| other == name && *done);
    for name in [
        "write-home",
        "write-usr",
        "write-var",
        "see-blog",
        "see-homes",
        "see-keys",
        "see-staging",
        "see-init",
        "see-processes",
        "read-spec",
        "blog-log",
        "setuid-file",
    ] {
        assert!(worked(name), "{name}");
    }
    for left in ["/tmp/hostkit-walls", "/usr/local/x", "/var/lib/x"] {
        let _ = std::fs::remove_file(left);
    }
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn node_and_python_find_what_they_need() {
    let house = House::new();
    let runtime = house.runtime();
    let out = house.scratch().join("out").display().to_string();
    let node = format!(
        "const os=require('os'),fs=require('fs'),net=require('net');\
         const s=net.createServer().listen(process.env.PORT,'127.0.0.1',()=>{{\
         fs.writeFileSync('{out}.part',[os.cpus().length>0,os.totalmem()>0,os.availableParallelism()>0,\
         Object.keys(os.networkInterfaces()).length>0,process.memoryUsage().rss>0,fs.existsSync(os.tmpdir()),\
         new Function('return 1')()===1].join(' '));fs.renameSync('{out}.part','{out}')}})"
    );
    let mut wanted = shell("");
    wanted.command = Command::Arguments(vec!["node".into(), "-e".into(), node]);
    runtime.ensure(&wanted).await.unwrap();
    let said = eventually("node runs", || std::fs::read_to_string(&out).ok());
    assert_eq!(said, ["true"; 7].join(" "));
    runtime.remove(&wanted.id).await.unwrap();
    std::fs::remove_file(&out).unwrap();

    let python = format!(
        "import os,resource,multiprocessing,threading,tempfile,subprocess,time\n\
         q=multiprocessing.Queue(); p=multiprocessing.Process(target=q.put,args=(1,)); p.start()\n\
         t=threading.Thread(target=lambda: None); t.start(); t.join()\n\
         f=tempfile.NamedTemporaryFile()\n\
         ok=[q.get()==1, os.cpu_count()>0, resource.getrlimit(resource.RLIMIT_NOFILE)[0]>0, \
         subprocess.run(['true']).returncode==0, os.getuid()!=0]\n\
         open('{out}.part','w').write(' '.join(map(str,ok))); os.rename('{out}.part','{out}')\n\
         time.sleep(600)"
    );
    wanted.id.deployment = 2;
    wanted.command = Command::Arguments(vec!["python3".into(), "-c".into(), python]);
    runtime.ensure(&wanted).await.unwrap();
    let said = eventually("python runs", || std::fs::read_to_string(&out).ok());
    assert_eq!(said, ["True"; 5].join(" "));
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_one_off_command_has_the_same_walls() {
    let house = House::new();
    prepare(&house);
    let runtime = house.runtime();
    let script = "id -un; touch /home/shop/shared/y && echo wrote; touch /home/shop/y 2>/dev/null || echo refused; \
                  ls /home; grep NoNewPrivs /proc/self/status";
    let command = OneOff {
        environment: environment("shop"),
        arguments: vec!["/bin/sh".into(), "-c".into(), script.into()],
        directory: house
            .layout
            .releases(&environment("shop"))
            .join("20250215-120000"),
        variables: shell("").variables,
        terminal: None,
    };
    let mut streams = runtime.exec().unwrap().exec(&command).await.unwrap();
    let mut said = String::new();
    while let Some(item) = tokio::time::timeout(Duration::from_secs(60), streams.output.next())
        .await
        .unwrap()
    {
        if let ExecOutput::Out(bytes) = item {
            said.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    assert_eq!(said, "shop\nwrote\nrefused\nshop\nNoNewPrivs:\t1\n");
}
