//! What was refused: lines of the log, bounded in number, and what to say at the end of a run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::{CallbackRefusal, Request};
use crate::line_budget::LineBudget;

/// How much of a path or a content type is shown, in characters.
const SHOWN: usize = 100;
/// Parts of a path that are longer are cut off: they may be secrets.
const LONGEST_PART: usize = 12;

/// What was refused so far.
#[derive(Debug, Default)]
pub(super) struct CallbackRefusalLog(Mutex<Refused>);

#[derive(Debug, Default)]
struct Refused {
    /// On paths that a run has.
    events: u64,
    event_lines: LineBudget,
    why: String,
    /// On paths that no run has. A scanner must not use up the lines of refused events.
    strays: u64,
    stray_lines: LineBudget,
    path: String,
}

impl CallbackRefusalLog {
    /// Notes a request that was refused; the reason is shown as it is, to people.
    pub(super) fn note(
        &self,
        path: &str,
        request: &Request<'_>,
        refusal: &CallbackRefusal,
        reason: &str,
    ) {
        let path = masked(path);
        let content_type = request.headers.get(CONTENT_TYPE).map_or_else(
            || "none".to_owned(),
            |value| {
                let text = String::from_utf8_lossy(value.as_bytes());
                text.chars().take(SHOWN).collect()
            },
        );
        let admitted = {
            let mut refused = self.refused();
            if *refusal == CallbackRefusal::NoSuchPath {
                refused.strays += 1;
                refused.path.clone_from(&path);
                refused.stray_lines.admit()
            } else {
                refused.events += 1;
                reason.clone_into(&mut refused.why);
                refused.event_lines.admit()
            }
        };
        if let Some(untold) = admitted {
            let length = length(request);
            tracing::warn!(
                path,
                method = request.method,
                content_type,
                length,
                untold,
                "a callback was refused: {reason}"
            );
        }
    }

    /// What there is to say about it.
    pub(super) fn findings(&self) -> Vec<String> {
        let refused = self.refused();
        let mut findings = Vec::new();
        if refused.events > 0 {
            findings.push(format!(
                "refused callbacks: {}; the last one: {}",
                refused.events, refused.why
            ));
        }
        if refused.strays > 0 {
            findings.push(format!(
                "requests to the callback listener on paths that no run has: {}, the last one on {}; if they were \
                 events, the target may still have the callback of an earlier run, or another address than it was given",
                refused.strays, refused.path
            ));
        }
        findings
    }

    fn refused(&self) -> MutexGuard<'_, Refused> {
        // Numbers and texts that are whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The length of a body, or what was announced of one that was not read.
fn length(request: &Request<'_>) -> usize {
    let announced = request.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse().ok());
    match request.body.len() {
        0 => announced.unwrap_or_default(),
        length => length,
    }
}

/// A path without what could be the secret part of a callback address.
fn masked(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        let end = part.char_indices().nth(LONGEST_PART);
        match end {
            Some(_) => {
                let begin: String = part.chars().take(LONGEST_PART / 2).collect();
                format!("{begin}…")
            }
            None => part.to_owned(),
        }
    });
    let path = parts.collect::<Vec<_>>().join("/");
    path.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_part_of_a_path_is_masked() {
        assert_eq!(
            masked("/events/cb-5f2b1c9a77de4f0c9e0a8f3e1d2c3b4a/x"),
            "/events/cb-5f2…/x"
        );
        assert_eq!(masked("/hooks/new"), "/hooks/new");
        assert!(masked(&"/a".repeat(5_000)).len() <= SHOWN);
    }
}
