//! The unix socket of a server, which anybody may open: who calls is asked of the kernel. The calls are made by a
//! process of its own, under another account where the tests run as root.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use hostkit_core::access::Account;
use hostkit_server::AccountOf;

use crate::house::{Answer, House, project};

/// An account that no machine gives rights to.
const STRANGER: u32 = 65_534;
const SOCKET: &str = "HOSTKIT_TEST_PEERS_SOCKET";
const CALL: &str = "HOSTKIT_TEST_PEERS_CALL";

fn shop(_: u32) -> Option<Account> {
    Some(Account {
        name: "shop".into(),
        comment: "HostKit project shop,,,".into(),
    })
}

fn bob(_: u32) -> Option<Account> {
    Some(Account {
        name: "bob".into(),
        comment: "HostKit project shop".into(),
    })
}

async fn house_of(account_of: Option<AccountOf>) -> House {
    let house = House::open_to(account_of).await;
    for name in ["shop", "other"] {
        house.engine.create_project(&project(name)).await.unwrap();
    }
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(house.layout.data(), 0o711);
    mode(&house.layout.run(), 0o755);
    mode(&house.socket(), 0o666);
    house
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Status and message of one call, made by a process that is not root.
async fn call(house: &House, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let mut command = Command::new("/proc/self/exe");
    command
        .args([
            "--exact",
            "peers::one_call_from_another_process",
            "--ignored",
            "--nocapture",
        ])
        .env(SOCKET, house.socket())
        .env(CALL, format!("{method} {path} {}", token.unwrap_or_default()))
        .current_dir("/")
        .stderr(Stdio::inherit());
    if is_root() {
        command.uid(STRANGER).gid(STRANGER);
    }
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answer = text
        .lines()
        .find_map(|line| line.split_once("ANSWER ").map(|(_, answer)| answer));
    let (status, message) = answer
        .unwrap_or_else(|| panic!("{text}"))
        .split_once(' ')
        .unwrap();
    (status.parse().unwrap(), message.to_owned())
}

/// What [`call`] starts.
#[tokio::test]
#[ignore = "started by the other tests of this file"]
async fn one_call_from_another_process() {
    let socket = std::env::var_os(SOCKET).unwrap();
    let call = std::env::var(CALL).unwrap();
    let [method, path, token] = call.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let token = Some(token).filter(|token| !token.is_empty());
    let answer: Answer = crate::house::send_to(socket.as_ref(), method, path, token, "").await;
    let message = match answer.status {
        ..400 => String::new(),
        _ => answer.message(),
    };
    println!("\nANSWER {} {message}", answer.status);
}

#[tokio::test]
async fn the_account_of_a_project_may_work_on_its_project() {
    let house = house_of(Some(shop)).await;
    let token = house.admin.clone();
    for (method, path, token, status, told) in [
        ("GET", "/api/health", None, 200, ""),
        ("GET", "/api/projects/shop", None, 200, ""),
        ("GET", "/api/caller", None, 200, ""),
        ("GET", "/api/projects/shop/keys", None, 200, ""),
        (
            "GET",
            "/api/projects/shop/environments/production/variables",
            None,
            200,
            "",
        ),
        (
            "GET",
            "/api/projects/other",
            None,
            404,
            "there is none of this name that account `shop` may work on",
        ),
        (
            "GET",
            "/api/projects/ghost",
            None,
            404,
            "there is none of this name that account `shop` may work on",
        ),
        (
            "GET",
            "/api/status",
            None,
            403,
            "cannot read the installation with account `shop`",
        ),
        (
            "GET",
            "/api/tokens",
            None,
            403,
            "cannot change the installation with account `shop`",
        ),
        (
            "DELETE",
            "/api/projects/shop",
            None,
            403,
            "cannot delete the project with account `shop`",
        ),
        // What is shown counts, whoever shows it: more rights, and none.
        ("GET", "/api/status", Some(token.as_str()), 200, ""),
        (
            "GET",
            "/api/projects/shop",
            Some("hk_0"),
            401,
            "the token is not known",
        ),
    ] {
        let (found, message) = call(&house, method, path, token).await;
        assert_eq!(found, status, "{method} {path}: {message}");
        assert!(message.contains(told), "{method} {path}: {message}");
    }
}

#[tokio::test]
async fn other_accounts_have_no_rights() {
    for (account_of, who) in [(bob as AccountOf, "account `bob`"), (|_| None, "user number")] {
        let house = house_of(Some(account_of)).await;
        assert_eq!(call(&house, "GET", "/api/health", None).await.0, 200);
        for path in ["/api/status", "/api/projects", "/api/projects/shop"] {
            let (status, message) = call(&house, "GET", path, None).await;
            assert_eq!(status, 403, "{path}: {message}");
            assert!(message.starts_with(&format!("cannot answer {who}")), "{message}");
        }
        let token = house.admin.clone();
        assert_eq!(call(&house, "GET", "/api/status", Some(&token)).await.0, 200);
    }
}

/// In this process: root where the tests run as root, and a stranger elsewhere.
#[tokio::test]
async fn root_may_everything() {
    let house = house_of(Some(|_| None)).await;
    for (method, path) in [("GET", "/api/status"), ("DELETE", "/api/projects/other")] {
        let answer = house.send(method, path, None, "").await;
        match is_root() {
            true => assert!(answer.status < 300, "{}", answer.text()),
            false => assert_eq!(answer.status, 403, "{}", answer.text()),
        }
    }
}

#[tokio::test]
async fn without_accounts_and_on_loopback_only_tokens_count() {
    let local = house_of(None).await;
    assert_eq!(local.send("GET", "/api/status", None, "").await.status, 401);
    let server = house_of(Some(shop)).await;
    let request = http::Request::get("/api/projects/shop")
        .header("host", server.loopback.to_string())
        .body(Default::default())
        .unwrap();
    assert_eq!(server.browse(request).await.status, 401);
}
