//! The front door over real sockets: answers on the disk, over the end of a process.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostkit_core::names::{EnvironmentName, ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::{DiskCacheStatus, Purge, Route};
use hostkit_core::traits::traffic::Traffic;
use hostkit_proxy::ProxyConfig;

use crate::caching::{ask, backend_that, full};
use crate::support::*;

const DISK: u64 = 64 << 20;

fn with_disk(config: &mut ProxyConfig) {
    config.limits.cache_disk_bytes = DISK;
}

/// A folder, and a public socket that outlives front doors: an answer is for its port.
struct Place {
    folder: Arc<tempfile::TempDir>,
    public: TcpListener,
}

impl Place {
    fn new() -> Place {
        Place::at(&Arc::new(tempfile::tempdir().unwrap()))
    }

    fn at(folder: &Arc<tempfile::TempDir>) -> Place {
        Place {
            folder: Arc::clone(folder),
            public: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn start(&self) -> Door {
        Door::start_in(Arc::clone(&self.folder), |config| {
            with_disk(config);
            config.listeners = vec![self.public.try_clone().unwrap()];
        })
    }

    /// Ends a front door and starts another one, which has the last table.
    fn again(&self, door: Door) -> Door {
        let version = *door.version.lock().unwrap();
        stop(door);
        let door = self.start();
        *door.version.lock().unwrap() = version;
        until_on(&door);
        door
    }

    /// A front door with the route in force and looked for, whose disk has nothing but `/warm2`.
    fn begun(&self, upstream: &Upstream) -> Door {
        let door = self.start();
        door.apply(vec![route(upstream, "20260101-120000")]);
        until_on(&door);
        ask(&door, "/warm", "");
        ask(&door, "/warm2", "");
        until_kept(&door, 1);
        door
    }
}

/// The answer's second half is the number of the request that brought it.
fn numbered() -> (Upstream, Arc<AtomicUsize>) {
    backend_that(|at, _| full("Cache-Control: max-age=600", &format!("answer {at}")))
}

fn route(upstream: &Upstream, release: &str) -> Route {
    let mut route = to("shop", &[upstream.address]);
    route.release = Some(ReleaseName::parse(release).unwrap());
    route
}

fn disk(door: &Door) -> DiskCacheStatus {
    door.status().cache_disk.unwrap()
}

fn until_on(door: &Door) {
    until("the disk's part is on", || disk(door).on);
}

fn until_kept(door: &Door, addresses: u64) {
    until("it is on the disk", || disk(door).addresses == addresses);
}

fn stop(mut door: Door) {
    door.handle.take().unwrap().stop();
}

fn seen(answer: &Answer) -> (String, String) {
    let result = answer.header("x-hostkit-cache").unwrap_or("-");
    (result.to_owned(), answer.text())
}

fn result(door: &Door, path: &str) -> String {
    seen(&ask(door, path, "")).0
}

fn shop() -> EnvironmentId {
    EnvironmentId::new(ProjectName::parse("shop").unwrap(), EnvironmentName::production())
}

fn purge(door: &Door, path: Option<&str>) -> u64 {
    let purge = Purge {
        environment: shop(),
        path: path.map(str::to_owned),
    };
    block_on(door.client.purge(&purge)).unwrap().addresses
}

/// All answers below the folder, by their paths, without those that were put aside to be removed.
fn files(door: &Door) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for scope in fs::read_dir(door.layout.proxy().join("cache")).unwrap() {
        let scope = scope.unwrap();
        if scope.file_name().to_string_lossy().starts_with("gone-") {
            continue;
        }
        let entries = fs::read_dir(scope.path()).into_iter().flatten();
        found.extend(entries.map(|entry| entry.unwrap().path()));
    }
    found.sort();
    found
}

#[test]
fn a_front_door_that_is_started_again_has_its_answers() {
    let (upstream, count) = backend_that(|at, seen| {
        let language = seen.header("accept-language").unwrap_or_default();
        full(
            "Cache-Control: max-age=600\nVary: Accept-Language\nX-Own: 1\nAge: 7",
            &format!("{at} {language}"),
        )
    });
    let place = Place::new();
    let door = place.begun(&upstream);
    for language in ["de", "en"] {
        ask(&door, "/a", &format!("Accept-Language: {language}\r\n"));
    }
    until("both forms are on the disk", || files(&door).len() == 3);
    let cache = door.layout.proxy().join("cache");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cache), 0o700);
    for file in files(&door) {
        assert_eq!(mode(&file), 0o600);
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'), "{name}");
    }
    let asked = count.load(Ordering::SeqCst);
    let door = place.again(place.again(door));
    for (at, language) in [(0, "de"), (1, "en"), (0, "de")] {
        let answer = ask(&door, "/a", &format!("Accept-Language: {language}\r\n"));
        assert_eq!(seen(&answer), ("HIT".into(), format!("{at} {language}")));
        assert_eq!(answer.header("x-own"), Some("1"));
        assert!(answer.header("age").unwrap().parse::<u64>().unwrap() >= 7);
    }
    let part = ask(&door, "/a", "Accept-Language: de\r\nRange: bytes=2-\r\n");
    assert_eq!((part.status, part.text().as_str()), (206, "de"));
    assert_eq!(count.load(Ordering::SeqCst), asked);
    let metrics = block_on(door.client.metrics()).unwrap();
    assert!(
        metrics.contains("hostkit_proxy_cache_disk_hits_total 2\n"),
        "{metrics}"
    );
    assert!(metrics.contains("hostkit_proxy_cache_disk_on 1\n"));
}

#[test]
fn many_that_ask_at_once_after_a_start_are_answered_from_one_file() {
    let (upstream, count) = numbered();
    let place = Place::new();
    let door = place.begun(&upstream);
    ask(&door, "/a", "");
    until_kept(&door, 2);
    let door = place.again(door);
    let asked = count.load(Ordering::SeqCst);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_eq!(result(&door, "/a"), "HIT"));
        }
    });
    assert_eq!(count.load(Ordering::SeqCst), asked);
}

#[test]
fn what_the_memory_has_no_room_for_is_answered_from_the_disk() {
    let body = "x".repeat(300_000);
    let (upstream, count) = backend_that(move |_, _| full("Cache-Control: max-age=600", &body));
    let door = Door::start_with(|config| {
        with_disk(config);
        config.limits.cache_bytes = 400_000;
    });
    door.apply(vec![route(&upstream, "20260101-120000")]);
    until_on(&door);
    ask(&door, "/warm", "");
    // No two of them fit, nor one alone, as it may be kept compressed as well.
    for number in 0..4 {
        assert_eq!(result(&door, &format!("/{number}")), "MISS");
    }
    until_kept(&door, 4);
    for number in 0..4 {
        let answer = ask(&door, &format!("/{number}"), "");
        assert_eq!(
            (answer.header("x-hostkit-cache"), answer.body.len()),
            (Some("HIT"), 300_000)
        );
    }
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[test]
fn what_is_purged_is_gone_from_the_disk_too() {
    let (upstream, _) = numbered();
    let place = Place::new();
    let door = place.begun(&upstream);
    let paths = ["/blog/a", "/blog/b?c", "/d", "/e"];
    for path in paths {
        ask(&door, path, "");
    }
    until_kept(&door, 5);
    // Only on the disk, and in both: each counts once.
    let door = place.again(door);
    ask(&door, "/blog/a", "");
    assert_eq!(purge(&door, Some("/blog/*")), 2);
    assert_eq!(purge(&door, Some("/d")), 1);
    let door = place.again(door);
    assert_eq!(
        paths.map(|path| result(&door, path)),
        ["MISS", "MISS", "MISS", "HIT"]
    );
    until_kept(&door, 5);
    assert_eq!(purge(&door, None), 5);
    assert_eq!(files(&door), [] as [PathBuf; 0]);
    let door = place.again(door);
    assert_eq!(disk(&door).addresses, 0);
    ask(&door, "/warm", "");
    assert_eq!(result(&door, "/e"), "MISS");
}

#[test]
fn what_was_changed_is_gone_from_the_disk_too() {
    let (upstream, _) = numbered();
    let place = Place::new();
    let door = place.begun(&upstream);
    ask(&door, "/a", "");
    ask(&door, "/b", "");
    until_kept(&door, 3);
    let door = place.again(door);
    door.send("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 0\r\n\r\n");
    until_kept(&door, 2);
    until("its file is gone", || files(&door).len() == 2);
    let door = place.again(door);
    assert_eq!(
        (result(&door, "/a"), result(&door, "/b")),
        ("MISS".into(), "HIT".into())
    );
}

#[test]
fn another_release_finds_nothing_and_leaves_nothing() {
    let (upstream, _) = numbered();
    let place = Place::new();
    let door = place.begun(&upstream);
    ask(&door, "/a", "");
    until_kept(&door, 2);
    door.apply(vec![route(&upstream, "20260101-120001")]);
    until("the other one's files are gone", || files(&door).is_empty());
    ask(&door, "/warm", "");
    assert_eq!(result(&door, "/a"), "MISS");
    until_kept(&door, 1);
    // The one before comes back, and begins anew; and so it is after a start.
    door.apply(vec![route(&upstream, "20260101-120000")]);
    let door = place.again(door);
    ask(&door, "/warm", "");
    assert_eq!(result(&door, "/a"), "MISS");
}

#[test]
fn what_may_be_used_while_it_is_asked_for_is_after_a_start_too() {
    let (upstream, count) = backend_that(|at, _| {
        let headers = "Cache-Control: max-age=5, stale-while-revalidate=600\nAge: 6";
        full(headers, &format!("answer {at}"))
    });
    let place = Place::new();
    let door = place.begun(&upstream);
    ask(&door, "/a", "");
    until_kept(&door, 2);
    let door = place.again(door);
    let asked = count.load(Ordering::SeqCst);
    assert_eq!(result(&door, "/a"), "STALE");
    until("the backend is asked in the background", || {
        count.load(Ordering::SeqCst) > asked
    });
}

#[test]
fn two_front_doors_on_one_folder_never_answer_what_one_of_them_purged() {
    let (upstream, _) = numbered();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let first = Place::at(&folder).begun(&upstream);
    ask(&first, "/a", "");
    ask(&first, "/b", "");
    until_kept(&first, 3);
    // The admin socket is the second one's from here on.
    let place = Place::at(&folder);
    let second = place.start();
    assert!(!disk(&second).on);
    ask(&second, "/warm", "");
    // It does not know what there is, so all of it goes.
    purge(&second, Some("/a"));
    assert_eq!(result(&second, "/a"), "MISS");
    // The first one may not bring back what it knew.
    ask(&first, "/c", "");
    stop(first);
    until_on(&second);
    assert_eq!(disk(&second).addresses, 0);
    // It is the second one's now.
    ask(&second, "/d", "");
    until_kept(&second, 1);
    let third = place.again(second);
    assert_eq!(result(&third, "/d"), "HIT");
    assert_ne!(result(&third, "/a"), "HIT");
}

#[test]
fn strange_things_in_the_folder_hurt_nobody() {
    let (upstream, _) = numbered();
    let place = Place::new();
    let door = place.begun(&upstream);
    let paths = ["/link", "/pipe", "/cut", "/changed", "/other", "/good"];
    let mut names = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let before = files(&door);
        ask(&door, path, "");
        until_kept(&door, number as u64 + 2);
        let new: Vec<PathBuf> = files(&door)
            .into_iter()
            .filter(|file| !before.contains(file))
            .collect();
        names.extend(new);
    }
    let [link, pipe, cut, changed, other, good] = &names[..] else {
        panic!("{names:?}")
    };
    let (of_door, version) = (door.layout.proxy().join("cache"), *door.version.lock().unwrap());
    stop(door);
    let outside = place.folder.path().join("outside");
    fs::copy(good, &outside).unwrap();
    fs::remove_file(link).unwrap();
    symlink(&outside, link).unwrap();
    fs::remove_file(pipe).unwrap();
    let made = std::process::Command::new("mkfifo").arg(pipe).status().unwrap();
    assert!(made.success());
    let whole = fs::read(cut).unwrap();
    fs::write(cut, &whole[..whole.len() - 1]).unwrap();
    let mut bytes = fs::read(changed).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(changed, bytes).unwrap();
    let mut bytes = fs::read(other).unwrap();
    bytes[7] = b'9';
    fs::write(other, bytes).unwrap();
    let scope = good.parent().unwrap();
    let strange = scope.join("notes.txt");
    fs::write(&strange, "mine").unwrap();
    fs::write(scope.join("new"), "half").unwrap();
    symlink(
        place.folder.path(),
        of_door.join("0123456789abcdef0123456789abcdef"),
    )
    .unwrap();
    symlink("/etc", of_door.join("gone-0123456789abcdef")).unwrap();
    let door = place.start();
    *door.version.lock().unwrap() = version;
    until_on(&door);
    assert_eq!(
        paths.map(|path| result(&door, path)),
        ["MISS", "MISS", "MISS", "MISS", "MISS", "HIT"]
    );
    assert!(strange.exists() && outside.exists() && Path::new("/etc/passwd").exists());
    assert!(!scope.join("new").exists());
    assert!(fs::symlink_metadata(of_door.join("0123456789abcdef0123456789abcdef")).is_err());
    // What was broken is whole again.
    until("all are written", || disk(&door).addresses == 7);
    assert!(fs::symlink_metadata(link).unwrap().is_file());
}

#[test]
fn a_disk_that_fails_is_left_alone_and_answers_go_on() {
    let (upstream, _) = numbered();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let door = Door::start_in(Arc::clone(&folder), |config| {
        with_disk(config);
        let cache = config.data.proxy().join("cache");
        fs::create_dir_all(cache.parent().unwrap()).unwrap();
        fs::File::create(cache).unwrap().write_all(b"no folder").unwrap();
    });
    door.apply(vec![route(&upstream, "20260101-120000")]);
    until("it is said", || disk(&door).trouble.is_some());
    assert!(!disk(&door).on);
    ask(&door, "/warm", "");
    assert_eq!(result(&door, "/a"), "MISS");
    assert_eq!(result(&door, "/a"), "HIT");
    // What may still be on the disk cannot be purged: that is said, and the memory's part is gone all the same.
    let everything = Purge {
        environment: shop(),
        path: None,
    };
    let failure = block_on(door.client.purge(&everything)).unwrap_err();
    assert!(failure.message.contains("on disk"), "{failure}");
    assert_eq!(result(&door, "/a"), "MISS");
}

#[test]
fn no_more_of_the_disk_is_used_than_is_allowed() {
    const MOST: u64 = 12 << 20;
    let body = "x".repeat(200_000);
    let (upstream, _) = backend_that(move |_, _| full("Cache-Control: max-age=600", &body));
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let limited = |config: &mut ProxyConfig| config.limits.cache_disk_bytes = MOST;
    let door = Door::start_in(Arc::clone(&folder), limited);
    door.apply(vec![route(&upstream, "20260101-120000")]);
    until_on(&door);
    ask(&door, "/warm", "");
    for number in 0..60 {
        ask(&door, &format!("/{number}"), "");
    }
    let written = || {
        let metrics = block_on(door.client.metrics()).unwrap();
        let of = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
        };
        of("hostkit_proxy_cache_disk_written_total") + of("hostkit_proxy_cache_disk_dropped_total")
    };
    until("all are written", || written() >= 60);
    let status = disk(&door);
    assert!(status.addresses > 3 && status.bytes <= MOST);
    let there: u64 = files(&door)
        .iter()
        .map(|file| fs::metadata(file).unwrap().blocks() * 512)
        .sum();
    assert!(there <= MOST, "{there}");
    assert_eq!(files(&door).len() as u64, status.addresses);
}

#[test]
fn an_older_answer_on_the_disk_is_never_given_in_the_place_of_a_newer_one() {
    // The first may be used for long, the next ones for so short that they are not worth the writing.
    let (upstream, _) = backend_that(|at, _| {
        let seconds = if at < 1 { 600 } else { 5 };
        let headers = format!("Cache-Control: max-age={seconds}");
        full(&headers, &format!("answer {at}"))
    });
    let place = Place::new();
    let door = place.begun(&upstream);
    ask(&door, "/a", "");
    until_kept(&door, 2);
    let newer = ask(&door, "/a", "Cache-Control: no-cache\r\n");
    assert_eq!(newer.text(), "answer 1");
    until_kept(&door, 1);
    until("its file is gone", || files(&door).len() == 1);
    let door = place.again(door);
    assert_eq!(result(&door, "/a"), "MISS");
}
