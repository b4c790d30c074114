use std::io::{IsTerminal as _, stderr};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Starts the log on standard error. A `quiet` command says what it has to say itself.
pub(super) fn start(format: Format, filter: Option<&str>, quiet: bool) {
    // The cron library tells of its own life at `info`.
    let default = if quiet {
        "error"
    } else {
        "info,tokio_cron_scheduler=warn"
    };
    let filter = match filter.map(EnvFilter::try_new) {
        None => EnvFilter::new(default),
        Some(Ok(filter)) => filter,
        Some(Err(error)) => {
            eprintln!("chatprobe: the log filter is not understood, using `{default}`: {error}");
            EnvFilter::new(default)
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_target(false);
    match format {
        Format::Human => builder.with_ansi(stderr().is_terminal()).init(),
        Format::Json => builder.json().flatten_event(true).init(),
    }
}
