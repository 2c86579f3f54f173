use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use hostkit_core::kind::Kind;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }

    /// Makes a file look as if it was left alone for a while. Its ctime stays young.
    fn age(&self, path: &str) {
        let file = std::fs::File::options()
            .append(true)
            .open(self.path().join(path))
            .expect("the file");
        file.set_modified(SystemTime::now() - Duration::from_secs(3600))
            .expect("its time");
    }

    fn read(&self) -> Result<Tree, Failure> {
        read(self.path(), None, SourceLimits::default())
    }

    fn paths(&self) -> Vec<String> {
        self.read()
            .expect("readable")
            .files
            .into_iter()
            .map(|f| f.path.to_string())
            .collect()
    }
}

#[test]
fn what_is_ignored_or_made_anew_stays_here() {
    let folder = Folder::new(&[
        (".gitignore", "*.log\n/dist/\n.env\n"),
        (".hostkitignore", "!dist/\ndocs/\n"),
        ("app.js", "1"),
        ("debug.log", "x"),
        ("dist/kept.js", "named by .hostkitignore"),
        ("docs/a.md", "x"),
        (".env", "SECRET=1"),
        (".env.example", "SECRET="),
        (".hidden/file", "x"),
        ("sub/.gitignore", "only-here\n"),
        ("sub/only-here", "x"),
        ("sub/kept", "x"),
        (".git/HEAD", "x"),
        ("node_modules/a/index.js", "x"),
        ("packages/b/node_modules/c.js", "x"),
        (".venv/bin/python", "x"),
        ("venv/bin/python", "x"),
        ("a/__pycache__/m.pyc", "x"),
        (".next/cache", "x"),
        (".hostkit/hostkit.schema.json", "{}"),
        (".ignore", "app.js"),
    ]);
    assert_eq!(
        folder.paths(),
        [
            ".env.example",
            ".gitignore",
            ".hidden/file",
            ".hostkitignore",
            ".ignore",
            "app.js",
            "dist/kept.js",
            "sub/.gitignore",
            "sub/kept",
        ]
    );
}

#[test]
fn rules_above_count_only_inside_a_repository() {
    let folder = Folder::new(&[(".gitignore", "*\n"), ("app/index.html", "x")]);
    let read_app = || read(&folder.path().join("app"), None, SourceLimits::default());
    assert_eq!(
        read_app()
            .expect("a stray .gitignore above does not count")
            .files
            .len(),
        1
    );
    folder.write(".git/HEAD", "x");
    assert_eq!(
        read_app().expect_err("the repository's own does").kind,
        Kind::Invalid
    );
}

#[test]
fn links_stay_links_and_may_not_leave() {
    let folder = Folder::new(&[("a/file", "x"), ("b", "x")]);
    symlink("file", folder.path().join("a/near")).expect("link");
    symlink("../b", folder.path().join("a/up")).expect("link");
    symlink("nowhere", folder.path().join("dangling")).expect("link");
    let links: Vec<_> = folder
        .read()
        .expect("readable")
        .files
        .into_iter()
        .filter_map(|f| match f.content {
            SourceContent::Link { target } => Some((f.path.to_string(), target)),
            SourceContent::File { .. } => None,
        })
        .collect();
    let expected = [("a/near", "file"), ("a/up", "../b"), ("dangling", "nowhere")];
    assert_eq!(
        links,
        expected.map(|(path, target)| (path.to_owned(), target.to_owned()))
    );
    for target in ["/etc/passwd", "../..", "../../x", "../a/../../x"] {
        let link = folder.path().join("a/out");
        symlink(target, &link).expect("link");
        let failure = folder.read().expect_err(target);
        assert!(
            failure.message.contains("`a/out`") && failure.message.contains(target),
            "{failure}"
        );
        assert!(failure.hint.is_some());
        std::fs::remove_file(link).expect("removed");
    }
}

#[test]
fn sockets_are_skipped_with_a_word_and_unreadable_files_are_named() {
    let folder = Folder::new(&[("index.html", "x")]);
    let _socket = UnixListener::bind(folder.path().join("live.sock")).expect("socket");
    let tree = folder.read().expect("readable");
    assert_eq!(
        (tree.files.len(), tree.skipped.as_slice()),
        (1, ["live.sock".to_owned()].as_slice())
    );

    folder.write("secret", "x");
    let secret = folder.path().join("secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).expect("mode");
    // The superuser reads everything.
    if std::fs::read(&secret).is_err() {
        let failure = folder.read().expect_err("unreadable");
        assert!(failure.message.starts_with("cannot read `secret`:"), "{failure}");
    }
}

#[test]
fn names_no_server_takes_are_refused_here() {
    let folder = Folder::new(&[("index.html", "x"), ("a\nb", "x")]);
    assert!(
        folder
            .read()
            .expect_err("a line end in a name")
            .message
            .starts_with("cannot upload `a")
    );
}

#[test]
fn executables_and_sizes_are_told() {
    let folder = Folder::new(&[("run.sh", "#!/bin/sh\n"), ("text", "12345")]);
    std::fs::set_permissions(
        folder.path().join("run.sh"),
        std::fs::Permissions::from_mode(0o755),
    )
    .expect("mode");
    let tree = folder.read().expect("readable");
    let told: Vec<_> = tree
        .files
        .iter()
        .map(|f| match &f.content {
            SourceContent::File { size, executable, .. } => (*size, *executable),
            SourceContent::Link { .. } => (0, false),
        })
        .collect();
    assert_eq!(told, [(10, true), (5, false)]);
    assert_eq!(tree.bytes, 15);
    let SourceContent::File { hash, .. } = &tree.files[1].content else {
        panic!("a link")
    };
    assert_eq!(hash.as_str(), blake3::hash(b"12345").to_hex().as_str());
}

#[test]
fn too_much_is_refused_with_the_heaviest_folders() {
    let big = "x".repeat(4096);
    let folder = Folder::new(&[
        ("data/raw/big.bin", &big),
        ("data/raw/big2.bin", &big),
        ("app.js", "x"),
        ("a/b", "yy"),
    ]);
    let failure = read(
        folder.path(),
        None,
        SourceLimits {
            bytes: 5000,
            files: 100,
        },
    )
    .expect_err("too big");
    assert_eq!(failure.kind, Kind::TooLarge);
    assert_eq!(failure.details[0], "data/raw/  8KB in 2 files");
    assert!(failure.hint.expect("a hint").contains(".hostkitignore"));
    let failure = read(
        folder.path(),
        None,
        SourceLimits {
            bytes: 1 << 20,
            files: 3,
        },
    )
    .expect_err("too many");
    assert!(failure.message.contains("4 files, at most 3"), "{failure}");
    let empty = Folder::new(&[(".git/HEAD", "x")]);
    assert!(empty.read().expect_err("nothing").message.contains("no file"));
}

#[test]
fn the_stat_cache_trusts_only_what_was_left_alone() {
    let folder = Folder::new(&[("old", "1"), ("new", "2")]);
    let cache = tempfile::tempdir().expect("a folder");
    let again = || read(folder.path(), Some(cache.path()), SourceLimits::default()).expect("readable");
    assert_eq!(again().hashed, 2);
    // Both were changed a moment ago: one of them could have changed again unseen.
    folder.age("old");
    assert_eq!(again().hashed, 2);
    std::thread::sleep(Duration::from_millis(2200));
    assert_eq!(again().hashed, 2, "nothing was remembered so far");
    assert_eq!(again().hashed, 0, "all of it was by now");
    let before = again().files;
    folder.write("new", "3");
    let after = again();
    assert_eq!(after.hashed, 1);
    assert_ne!(before[0], after.files[0]);
    assert_eq!(before[1], after.files[1]);
}

#[test]
fn a_same_size_change_with_its_old_time_is_seen() {
    let folder = Folder::new(&[("file", "1")]);
    let cache = tempfile::tempdir().expect("a folder");
    let again = || read(folder.path(), Some(cache.path()), SourceLimits::default()).expect("readable");
    folder.age("file");
    std::thread::sleep(Duration::from_millis(2200));
    assert_eq!((again().hashed, again().hashed), (1, 0));
    let time = std::fs::metadata(folder.path().join("file"))
        .and_then(|m| m.modified())
        .expect("its time");
    folder.write("file", "2");
    let file = std::fs::File::options()
        .append(true)
        .open(folder.path().join("file"))
        .expect("the file");
    file.set_modified(time).expect("its time");
    assert_eq!(again().hashed, 1, "the change time tells");
}

#[test]
fn a_broken_cache_is_an_empty_one() {
    let folder = Folder::new(&[("file", "1")]);
    let cache = tempfile::tempdir().expect("a folder");
    std::thread::sleep(Duration::from_millis(2200));
    let again = || read(folder.path(), Some(cache.path()), SourceLimits::default()).expect("readable");
    assert_eq!((again().hashed, again().hashed), (1, 0));
    let file = std::fs::read_dir(cache.path())
        .expect("readable")
        .next()
        .expect("one")
        .expect("readable")
        .path();
    for text in [
        "",
        "hostkit-stat 0\n",
        "hostkit-stat 1\n1 2 3\nx y z a b c\n",
        "\u{0}\u{1}",
    ] {
        std::fs::write(&file, text).expect("written");
        assert_eq!(again().hashed, 1, "{text:?}");
    }
    let missing = Path::new("/proc/no/such/folder");
    assert_eq!(
        read(folder.path(), Some(missing), SourceLimits::default())
            .expect("readable")
            .hashed,
        1
    );
}

async fn collect(packed: Packed) -> (Result<Vec<u8>, String>, Result<(), Failure>) {
    let Packed { mut pieces, end } = packed;
    let mut bytes = Ok(Vec::new());
    while let Some(piece) = pieces.recv().await {
        match (&mut bytes, piece) {
            (Ok(all), Ok(piece)) => all.extend_from_slice(&piece),
            (_, Err(error)) => bytes = Err(error.to_string()),
            (Err(_), Ok(_)) => {}
        }
    }
    (bytes, end.await.expect("no panic"))
}

fn unpack(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(bytes);
    archive
        .entries()
        .expect("a tar")
        .map(|entry| {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a name").display().to_string();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).expect("its bytes");
            (name, content)
        })
        .collect()
}

#[tokio::test]
async fn only_missing_contents_are_packed_each_once() {
    let big = "0123456789".repeat(50_000);
    let folder = Folder::new(&[
        ("a", "same"),
        ("b", "same"),
        ("known", "known"),
        ("big", &big),
        ("empty", ""),
    ]);
    let tree = folder.read().expect("readable");
    let missing: Vec<ContentHash> = ["same", &big, ""]
        .iter()
        .filter_map(|text| ContentHash::parse(blake3::hash(text.as_bytes()).to_hex().as_str()))
        .collect();
    for packing in [Packing::Plain, Packing::Zstd] {
        let (bytes, end) = collect(pack(&tree, &missing, packing, |_| ())).await;
        end.expect("packed");
        let mut bytes = bytes.expect("packed");
        if packing == Packing::Zstd {
            assert!(bytes.len() < 100_000, "{} bytes are not compressed", bytes.len());
            bytes = zstd::decode_all(bytes.as_slice()).expect("zstd");
        }
        let mut entries = unpack(&bytes);
        entries.sort_by_key(|(_, content)| content.len());
        let contents: Vec<&[u8]> = entries.iter().map(|(_, content)| content.as_slice()).collect();
        assert_eq!(contents, [b"".as_slice(), b"same", big.as_bytes()]);
        for (name, content) in &entries {
            assert_eq!(*name, blake3::hash(content).to_hex().as_str());
        }
    }
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_named() {
    for (now, kind) in [
        (Some("longer than it was"), Kind::Conflict),
        (Some("1"), Kind::Conflict),
        (None, Kind::Invalid),
    ] {
        let folder = Folder::new(&[("file", "12345")]);
        let tree = folder.read().expect("readable");
        match now {
            Some(text) => folder.write("file", text),
            None => std::fs::remove_file(folder.path().join("file")).expect("removed"),
        }
        let missing: Vec<ContentHash> = tree.sizes().map(|(hash, _)| hash.clone()).collect();
        let (bytes, end) = collect(pack(&tree, &missing, Packing::Plain, |_| ())).await;
        assert!(bytes.is_err(), "the stream must not look complete");
        let failure = end.expect_err("it changed");
        assert_eq!(failure.kind, kind);
        assert!(failure.message.contains("`file`"), "{failure}");
    }
}

#[tokio::test]
async fn packing_ends_when_nobody_reads() {
    let folder = Folder::new(&[("file", &"x".repeat(4 << 20))]);
    let tree = folder.read().expect("readable");
    let missing: Vec<ContentHash> = tree.sizes().map(|(hash, _)| hash.clone()).collect();
    let Packed { pieces, end } = pack(&tree, &missing, Packing::Plain, |_| ());
    drop(pieces);
    assert_eq!(end.await.expect("no panic"), Ok(()));
}
