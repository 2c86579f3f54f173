//! An authority put into lists in folders of the test, by the real programs.

use hostkit_core::certificate::AuthorityCertificate;

use super::*;

/// A certificate of an authority that nobody has the key of.
const PEM: &str = "-----BEGIN CERTIFICATE-----
MIIB3zCCAYWgAwIBAgIUC0qcBb8Aq4+8vRNSPOIRzBAkvi4wCgYIKoZIzj0EAwIw
KzEpMCcGA1UEAwwgSG9zdEtpdCBsb2NhbCBhdXRob3JpdHkgMWEyYjNjNGQwIBcN
MjYxMTI5MDA0MzA4WhgPMjEyNjExMDUwMDQzMDhaMCsxKTAnBgNVBAMMIEhvc3RL
aXQgbG9jYWwgYXV0aG9yaXR5IDFhMmIzYzRkMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEP/py4y9QCAtx60JjaC23r4G8h3JLFbTe7+kLWW1oQ4quQTNCKZk3J9Nn
BRLX842K6V8m89LkFtPhsKrcwLQo/6OBhDCBgTAdBgNVHQ4EFgQUwXG5jErSVbpg
OiadXqycXie9ZogwHwYDVR0jBBgwFoAUwXG5jErSVbpgOiadXqycXie9ZogwEgYD
VR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAgQwGwYDVR0eAQH/BBEwD6AN
MAuCCWxvY2FsaG9zdDAKBggqhkjOPQQDAgNIADBFAiAQ0tvrvCvGxZOh7GszFUdJ
TALYd6qc2g2QLP8gNzMJPgIhALhk0HXh38LjXKO7TCIWbJJTZNT3ojB6pceF+JRf
01OY
-----END CERTIFICATE-----
";

fn authority() -> AuthorityCertificate {
    AuthorityCertificate {
        file: "/data/ca.pem".into(),
        name: "HostKit local authority 1a2b3c4d".to_owned(),
        mark: "1a2b3c4d".to_owned(),
        pem: PEM.to_owned(),
    }
}

/// A machine with one list below a folder, made by that program.
fn machine(folder: &Path, program: &'static str) -> Truster {
    let list = folder.join("anchors");
    std::fs::create_dir_all(&list).unwrap();
    Truster {
        system: vec![SystemList {
            folder: list,
            extension: "crt",
            program: SystemProgram::new(program, "its-package"),
            arguments: &[],
        }],
        is_root: true,
        home: None,
        certutil: SystemProgram::new("certutil", "libnss3-tools"),
    }
}

async fn outcomes(truster: &Truster, wish: TrustWish) -> Vec<TrustOutcome> {
    let report = truster
        .run(&authority(), wish, "hostkit trust --data /data")
        .await;
    report.places.iter().map(|place| place.outcome).collect()
}

#[tokio::test]
async fn it_is_added_once_and_removed_once() {
    let folder = tempfile::tempdir().unwrap();
    let truster = machine(folder.path(), "true");
    let file = folder.path().join("anchors/hostkit-1a2b3c4d.crt");
    let others = folder.path().join("anchors/others.crt");
    std::fs::write(&others, "theirs").unwrap();
    for (wish, outcome) in [
        (TrustWish::Remove, TrustOutcome::Unchanged),
        (TrustWish::Add, TrustOutcome::Added),
        (TrustWish::Add, TrustOutcome::Unchanged),
        (TrustWish::Remove, TrustOutcome::Removed),
        (TrustWish::Remove, TrustOutcome::Unchanged),
    ] {
        assert_eq!(outcomes(&truster, wish).await, [outcome]);
        let is_there = matches!(outcome, TrustOutcome::Added)
            || (wish == TrustWish::Add && outcome == TrustOutcome::Unchanged);
        assert_eq!(file.exists(), is_there);
    }
    // What was cut off is written anew.
    std::fs::write(&file, &PEM[..100]).unwrap();
    assert_eq!(outcomes(&truster, TrustWish::Add).await, [TrustOutcome::Added]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), PEM);
    assert_eq!(std::fs::read_to_string(&others).unwrap(), "theirs");
}

#[tokio::test]
async fn who_may_not_is_told_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let mut truster = machine(folder.path(), "true");
    truster.is_root = false;
    let report = truster
        .run(&authority(), TrustWish::Add, "hostkit trust --data /data")
        .await;
    let place = &report.places[0];
    assert!(!report.is_fine());
    assert_eq!(place.fix.as_deref(), Some("sudo hostkit trust --data /data"));
    assert!(!place.path.exists());
}

#[tokio::test]
async fn a_list_that_cannot_be_made_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    for program in ["false", "no-such-program"] {
        let truster = machine(folder.path(), program);
        assert_eq!(outcomes(&truster, TrustWish::Add).await, [TrustOutcome::NotDone]);
        let left = std::fs::read_dir(folder.path().join("anchors")).unwrap().count();
        assert_eq!(left, 0, "{program}");
    }
    let truster = machine(folder.path(), "true");
    assert_eq!(outcomes(&truster, TrustWish::Add).await, [TrustOutcome::Added]);
    // A machine without any list that is known.
    let elsewhere = folder.path().join("nothing");
    let mut truster = machine(&elsewhere, "true");
    std::fs::remove_dir(elsewhere.join("anchors")).unwrap();
    let report = truster.run(&authority(), TrustWish::Add, "hostkit trust").await;
    assert_eq!(
        report.places[0].fix.as_deref(),
        Some("sudo apt install ca-certificates")
    );
    truster.system.clear();
    assert_eq!(
        outcomes(&truster, TrustWish::Remove).await,
        [TrustOutcome::Unchanged]
    );
}

#[tokio::test]
async fn databases_of_browsers_are_found_and_changed() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let mut truster = machine(folder.path(), "true");
    let databases_of_browsers = [".pki/nssdb", ".mozilla/firefox/abc.default"];
    for database in databases_of_browsers {
        let database = home.join(database);
        std::fs::create_dir_all(&database).unwrap();
        let named = format!("sql:{}", database.display());
        let new = ["-N", "--empty-password", "-d", &named];
        assert!(truster.certutil.run(&new, b"").await.unwrap().is_success());
    }
    std::fs::create_dir_all(home.join(".mozilla/firefox/Crash Reports")).unwrap();
    truster.home = Some(home.clone());
    let added = [TrustOutcome::Added; 3];
    assert_eq!(outcomes(&truster, TrustWish::Add).await, added);
    assert_eq!(
        outcomes(&truster, TrustWish::Add).await,
        [TrustOutcome::Unchanged; 3]
    );
    assert_eq!(
        outcomes(&truster, TrustWish::Remove).await,
        [TrustOutcome::Removed; 3]
    );
    assert_eq!(
        outcomes(&truster, TrustWish::Remove).await,
        [TrustOutcome::Unchanged; 3]
    );

    // One that cannot be read is told of, and is in nobody's way.
    std::fs::write(home.join(".pki/nssdb/cert9.db"), "garbage").unwrap();
    let report = truster.run(&authority(), TrustWish::Add, "hostkit trust").await;
    let outcomes: Vec<_> = report.places.iter().map(|place| place.outcome).collect();
    assert_eq!(
        outcomes,
        [TrustOutcome::Added, TrustOutcome::NotDone, TrustOutcome::Added]
    );
    assert!(
        report.places[1]
            .why
            .as_deref()
            .unwrap()
            .starts_with("`certutil`: ")
    );
    // Without the program the package is named.
    truster.certutil = SystemProgram::new("no-such-program", "libnss3-tools");
    let report = truster.run(&authority(), TrustWish::Add, "hostkit trust").await;
    assert_eq!(
        report.places[2].fix.as_deref(),
        Some("sudo apt install libnss3-tools")
    );
}
