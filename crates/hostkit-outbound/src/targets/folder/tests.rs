use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

use futures_util::{TryStreamExt, stream};
use hostkit_testkit::backup_target_tests;
use hostkit_testkit::conformance::backup_target::BackupTargetFixture;
use hostkit_testkit::fakes::FakeBackupTarget;
use hostkit_testkit::small_disk;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        FolderTarget::set_up(&folder.path().join("backups")).unwrap();
        Folder(folder)
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("backups")
    }
}

impl BackupTargetFixture for Folder {
    fn target(&self) -> Arc<dyn BackupTarget> {
        Arc::new(FolderTarget::new(self.root()))
    }
}

backup_target_tests!([cfg(test)], Folder::new());

/// The fake that others are tested with keeps the same promises.
mod fake {
    use super::*;

    struct Memory(FakeBackupTarget);

    impl BackupTargetFixture for Memory {
        fn target(&self) -> Arc<dyn BackupTarget> {
            Arc::new(self.0.clone())
        }
    }

    backup_target_tests!([cfg(test)], Memory(FakeBackupTarget::default()));
}

fn path(text: &str) -> BackupPath {
    BackupPath::parse(text).unwrap()
}

fn some(content: &[u8]) -> Pieces {
    let piece: io::Result<Vec<u8>> = Ok(content.to_vec());
    Box::pin(stream::iter([piece]))
}

#[tokio::test]
async fn a_folder_whose_disk_is_not_mounted_is_refused() {
    let folder = Folder::new();
    let target = folder.target();
    target.put(&path("a/b"), some(b"x")).await.unwrap();
    fs::rename(folder.root(), folder.0.path().join("elsewhere")).unwrap();
    fs::create_dir(folder.root()).unwrap();

    let why = target.put(&path("a/c"), some(b"x")).await.unwrap_err();

    assert_eq!(why.kind, Kind::Unavailable);
    assert!(why.message.contains("not the folder that was set up"), "{why}");
    assert!(target.list(None).await.is_err());
    assert_eq!(fs::read_dir(folder.root()).unwrap().count(), 0);
}

#[tokio::test]
async fn only_its_owner_can_read_a_backup() {
    let folder = Folder::new();
    folder.target().put(&path("a/b"), some(b"x")).await.unwrap();

    let mode = |name: &str| {
        fs::metadata(folder.root().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode(""), mode("a"), mode("a/b"), mode(MARK)),
        (0o700, 0o700, 0o600, 0o600)
    );
}

#[tokio::test]
async fn nothing_half_and_no_empty_folder_stays() {
    let folder = Folder::new();
    let target = folder.target();
    let broken: Vec<io::Result<Vec<u8>>> = vec![Ok(vec![1; 10]), Err(io::ErrorKind::BrokenPipe.into())];
    target
        .put(&path("a/b/c"), Box::pin(stream::iter(broken)))
        .await
        .unwrap_err();
    target.put(&path("d/e"), some(b"x")).await.unwrap();
    target.remove(&path("d/e")).await.unwrap();

    assert!(!folder.root().join("d").exists());
    let left = fs::read_dir(folder.root().join("a/b")).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn links_and_what_others_put_there_are_no_backups() {
    let folder = Folder::new();
    let target = folder.target();
    fs::write(folder.0.path().join("outside"), "secret").unwrap();
    symlink(folder.0.path().join("outside"), folder.root().join("link")).unwrap();
    symlink(folder.0.path(), folder.root().join("folder")).unwrap();
    fs::write(folder.root().join("Strange Name"), "x").unwrap();

    assert_eq!(target.list(None).await.unwrap(), []);
    assert!(target.get(&path("link")).await.is_err());
}

#[test]
fn a_full_disk_is_said_and_takes_nothing_that_was_there() {
    if !small_disk::inside_own_mounts(
        "targets::folder::tests::a_full_disk_is_said_and_takes_nothing_that_was_there",
    ) {
        return;
    }
    let folder = Folder::new();
    small_disk::mount(&folder.root(), 256);
    FolderTarget::set_up(&folder.root()).unwrap();
    let target = folder.target();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        target.put(&path("old"), some(&[1; 50_000])).await.unwrap();

        let why = target.put(&path("new"), some(&[2; 400_000])).await.unwrap_err();

        assert!(why.message.contains("there is no room left"), "{why}");
        let listed = target.list(None).await.unwrap();
        assert_eq!(
            listed.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            ["old"]
        );
        let old: Vec<Vec<u8>> = target
            .get(&path("old"))
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(old.concat(), [1; 50_000]);
        target.put(&path("small"), some(&[3; 50_000])).await.unwrap();
    });
}
