//! Programs that others wrote, unchanged: asyncpg and SQLAlchemy through PgBouncer, Alembic over the direct connection,
//! psql and pgbench over both; those on Node.js in a file of their own.

mod node;

use std::process::Command;

use hostkit_core::traits::Addon;
use hostkit_testkit::sdks;

use crate::house::{House, order};

/// Runs a program with the variables that a binding gives, and nothing else.
fn run(house: &House, project: &str, mut command: Command) -> String {
    let variables = house.addon.variables(&order(project, &[1]));
    let path = std::env::var("PATH").unwrap_or_default();
    // Prisma writes into it.
    let home = tempfile::tempdir().unwrap();
    let output = command
        .env_clear()
        .env("PATH", format!("{path}:/usr/bin:/bin:/usr/lib/postgresql/15/bin"))
        .env("HOME", home.path())
        .env("LC_ALL", "C.UTF-8")
        .envs(
            variables
                .iter()
                .map(|(name, value)| (name.as_str(), value.reveal())),
        )
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn alembic_migrates_directly_and_sqlalchemy_and_asyncpg_work_through_the_pool() {
    let house = House::shared().await;
    house.addon.ensure(&order("sdk-python", &[1])).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scripts = folder.path().join("migrations");
    std::fs::create_dir_all(scripts.join("versions")).unwrap();
    for (name, text) in [
        ("env.py", include_str!("env.py")),
        ("versions/first.py", include_str!("first.py")),
    ] {
        std::fs::write(scripts.join(name), text).unwrap();
    }
    std::fs::write(
        folder.path().join("alembic.ini"),
        "[alembic]\nscript_location = migrations\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("app.py"), include_str!("app.py")).unwrap();
    for step in [
        &["upgrade", "head"][..],
        &["downgrade", "base"],
        &["upgrade", "head"],
        &["current"],
    ] {
        let mut alembic = Command::new(sdks::python().with_file_name("alembic"));
        alembic.args(step).current_dir(folder.path());
        run(house, "sdk-python", alembic);
    }
    let mut app = Command::new(sdks::python());
    app.arg("app.py").current_dir(folder.path());
    assert!(run(house, "sdk-python", app).contains("all well"));
    house.addon.remove(&order("sdk-python", &[1]).id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_and_pgbench_work_over_both_addresses() {
    let house = House::shared().await;
    house.addon.ensure(&order("sdk-bench", &[1])).await.unwrap();
    let shell = |line: &str| {
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", line]);
        run(house, "sdk-bench", command)
    };
    shell(r#"pgbench --initialize --quiet --scale=1 "$DIRECT_URL""#);
    for (name, protocol) in [
        ("DATABASE_URL", "simple"),
        ("DIRECT_URL", "simple"),
        ("DIRECT_URL", "prepared"),
    ] {
        let said = shell(&format!(
            r#"pgbench --client=8 --transactions=50 --protocol={protocol} --no-vacuum "${name}""#
        ));
        assert!(
            said.contains("number of transactions actually processed: 400/400"),
            "{said}"
        );
        assert!(said.contains("number of failed transactions: 0"), "{said}");
        let said = shell(&format!(
            r#"psql "${name}" --tuples-only --command='SELECT count(*) FROM pgbench_history'"#
        ));
        assert!(said.contains("00"), "{said}");
    }
    house.addon.remove(&order("sdk-bench", &[1]).id).await.unwrap();
}
