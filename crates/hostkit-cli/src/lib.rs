//! The command line: arguments into API calls into output. [`run`] is all of it; the binary around it brings only the
//! acts of local mode ([`local`]).

mod args;
mod commands;
mod completion;
mod docs;
pub mod local;
mod output;
mod s3;
mod session;
mod stop;
mod upload;

use std::ffi::OsString;
use std::io::Write;

use clap::error::ErrorKind;
use clap::{FromArgMatches, Parser};
use hostkit_core::kind::Kind;

use args::{Cli, Command, DaemonCli, DaemonCommand};
use local::Hooks;
use output::{Printer, Sinks};
use session::Session;
use stop::Stop;

pub use docs::reference;

/// Runs one command line (`args` begins with the program's name) and returns the exit code: 0 fine, 1 the user's side,
/// 2 ours, 64 wrong usage.
pub fn run(args: Vec<OsString>, hooks: Hooks) -> u8 {
    if let Some(code) = completion::answer(&args) {
        return code;
    }
    if args
        .get(1)
        .is_some_and(|word| word == "control" || word == "proxy")
    {
        return run_daemon(args, hooks);
    }
    let parsed = args::command()
        .try_get_matches_from(&args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::MissingSubcommand => return shown_help(&args),
        Err(error) => return told_by_parser(&error),
    };
    let printer = Printer::new(Sinks::standard(), &cli.globals);
    let session = Session::new(cli.globals, &printer);
    let result = match start(&session, cli.command, hooks) {
        Started::Done(result) => result,
        Started::Calls(command) => call(&session, command),
    };
    exit_code(
        &printer,
        result.map_err(|stop| stop.map(|failure| session.tells(failure))),
    )
}

/// The help of the command that was begun and not finished, as if no variable had set an option of it.
fn shown_help(args: &[OsString]) -> u8 {
    let mut command = args::command();
    command.build();
    for word in args.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(next) = command.find_subcommand(word) {
            command = next.clone();
        }
    }
    let mut sinks = Sinks::standard();
    let help = command.render_help();
    let text = if sinks.colour && sinks.err_is_terminal {
        help.ansi().to_string()
    } else {
        help.to_string()
    };
    // A closed pipe leaves nobody to tell.
    let _ = sinks.err.write_all(text.as_bytes());
    stop::USAGE
}

fn run_daemon(args: Vec<OsString>, hooks: Hooks) -> u8 {
    let cli = match DaemonCli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return told_by_parser(&error),
    };
    let printer = Printer::new(Sinks::standard(), &cli.globals);
    let session = Session::new(cli.globals, &printer);
    let result = match cli.command {
        DaemonCommand::Control(args) => commands::daemon::control(&session, &args, &hooks),
        DaemonCommand::Proxy(args) => commands::daemon::proxy(&session, &args, &hooks),
    };
    exit_code(&printer, result)
}

fn call(session: &Session<'_>, command: Command) -> Result<(), Stop> {
    waiting_for(commands::run(session, command))
}

/// Runs what calls the API to its end.
fn waiting_for<T>(calls: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::internal(format!("cannot start: {error}")))?;
    let result = runtime.block_on(calls);
    // A thread that waits for a key must not hold up the end.
    runtime.shutdown_background();
    result
}

enum Started {
    Done(Result<(), Stop>),
    Calls(Command),
}

/// Runs what needs no API, and so no async runtime.
fn start(session: &Session<'_>, command: Command, hooks: Hooks) -> Started {
    Started::Done(match command {
        Command::Up(args) => commands::daemon::up(session, &args, &hooks),
        Command::Down => commands::daemon::down(session, &hooks),
        Command::Trust(args) => commands::trust::run(session, &args, &hooks),
        Command::Doctor(args) => commands::doctor::run(session, args, &hooks),
        Command::Init(args) => commands::init::run(session, &args),
        Command::Scan(args) => commands::scan::run(session, &args),
        Command::Server(args) => match commands::server::on_machine(session, &args.command, &hooks) {
            Some(result) => result,
            None => return Started::Calls(Command::Server(args)),
        },
        Command::Completions(args) => commands::shell::completions(session, &args),
        Command::ManualPages { folder } => commands::shell::manual_pages(&folder),
        Command::Version => commands::shell::version(session),
        Command::Help(args) => commands::shell::help(session, &args),
        other => return Started::Calls(other),
    })
}

fn told_by_parser(error: &clap::Error) -> u8 {
    // A closed pipe leaves nobody to tell.
    let _ = error.print();
    if error.use_stderr() { stop::USAGE } else { 0 }
}

fn exit_code(printer: &Printer, result: Result<(), Stop>) -> u8 {
    let (failure, code) = match result {
        Ok(()) | Err(Stop::ClosedPipe) => return 0,
        Err(Stop::Code(code)) => return code,
        Err(Stop::Usage(failure)) => (failure, stop::USAGE),
        Err(Stop::Failed(failure)) => {
            let code = failure.kind.exit_code();
            (failure, code)
        }
    };
    printer.error(&failure);
    if printer.wants_json() {
        let body = hostkit_api::error::ErrorBody::from(failure.clone());
        // The exit code says it too.
        let _ = printer.json(&body);
    }
    if failure.kind == Kind::Internal {
        printer.say("This is a fault of HostKit itself; `hostkit doctor` may say more.");
    }
    code
}
