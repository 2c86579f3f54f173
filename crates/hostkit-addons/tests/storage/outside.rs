//! Buckets that somebody else keeps: HostKit's own storage stands for one, and servers that lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostkit_addons::outside::Outside;
use hostkit_addons::storage::OutsideStorage;
use hostkit_core::addon::{AddonHealth, AddonOrder, AddonSettings, Credential};
use hostkit_core::kind::Kind;
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Addon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::addon::{Installation, order};
use crate::house::went_well;

fn addon(reach: Reach) -> Outside<OutsideStorage> {
    Outside::new(OutsideStorage::new(reach))
}

/// An order of one at an address.
fn elsewhere(number: u32, address: &str) -> AddonOrder {
    AddonOrder {
        credentials: vec![Credential {
            number,
            secret: Secret::new(address),
        }],
        port: None,
        settings: AddonSettings {
            outside: true,
            ..AddonSettings::default()
        },
        ..order("here")
    }
}

/// What programs of an add-on are told, as lines.
fn lines(addon: &dyn Addon, order: &AddonOrder) -> String {
    let variables = addon.variables(order);
    let lines = variables
        .iter()
        .map(|(name, value)| format!("{name}={}\n", value.reveal()));
    lines.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_elsewhere_is_tried_told_counted_and_left_as_it_is() {
    let house = Installation::new();
    let theirs = order("theirs");
    house.addon.ensure(&theirs).await.unwrap();
    went_well(
        &house
            .boto3(
                &theirs,
                "client.put_object(Bucket=bucket, Key='a b/<c>', Body=b'12345')",
            )
            .await,
    );
    let address = lines(&*house.addon, &theirs);
    let (addon, order) = (addon(Reach::All), elsewhere(1, &address));
    addon.ensure(&order).await.unwrap();
    assert!(!addon.settled(&[&order]).await.unwrap().is_empty());
    let state = addon.observe(&order).await.unwrap();
    assert_eq!((state.health, state.warnings), (AddonHealth::Ready, Vec::new()));
    assert_eq!(lines(&addon, &order), address, "what was given is told");
    let passwords = addon.passwords(&order);
    assert!(address.contains(&format!("S3_SECRET_ACCESS_KEY={}", passwords[0].reveal())));

    // The object of the trial is gone again.
    let buckets = addon.buckets().unwrap();
    let report = buckets.report(&order).await.unwrap();
    assert_eq!((report.objects, report.bytes, report.outside), (1, 5, true));
    let refused = buckets.set_rules(&order, &report.policy.rules).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    addon.remove(&order.id).await.unwrap();
    assert_eq!(
        buckets.report(&order).await.unwrap().objects,
        1,
        "nothing is taken away"
    );

    // What does not work says why, and no key.
    for (wrong, kind, why) in [
        (
            address.replace("ACCESS_KEY_ID=HK", "ACCESS_KEY_ID=XX"),
            Kind::Denied,
            "does not know the access key id",
        ),
        (
            address.replace("SECRET_ACCESS_KEY=", "SECRET_ACCESS_KEY=x"),
            Kind::Denied,
            "does not accept the secret",
        ),
        (
            address.replace("BUCKET=theirs", "BUCKET=nobodys"),
            Kind::NotFound,
            "no such bucket",
        ),
        (
            address.replace("http://", "https://"),
            Kind::Unavailable,
            "encrypted",
        ),
    ] {
        let failure = addon.ensure(&elsewhere(2, &wrong)).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure:?}");
        assert!(failure.message.contains(why), "{failure:?}");
        assert!(
            !format!("{failure:?}").contains(passwords[0].reveal()),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn what_control_must_not_reach_on_a_server_is_not_asked() {
    let addon = addon(Reach::OtherMachines);
    for host in [
        "127.0.0.1:9",
        "localhost",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "2130706433",
    ] {
        let failure = addon.ensure(&elsewhere(1, &at(host))).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Denied, "{host}: {failure:?}");
        assert!(failure.message.contains("cannot connect to"), "{failure:?}");
    }
}

fn at(host: &str) -> String {
    format!("S3_ENDPOINT=http://{host}\nS3_BUCKET=files\nS3_ACCESS_KEY_ID=k\nS3_SECRET_ACCESS_KEY=canary\n")
}

/// What a server answers to a method.
type Answers = fn(&str) -> Vec<u8>;

/// A server that answers as it likes, to each connection once; where it is, and how many came.
async fn liar(answers: Answers) -> (String, Arc<AtomicUsize>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (host, asked) = (
        socket.local_addr().unwrap().to_string(),
        Arc::new(AtomicUsize::new(0)),
    );
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = socket.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(answer(connection, answers));
        }
    });
    (host, asked)
}

async fn answer(mut connection: TcpStream, answers: Answers) {
    let mut head = vec![0; 4096];
    let read = connection.read(&mut head).await.unwrap_or_default();
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    let method = head.split(' ').next().unwrap_or_default();
    let said = answers(method);
    // The other side may have heard enough.
    let _ = connection.write_all(&said).await;
    let _ = connection.shutdown().await;
    // Closed with something unread, what was said might be lost.
    let _ = connection.read_to_end(&mut Vec::new()).await;
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nlocation: http://169.254.169.254/canary\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

fn listed(inside: &str) -> Vec<u8> {
    http(
        "200 OK",
        &format!("<ListBucketResult>{inside}</ListBucketResult>"),
    )
}

fn refused(code: &str) -> Vec<u8> {
    http(
        "403 Forbidden",
        &format!("<Error><Code>{code}</Code><Message>canary</Message></Error>"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_a_liar_are_refused_in_words_of_our_own() {
    let cases: [(Answers, &str); 9] = [
        (
            |_| http("307 Temporary Redirect", "canary"),
            "sends elsewhere, where HostKit does not go",
        ),
        (
            |_| {
                http(
                    "301 Moved Permanently",
                    "<Error><Code>PermanentRedirect</Code></Error>",
                )
            },
            "sends elsewhere",
        ),
        (|_| http("200 OK", "<html>canary</html>"), "no list of S3"),
        (
            |_| listed("<Contents><Key>canary</Key><Size>much</Size></Contents>"),
            "no list of S3",
        ),
        (|_| listed("<Contents><Size>1</Size></Contents>"), "no list of S3"),
        (
            |_| {
                http(
                    "500 Oops",
                    "<Error><Code>can\nary, and run this: rm -rf</Code></Error>",
                )
            },
            "without saying why",
        ),
        (|_| b"SSH-2.0-canary\r\n".to_vec(), "cannot list it"),
        (
            |_| {
                let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<ListBucketResult>".to_vec();
                endless.resize(10 << 20, b' ');
                endless
            },
            "its answer has no end",
        ),
        (
            |method| match method {
                "GET" => listed(""),
                _ => http("200 OK", ""),
            },
            "another content than was put",
        ),
    ];
    for (answers, why) in cases {
        let (host, asked) = liar(answers).await;
        let addon = addon(Reach::All);
        let failure = addon.ensure(&elsewhere(1, &at(&host))).await.unwrap_err();
        assert!(failure.message.contains(why), "{why}: {failure:?}");
        assert!(!format!("{failure:?}").contains("canary"), "{failure:?}");
        assert!(
            asked.load(Ordering::Relaxed) <= 4,
            "nothing is asked again and again"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_may_less_are_taken_and_that_is_said() {
    let (host, asked) = liar(|method| match method {
        "GET" => listed(""),
        _ => refused("AccessDenied"),
    })
    .await;
    let (addon, order) = (addon(Reach::All), elsewhere(1, &at(&host)));
    for _ in 0..2 {
        let state = addon.observe(&order).await.unwrap();
        assert_eq!(state.health, AddonHealth::Ready);
        assert_eq!(state.warnings, ["its keys may not write: programs can only read"]);
    }
    // A write is tried once.
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}
