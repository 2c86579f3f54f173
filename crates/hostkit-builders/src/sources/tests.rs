//! Trees in and out, and everything hostile an upload can be.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::*;
use hostkit_core::names::RelativePath;

struct Place {
    _data: tempfile::TempDir,
    layout: Layout,
    store: UploadStore,
    project: ProjectName,
}

fn place() -> Place {
    place_with(SourceLimits::default())
}

fn place_with(limits: SourceLimits) -> Place {
    let data = tempfile::tempdir().unwrap();
    let layout = Layout::new(data.path());
    let store = UploadStore::new(layout.clone())
        .with_limits(limits)
        .with_grace(Duration::ZERO);
    Place {
        _data: data,
        layout,
        store,
        project: ProjectName::parse("shop").unwrap(),
    }
}

impl Place {
    async fn put(&self, bytes: &[u8]) -> Result<ContentHash, Failure> {
        let hash = hash(bytes);
        let folder = self.layout.project(&self.project);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("arriving");
        fs::write(&path, bytes).unwrap();
        self.store.put(&self.project, &hash, &path).await?;
        assert!(!path.exists(), "the file is taken away");
        Ok(hash)
    }

    async fn unpack(&self, archive: &[u8]) -> Result<SourceId, Failure> {
        let path = self.layout.data().join("upload.bin");
        fs::write(&path, archive).unwrap();
        self.store.unpack(&self.project, &path).await
    }

    async fn fetch(&self, id: &SourceId, name: &str) -> PathBuf {
        let into = self.layout.data().join(name);
        self.store.fetch(&self.project, id, &into).await.unwrap();
        into
    }

    fn stored(&self) -> usize {
        let store = self.store.of(&self.project);
        let lists = content::entries(&store.lists).unwrap().len();
        store.contents.all().unwrap().len() + lists
    }
}

fn hash(bytes: &[u8]) -> ContentHash {
    ContentHash::parse(&blake3::hash(bytes).to_hex()).unwrap()
}

fn file(path: &str, bytes: &[u8]) -> SourceFile {
    SourceFile {
        path: RelativePath::parse(path).unwrap(),
        content: SourceContent::File {
            hash: hash(bytes),
            size: bytes.len() as u64,
            executable: false,
        },
    }
}

fn link(path: &str, target: &str) -> SourceFile {
    SourceFile {
        path: RelativePath::parse(path).unwrap(),
        content: SourceContent::Link {
            target: target.into(),
        },
    }
}

/// One raw header and its bytes, with no check on the way in.
fn raw(tar: &mut Vec<u8>, kind: EntryType, name: &[u8], target: &[u8], mode: u32, bytes: &[u8]) {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(bytes);
    tar.resize(tar.len().div_ceil(512) * 512, 0);
}

fn end(mut tar: Vec<u8>) -> Vec<u8> {
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn one(kind: EntryType, name: &str, target: &str) -> Vec<u8> {
    let mut tar = Vec::new();
    raw(&mut tar, EntryType::Regular, b"real.txt", b"", 0o644, b"real");
    raw(&mut tar, kind, name.as_bytes(), target.as_bytes(), 0o644, b"");
    end(tar)
}

fn two(first: (EntryType, &str, &str), second: (EntryType, &str, &str)) -> Vec<u8> {
    let mut tar = Vec::new();
    for (kind, name, target) in [first, second] {
        raw(&mut tar, kind, name.as_bytes(), target.as_bytes(), 0o644, b"");
    }
    end(tar)
}

#[tokio::test]
async fn a_tree_comes_back_as_it_was_sent() {
    let place = place();
    let files = vec![
        file("src/app.py", b"app"),
        file("a-b", b"x"),
        file("a/b", b"x"),
        link("now", "src/app.py"),
    ];
    let missing = place.store.missing(&place.project, &files).await.unwrap();
    assert_eq!(missing.len(), 2, "the same content is asked for once");
    place.put(b"app").await.unwrap();
    place.put(b"x").await.unwrap();
    assert!(
        place
            .store
            .missing(&place.project, &files)
            .await
            .unwrap()
            .is_empty()
    );
    let id = place.store.commit(&place.project, files.clone()).await.unwrap();
    let mut turned = files.clone();
    turned.reverse();
    assert_eq!(
        place.store.commit(&place.project, turned).await.unwrap(),
        id,
        "order has no part in the name"
    );
    let into = place.fetch(&id, "out").await;
    assert_eq!(fs::read(into.join("src/app.py")).unwrap(), b"app");
    assert_eq!(fs::read(into.join("now")).unwrap(), b"app");
    fs::write(into.join("a/b"), b"changed by a build").unwrap();
    let again = place.fetch(&id, "again").await;
    assert_eq!(
        fs::read(again.join("a/b")).unwrap(),
        b"x",
        "a build changes its own copy only"
    );
}

#[tokio::test]
async fn wrong_content_is_not_stored() {
    let place = place();
    let folder = place.layout.project(&place.project);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("arriving");
    fs::write(&path, b"other").unwrap();
    let failure = place
        .store
        .put(&place.project, &hash(b"one"), &path)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid);
    let outside = place.layout.data().join("outside");
    fs::write(&outside, b"one").unwrap();
    assert!(
        place
            .store
            .put(&place.project, &hash(b"one"), &outside)
            .await
            .is_err()
    );
    assert_eq!(place.stored(), 0);
    let failure = place
        .store
        .commit(&place.project, vec![file("a", b"one")])
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
}

#[tokio::test]
async fn a_damaged_content_counts_as_missing() {
    let place = place();
    let hash = place.put(b"whole").await.unwrap();
    let blob = place.store.of(&place.project).contents.path(&hash);
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, b"").unwrap();
    let files = vec![file("a", b"whole")];
    assert_eq!(
        place.store.missing(&place.project, &files).await.unwrap(),
        vec![hash]
    );
    place.put(b"whole").await.unwrap();
    assert!(place.store.commit(&place.project, files).await.is_ok());
}

#[tokio::test]
async fn hostile_lists_are_refused() {
    let place = place_with(SourceLimits { bytes: 100, files: 4 });
    place.put(b"x").await.unwrap();
    let big = SourceFile {
        content: SourceContent::File {
            hash: hash(b"x"),
            size: 101,
            executable: false,
        },
        ..file("big", b"x")
    };
    let corpus = [
        vec![link("a", "/etc/passwd")],
        vec![link("a", "../outside")],
        vec![link("a/b", "../../outside")],
        vec![link("d", "."), link("e", "d/../outside")],
        vec![link("d", "e"), link("e", "d")],
        vec![link("a", "")],
        vec![link("a", "x\ny")],
        vec![file("a", b"x"), file("a/b", b"x")],
        vec![link("a", "b"), file("a/b", b"x")],
        vec![file("a", b"x"), file("a-c", b"x"), file("a/b/c", b"x")],
        vec![file("a", b"x"), file("a", b"x")],
        vec![file(".", b"x")],
        vec![file("bell\u{7}", b"x")],
        vec![big],
        (0..5).map(|n| file(&n.to_string(), b"x")).collect(),
    ];
    for files in corpus {
        let shown = format!("{files:?}");
        assert!(
            place.store.commit(&place.project, files).await.is_err(),
            "{shown}"
        );
    }
    let fine = vec![
        link("a/b", "../c"),
        file("c", b"x"),
        link("d", "a/b"),
        link("dangling", "not/../yet"),
    ];
    place.store.commit(&place.project, fine).await.unwrap();
}

#[tokio::test]
async fn archives_of_every_packing_give_one_tree() {
    let place = place();
    let mut tar = Builder::new(Vec::new());
    let long = format!("{}/{}.txt", "folder".repeat(30), "name".repeat(30));
    let mut header = Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o4755);
    header.set_entry_type(EntryType::Regular);
    tar.append_data(&mut header.clone(), "./run.sh", &b"#!/a"[..])
        .unwrap();
    tar.append_data(&mut header.clone(), &long, &b"long"[..]).unwrap();
    header.set_size(0);
    header.set_entry_type(EntryType::Directory);
    tar.append_data(&mut header.clone(), "empty/", &b""[..]).unwrap();
    header.set_entry_type(EntryType::Symlink);
    tar.append_link(&mut header.clone(), "link", "run.sh").unwrap();
    header.set_entry_type(EntryType::Link);
    tar.append_link(&mut header.clone(), "hard", "./run.sh").unwrap();
    let plain = tar.into_inner().unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut gz, &plain).unwrap();
    let zst = zstd::encode_all(&plain[..], 1).unwrap();

    let id = place.unpack(&plain).await.unwrap();
    assert_eq!(place.unpack(&gz.finish().unwrap()).await.unwrap(), id);
    assert_eq!(place.unpack(&zst).await.unwrap(), id);
    let into = place.fetch(&id, "out").await;
    let mode = |name: &str| {
        fs::symlink_metadata(into.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!(mode("run.sh"), 0o755, "executable, and set-user-id is dropped");
    assert_eq!(fs::read(into.join(&long)).unwrap(), b"long");
    assert_eq!(fs::read(into.join("hard")).unwrap(), b"#!/a");
    assert_eq!(fs::read_link(into.join("link")).unwrap(), Path::new("run.sh"));
    assert!(!into.join("empty").exists());
}

#[tokio::test]
async fn pax_names_are_read() {
    let place = place();
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length = (1..).find(|n| n.to_string().len() + rest.len() == *n).unwrap();
        format!("{length}{rest}")
    };
    let pax = |records: &str| {
        let mut tar = Vec::new();
        raw(
            &mut tar,
            EntryType::XHeader,
            b"pax",
            b"",
            0o644,
            records.as_bytes(),
        );
        raw(&mut tar, EntryType::Regular, b"short", b"", 0o644, b"body");
        end(tar)
    };
    let long = format!("{}/über.txt", "deep/".repeat(40).trim_end_matches('/'));
    let id = place
        .unpack(&pax(&(record("path", &long) + &record("size", "4"))))
        .await
        .unwrap();
    assert_eq!(
        place.store.list(&place.project, &id).await.unwrap()[0]
            .path
            .as_str(),
        long
    );
    for hostile in [
        record("path", "../../etc/cron.d/x"),
        record("path", "/etc/passwd"),
        record("size", "9999999"),
        record("GNU.sparse.realsize", "99999999999"),
        "999 path=x\n".into(),
    ] {
        assert!(place.unpack(&pax(&hostile)).await.is_err(), "{hostile}");
    }
}

#[tokio::test]
async fn hostile_archives_are_refused_and_leave_nothing() {
    use EntryType as E;
    let mut devices_and_names = vec![
        one(E::Regular, "/etc/cron.d/x", ""),
        one(E::Regular, "../x", ""),
        one(E::Regular, "a/../../x", ""),
        one(E::Regular, "a/..", ""),
        one(E::Regular, "back\\slash", ""),
        one(E::Regular, "new\nline", ""),
        one(E::Regular, "esc\u{1b}[31m", ""),
        one(E::Directory, "../d/", ""),
        one(E::Symlink, "l", "/etc/passwd"),
        one(E::Symlink, "l", "../x"),
        one(E::Symlink, "a/l", "../../x"),
        one(E::Symlink, "l", ""),
        one(E::Link, "l", "/etc/passwd"),
        one(E::Link, "l", "../../etc/passwd"),
        one(E::Link, "l", "not-there"),
        one(E::Char, "dev", ""),
        one(E::Block, "dev", ""),
        one(E::Fifo, "pipe", ""),
        one(E::GNUSparse, "sparse", ""),
        one(E::new(b'V'), "volume", ""),
        two((E::Symlink, "d", "."), (E::Symlink, "e", "d/../x")),
        two((E::Symlink, "d", "sub"), (E::Regular, "d/file", "")),
        two((E::Symlink, "d", "sub"), (E::Link, "h", "d")),
        two((E::Regular, "d", ""), (E::Regular, "d/file", "")),
        two((E::Regular, "d/file", ""), (E::Regular, "d", "")),
        two((E::Regular, "d", ""), (E::Directory, "d/", "")),
        two((E::Regular, "d", ""), (E::Symlink, "d", "x")),
        b"not an archive at all".to_vec(),
        vec![0x1f, 0x8b, 1, 2, 3],
        vec![0x28, 0xb5, 0x2f, 0xfd, 9, 9],
        Vec::new(),
    ];
    let mut not_utf8 = Vec::new();
    raw(&mut not_utf8, E::Regular, b"caf\xe9", b"", 0o644, b"");
    devices_and_names.push(end(not_utf8));
    let mut cut = Vec::new();
    raw(&mut cut, E::Regular, b"cut", b"", 0o644, &[7; 5000]);
    cut.truncate(2000);
    devices_and_names.push(cut);
    let mut long_name = Vec::new();
    raw(
        &mut long_name,
        E::GNULongName,
        b"././@LongLink",
        b"",
        0o644,
        &vec![b'a'; 2 << 20],
    );
    devices_and_names.push(end(long_name));
    let mut checksum = one(E::Regular, "x", "");
    checksum[0] ^= 1;
    devices_and_names.push(checksum);

    let place = place();
    for (number, archive) in devices_and_names.iter().enumerate() {
        let failure = place
            .unpack(archive)
            .await
            .expect_err(&format!("archive {number}"));
        assert!(
            failure.message.starts_with("cannot take the source: "),
            "{number}: {failure}"
        );
        assert_eq!(failure.kind, Kind::Invalid, "{number}: {failure}");
        assert!(!failure.message.contains(char::is_control), "{number}");
        assert_eq!(place.stored(), 0, "archive {number} left something behind");
    }
}

#[tokio::test]
async fn bombs_stop_at_the_limit() {
    let place = place_with(SourceLimits {
        bytes: 1 << 20,
        files: 50,
    });
    let mut large = Vec::new();
    for n in 0..3 {
        raw(
            &mut large,
            EntryType::Regular,
            format!("zeros{n}").as_bytes(),
            b"",
            0o644,
            &vec![0; 400 << 10],
        );
    }
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    io::Write::write_all(&mut gz, &end(large.clone())).unwrap();
    let mut many = Vec::new();
    for n in 0..51 {
        raw(
            &mut many,
            EntryType::Regular,
            format!("file{n}").as_bytes(),
            b"",
            0o644,
            b"",
        );
    }
    let mut same = Vec::new();
    for _ in 0..200 {
        raw(&mut same, EntryType::Directory, b"d/", b"", 0o755, b"");
    }
    // A header that promises a terabyte, with nothing behind it.
    let mut promise = Vec::new();
    raw(&mut promise, EntryType::Regular, b"promise", b"", 0o644, b"");
    let mut header = Header::new_gnu();
    header.set_path("promise").unwrap();
    header.set_mode(0o644);
    header.set_size(1 << 40);
    header.set_cksum();
    promise.extend_from_slice(header.as_bytes());
    for bomb in [end(large), gz.finish().unwrap(), end(many), end(same), promise] {
        let failure = place.unpack(&bomb).await.unwrap_err();
        assert_eq!(failure.kind, Kind::TooLarge, "{failure}");
        assert_eq!(place.stored(), 0);
    }
}

#[tokio::test]
async fn pruning_keeps_what_kept_trees_name() {
    let place = place();
    for bytes in [&b"both"[..], b"old", b"new"] {
        place.put(bytes).await.unwrap();
    }
    let old = place
        .store
        .commit(&place.project, vec![file("a", b"both"), file("b", b"old")])
        .await
        .unwrap();
    let new = place
        .store
        .commit(&place.project, vec![file("a", b"both"), file("b", b"new")])
        .await
        .unwrap();
    let careful = place.store.clone().with_grace(Duration::from_secs(60));
    assert_eq!(
        careful.prune(&place.project, &[]).await.unwrap(),
        0,
        "what is new stays for a while"
    );
    assert!(
        place
            .store
            .prune(&place.project, std::slice::from_ref(&new))
            .await
            .unwrap()
            >= 3
    );
    assert_eq!(
        place.store.list(&place.project, &old).await.unwrap_err().kind,
        Kind::NotFound
    );
    place.fetch(&new, "out").await;
    place.store.prune(&place.project, &[]).await.unwrap();
    assert_eq!(place.stored(), 0);
    let other = ProjectName::parse("other").unwrap();
    assert_eq!(place.store.prune(&other, &[]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_fetch_that_fails_leaves_no_folder() {
    let place = place();
    let hash = place.put(b"gone").await.unwrap();
    let id = place
        .store
        .commit(&place.project, vec![file("a", b"gone")])
        .await
        .unwrap();
    fs::remove_file(place.store.of(&place.project).contents.path(&hash)).unwrap();
    let into = place.layout.data().join("out");
    assert!(place.store.fetch(&place.project, &id, &into).await.is_err());
    assert!(!into.exists());
}

type Drawn = BTreeMap<Vec<u8>, (Vec<u8>, bool)>;

fn drawn() -> impl Strategy<Value = Drawn> {
    let part = prop_oneof![
        Just("a"),
        Just("b c"),
        Just("ü"),
        Just("-x"),
        Just("a.b"),
        Just("$(id)")
    ];
    let path = prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/").into_bytes());
    let content = (prop::collection::vec(any::<u8>(), 0..200), any::<bool>());
    prop::collection::btree_map(path, content, 0..24).prop_map(|tree| {
        let paths: Vec<Vec<u8>> = tree.keys().cloned().collect();
        let is_folder = |path: &[u8]| {
            paths
                .iter()
                .any(|other| other.starts_with(path) && other.get(path.len()) == Some(&b'/'))
        };
        tree.into_iter().filter(|(path, _)| !is_folder(path)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_tree_survives_list_commit_and_fetch(tree in drawn()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = place();
            let mut files = Vec::new();
            for (path, (bytes, executable)) in &tree {
                let hash = place.put(bytes).await.unwrap();
                files.push(SourceFile {
                    path: RelativePath::parse(str::from_utf8(path).unwrap()).unwrap(),
                    content: SourceContent::File { hash, size: bytes.len() as u64, executable: *executable },
                });
            }
            let id = place.store.commit(&place.project, files.clone()).await.unwrap();
            files.sort_by(|a, b| a.path.cmp(&b.path));
            assert_eq!(place.store.list(&place.project, &id).await.unwrap(), files);
            let into = place.fetch(&id, "out").await;
            let mut seen = Drawn::new();
            walk(&into, &into, &mut seen);
            assert_eq!(seen, tree);
        });
    }
}

fn walk(root: &Path, folder: &Path, seen: &mut Drawn) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            walk(root, &path, seen);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .as_bytes()
                .to_vec();
            seen.insert(
                name,
                (fs::read(&path).unwrap(), found.permissions().mode() & 0o100 != 0),
            );
        }
    }
}

#[tokio::test]
async fn an_uploaded_link_in_place_of_a_file_is_not_followed() {
    let place = place();
    let folder = place.layout.project(&place.project);
    fs::create_dir_all(&folder).unwrap();
    let secret = place.layout.data().join("key");
    fs::write(&secret, b"secret").unwrap();
    let path = folder.join("arriving");
    symlink(&secret, &path).unwrap();
    assert!(
        place
            .store
            .put(&place.project, &hash(b"secret"), &path)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_beginning_of_a_content_is_read() {
    let place = place();
    let hash = place.put(b"hello").await.unwrap();
    let read = async |hash, limit| place.store.read(&place.project, hash, limit).await;
    assert_eq!(read(&hash, 100).await.unwrap(), b"hello");
    assert_eq!(read(&hash, 2).await.unwrap(), b"he");
    assert!(read(&self::hash(b"nobody sent this"), 100).await.is_err());
}
