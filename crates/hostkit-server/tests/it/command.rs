//! One-off commands through the typed client.

use hostkit_api::run::{Input, Output, RunRequest};
use hostkit_core::access::Role;
use hostkit_core::deployment::{Act, DeploymentState};
use hostkit_core::kind::Kind;

use crate::house::{House, production, until};

fn request(arguments: &[&str]) -> RunRequest {
    RunRequest {
        arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        terminal: Some((24, 80)),
        release: None,
        console: None,
    }
}

/// A house in which `shop` is live: only then is there a folder to run something in.
async fn live() -> House {
    let house = House::with_shop().await;
    let source = house.sources.add(&crate::house::project("shop"), &[("a", "b")]);
    let act = Act::Deploy { source, canary: None };
    let deployment = house
        .engine
        .submit(&production("shop"), act, "test")
        .await
        .unwrap();
    let ended = house.engine.wait(deployment.id).await.unwrap();
    assert_eq!(ended.state, DeploymentState::Succeeded, "{:?}", ended.failure);
    house
}

async fn all(house: &House, arguments: &[&str], input: &[Input]) -> Vec<Output> {
    let client = house.client();
    let mut running = client
        .run(&production("shop"), &request(arguments))
        .await
        .unwrap();
    for message in input {
        running.input.send(message.clone()).await.unwrap();
    }
    let mut outputs = Vec::new();
    while let Some(output) = running.output.next().await {
        outputs.push(output.unwrap());
    }
    outputs
}

#[tokio::test]
async fn output_input_sizes_and_exit_codes_pass() {
    let house = live().await;
    let outputs = all(&house, &["echo", "two", "words"], &[]).await;
    assert_eq!(outputs, [Output::Out(b"two words".to_vec()), Output::Exit(3)]);
    let large = vec![7; 300_000];
    let input = [
        Input::Bytes(b"hello\0".to_vec()),
        Input::Resize {
            rows: 50,
            columns: 132,
        },
        Input::Bytes(large.clone()),
        Input::End,
    ];
    let outputs = all(&house, &["cat"], &input).await;
    let expected = [
        Output::Out(b"hello\0".to_vec()),
        Output::Err(b"50x132".to_vec()),
        Output::Out(large),
        Output::Exit(0),
    ];
    assert!(outputs == expected, "{} outputs", outputs.len());
    until("the commands are gone", || house.runtime.open() == 0).await;
}

#[tokio::test]
async fn what_cannot_be_run_is_said() {
    let house = live().await;
    let [Output::Failure(failure)] = &all(&house, &["nonsense"], &[]).await[..] else {
        panic!("no failure");
    };
    assert_eq!(failure.kind, Kind::NotFound);
    for arguments in [&[][..], &[""], &["echo", "a\0b"]] {
        let [Output::Failure(failure)] = &all(&house, arguments, &[]).await[..] else {
            panic!("no failure");
        };
        assert_eq!(failure.kind, Kind::Invalid, "{failure}");
    }
}

#[tokio::test]
async fn a_command_ends_with_its_caller() {
    let house = live().await;
    let mut running = house
        .client()
        .run(&production("shop"), &request(&["cat"]))
        .await
        .unwrap();
    running.input.send(Input::Bytes(b"x".to_vec())).await.unwrap();
    running.output.next().await.unwrap().unwrap();
    assert_eq!(house.runtime.open(), 1);
    drop(running);
    until("the command is gone", || house.runtime.open() == 0).await;
}

#[tokio::test]
async fn a_command_ends_with_the_server() {
    let mut house = live().await;
    let mut running = house
        .client()
        .run(&production("shop"), &request(&["cat"]))
        .await
        .unwrap();
    running.input.send(Input::Bytes(b"x".to_vec())).await.unwrap();
    running.output.next().await.unwrap().unwrap();
    house.close().await;
    let last = running.output.next().await.unwrap().unwrap();
    assert!(matches!(last, Output::Failure(f) if f.kind == Kind::Unavailable));
    until("the command is gone", || house.runtime.open() == 0).await;
}

#[tokio::test]
async fn a_command_ends_with_its_token() {
    let house = live().await;
    let token = house.token("leaves", Role::Developer, None);
    let client = house.client_of(&token);
    let mut running = client.run(&production("shop"), &request(&["cat"])).await.unwrap();
    until("it runs", || house.runtime.open() == 1).await;
    let admin = Some(house.admin.as_str());
    assert_eq!(
        house.send("DELETE", "/api/tokens/leaves", admin, "").await.status,
        204
    );
    let Some(Ok(Output::Failure(said))) = running.output.next().await else {
        panic!("it is not told why it ends");
    };
    assert_eq!(said.kind, Kind::Unauthenticated);
    until("it is gone", || house.runtime.open() == 0).await;
}
