//! The `chatprobe` command.

use std::process::ExitCode;

use chatprobe::cli;
use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::Cli::parse().execute()
}
