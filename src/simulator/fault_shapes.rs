//! What faults of all simulators have in common: how often, which of several kinds, and what becomes of whatever they hit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{BoundsSwapped, Distribution};

/// A share of cases, from 0 (never) to 1 (always).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

/// A probability that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("probability {0} is not between 0 and 1")]
pub struct NotAProbability(f64);

impl TryFrom<f64> for Probability {
    type Error = NotAProbability;

    fn try_from(share: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(NotAProbability(share))
        }
    }
}

impl From<Probability> for f64 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

impl Probability {
    /// Never.
    pub const NEVER: Self = Self(0.0);
    /// Always.
    pub const ALWAYS: Self = Self(1.0);

    /// One draw; `rng` moves on whatever the probability is, so that a changed probability does
    /// not shift the draws that follow.
    pub fn hits(self, rng: &mut fastrand::Rng) -> bool {
        rng.f64() < self.0
    }
}

/// The status of an answer that reports a failure, 400 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct ErrorStatus(u16);

/// A status that reports no failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status {0} reports no failure; use one from 400 to 599")]
pub struct NotAnErrorStatus(u16);

impl TryFrom<u16> for ErrorStatus {
    type Error = NotAnErrorStatus;

    fn try_from(status: u16) -> Result<Self, NotAnErrorStatus> {
        if (400..600).contains(&status) {
            Ok(Self(status))
        } else {
            Err(NotAnErrorStatus(status))
        }
    }
}

impl From<ErrorStatus> for u16 {
    fn from(status: ErrorStatus) -> Self {
        status.0
    }
}

/// A fault of some of the requests or messages of a simulator, which are of the kinds `K`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "K: Deserialize<'de>"))]
pub struct FaultShare<K> {
    /// The share of them.
    pub probability: Probability,
    /// The kinds concerned; all when empty.
    #[serde(default = "Vec::new")]
    pub only: Vec<K>,
}

/// A delay of some of the requests or messages of a simulator, which are of the kinds `K`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "K: Deserialize<'de>"))]
pub struct DelayShare<K> {
    /// The share of them.
    pub probability: Probability,
    /// How much later they are answered or sent.
    pub by: Distribution,
    /// The kinds concerned; all when empty.
    #[serde(default = "Vec::new")]
    pub only: Vec<K>,
}

/// Some of the requests to a simulator, answered with an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "K: Deserialize<'de>"))]
pub struct ErrorAnswers<K> {
    /// The share of requests.
    pub probability: Probability,
    /// The status of the answer.
    pub status: ErrorStatus,
    /// The requests concerned; all when empty.
    #[serde(default = "Vec::new")]
    pub only: Vec<K>,
}

/// What happens to messages of the kinds `K` on their way out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    bound(deserialize = "K: Deserialize<'de>")
)]
pub struct TransitFaults<K> {
    /// Messages that are never sent. A dropped message meets no other fault.
    pub drop: Option<FaultShare<K>>,
    /// Messages that are sent twice, one after the other.
    pub duplicate: Option<FaultShare<K>>,
    /// Messages that are sent late. Those that follow on the same way wait behind them.
    pub delay: Option<DelayShare<K>>,
    /// Messages that change places with the next on the same way. Without a next one they are sent after a second.
    pub reorder: Option<FaultShare<K>>,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestFate {
    /// Carried out, answered this much late.
    Served { late: Duration },
    /// Answered with an error.
    Refused(ErrorStatus),
    /// Not answered: the connection is reset.
    Reset,
}

/// What becomes of one message on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransitFate {
    Dropped,
    Sent {
        twice: bool,
        late: Duration,
        swapped: bool,
    },
}

fn concerns<K: PartialEq>(only: &[K], kind: &K) -> bool {
    only.is_empty() || only.contains(kind)
}

impl<K: PartialEq> FaultShare<K> {
    /// Draws whether it hits one of this kind.
    pub(super) fn hits(&self, kind: &K, rng: &mut fastrand::Rng) -> bool {
        concerns(&self.only, kind) && self.probability.hits(rng)
    }
}

impl<K: PartialEq> DelayShare<K> {
    /// Draws how late one of this kind is, if it is hit.
    pub(super) fn delay(&self, kind: &K, rng: &mut fastrand::Rng) -> Option<Duration> {
        let hit = concerns(&self.only, kind) && self.probability.hits(rng);
        hit.then(|| self.by.sample(rng))
    }
}

impl<K: PartialEq> ErrorAnswers<K> {
    fn hits(&self, kind: &K, rng: &mut fastrand::Rng) -> bool {
        concerns(&self.only, kind) && self.probability.hits(rng)
    }
}

/// Draws what becomes of a request; of each list, the first that hits wins.
pub(super) fn request_fate<K: PartialEq>(
    resets: &[FaultShare<K>],
    errors: &[ErrorAnswers<K>],
    slow: &[DelayShare<K>],
    kind: &K,
    rng: &mut fastrand::Rng,
) -> RequestFate {
    if resets.iter().any(|reset| reset.hits(kind, rng)) {
        return RequestFate::Reset;
    }
    if let Some(error) = errors.iter().find(|error| error.hits(kind, rng)) {
        return RequestFate::Refused(error.status);
    }
    let late = slow.iter().find_map(|slow| slow.delay(kind, rng));
    RequestFate::Served {
        late: late.unwrap_or_default(),
    }
}

impl<K> Default for TransitFaults<K> {
    fn default() -> Self {
        Self {
            drop: None,
            duplicate: None,
            delay: None,
            reorder: None,
        }
    }
}

impl<K: PartialEq> TransitFaults<K> {
    /// Draws what becomes of a message.
    pub(super) fn fate(&self, kind: &K, rng: &mut fastrand::Rng) -> TransitFate {
        let hits = |fault: &Option<FaultShare<K>>, rng: &mut fastrand::Rng| {
            fault.as_ref().is_some_and(|fault| fault.hits(kind, rng))
        };
        if hits(&self.drop, rng) {
            return TransitFate::Dropped;
        }
        let delay = self.delay.as_ref();
        let late = delay.and_then(|delay| delay.delay(kind, rng));
        TransitFate::Sent {
            twice: hits(&self.duplicate, rng),
            late: late.unwrap_or_default(),
            swapped: hits(&self.reorder, rng),
        }
    }

    /// Refuses what serde cannot see.
    pub(super) fn validate(&self) -> Result<(), BoundsSwapped> {
        self.delay
            .as_ref()
            .map_or(Ok(()), |delay| delay.by.validate())
    }
}

impl TransitFate {
    /// Nothing goes wrong.
    #[cfg(test)]
    pub const WELL: Self = Self::Sent {
        twice: false,
        late: Duration::ZERO,
        swapped: false,
    };
}
