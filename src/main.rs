//! The `chatprobe` command.

use std::process::ExitCode;

use chatprobe::cli;
use clap::Parser as _;

fn main() -> ExitCode {
    cli::Cli::parse().execute()
}
