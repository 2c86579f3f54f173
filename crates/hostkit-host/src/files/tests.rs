//! Files are replaced whole, trees cloned true.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::*;

#[test]
fn a_write_replaces_content_and_mode_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, "old").unwrap();
    write_atomic(&path, b"new", 0o600).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(write_atomic(&folder.path().join("no/such"), b"x", 0o600).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_link_is_swapped_over_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("app");
    swap_symlink(&link, Path::new("releases/1")).unwrap();
    swap_symlink(&link, Path::new("releases/2")).unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("releases/2"));
}

fn sample(root: &Path) {
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/file"), "content").unwrap();
    fs::write(root.join("run"), "#!/bin/sh").unwrap();
    fs::set_permissions(root.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("../run", root.join("a/link")).unwrap();
    std::os::unix::fs::symlink("/nowhere", root.join("a/dangling")).unwrap();
}

#[test]
fn both_ways_of_cloning_keep_modes_times_and_links() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    sample(&from);
    for mode in [CloneMode::Copy, CloneMode::HardLink] {
        let to = folder.path().join(format!("{mode:?}"));
        assert_eq!(clone_tree(&from, &to, mode).unwrap(), 16);
        assert_eq!(fs::read_to_string(to.join("a/b/file")).unwrap(), "content");
        let (old, new) = (
            fs::metadata(from.join("run")).unwrap(),
            fs::metadata(to.join("run")).unwrap(),
        );
        assert_eq!(new.mode(), old.mode());
        assert_eq!(new.modified().unwrap(), old.modified().unwrap());
        assert_eq!(new.ino() == old.ino(), mode == CloneMode::HardLink);
        assert_eq!(fs::read_link(to.join("a/link")).unwrap(), Path::new("../run"));
        assert_eq!(
            fs::read_link(to.join("a/dangling")).unwrap(),
            Path::new("/nowhere")
        );
        assert_eq!(folder_size(&to).unwrap(), 16);
    }
}

#[test]
fn trees_are_removed_also_read_only_ones_and_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    sample(&kept);
    let tree = folder.path().join("tree");
    sample(&tree);
    std::os::unix::fs::symlink(&kept, tree.join("out")).unwrap();
    fs::set_permissions(tree.join("a"), fs::Permissions::from_mode(0o500)).unwrap();
    remove_tree(&tree).unwrap();
    remove_tree(&tree).unwrap();
    assert!(!tree.exists());
    assert!(kept.join("a/b/file").exists());
    assert!(free_space(folder.path()).unwrap() > 0);
}

#[test]
fn a_tree_is_brought_to_the_disk_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("release");
    fs::create_dir_all(tree.join("a/b")).unwrap();
    fs::write(tree.join("a/b/file"), "content").unwrap();
    std::os::unix::fs::symlink("/nowhere", tree.join("a/link")).unwrap();
    std::os::unix::fs::symlink("..", tree.join("a/round")).unwrap();
    nix::unistd::mkfifo(&tree.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    sync_tree(&tree).unwrap();
    // What cannot be read or written to is brought there as well, by the long way.
    fs::set_permissions(tree.join("a/b/file"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&tree, fs::Permissions::from_mode(0o555)).unwrap();
    sync_tree(&tree).unwrap();
    let mut names: Vec<_> = fs::read_dir(&tree)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "pipe"]);
    assert!(sync_tree(&folder.path().join("none")).is_err());
}
