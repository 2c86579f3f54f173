//! What requests are answered, byte for byte where it matters.

use serde_json::{Value, json};

use crate::house::{ALL, House, READER};

fn body(answer: &hostkit_testkit::http::Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

#[test]
fn commands_by_path_and_by_body() {
    let house = House::open();
    for (path, sent, status, expected) in [
        ("/set/foo/bar", "", 200, json!({"result": "OK"})),
        ("/get/foo", "", 200, json!({"result": "bar"})),
        ("/get/nothing", "", 200, json!({"result": null})),
        ("/incr/count", "", 200, json!({"result": 1})),
        ("/mget/foo/nothing", "", 200, json!({"result": ["bar", null]})),
        ("/set/json?EX=100", "{\"a\":1}", 200, json!({"result": "OK"})),
        ("/get/json", "", 200, json!({"result": "{\"a\":1}"})),
        ("/ttl/json", "", 200, json!({"result": 100})),
        (
            "/",
            "[\"SET\",\"é/x\",12345678901234567890,\"EX\",9]",
            200,
            json!({"result": "OK"}),
        ),
        (
            "/get/%C3%A9%2Fx",
            "",
            200,
            json!({"result": "12345678901234567890"}),
        ),
        ("/hset/h/f/v", "", 200, json!({"result": 1})),
        ("/", "[\"HGETALL\",\"h\"]", 200, json!({"result": ["f", "v"]})),
        ("/ping", "", 200, json!({"result": "PONG"})),
    ] {
        let answer = house.post(path, sent);
        assert_eq!(
            (answer.status, body(&answer)),
            (status, expected),
            "{path} {sent}"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[test]
fn what_redis_refuses_is_said_in_its_words() {
    let house = House::open();
    house.post("/set/text/abc", "");
    for (path, sent, words) in [
        ("/get", "", "ERR wrong number of arguments for 'get' command"),
        ("/incr/text", "", "ERR value is not an integer or out of range"),
        ("/lpush/text/1", "", "WRONGTYPE Operation against a key"),
        (
            "/evalsha/0000000000000000000000000000000000000000/0",
            "",
            "NOSCRIPT",
        ),
        ("/config/get/dir", "", "NOPERM"),
        ("/nonsense/1", "", "ERR unknown command"),
        ("/", "[\"GET\",{}]", "ERR failed to parse command"),
        ("/blpop/a/0", "", "ERR Command is not available: 'BLPOP'"),
        ("/select/1", "", "ERR Command is not available: 'SELECT'"),
    ] {
        let answer = house.post(path, sent);
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        let said = body(&answer)["error"].as_str().unwrap().to_owned();
        assert!(said.starts_with(words), "{path}: {said}");
    }
}

#[test]
fn several_commands_in_one_request() {
    let house = House::open();
    let mixed = r#"[["SET","a",1],["INCR","a"],["LPUSH","a",1],["BLPOP","b",0],["GET","a"]]"#;
    let answer = house.post("/pipeline", mixed);

    assert_eq!(answer.status, 200);
    let said = body(&answer);
    assert_eq!(said[0], json!({"result": "OK"}));
    assert_eq!(said[1], json!({"result": 2}));
    assert!(
        said[2]["error"].as_str().unwrap().starts_with("WRONGTYPE"),
        "{said}"
    );
    assert!(said[3]["error"].as_str().unwrap().contains("BLPOP"), "{said}");
    assert_eq!(said[4], json!({"result": "2"}));
}

#[test]
fn a_transaction_is_whole_or_not_at_all() {
    let house = House::open();
    let whole = house.post("/multi-exec", r#"[["SET","a","1"],["LPUSH","a",1],["GET","a"]]"#);
    assert_eq!(whole.status, 200);
    let said = body(&whole);
    assert_eq!(
        (&said[0], &said[2]),
        (&json!({"result": "OK"}), &json!({"result": "1"}))
    );
    assert!(
        said[1]["error"].as_str().unwrap().starts_with("WRONGTYPE"),
        "{said}"
    );

    // One that Redis does not take at all: none of it is done.
    let none = house.post("/multi-exec", r#"[["SET","a","2"],["GET"]]"#);
    assert_eq!(none.status, 400, "{none:?}");
    assert!(
        body(&none)["error"].as_str().unwrap().starts_with("EXECABORT"),
        "{none:?}"
    );
    assert_eq!(body(&house.post("/get/a", "")), json!({"result": "1"}));

    // The connection is as usable for others as before.
    assert_eq!(body(&house.post("/ping", "")), json!({"result": "PONG"}));
}

#[test]
fn answers_in_base64_and_as_redis_writes_them() {
    let house = House::open();
    let bytes = [b'a', 0, 255, b'\r', b'\n'];
    house.send("POST", ALL, "/set/bytes", &[], &bytes);
    house.post("/rpush/list/x", "");

    assert_eq!(
        body(&house.post("/get/bytes", "")),
        json!({"result": "a\u{0}\u{fffd}\r\n"})
    );
    let encoded = house.send("GET", ALL, "/get/bytes", &["Upstash-Encoding: base64"], b"");
    assert_eq!(body(&encoded), json!({"result": "YQD/DQo="}));
    let encoded = house.send("POST", ALL, "/set/a/b", &["Upstash-Encoding: base64"], b"");
    assert_eq!(body(&encoded), json!({"result": "OK"}));
    let raw = house.send(
        "GET",
        ALL,
        "/lrange/list/0/-1",
        &["Upstash-Response-Format: resp2"],
        b"",
    );
    assert_eq!(
        (raw.header("content-type"), raw.body.as_str()),
        (Some("application/octet-stream"), "*1\r\n$1\r\nx\r\n")
    );
    let both = house.send(
        "GET",
        ALL,
        "/get/a",
        &["Upstash-Encoding: base64", "Upstash-Response-Format: resp2"],
        b"",
    );
    assert_eq!(both.status, 400);
    let transaction = house.send(
        "POST",
        ALL,
        "/multi-exec",
        &["Upstash-Response-Format: resp2"],
        b"[[\"PING\"]]",
    );
    assert_eq!(transaction.status, 400);
}

#[test]
fn nobody_without_a_token_and_no_more_than_it_may() {
    let house = House::open();
    house.post("/set/foo/bar", "");
    for (path, token, status) in [
        ("/get/foo", "wrong", 401),
        ("/get/foo", "", 401),
        ("/get/foo", "secret-of-app", 401),
        ("/get/foo?_token=wrong", "wrong", 401),
        ("/get/foo", READER, 200),
        ("/set/foo/other", READER, 400),
        ("/keys/*", READER, 400),
        ("/scan/0", READER, 400),
        ("/eval/return%201/0", READER, 400),
    ] {
        let answer = house.get(token, path);
        assert_eq!(answer.status, status, "{path} {token}: {answer:?}");
    }
    let query = hostkit_testkit::http::get(house.port, "a", &format!("/get/foo?_token={ALL}"));
    assert_eq!(body(&query), json!({"result": "bar"}));
}

#[test]
fn other_methods_and_what_is_too_long_are_refused() {
    let house = House::open();
    for method in ["DELETE", "PATCH", "OPTIONS"] {
        assert_eq!(
            house.send(method, ALL, "/get/a", &[], b"").status,
            405,
            "{method}"
        );
    }
    assert_eq!(house.send("PUT", ALL, "/get/a", &[], b"").status, 200);
    let long = vec![b'x'; (10 << 20) + 1];
    let answer = house.send("POST", ALL, "/set/long", &[], &long);
    // The answer may be lost to a client that is still writing when it comes.
    assert!(answer.status == 413 || answer.status == 0, "{answer:?}");
    assert_eq!(body(&house.post("/exists/long", "")), json!({"result": 0}));
    let fits = vec![b'x'; 9 << 20];
    assert_eq!(house.send("POST", ALL, "/set/long", &[], &fits).status, 200);
}

#[test]
fn a_redis_that_is_gone_is_said_and_found_again() {
    let mut house = House::open();
    assert_eq!(house.post("/set/a/b", "").status, 200);
    house.kill_redis();

    let lost = house.post("/get/a", "");
    assert_eq!(lost.status, 503, "{lost:?}");
    assert!(lost.body.contains("does not answer"), "{lost:?}");

    house.start_redis_again();
    let begun = std::time::Instant::now();
    while house.post("/ping", "").status != 200 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn tokens_come_and_go_without_a_new_start() {
    let house = House::open();
    let mut settings = house.settings();
    settings.accesses.remove(0);
    house.apply(&settings);

    assert_eq!(house.get(ALL, "/ping").status, 401);
    assert_eq!(house.get(READER, "/get/a").status, 200);

    house.apply(&house.settings());
    assert_eq!(house.get(ALL, "/ping").status, 200);
}
