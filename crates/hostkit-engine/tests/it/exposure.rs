//! How open the machine is to the programs of a project.

use hostkit_testkit::fakes::Faults;

use crate::bench::{World, process, shop, succeeds};

#[tokio::test]
async fn a_project_is_as_open_as_the_most_open_of_its_programs_that_run() {
    let world = World::new();
    let engine = world.with_shop().await;
    let project = shop().project;
    let exposure = async || engine.exposure(&project).await.unwrap();
    assert_eq!(exposure().await, None, "nothing runs");
    succeeds(
        &engine,
        world.deploy(&[("Procfile", "web: run web\nworker: run worker")]),
    )
    .await;
    assert_eq!(exposure().await, None, "there is no measure");
    world.runtime.expose(&process("worker"), 9.6);
    world.runtime.expose(&process("web"), 1.4);
    assert_eq!(exposure().await, Some(9.6));
    let worker = world.instance("worker.1.1").unwrap();
    world.runtime.crash(&worker.id, 1);
    assert_eq!(exposure().await, Some(1.4));
    let broken = Faults::broken("the measure");
    world.runtime.faults.fail_next("exposure", broken);
    assert_eq!(exposure().await, None);
}
