//! Last archives on the disk: the suite, what is in one, and homes whose owner does not want them archived.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use hostkit_core::kind::Kind;
use hostkit_core::names::ProjectName;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::Archives;
use hostkit_host::archives::DiskArchives;
use hostkit_testkit::archives_tests;
use hostkit_testkit::conformance::archives::ArchivesFixture;
use jiff::Timestamp;

struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        let fixture = Fixture(tempfile::tempdir().unwrap());
        fixture.write("shared/data.db", "rows");
        fixture
    }

    fn disk(&self) -> DiskArchives {
        let root = self.0.path();
        DiskArchives::new(root.join("home"), root.join("archives"))
            .with_bounds(ByteSize::mib(64), ByteSize(0))
    }

    fn home(&self, path: &str) -> PathBuf {
        self.0.path().join("home/shop").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.home(path).parent().unwrap()).unwrap();
        fs::write(self.home(path), text).unwrap();
    }

    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path().join("archives"));
        entries.unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl ArchivesFixture for Fixture {
    fn archives(&self) -> Arc<dyn Archives> {
        Arc::new(self.disk())
    }
}

archives_tests!([cfg(test)], Fixture::new());

fn shop() -> ProjectName {
    ProjectName::parse("shop").unwrap()
}

/// What an archive holds: a file by its text, a folder as nothing, a link by `-> ` and where it leads.
fn held(file: &str) -> BTreeMap<String, String> {
    let plain = zstd::decode_all(fs::File::open(file).unwrap()).unwrap();
    let mut archive = tar::Archive::new(&plain[..]);
    let mut all = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        if let Some(target) = entry.link_name().unwrap() {
            text = format!("-> {}", target.display());
        } else {
            entry.read_to_string(&mut text).unwrap();
        }
        all.insert(path.trim_end_matches('/').to_owned(), text);
    }
    all
}

#[tokio::test]
async fn what_cannot_be_made_again_is_kept_for_root_alone() {
    let fixture = Fixture::new();
    let long = format!("shared/{}/{}", "d".repeat(120), "f".repeat(120));
    for (path, text) in [
        (".env", "SECRET=1"),
        (".ssh/authorized_keys", "ssh-ed25519 AAAA"),
        ("environments/staging/shared/x", "staging"),
        ("environments/staging/releases/r/app.js", "no"),
        ("releases/r/app.js", "no"),
        ("build/1/app.js", "no"),
        (".cache/npm", "no"),
        // Only where HostKit makes them are they HostKit's.
        ("shared/releases/kept", "yes"),
        (&long, "long"),
    ] {
        fixture.write(path, text);
    }
    symlink("releases/r", fixture.home("app")).unwrap();
    let made = fixture
        .disk()
        .keep(&shop(), Timestamp::now())
        .await
        .unwrap()
        .unwrap();
    let mode = fs::metadata(&made.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let folder = fixture.0.path().join("archives");
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o7777,
        0o700
    );
    assert!(
        made.file.starts_with(&format!("{}/shop-20", folder.display())),
        "{}",
        made.file
    );
    let held = held(&made.file);
    assert_eq!(held[".env"], "SECRET=1");
    assert_eq!(held["shared/data.db"], "rows");
    assert_eq!(held["environments/staging/shared/x"], "staging");
    assert_eq!(held["shared/releases/kept"], "yes");
    assert_eq!(held[&long], "long");
    let again = |path: &String| path.contains("app") || path.contains(".cache") || path.contains("build");
    assert!(!held.keys().any(again), "{held:?}");
    assert_eq!(fixture.left().len(), 1);
}

#[tokio::test]
async fn no_link_is_followed_and_no_pipe_waited_for() {
    let fixture = Fixture::new();
    fs::write(fixture.0.path().join("foreign"), "canary").unwrap();
    symlink("../../../foreign", fixture.home("shared/file")).unwrap();
    symlink(fixture.0.path(), fixture.home("shared/folder")).unwrap();
    symlink("loop", fixture.home("shared/loop")).unwrap();
    let pipe = fixture.home("shared/pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(fixture.home("shared/socket")).unwrap();
    let made = fixture
        .disk()
        .keep(&shop(), Timestamp::now())
        .await
        .unwrap()
        .unwrap();
    let held = held(&made.file);
    assert!(!format!("{held:?}").contains("canary"));
    assert_eq!(held["shared/file"], "-> ../../../foreign");
    assert!(held["shared/folder"].starts_with("-> /"));
    assert!(!held.contains_key("shared/pipe") && !held.contains_key("shared/socket"));
    // A home that is a link is nobody's home.
    fs::rename(fixture.home(""), fixture.0.path().join("away")).unwrap();
    symlink("../away", fixture.0.path().join("home/shop")).unwrap();
    let refused = fixture.disk().check(&shop()).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
}

#[tokio::test]
async fn what_is_too_much_or_has_no_room_is_refused_and_leaves_no_file() {
    let fixture = Fixture::new();
    let sparse = fs::File::create(fixture.home("shared/huge")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let refused = fixture.disk().check(&shop()).await.unwrap_err();
    assert_eq!(refused.kind, Kind::TooLarge);
    assert!(refused.hint.unwrap().contains("--no-archive"));
    sparse.set_len(1 << 20).unwrap();
    let full = fixture
        .disk()
        .with_bounds(ByteSize::mib(64), ByteSize(u64::MAX / 2));
    for refused in [
        full.check(&shop()).await.unwrap_err(),
        full.keep(&shop(), Timestamp::now()).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind, Kind::Unavailable);
        assert!(
            refused
                .message
                .starts_with("cannot make the last archive of `shop`: the disk is too full"),
            "{refused}"
        );
    }
    assert!(fixture.left().is_empty());
    let mut deep = fixture.home("shared");
    for _ in 0..210 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let refused = fixture.disk().keep(&shop(), Timestamp::now()).await.unwrap_err();
    assert!(refused.message.contains("too deep"), "{refused}");
    assert!(fixture.left().is_empty());
}

#[tokio::test]
async fn archives_of_names_that_begin_alike_are_told_apart() {
    let fixture = Fixture::new();
    let other = ProjectName::parse("shop-20261121").unwrap();
    let created = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    fs::create_dir_all(fixture.0.path().join("home/shop-20261121")).unwrap();
    let of_other = fixture.disk().keep(&other, created).await.unwrap().unwrap();
    let own = fixture.disk().keep(&shop(), created).await.unwrap().unwrap();
    assert_ne!(of_other.file, own.file);
    let ghost = ProjectName::parse("ghost").unwrap();
    assert_eq!(fixture.disk().keep(&ghost, created).await.unwrap(), None);
}
