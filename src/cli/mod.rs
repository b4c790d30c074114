//! The command line: one file a subcommand.

mod address;
mod baseline;
mod check;
mod health;
mod logging;
mod number;
mod output;
mod progress;
mod report;
mod run;
mod runtime;
mod serve;
mod signals;
mod simulate;
mod summary;
mod target;

use std::{
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use output::tell;

use crate::{
    descriptors,
    document::{Node, Problem, parse},
    plain_words,
};

/// What the command came to, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Outcome {
    /// All is well.
    Success = 0,
    /// A run whose thresholds were broken.
    Failed = 1,
    /// The command line, the configuration or the environment cannot be used.
    Unusable = 2,
    /// A run that says nothing about the target.
    Invalid = 3,
    /// Ended by a signal before its time.
    Interrupted = 130,
}

/// Probes chat services all day and loads them on demand, as their customers would.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: logging::LogFormat,

    /// What is logged: a level, or directives such as `info,chatprobe=debug`.
    #[arg(long, global = true, env = "CHATPROBE_LOG", value_name = "FILTER")]
    log: Option<logging::LogFilter>,

    /// Threads that do the work. [default: half of the CPUs]
    #[arg(
        long,
        global = true,
        env = "CHATPROBE_WORKERS",
        value_name = "NUMBER",
        allow_negative_numbers = true,
        value_parser = number::threads
    )]
    workers: Option<NonZeroUsize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run probes and bursts as configured, until told to end (the default).
    Serve(serve::Serve),
    /// Run one scenario now, show its figures, and exit with its verdict.
    Run(Box<run::Run>),
    /// Check a configuration and say what it makes.
    Check(check::Check),
    /// Ask a running service whether it is well: exit code 0 or, if not, another.
    Health(health::Health),
    /// Run a simulated contact centre, chat rooms or a behaviour service alone.
    Simulate(simulate::Simulate),
}

/// Where the configuration is.
#[derive(Debug, Clone, clap::Args)]
struct Configuration {
    /// The configuration.
    #[arg(
        long,
        env = "CHATPROBE_CONFIG",
        default_value = "config/chatprobe.yaml",
        value_name = "FILE"
    )]
    config: PathBuf,
}

impl Cli {
    /// Does what the command line says; the log goes to standard error.
    pub fn execute(self) -> ExitCode {
        let quiet = matches!(
            self.command,
            Some(Command::Run(_) | Command::Check(_) | Command::Health(_))
        );
        logging::start(self.log_format, self.log.as_ref(), quiet);
        descriptors::allow_all();
        runtime::avoid_huge_pages();
        let workers = self.workers.unwrap_or_else(runtime::workers);
        let outcome =
            runtime::run(workers, self.run()).unwrap_or_else(|error| unusable(no_thread(&error)));
        ExitCode::from(outcome as u8)
    }

    async fn run(self) -> Outcome {
        // Fails only if a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match self.command {
            None => serve::Serve::default().run().await,
            Some(Command::Serve(serve)) => serve.run().await,
            Some(Command::Run(run)) => run.run().await,
            Some(Command::Check(check)) => check.run(),
            Some(Command::Health(health)) => health.run().await,
            Some(Command::Simulate(simulate)) => simulate.run().await,
        }
    }
}

/// Says that something cannot be used.
fn unusable(message: impl std::fmt::Display) -> Outcome {
    tell(format_args!("chatprobe: {message}"));
    Outcome::Unusable
}

/// Why the process cannot hear of signals.
fn no_signals(error: &io::Error) -> String {
    let why = plain_words::of_system(error);
    format!("cannot listen to signals: {why}")
}

/// Why a thread that has to be cannot be started.
fn no_thread(error: &io::Error) -> String {
    let why = plain_words::of_system(error);
    format!("cannot start a thread: {why}")
}

/// Says all problems of a configuration, each with the line it is about.
fn report_problems(problems: &[Problem]) -> Outcome {
    for problem in problems {
        tell(problem);
        let place = &problem.place;
        let file = std::fs::read_to_string(Path::new(&*place.source)).unwrap_or_default();
        if place.line > 0
            && let Some(line) = file.lines().nth(place.line - 1)
        {
            tell(format_args!("    {line}"));
            tell(format_args!("    {:>1$}", '^', place.column));
        }
    }
    let count = problems.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    unusable(format_args!("{count} {noun}; nothing was started"))
}

/// Reads the value of an option as YAML.
fn parse_option(option: &str, text: &str) -> Result<Node, Problem> {
    parse(option, text)
}
