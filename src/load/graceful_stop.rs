//! `graceful_stop: 2m`: how long chats in flight may go on after the last start.

use std::time::Duration;

use super::Profile;

/// What nobody has set is no less, so that a slow answer is not cut short,
const LEAST: Duration = Duration::from_secs(30);
/// and no more, so that a run ends whatever its scenario waits for.
const MOST: Duration = Duration::from_mins(10);

/// Chats that take their whole time may be late by so much.
const MARGIN: Duration = Duration::from_secs(1);

/// The time for steps whose timeouts and think times take so long at most: a second more, at least 30 s and at most
/// 10 m, which is also the time for steps of which that is not known.
pub fn graceful_time_for(longest: Option<Duration>) -> Duration {
    longest.map_or(MOST, |longest| {
        longest.saturating_add(MARGIN).clamp(LEAST, MOST)
    })
}

impl Profile {
    /// How long chats in flight may go on after the last start, given how long the steps of a chat take at most;
    /// `None` if they may take as long as they need. Without `graceful_stop`, loads that last for a time (a rate,
    /// stages, customers, a search) have the [`graceful_time_for`] a chat, and a number of chats has none.
    pub fn graceful_stop(&self, longest: Option<Duration>) -> Option<Duration> {
        let by_default = || (self.lasts_for_a_time()).then(|| graceful_time_for(longest));
        self.own_graceful_stop.or_else(by_default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::testing::{profile, refused};

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn loads_that_last_for_a_time_have_the_longest_path_within_bounds() {
        for text in [
            "{ rate: 1/s, for: 1m }",
            "{ stages: [ { for: 1m, rate: 1/s } ] }",
            "{ customers: 2, for: 1m }",
            "{ search: { from: 1/s, to: 9/s, hold: 30s } }",
            "{ search: { customers: { from: 1, to: 9 }, hold: 30s } }",
        ] {
            let load = profile(text);
            for (longest, limit) in [
                (Some(Duration::ZERO), 30),
                (Some(41 * S), 42),
                (Some(Duration::MAX), 600),
                (None, 600),
            ] {
                assert_eq!(load.graceful_stop(longest), Some(limit * S), "{text}");
            }
        }
        for text in ["{ chats: 5 }", "{ chats: 5, ramp: 1m }"] {
            assert_eq!(profile(text).graceful_stop(Some(S)), None, "{text}");
        }
        assert_eq!(Profile::one_chat().graceful_stop(Some(S)), None);
    }

    #[test]
    fn what_is_written_holds_for_every_form_and_without_bounds() {
        for (text, seconds) in [
            ("{ chats: 5, graceful_stop: 2m }", 120),
            ("{ chats: 5, ramp: 1m, graceful_stop: 0s }", 0),
            (
                "{ rate: 1/s, for: 1m, max_active: 7, graceful_stop: 1s }",
                1,
            ),
            ("{ customers: 2, for: 1m, graceful_stop: 1h }", 3600),
            (
                "{ stages: [ { for: 1m, rate: 1/s } ], graceful_stop: 1s }",
                1,
            ),
            (
                "{ search: { from: 1/s, to: 9/s, hold: 30s }, graceful_stop: 1s }",
                1,
            ),
        ] {
            let load = profile(text);
            for longest in [None, Some(41 * S)] {
                assert_eq!(load.graceful_stop(longest), Some(seconds * S), "{text}");
            }
            assert_eq!(load.to_string(), text);
        }
        assert_eq!(
            refused("{ chats: 5, graceful_stop: soon }"),
            ["a.yaml:1:28: `soon` is not a duration; write for instance `250ms`, `5s` or `1m30s`"]
        );
    }
}
