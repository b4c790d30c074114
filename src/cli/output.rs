//! What a command says: on standard output what it was asked for, on standard error the rest.

use std::{
    fmt::Display,
    io::{ErrorKind, Write as _, stderr, stdout},
};

use super::{Outcome, unusable};
use crate::{plain_words, printable};

/// Writes a line to standard error. Where that cannot be done, there is nobody left to tell.
pub(super) fn tell(line: impl Display) {
    let line = line.to_string();
    let _ = writeln!(stderr().lock(), "{}", printable::lines(&line));
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
