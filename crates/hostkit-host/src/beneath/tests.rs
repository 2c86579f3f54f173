use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use hostkit_core::kind::Kind;
use nix::unistd::{getegid, geteuid};

use super::*;
use crate::acl;
use crate::change::Change;

/// An account that is nobody here.
const READER: u32 = 54_321;

struct Place {
    _kept: tempfile::TempDir,
    path: PathBuf,
    folder: Folder,
}

fn place() -> Place {
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("home");
    fs::create_dir(&path).unwrap();
    let folder = Folder::open(&path).unwrap();
    Place {
        _kept: kept,
        path,
        folder,
    }
}

/// A folder beside the place, with a file in it that must stay as it is.
fn outside(place: &Place) -> PathBuf {
    let outside = place.path.with_file_name("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("passwd"), "root").unwrap();
    fs::set_permissions(outside.join("passwd"), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&outside, Permissions::from_mode(0o700)).unwrap();
    outside
}

fn assert_untouched(outside: &Path) {
    assert_eq!(fs::read_to_string(outside.join("passwd")).unwrap(), "root");
    for (path, mode) in [(outside.to_owned(), 0o700), (outside.join("passwd"), 0o600)] {
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, mode);
        assert_eq!(acl::observe(fs::File::open(&path).unwrap()).unwrap(), None);
    }
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
}

fn rights(mode: u32) -> Rights {
    Rights::new(geteuid().as_raw(), getegid().as_raw(), mode)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_folder_gets_its_rights_and_drift_is_mended() {
    let place = place();
    let path = place.path.join("releases");
    let wanted = rights(0o2750).grant(READER, 1);
    let ensure = || place.folder.ensure_folder("releases", &wanted).unwrap().1;
    assert_eq!(ensure(), Change::Made);
    assert_eq!(ensure(), Change::Unneeded);
    assert_eq!(mode(&path), 0o2750);
    let open = || fs::File::open(&path).unwrap();
    let list = acl::observe(open()).unwrap().unwrap();
    assert_eq!(list.users, [(READER, 1)].into());

    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    assert!(!wanted.differences(open()).unwrap().is_empty());
    assert_eq!(ensure(), Change::Made);
    assert_eq!(mode(&path), 0o2750);

    let mut wider = list.clone();
    wider.users.insert(READER + 1, 7);
    acl::write(open(), &wider).unwrap();
    assert_eq!(ensure(), Change::Made);
    assert_eq!(acl::observe(open()).unwrap(), Some(list));

    let plain = rights(0o700);
    assert_eq!(
        place.folder.ensure_folder("releases", &plain).unwrap().1,
        Change::Made
    );
    assert_eq!(acl::observe(open()).unwrap(), None);
    assert_eq!(mode(&path), 0o700);
    assert_eq!(plain.differences(open()).unwrap(), Vec::<String>::new());
}

#[test]
fn a_link_or_a_file_where_a_folder_should_be_is_refused() {
    let place = place();
    let outside = outside(&place);
    symlink(&outside, place.path.join("shared")).unwrap();
    fs::write(place.path.join("releases"), "").unwrap();
    for (name, word) in [("shared", "symbolic link"), ("releases", "not a folder")] {
        let failure = place.folder.ensure_folder(name, &rights(0o777)).unwrap_err();
        assert_eq!(failure.kind, Kind::Conflict);
        assert!(failure.message.contains(word), "{failure}");
        assert!(place.folder.folder(name).is_err());
    }
    assert_untouched(&outside);
}

#[test]
fn an_open_folder_stays_the_same_when_its_name_is_given_to_a_link() {
    let place = place();
    let outside = outside(&place);
    let (shared, _) = place.folder.ensure_folder("shared", &rights(0o700)).unwrap();
    fs::rename(place.path.join("shared"), place.path.join("moved")).unwrap();
    symlink(&outside, place.path.join("shared")).unwrap();
    let _ = shared.ensure_file("passwd", b"mine", &rights(0o666)).unwrap();
    let _ = shared.ensure_folder("inner", &rights(0o777)).unwrap();
    assert_eq!(shared.remove_tree("inner").unwrap(), Change::Made);
    assert_eq!(
        fs::read_to_string(place.path.join("moved/passwd")).unwrap(),
        "mine"
    );
    assert_untouched(&outside);
}

#[test]
fn a_file_is_replaced_whole_and_only_where_it_differs() {
    let place = place();
    let ensure = |content: &[u8], mode| place.folder.ensure_file(".env", content, &rights(mode)).unwrap();
    assert_eq!(ensure(b"A=1\n", 0o600), Change::Made);
    assert_eq!(ensure(b"A=1\n", 0o600), Change::Unneeded);
    let first = fs::metadata(place.path.join(".env")).unwrap().ino();
    assert_eq!(ensure(b"A=1\n", 0o640), Change::Made);
    assert_eq!(fs::metadata(place.path.join(".env")).unwrap().ino(), first);
    assert_eq!(ensure(b"A=2\n", 0o640), Change::Made);
    assert_ne!(fs::metadata(place.path.join(".env")).unwrap().ino(), first);
    assert_eq!(mode(&place.path.join(".env")), 0o640);
    assert_eq!(fs::read_dir(&place.path).unwrap().count(), 1);
    assert_eq!(place.folder.read_file(".env", 4).unwrap().unwrap(), b"A=2\n");
    assert!(place.folder.read_file(".env", 3).is_err());
    assert_eq!(place.folder.read_file("other", 3).unwrap(), None);
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced_not_followed() {
    let place = place();
    let outside = outside(&place);
    let target = outside.join("passwd");
    symlink(&target, place.path.join(".env")).unwrap();
    symlink(&target, place.path.join("..env.hostkit-new")).unwrap();
    assert!(place.folder.read_file(".env", 100).is_err());
    assert!(place.folder.ensure_file(".env", b"root", &rights(0o666)).is_err());
    fs::remove_file(place.path.join(".env")).unwrap();
    let _ = place.folder.ensure_file(".env", b"mine", &rights(0o666)).unwrap();
    assert_eq!(fs::read_to_string(place.path.join(".env")).unwrap(), "mine");
    assert_untouched(&outside);
}

#[test]
fn a_second_name_of_a_foreign_file_keeps_content_and_rights() {
    let place = place();
    let outside = outside(&place);
    for content in ["root", "mine"] {
        let _ = fs::remove_file(place.path.join(".env"));
        fs::hard_link(outside.join("passwd"), place.path.join(".env")).unwrap();
        let changed = place
            .folder
            .ensure_file(".env", content.as_bytes(), &rights(0o666))
            .unwrap();
        assert_eq!(changed, Change::Made);
        assert_eq!(fs::read_to_string(place.path.join(".env")).unwrap(), content);
        assert_untouched(&outside);
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let place = place();
    nix::unistd::mkfifo(&place.path.join(".env"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(place.folder.read_file(".env", 10).is_err());
    fs::create_dir(place.path.join("folder")).unwrap();
    assert!(place.folder.read_file("folder", 10).is_err());
    assert!(place.folder.ensure_file("folder", b"", &rights(0o600)).is_err());
}

#[test]
fn a_staged_file_that_is_not_put_in_place_is_gone() {
    let place = place();
    let staged = place.folder.stage_file("part", b"new", &rights(0o440)).unwrap();
    assert_eq!(fs::read(staged.path()).unwrap(), b"new");
    drop(staged);
    assert_eq!(fs::read_dir(&place.path).unwrap().count(), 0);
    place
        .folder
        .stage_file("part", b"new", &rights(0o440))
        .unwrap()
        .commit()
        .unwrap();
    assert_eq!(place.folder.names().unwrap(), ["part"]);
}

#[test]
fn a_name_is_not_a_path() {
    let place = place();
    for name in ["", ".", "..", "../outside", "/etc", "a/b", "a\0b"] {
        let failure = place.folder.ensure_folder(name, &rights(0o700)).unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid, "{name:?}");
        assert!(place.folder.remove_tree(name).is_err(), "{name:?}");
        assert!(
            place.folder.ensure_file(name, b"", &rights(0o600)).is_err(),
            "{name:?}"
        );
        assert!(place.folder.point_link(name, Path::new("x")).is_err(), "{name:?}");
        assert!(place.folder.read_file(name, 1).is_err(), "{name:?}");
    }
}

#[test]
fn a_link_is_pointed_in_one_step() {
    let place = place();
    let point = |target: &str| place.folder.point_link("app", Path::new(target)).unwrap();
    assert_eq!(point("releases/1"), Change::Made);
    assert_eq!(point("releases/1"), Change::Unneeded);
    assert_eq!(point("releases/2"), Change::Made);
    assert_eq!(
        fs::read_link(place.path.join("app")).unwrap(),
        Path::new("releases/2")
    );
    assert_eq!(place.folder.remove_file("app").unwrap(), Change::Made);
    assert_eq!(place.folder.remove_file("app").unwrap(), Change::Unneeded);
}

#[test]
fn a_tree_is_removed_without_what_its_links_lead_to() {
    let place = place();
    let outside = outside(&place);
    fs::create_dir_all(place.path.join("tree/a/b")).unwrap();
    fs::write(place.path.join("tree/a/file"), "").unwrap();
    symlink(&outside, place.path.join("tree/a/b/link")).unwrap();
    symlink(outside.join("passwd"), place.path.join("tree/link")).unwrap();
    fs::hard_link(outside.join("passwd"), place.path.join("tree/name")).unwrap();
    assert_eq!(place.folder.remove_tree("tree").unwrap(), Change::Made);
    assert_eq!(place.folder.remove_tree("tree").unwrap(), Change::Unneeded);
    symlink(&outside, place.path.join("tree")).unwrap();
    assert_eq!(place.folder.remove_tree("tree").unwrap(), Change::Made);
    assert_untouched(&outside);
}

#[test]
fn a_tree_may_be_deeper_than_files_can_be_open() {
    let place = place();
    let mut folder = place.folder.ensure_folder("deep", &rights(0o700)).unwrap().0;
    for _ in 0..3000 {
        folder = folder.ensure_folder("d", &rights(0o700)).unwrap().0;
    }
    drop(folder);
    assert_eq!(place.folder.remove_tree("deep").unwrap(), Change::Made);
    assert_eq!(place.folder.names().unwrap().len(), 0);
}

/// Swaps folders of a tree for links to `outside` and back, as its owner may, while something is done to the tree.
fn while_swapped(tree: &Path, outside: &Path, act: impl Fn()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (inner, aside) = (tree.join("inner"), tree.join("aside"));
            while !done.load(Ordering::Relaxed) {
                let _ = fs::create_dir_all(&inner);
                let _ = fs::write(inner.join("passwd"), "mine");
                let _ = fs::rename(&inner, &aside);
                let _ = symlink(outside, &inner);
                let _ = fs::remove_file(&inner);
                let _ = fs::rename(&aside, &inner);
            }
        });
        for _ in 0..300 {
            act();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn nothing_outside_is_removed_while_folders_are_swapped_for_links() {
    let place = place();
    let outside = outside(&place);
    while_swapped(&place.path.join("tree"), &outside, || {
        // The other side keeps writing: not to succeed is as good as to succeed.
        let _ = place.folder.remove_tree("tree");
    });
    assert_untouched(&outside);
    assert!(place.folder.remove_tree("tree").is_ok());
}

#[test]
fn reading_is_granted_in_the_tree_alone_while_folders_are_swapped_for_links() {
    let place = place();
    let outside = outside(&place);
    let (tree, _) = place.folder.ensure_folder("tree", &rights(0o700)).unwrap();
    while_swapped(&place.path.join("tree"), &outside, || {
        let _ = tree.grant_reading(READER, geteuid().as_raw());
    });
    assert_untouched(&outside);
}

#[test]
fn a_reader_may_enter_folders_and_read_files() {
    let place = place();
    let outside = outside(&place);
    let (site, _) = place.folder.ensure_folder("site", &rights(0o700)).unwrap();
    fs::create_dir(place.path.join("site/assets")).unwrap();
    let file = place.path.join("site/assets/a.css");
    fs::write(&file, "a").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    symlink(&outside, place.path.join("site/link")).unwrap();
    symlink(outside.join("passwd"), place.path.join("site/file")).unwrap();
    let owner = geteuid().as_raw();
    assert_eq!(site.grant_reading(READER, owner).unwrap(), Change::Made);
    assert_eq!(site.grant_reading(READER, owner).unwrap(), Change::Unneeded);
    let list = acl::observe(fs::File::open(&file).unwrap()).unwrap().unwrap();
    assert_eq!(
        (list.users.clone(), list.group, list.others),
        ([(READER, 4)].into(), 0, 0)
    );
    let list = acl::observe(fs::File::open(place.path.join("site/assets")).unwrap()).unwrap();
    assert_eq!(list.unwrap().users, [(READER, 5)].into());
    assert_untouched(&outside);
    // Nothing of it belongs to somebody else.
    assert_eq!(
        site.grant_reading(READER + 1, owner + 1).unwrap(),
        Change::Unneeded
    );
}
