use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use hostkit_core::project::EnvironmentId;
use hostkit_testkit::conformance::copies::CopiesFixture;
use nix::unistd::{getegid, geteuid};
use tar::EntryType;

use super::*;

fn of() -> CopyOf {
    CopyOf {
        environment: EnvironmentId::new("shop".parse().unwrap(), "production".parse().unwrap()),
        order: None,
    }
}

fn part() -> PartName {
    PartName::main(PartKind::Shared)
}

fn content(tar: Vec<u8>) -> Pieces {
    let pieces: Vec<io::Result<Vec<u8>>> = tar.chunks(1000).map(|piece| Ok(piece.to_vec())).collect();
    Box::pin(stream::iter(pieces))
}

#[tokio::test]
async fn a_folder_comes_back_as_it_was_and_stays_until_it_does() {
    let data = tempfile::tempdir().unwrap();
    let layout = Layout::new(data.path());
    let (copies, shared) = (
        SharedCopies::new(layout.clone()),
        layout.shared(&of().environment),
    );
    assert_eq!(copies.parts(&of()).await.unwrap(), []);
    fs::create_dir_all(shared.join("uploads/empty")).unwrap();
    assert_eq!(copies.parts(&of()).await.unwrap(), [part()]);
    fs::write(shared.join("uploads/a"), vec![7; 200_000]).unwrap();
    fs::set_permissions(shared.join("uploads/a"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("uploads/a", shared.join("link")).unwrap();

    let export = copies.export(&of(), &part()).await.unwrap();
    let tar: Vec<Vec<u8>> = export.pieces.try_collect().await.unwrap();
    let tar = tar.concat();
    let counted = export.counting.get().unwrap().clone();
    assert_eq!(counted.values().copied().collect::<Vec<_>>(), [1, 2, 1]);
    fs::remove_dir_all(shared.join("uploads")).unwrap();
    fs::write(shared.join("new"), "x").unwrap();

    assert_eq!(
        copies.stage(&of(), &part(), content(tar.clone())).await.unwrap(),
        counted
    );
    assert!(shared.join("new").exists());
    copies.discard(&of(), &part()).await.unwrap();
    copies.stage(&of(), &part(), content(tar.clone())).await.unwrap();
    copies.take_place(&of(), &part()).await.unwrap();
    assert!(!shared.join("new").exists() && shared.join("uploads/empty").is_dir());
    assert_eq!(fs::read(shared.join("link")).unwrap(), vec![7; 200_000]);
    let mode = fs::metadata(shared.join("uploads/a"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(
        !layout
            .environment(&of().environment)
            .join("shared.restore")
            .exists()
    );
    // A copy that breaks off changes nothing.
    let cut = stream::iter([
        Ok(tar[..5000].to_vec()),
        Err(io::ErrorKind::ConnectionReset.into()),
    ]);
    copies.stage(&of(), &part(), Box::pin(cut)).await.unwrap_err();
    assert!(
        !layout
            .environment(&of().environment)
            .join("shared.restore")
            .exists()
            && shared.join("uploads/a").exists()
    );
}

#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    let data = tempfile::tempdir().unwrap();
    let layout = Layout::new(data.path().join("data"));
    let copies = SharedCopies::new(layout.clone());
    let outside = data.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let header = |kind, size| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header
    };
    let mut through_a_link = tar::Builder::new(Vec::new());
    through_a_link
        .append_link(&mut header(EntryType::Symlink, 0), "way", &outside)
        .unwrap();
    through_a_link
        .append_data(&mut header(EntryType::Regular, 1), "way/file", &b"x"[..])
        .unwrap();
    let mut upwards = tar::Builder::new(Vec::new());
    let mut up = header(EntryType::Regular, 1);
    up.as_gnu_mut().unwrap().name[..10].copy_from_slice(b"../../file");
    up.set_cksum();
    upwards.append(&up, &b"x"[..]).unwrap();
    let mut device = tar::Builder::new(Vec::new());
    device
        .append_data(&mut header(EntryType::Char, 0), "device", io::empty())
        .unwrap();
    for hostile in [through_a_link, upwards, device] {
        let hostile = hostile.into_inner().unwrap();
        copies.stage(&of(), &part(), content(hostile)).await.unwrap_err();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert!(
            !layout
                .environment(&of().environment)
                .join("shared.restore")
                .exists()
        );
    }
    assert!(!data.path().join("file").exists() && !layout.data().join("file").exists());
}

/// A server whose project is an account of its own where the tests may make it one, else ours.
struct Server {
    _kept: tempfile::TempDir,
    copies: SharedCopies,
    home: PathBuf,
    account: (u32, u32),
}

impl Server {
    fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let account = match geteuid().is_root() {
            true => (54_321, 54_322),
            false => (geteuid().as_raw(), getegid().as_raw()),
        };
        Server::with(Layout::server_below(kept.path()), kept, account)
    }

    /// The same where all is ours.
    fn in_local_mode() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let account = (geteuid().as_raw(), getegid().as_raw());
        Server::with(Layout::new(kept.path()), kept, account)
    }

    fn with(layout: Layout, kept: tempfile::TempDir, account: (u32, u32)) -> Self {
        let home = layout.environment(&of().environment);
        fs::create_dir_all(home.join("shared/uploads/empty")).unwrap();
        let server = Server {
            _kept: kept,
            copies: SharedCopies::new(layout),
            home,
            account,
        };
        server.write("uploads/a", "first");
        for name in ["", "uploads", "uploads/empty"] {
            server.give(name);
        }
        fs::set_permissions(server.at("uploads/a"), fs::Permissions::from_mode(0o4640)).unwrap();
        fs::set_permissions(server.at("uploads/empty"), fs::Permissions::from_mode(0o500)).unwrap();
        server
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.join("shared").join(name)
    }

    fn give(&self, name: &str) {
        chown(self.at(name), Some(self.account.0), Some(self.account.1)).unwrap();
    }

    /// A file of the project's.
    fn write(&self, name: &str, content: &str) {
        fs::write(self.at(name), content).unwrap();
        self.give(name);
    }

    async fn export(&self) -> (Vec<u8>, Counts, Vec<String>) {
        let export = self.copies.export(&of(), &part()).await.unwrap();
        let tar: Vec<Vec<u8>> = export.pieces.try_collect().await.unwrap();
        let counted = export.counting.get().unwrap().clone();
        (tar.concat(), counted, export.left_out.get().to_vec())
    }

    async fn restore(&self, tar: &[u8]) -> Counts {
        let counted = self
            .copies
            .stage(&of(), &part(), content(tar.to_vec()))
            .await
            .unwrap();
        self.copies.take_place(&of(), &part()).await.unwrap();
        assert!(!self.home.join("shared.restore").exists());
        counted
    }
}

fn owner(path: &Path) -> (u32, u32) {
    let facts = fs::symlink_metadata(path).unwrap();
    (facts.uid(), facts.gid())
}

#[tokio::test]
async fn on_a_server_all_of_it_is_the_projects_again_in_the_same_folder() {
    let server = Server::new();
    symlink("/etc", server.at("link")).unwrap();
    server.write("uploads/\u{e4} b", "odd");
    fs::write(server.at(&"n".repeat(200)), "long").unwrap();
    server.give(&"n".repeat(200));
    let (tar, counted, left_out) = server.export().await;
    assert_eq!(counted.values().copied().collect::<Vec<_>>(), [3, 2, 1]);
    assert!(left_out.is_empty(), "{left_out:?}");
    // A program that runs looks at the folder that was there when it was started, and goes on to.
    let seen = fs::File::open(server.at("")).unwrap();
    fs::remove_dir_all(server.at("uploads")).unwrap();
    server.write("uploads", "a file now");
    server.write("new", "x");

    assert_eq!(server.restore(&tar).await, counted);
    assert_eq!(
        fs::metadata(server.at("")).unwrap().ino(),
        seen.metadata().unwrap().ino()
    );
    assert!(!server.at("new").exists());
    assert_eq!(fs::read(server.at("uploads/a")).unwrap(), b"first");
    assert_eq!(fs::read_link(server.at("link")).unwrap(), Path::new("/etc"));
    let mode = |name: &str| fs::symlink_metadata(server.at(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("uploads/a"), mode("uploads/empty")), (0o640, 0o500));
    for name in [
        "",
        "link",
        "uploads",
        "uploads/a",
        "uploads/empty",
        "uploads/\u{e4} b",
    ] {
        assert_eq!(owner(&server.at(name)), server.account, "{name}");
    }
    assert_ne!(owner(Path::new("/etc")), server.account);
}

#[tokio::test]
async fn what_is_no_file_or_not_the_projects_to_read_is_left_out_and_said() {
    let server = Server::new();
    let _socket = UnixListener::bind(server.at("app.sock")).unwrap();
    nix::unistd::mkfifo(&server.at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut expected = 2;
    if geteuid().is_root() {
        // What root put there, and a second name of what is root's alone.
        fs::write(server.at("open"), "readable").unwrap();
        fs::write(server.at("closed"), "root-only").unwrap();
        fs::set_permissions(server.at("closed"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(server.home.join("passwd"), "root-only").unwrap();
        fs::hard_link(server.home.join("passwd"), server.at("second")).unwrap();
        fs::create_dir(server.at("hidden")).unwrap();
        fs::write(server.at("hidden/in"), "root-only").unwrap();
        fs::set_permissions(server.at("hidden"), fs::Permissions::from_mode(0o700)).unwrap();
        expected += 3;
    }
    let (tar, counted, left_out) = server.export().await;
    let has = |text: &str| tar.windows(text.len()).any(|found| found == text.as_bytes());
    assert!(has("first") && !has("root-only"));
    assert_eq!(has("readable"), geteuid().is_root());
    let said = left_out.join("");
    assert_eq!(said.matches('`').count() / 2, expected, "{said}");
    assert!(said.contains("`app.sock`") && said.contains("`pipe`"), "{said}");
    // None of it is missed when it comes back.
    assert_eq!(server.restore(&tar).await, counted);
}

#[tokio::test]
async fn a_file_that_says_more_than_a_disk_can_hold_is_refused() {
    let server = Server::new();
    fs::File::create(server.at("huge"))
        .unwrap()
        .set_len(1 << 42)
        .unwrap();
    let refused = server.copies.export(&of(), &part()).await.err().unwrap();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.contains("more than their disk"), "{refused}");
}

#[tokio::test]
async fn root_follows_no_link_of_a_project_on_the_way_back() {
    let server = Server::new();
    let (tar, ..) = server.export().await;
    let outside = server.home.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a"), "root's").unwrap();
    // In the place of what comes back lies a link that leads out.
    fs::remove_dir_all(server.at("uploads")).unwrap();
    symlink(&outside, server.at("uploads")).unwrap();
    server.restore(&tar).await;
    assert_eq!(fs::read(server.at("uploads/a")).unwrap(), b"first");
    assert_eq!(fs::read(outside.join("a")).unwrap(), b"root's");
    assert_eq!(owner(&outside.join("a")), owner(&outside));
    // What waits is nobody's but root's until then.
    server.copies.stage(&of(), &part(), content(tar)).await.unwrap();
    let staged = server.home.join("shared.restore");
    let facts = fs::metadata(&staged).unwrap();
    assert_eq!((facts.uid(), facts.mode() & 0o777), (geteuid().as_raw(), 0o700));
    server.copies.discard(&of(), &part()).await.unwrap();
    server.copies.discard(&of(), &part()).await.unwrap();
    assert!(!staged.exists());
    let nothing = server.copies.take_place(&of(), &part()).await.unwrap_err();
    assert_eq!(nothing.kind, Kind::NotFound);
}

#[async_trait]
impl CopiesFixture for Server {
    fn copies(&self) -> &dyn Copies {
        &self.copies
    }

    fn of(&self) -> CopyOf {
        of()
    }

    async fn fill(&self, word: &str) {
        for name in fs::read_dir(self.at("")).unwrap() {
            let path = name.unwrap().path();
            match path.is_dir() {
                true => fs::remove_dir_all(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            }
        }
        fs::create_dir(self.at(word)).unwrap();
        self.give(word);
        self.write(&format!("{word}/file"), &word.repeat(10_000));
    }

    async fn word(&self) -> String {
        let names: Vec<_> = fs::read_dir(self.at("")).unwrap().map(Result::unwrap).collect();
        assert_eq!(names.len(), 1);
        let word = names[0].file_name().into_string().unwrap();
        let content = fs::read_to_string(self.at(&format!("{word}/file"))).unwrap();
        assert_eq!(content, word.repeat(10_000));
        word
    }

    async fn is_clean(&self) -> bool {
        !self.home.join("shared.restore").exists()
    }
}

mod on_a_server {
    use super::*;

    hostkit_testkit::copies_tests!([cfg(test)], Server::new());
}

mod in_local_mode {
    use super::*;

    hostkit_testkit::copies_tests!([cfg(test)], Server::in_local_mode());
}
