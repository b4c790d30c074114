use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write, stderr},
    str::FromStr,
};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::printable;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// What is logged, as text that the log understands.
#[derive(Debug, Clone)]
pub(super) struct LogFilter(String);

impl FromStr for LogFilter {
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

/// Libraries that are silent unless they are named. The TLS verifier logs an error of its own for each certificate that
/// it refuses, one a handshake; who asked for the connection says so too, within bounds. The WebSocket libraries log
/// whole frames, which may be confidential.
const SILENT: [&str; 3] = [
    "rustls_platform_verifier",
    "tokio_tungstenite",
    "tungstenite",
];

/// What is asked for, without the libraries that are silent.
fn filter_of(text: &str) -> EnvFilter {
    let silent = SILENT.iter().filter(|library| !text.contains(*library));
    let directives = silent.fold(text.to_owned(), |all, library| {
        format!("{all},{library}=off")
    });
    EnvFilter::new(directives)
}

/// Starts the log on standard error. A `quiet` command says what it has to say itself.
pub(super) fn start(format: LogFormat, filter: Option<&LogFilter>, quiet: bool) {
    // The cron library tells of its own life at `info`.
    let default = if quiet {
        "error"
    } else {
        "info,tokio_cron_scheduler=warn"
    };
    let filter = match filter {
        // A variable that is set to nothing is as good as not set.
        Some(LogFilter(text)) if !text.trim().is_empty() => filter_of(text),
        Some(_) | None => filter_of(default),
    };
    let colours = format == LogFormat::Human && stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Lines {
            colours,
            to: stderr(),
        })
        // It would tell on standard error that it cannot write there, and panic.
        .log_internal_errors(false)
        .with_target(false);
    match format {
        LogFormat::Human => builder.with_ansi(colours).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// How the log begins and ends its colours and styles, behind the escape character. None of them hides text.
const STYLES: [&str; 9] = [
    "[0m", "[1m", "[2m", "[3m", "[31m", "[32m", "[33m", "[34m", "[35m",
];

/// Writes the lines of the log, each of which arrives whole. What a line quotes can neither end it nor
/// change how the rest of it looks.
struct Lines<W> {
    /// Whether the log writes escape sequences of its own, which are [`STYLES`].
    colours: bool,
    to: W,
}

impl<W> Lines<W> {
    fn escape<'a>(&self, line: &'a str) -> Cow<'a, str> {
        if !self.colours {
            return printable::line(line);
        }
        let mut parts = line.split('\x1b');
        let mut escaped = printable::line(parts.next().unwrap_or_default()).into_owned();
        for part in parts {
            let own = STYLES.iter().any(|style| part.starts_with(style));
            escaped.push_str(if own { "\x1b" } else { "\\u001b" });
            escaped.push_str(&printable::line(part));
        }
        escaped.into()
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(written);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        let line = self.escape(line);
        // At once, so that lines of several threads do not mix.
        self.to.write_all(format!("{line}{end}").as_bytes())?;
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the log writes about a detail that a target has sent.
    fn logged(format: LogFormat, colours: bool, detail: &str) -> String {
        let written = Written::default();
        let to = written.clone();
        let builder = tracing_subscriber::fmt()
            .with_writer(move || Lines {
                colours,
                to: to.clone(),
            })
            .with_target(false);
        let tell = || tracing::warn!(%detail, "chat failed");
        match format {
            LogFormat::Human => {
                tracing::subscriber::with_default(builder.with_ansi(colours).finish(), tell);
            }
            LogFormat::Json => {
                let builder = builder.json().flatten_event(true);
                tracing::subscriber::with_default(builder.finish(), tell);
            }
        }
        let written = written.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn frames_are_not_logged_with_everything_else() {
        let written = Written::default();
        let to = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter_of("trace"))
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "tungstenite::protocol", "received frame s3cret");
            tracing::debug!(target: "tokio_tungstenite", "s3cret");
            tracing::trace!("anything else");
        });
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(written.contains("anything else"), "{written}");
        assert!(!written.contains("s3cret"), "{written}");
    }

    #[test]
    fn a_target_cannot_change_how_a_log_line_looks() {
        let detail = "got \u{202e}deliaf\u{2069}\u{9b}2J\u{1b}[2J\u{2028}\r\nWARN forged";
        for (format, colours) in [
            (LogFormat::Human, false),
            (LogFormat::Human, true),
            (LogFormat::Json, false),
        ] {
            let line = logged(format, colours, detail);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            let line = line.strip_suffix('\n').unwrap();
            let mut shown = line.to_owned();
            for style in STYLES.iter().filter(|_| colours) {
                shown = shown.replace(&format!("\u{1b}{style}"), "");
            }
            assert!(!shown.contains(printable::is_deceptive), "{line:?}");
            assert!(
                line.contains("\\u202edeliaf") && !line.contains("\u{1b}[2J"),
                "{line:?}"
            );
        }
        let line = logged(LogFormat::Json, false, detail);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["detail"], detail);
        assert!(logged(LogFormat::Human, true, "x").contains("\u{1b}["));
    }
}
