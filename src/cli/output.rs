//! What a command says: on standard output what it was asked for, on standard error the rest.

use std::{
    fmt::Display,
    io::{ErrorKind, Write as _, stderr, stdout},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{Outcome, unusable};
use crate::{plain_words, printable};

/// Whether a bar stands in the last line of the terminal.
static BAR: AtomicBool = AtomicBool::new(false);

/// Goes back to the beginning of the line and clears it.
const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// From now on a bar stands in the last line of the terminal, or none any more.
pub(super) fn bar_is_shown(shown: bool) {
    BAR.store(shown, Ordering::Relaxed);
}

/// Writes a line to standard error, in the place of the bar if there is one, which draws itself anew below. Where that
/// cannot be done, there is nobody left to tell.
pub(super) fn tell(line: impl Display) {
    let line = line.to_string();
    let clear = if BAR.load(Ordering::Relaxed) {
        CLEAR_LINE
    } else {
        ""
    };
    let _ = writeln!(stderr().lock(), "{clear}{}", printable::lines(&line));
}

/// Writes what the command was asked for and returns its outcome. A reader who has gone, as `head`
/// does, has seen what he wanted: the outcome stays as it is.
pub(super) fn print(text: &str, outcome: Outcome) -> Outcome {
    let text = printable::lines(text);
    let mut stdout = stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Ok(()) => outcome,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => outcome,
        Err(error) => unusable(format_args!(
            "cannot write to standard output: {}; make room, or send it elsewhere",
            plain_words::of_system(&error)
        )),
    }
}
