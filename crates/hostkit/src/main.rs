//! The one binary: chooses the role it was started in. Everything that names concrete parts is in [`wire`].

mod control;
mod core_dumps;
mod daemon_log;
mod isolation;
mod machine_settings;
mod proxy;
mod redis_rest;
mod server;
mod socket_units;
mod storage;
mod trust;
mod up;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use hostkit_host::allocator::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::quick_in("proxy");

fn main() -> ExitCode {
    core_dumps::off();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = socket_units::dispatch(&arguments) {
        return exit_code(code);
    }
    if let Some(code) = hostkit_host::roles::dispatch(&arguments) {
        return exit_code(code);
    }
    if arguments.get(1).is_some_and(|role| role == "build") {
        return exit_code(hostkit_builders::apart::run_worker());
    }
    if arguments.get(1).is_some_and(|role| role == "images") {
        return exit_code(hostkit_images::run());
    }
    if let Some(code) = storage::dispatch(&arguments) {
        return exit_code(code);
    }
    if let Some(code) = redis_rest::dispatch(&arguments) {
        return exit_code(code);
    }
    let hooks = hostkit_cli::local::Hooks {
        up: up::run,
        down: up::down,
        control: |options| control::run(options, hostkit_host::role_process::take_listen_sockets()),
        proxy: |options| proxy::run(options, hostkit_host::role_process::take_listen_sockets()),
        server_setup: server::setup,
        server_check: server::check,
        isolation: isolation::examine,
        authority: trust::file,
        trust: trust::run,
    };
    ExitCode::from(hostkit_cli::run(arguments, hooks))
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
