//! A project whose bucket somebody else keeps: another project's stands for it.

use serde_json::json;

use crate::bucket::{boto3, keeper, told, went_well};
use crate::harness::tls_front::TlsFront;
use crate::harness::{Installation, Said, wait_until};

fn give(host: &Installation, verb: &str, address: &str) -> Said {
    host.run_with_input(&["addon", verb, "shop", "storage", "--outside", "-"], address)
}

fn addons(host: &Installation) -> serde_json::Value {
    host.run(&["addon", "list", "shop", "--json"]).ok().json()
}

#[test]
fn a_project_lives_on_a_bucket_that_somebody_else_keeps() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), certificate.cert.pem()).unwrap();
    let trusted = authority.path().to_str().unwrap();
    let host = Installation::start_with(&[("SSL_CERT_FILE", trusted)]);
    host.run(&["project", "create", "theirs", "--with-storage"]).ok();
    host.run(&["project", "create", "shop"]).ok();
    let folder = keeper(&host.sources());
    host.deploy("theirs", &folder).ok();
    // What their `.env` has, as somebody copies it.
    let address = |host: &Installation| {
        let lines = told(host, "theirs").into_iter();
        let lines = lines.filter(|(name, _)| name.starts_with("S3_"));
        lines
            .map(|(name, value)| format!("{name}=\"{value}\"\n"))
            .collect::<String>()
    };
    let first = address(&host);
    let key = told(&host, "theirs")["S3_SECRET_ACCESS_KEY"].clone();
    for (wrong, why) in [
        ("canary".to_owned(), "it is not a URL"),
        (
            first.replace(&key, "canary"),
            "does not accept the secret access key",
        ),
        (
            first.replace("\"theirs\"", "\"nobodys\""),
            "there is no such bucket",
        ),
        (first.replace("127.0.0.1", "127.0.0.2"), "cannot connect"),
    ] {
        let said = give(&host, "add", &wrong).failed();
        assert!(
            said.err.contains(why) && !said.all().contains("canary"),
            "{why}: {}",
            said.err
        );
        assert!(!said.all().contains(&key), "{}", said.err);
        assert_eq!(addons(&host), json!([]), "{why}");
    }
    let added = give(&host, "add", &first).ok();
    assert!(!added.all().contains(&key), "{}", added.all());
    assert_eq!(addons(&host)[0]["state"]["health"]["is"], "ready");
    host.deploy("shop", &folder).ok();
    for name in [
        "S3_ENDPOINT",
        "S3_BUCKET",
        "S3_REGION",
        "S3_PUBLIC_URL",
        "R2_SECRET_ACCESS_KEY",
    ] {
        assert_eq!(told(&host, "shop")[name], told(&host, "theirs")[name], "{name}");
    }
    assert_eq!(host.get("shop", "/put/a").body, "put");
    assert_eq!(host.get("theirs", "/get/a").body, "a");

    // The same commands, as far as the protocol goes.
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("cat.txt");
    std::fs::write(&file, "meow").unwrap();
    host.run(&["storage", "cp", file.to_str().unwrap(), "shop:pets/"])
        .ok();
    host.run(&["storage", "cp", "shop:pets/cat.txt", "shop:pets/copy"])
        .ok();
    assert_eq!(
        host.run(&["storage", "cp", "shop:pets/copy", "-"]).ok().out,
        "meow"
    );
    let listed = host.run(&["storage", "ls", "shop", "-r", "--json"]).ok().json();
    let keys: Vec<_> = listed["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["key"].clone())
        .collect();
    assert_eq!(keys, ["a", "pets/cat.txt", "pets/copy"]);
    host.run(&["storage", "rm", "shop:pets/copy"]).ok();
    let url = host.run(&["storage", "presign", "shop:pets/cat.txt"]).ok().out;
    let read = format!(
        "assert urllib.request.urlopen('{}').read() == b'meow'",
        url.trim()
    );
    went_well(&boto3(&told(&host, "shop"), &read));
    let stats = host.run(&["storage", "stats", "shop", "--json"]).ok().json();
    assert_eq!(
        (&stats["objects"], &stats["bytes"], &stats["outside"]),
        (&json!(2), &json!(5), &json!(true))
    );
    for change in [&["--public", "pets/"][..], &[]] {
        let refused = host
            .run(&[&["storage", "policy", "shop"][..], change].concat())
            .failed();
        assert!(
            refused.err.contains("its bucket is kept elsewhere"),
            "{}",
            refused.err
        );
    }

    // In no backup, which is told and stands in no backup's way.
    let made = host.run(&["backup", "now", "shop"]).ok();
    assert!(made.err.contains("all of it came back"), "{}", made.err);
    let shown = host.run(&["backup", "show", "shop"]).ok();
    assert!(shown.out.contains("storage, kept elsewhere"), "{}", shown.out);

    // New keys there, told here by a restart.
    let refused = host.run(&["addon", "rotate", "shop", "storage"]).failed();
    assert!(refused.err.contains("--outside -"), "{}", refused.err);
    host.run(&["addon", "rotate", "theirs", "storage"]).ok();
    wait_until("their new keys", || address(&host) != first);
    give(&host, "rotate", &address(&host)).ok();
    wait_until("the new address is all there is", || {
        addons(&host)[0]["rotation"].is_null()
    });
    assert_eq!(
        told(&host, "shop")["S3_ACCESS_KEY_ID"],
        told(&host, "theirs")["S3_ACCESS_KEY_ID"]
    );
    assert_eq!(host.get("shop", "/get/a").body, "a");

    let gone = host.run(&["addon", "remove", "shop", "storage"]).ok();
    assert!(
        gone.err.contains("What is kept there is as it was"),
        "{}",
        gone.err
    );
    assert_eq!(host.get("theirs", "/get/a").body, "a");

    // The same bucket behind a proxy with TLS, by its URL; trusted where the system does, on both sides.
    let (mut parts, theirs) = (told(&host, "theirs"), tempfile::NamedTempFile::new().unwrap());
    let storage = parts["S3_ENDPOINT"]
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let front = TlsFront::start(&certificate, storage);
    let mut part = |name: &str| parts.remove(name).unwrap();
    let url = format!(
        "s3://{}:{}@localhost:{}/{}?region={}",
        part("S3_ACCESS_KEY_ID"),
        part("S3_SECRET_ACCESS_KEY"),
        front.port,
        part("S3_BUCKET"),
        part("S3_REGION")
    );
    std::fs::write(theirs.path(), url).unwrap();
    let source = format!("storage={}", theirs.path().display());
    let words = ["project", "create", "encrypted", "--outside", &source];
    host.run(&words).ok();
    let cat = |trust: &str| {
        let mut command = host.prepared(&["storage", "cp", "encrypted:a", "-"]);
        Said::from(command.env("SSL_CERT_FILE", trust).output().unwrap())
    };
    assert_eq!(cat(trusted).ok().out, "a");
    let strange = cat("/dev/null").failed();
    assert!(strange.err.contains("certificate"), "{}", strange.err);

    // In one command; an address that cannot be read stops it before anything is made.
    let file = home.path().join("bucket.env");
    let make = |source: &str| host.run(&["project", "create", "second", "--outside", source]);
    let source = format!("storage={}", file.display());
    let refused = make(&source).failed();
    assert!(refused.err.contains("cannot read the address"), "{}", refused.err);
    for (wrong, why) in [
        ("storage=s3://k:canary@h/b", "from the command line"),
        ("postgresql://k:canary@h/b?sslmode=require", "it begins with"),
        ("canary", "it begins with"),
    ] {
        let refused = make(wrong).failed();
        assert!(
            refused.err.contains(why) && !refused.all().contains("canary"),
            "{wrong}: {}",
            refused.all()
        );
    }
    std::fs::write(&file, address(&host)).unwrap();
    let made = make(&source).ok();
    assert!(
        made.err.contains("`second` has a bucket, kept elsewhere."),
        "{}",
        made.err
    );
    let listed = host.run(&["storage", "ls", "second", "--json"]).ok().json();
    assert_eq!(listed["objects"][0]["key"], "a");
    let events = host.run(&["events", "--json"]).ok().out;
    assert!(!events.contains(&key), "{events}");
}
