use std::{
    io::{IsTerminal as _, stderr},
    str::FromStr,
};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
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

/// What is logged, as text that the log understands.
#[derive(Debug, Clone)]
pub(super) struct Filter(String);

impl FromStr for Filter {
    type Err = String;

    /// The log itself takes any word for the name of a module, and so would be silent on `verbose`.
    fn from_str(text: &str) -> Result<Self, String> {
        let levels = "`off`, `error`, `warn`, `info`, `debug` and `trace`";
        // The fields of a span may have commas and signs of their own.
        if !text.contains('[') {
            for directive in text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
            {
                let level = match directive.split_once('=') {
                    None => directive,
                    Some(("", _)) => return Err(format!("`{directive}` names no module")),
                    Some((_, level)) => level,
                };
                if level.is_empty() || level.parse::<LevelFilter>().is_err() {
                    return Err(format!(
                        "`{level}` is no level: those are {levels}; write for instance `debug` or `info,chatprobe=debug`"
                    ));
                }
            }
        }
        EnvFilter::try_new(text).map_err(|error| error.to_string())?;
        Ok(Self(text.to_owned()))
    }
}

/// It logs an error of its own for each certificate that it refuses, one a handshake; who asked for the
/// connection says so too, within bounds.
const VERIFIER: &str = "rustls_platform_verifier";

/// What is asked for, without what the TLS verifier says unless that is named.
fn without_verifier(text: &str) -> EnvFilter {
    if text.contains(VERIFIER) {
        EnvFilter::new(text)
    } else {
        EnvFilter::new(format!("{text},{VERIFIER}=off"))
    }
}

/// Starts the log on standard error. A `quiet` command says what it has to say itself.
pub(super) fn start(format: Format, filter: Option<&Filter>, quiet: bool) {
    // The cron library tells of its own life at `info`.
    let default = if quiet {
        "error"
    } else {
        "info,tokio_cron_scheduler=warn"
    };
    let filter = match filter {
        // A variable that is set to nothing is as good as not set.
        Some(Filter(text)) if !text.trim().is_empty() => without_verifier(text),
        Some(_) | None => without_verifier(default),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // It would tell on standard error that it cannot write there, and panic.
        .log_internal_errors(false)
        .with_target(false);
    match format {
        Format::Human => builder.with_ansi(stderr().is_terminal()).init(),
        Format::Json => builder.json().flatten_event(true).init(),
    }
}
