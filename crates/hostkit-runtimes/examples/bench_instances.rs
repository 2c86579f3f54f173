//! Measures the process runtime: time to start, observe, restart and remove instances, memory of their shims.
//! `cargo run --release -p hostkit-runtimes --example bench_instances -- 50`

use std::process::ExitCode;
use std::time::Instant;

use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::manifest::{Command, StopRule};
use hostkit_core::names::{EnvironmentName, NameError, ProcessName, ProjectName, ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::Runtime;
use hostkit_core::workload::{Scope, Workload, WorkloadId};
use hostkit_host::processes;
use hostkit_host::roles::{SelfProgram, dispatch};
use hostkit_runtimes::process::ProcessRuntime;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(code) = dispatch(&args) {
        return ExitCode::from(code as u8);
    }
    let count = args.get(1).and_then(|n| n.to_str()?.parse().ok()).unwrap_or(50);
    let done = (|| -> Result<(), Box<dyn std::error::Error>> {
        let data = tempfile::tempdir()?;
        let runtime = ProcessRuntime::new(Layout::new(data.path()), SelfProgram::current());
        let threads = tokio::runtime::Runtime::new()?;
        Ok(threads.block_on(measure(&runtime, workload(count)?))?)
    })();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tell(&format!("{e}"));
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout)]
fn tell(line: &str) {
    println!("{line}");
}

fn workload(count: u16) -> Result<Workload, NameError> {
    Ok(Workload {
        id: WorkloadId {
            environment: EnvironmentId::new(ProjectName::parse("bench")?, EnvironmentName::production()),
            process: ProcessName::web(),
            deployment: 1,
        },
        release: ReleaseName::parse("20250215-120000")?,
        count,
        command: Command::Arguments(vec!["/bin/sleep".into(), "600".into()]),
        directory: "/".into(),
        variables: [].into(),
        port_variable: Some(VariableName::parse("PORT")?),
        stop: StopRule::default(),
        memory: None,
        cpus: None,
    })
}

async fn measure(runtime: &ProcessRuntime, mut workload: Workload) -> Result<(), Failure> {
    let count = workload.count;
    workload.count = 1;
    let mut singles = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        runtime.ensure(&workload).await?;
        let started = start.elapsed();
        runtime.remove(&workload.id).await?;
        singles.push((started, start.elapsed() - started));
    }
    singles.sort();
    let (start, remove) = singles[singles.len() / 2];
    tell(&format!(
        "one instance: start {start:.1?}, remove {remove:.1?} (median of 20)"
    ));
    workload.count = count;
    let at = Instant::now();
    let instances = runtime.ensure(&workload).await?;
    tell(&format!("{count} instances: start {:.1?}", at.elapsed()));
    let at = Instant::now();
    runtime.observe(&Scope::default()).await?;
    tell(&format!("{count} instances: observe {:.1?}", at.elapsed()));
    let at = Instant::now();
    runtime.restart(&instances[0].id).await?;
    tell(&format!("one instance: restart {:.1?}", at.elapsed()));
    let shims = processes::children(std::process::id());
    let kib = |bytes: u64| bytes / 1024 / shims.len().max(1) as u64;
    tell(&format!(
        "one shim of {}: {} KiB resident, {} KiB of its own",
        shims.len(),
        kib(processes::resident(&shims)),
        kib(processes::proportional(&shims))
    ));
    let at = Instant::now();
    runtime.remove(&workload.id).await?;
    tell(&format!("{count} instances: remove {:.1?}", at.elapsed()));
    Ok(())
}
