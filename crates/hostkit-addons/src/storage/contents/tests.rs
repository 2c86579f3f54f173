use std::collections::HashSet;

use super::*;

fn opened() -> (tempfile::TempDir, Contents) {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents::open(folder.path().join("contents"), 0).unwrap();
    (folder, contents)
}

fn written(contents: &Contents, bytes: &[u8]) -> Written {
    let mut incoming = contents.begin(bytes.len() as u64).unwrap();
    incoming.write(bytes).unwrap();
    incoming.finish().unwrap()
}

fn kept(contents: &Contents, bytes: &[u8]) -> ContentId {
    let written = written(contents, bytes);
    let id = written.id();
    assert_eq!(written.size(), bytes.len() as u64);
    written.keep();
    id
}

fn read(contents: &Contents, id: ContentId, size: usize) -> Vec<u8> {
    let pinned = contents.pin(vec![id]);
    read_at(&pinned.open(id).unwrap(), 0, size).unwrap()
}

#[test]
fn what_is_kept_is_read_and_only_its_owner_may() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, contents) = opened();
    let id = kept(&contents, b"hello");
    assert_eq!(read(&contents, id, 5), b"hello");
    let mode = fs::metadata(contents.path(id)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let pinned = contents.pin(vec![id]);
    assert!(
        read_at(&pinned.open(id).unwrap(), 0, 6).is_err(),
        "fewer bytes than there should be"
    );
}

#[test]
fn what_is_not_kept_is_gone() {
    let (_folder, contents) = opened();
    let finished = written(&contents, b"never recorded");
    let path = contents.path(finished.id());
    assert!(path.exists());
    drop(finished);
    assert!(!path.exists());
    let unfinished = contents.begin(0).unwrap();
    drop(unfinished);
    assert_eq!(contents.sweep(|_| Ok(HashSet::new())).unwrap(), 0);
}

#[test]
fn a_reader_reads_to_its_end_what_was_removed_meanwhile() {
    let (_folder, contents) = opened();
    let id = kept(&contents, b"hello");
    let (first, second) = (contents.pin(vec![id]), contents.pin(vec![id]));
    contents.remove(&[id]);
    drop(first);
    assert_eq!(read_at(&second.open(id).unwrap(), 1, 4).unwrap(), b"ello");
    drop(second);
    assert!(!contents.path(id).exists());
}

#[test]
fn a_sweep_takes_what_nobody_knows_and_nothing_else() {
    let (_folder, contents) = opened();
    let (known, lost) = (kept(&contents, b"known"), kept(&contents, b"lost"));
    let arriving = written(&contents, b"not recorded yet");
    let stray = contents.path(known).with_file_name("notes.txt");
    fs::write(&stray, "not a file of ours").unwrap();
    let knows = |ids: &[ContentId]| Ok(ids.iter().copied().filter(|id| *id == known).collect());
    assert_eq!(contents.sweep(knows).unwrap(), 1);
    assert!(contents.path(known).exists() && contents.path(arriving.id()).exists() && stray.exists());
    assert!(!contents.path(lost).exists());
}

#[test]
fn room_is_kept_free() {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents::open(folder.path().join("contents"), u64::MAX).unwrap();
    assert!(matches!(contents.begin(1), Err(StorageError::DiskFull)));
}

#[test]
fn only_names_of_ours_are_ids() {
    let id = ContentId::random().unwrap();
    assert_eq!(ContentId::parse(&id.text()), Some(id));
    for other in [
        "",
        "../../../../../../../../etc/passwd",
        "+f00000000000000000000000000000ff",
        "ä",
    ] {
        assert_eq!(ContentId::parse(other), None, "{other}");
    }
    assert_eq!(ContentId::parse(&"AB".repeat(16)), None);
}
