//! The `chatprobe` command.

use std::process::ExitCode;

use chatprobe::cli;
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli.start_logging();
    cli.run().await
}
