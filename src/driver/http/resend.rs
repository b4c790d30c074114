//! When a request may be sent once more.

use std::time::Duration;

use hyper::Method;

use super::{
    failure::{Cause, closed_before_answer},
    sender::{Sender, Unanswered},
};

/// What this machine and the server's may add to a round trip.
const SLACK: Duration = Duration::from_millis(20);

/// The longest round trip that is believed: a lost packet makes that of one connection seconds long.
const LONGEST_ROUND_TRIP: Duration = Duration::from_millis(400);

/// Why a request that got no answer is not sent once more; `Ok` if it may be.
///
/// The server may have closed a connection that carried requests before because it was idle, in the
/// moment in which the request was on its way. A server that takes a request and then closes is another
/// matter: what it began must not be begun twice, and that it fails must show.
pub(super) fn check(
    used: bool,
    method: &Method,
    sender: &Sender,
    lost: &Unanswered,
) -> Result<(), Cause> {
    if !used || !closed_before_answer(lost) {
        return Err(Cause::of(lost));
    }
    if lost.is_unsent() {
        return Ok(());
    }
    let Some(closing) = sender.closing().filter(|closing| !closing.answered) else {
        return Err(Cause::of(lost));
    };
    if method.is_idempotent() || crossed(closing.after, sender.round_trip) {
        return Ok(());
    }
    Err(Cause::of(lost).not_resent(method, closing.after))
}

/// Whether the server may have closed before it had the request: then the close comes within a round trip.
fn crossed(after: Duration, round_trip: Duration) -> bool {
    after <= round_trip.min(LONGEST_ROUND_TRIP) + SLACK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_crosses_a_request_within_a_round_trip() {
        for (after, round_trip, crosses) in [
            (0, 0, true),
            (15, 0, true),
            (30, 0, false),
            (110, 100, true),
            (150, 100, false),
            // The first packet of that handshake was lost.
            (500, 1_020, false),
        ] {
            let [after, round_trip] = [after, round_trip].map(Duration::from_millis);
            assert_eq!(
                crossed(after, round_trip),
                crosses,
                "{after:?} {round_trip:?}"
            );
        }
    }
}
