//! Where instances run. The catalogue: [`process::ProcessRuntime`], child processes of one machine's one account.

pub mod process;
pub mod shared;
