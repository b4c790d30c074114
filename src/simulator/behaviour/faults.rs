//! What goes wrong in the behaviour service on purpose, and how often.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    simulator::{
        fault_shapes::{
            DelayShare, ErrorAnswers, FaultShare, Probability, RequestFate, request_fate,
        },
        randomness::sequence,
    },
    units::{BoundsSwapped, Distribution},
};

/// What the random numbers of requests are for; the kinds follow each other from here.
const OF_REQUESTS: u64 = 200;

/// The kinds of requests to the behaviour service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BehaviourRequest {
    /// Stores a behaviour.
    Store,
    /// Asks for the behaviours of a user.
    Query,
    /// Nothing that the service knows.
    Unknown,
}

/// All that goes wrong in the behaviour service; nothing by default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BehaviourFaults {
    /// Requests answered with an error and otherwise without effect. The first that hits wins.
    pub errors: Vec<ErrorAnswers<BehaviourRequest>>,
    /// Requests carried out at once but answered late. The first that hits wins.
    pub slow: Vec<DelayShare<BehaviourRequest>>,
    /// Requests without effect, whose connection is reset without an answer. Drawn before `errors`.
    pub resets: Vec<FaultShare<BehaviourRequest>>,
    /// Behaviours that are answered as stored, and are not.
    pub lose: Probability,
    /// Behaviours that are stored twice, with two ids, and answered once.
    pub duplicate: Probability,
    /// Queries that are answered from an earlier state.
    pub stale: Option<StaleReads>,
}

/// See [`BehaviourFaults::stale`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaleReads {
    /// The share of queries.
    pub probability: Probability,
    /// How old the state is.
    pub by: Distribution,
}

/// What becomes of one behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteFate {
    Stored,
    Lost,
    Duplicated,
}

/// The faults in force, and how often they were drawn for.
#[derive(Debug)]
pub(super) struct FaultDraws {
    seed: u64,
    pub faults: BehaviourFaults,
    requests: BTreeMap<BehaviourRequest, u64>,
}

/// What becomes of one request, what it writes and what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BehaviourFate {
    pub request: RequestFate,
    pub write: WriteFate,
    /// How old the state is that it is answered from.
    pub stale: Option<Duration>,
}

impl BehaviourFaults {
    /// Refuses what serde cannot see.
    pub fn validate(&self) -> Result<(), BoundsSwapped> {
        let slow = self.slow.iter().map(|slow| &slow.by);
        let stale = self.stale.iter().map(|stale| &stale.by);
        slow.chain(stale).try_for_each(Distribution::validate)
    }
}

impl FaultDraws {
    pub fn new(seed: u64, faults: BehaviourFaults) -> Self {
        Self {
            seed,
            faults,
            requests: BTreeMap::new(),
        }
    }

    /// Draws what becomes of a request: the n-th of its kind always meets the same.
    pub fn draw(&mut self, kind: BehaviourRequest) -> BehaviourFate {
        let ordinal = self.requests.entry(kind).or_default();
        *ordinal += 1;
        let mut rng = sequence(self.seed, OF_REQUESTS + kind as u64, *ordinal);
        let faults = &self.faults;
        let request = request_fate(
            &faults.resets,
            &faults.errors,
            &faults.slow,
            &kind,
            &mut rng,
        );
        let write = if faults.lose.hits(&mut rng) {
            WriteFate::Lost
        } else if faults.duplicate.hits(&mut rng) {
            WriteFate::Duplicated
        } else {
            WriteFate::Stored
        };
        let stale = faults.stale.as_ref();
        let stale = stale.filter(|stale| stale.probability.hits(&mut rng));
        BehaviourFate {
            request,
            write,
            stale: stale.map(|stale| stale.by.sample(&mut rng)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_for_the_same_requests() {
        let yaml = "{ lose: 0.2, duplicate: 0.2, errors: [{ probability: 0.3, status: 503, only: [store] }] }";
        let faults: BehaviourFaults = serde_yaml::from_str(yaml).unwrap();
        let sample = |seed, between: bool| -> Vec<BehaviourFate> {
            let mut draws = FaultDraws::new(seed, faults.clone());
            let draw = |_| {
                if between {
                    draws.draw(BehaviourRequest::Query);
                }
                draws.draw(BehaviourRequest::Store)
            };
            (0..1_000).map(draw).collect()
        };
        let all = sample(7, false);
        assert_eq!(all, sample(7, true));
        assert_ne!(all, sample(8, false));
        let count = |write| all.iter().filter(|fate| fate.write == write).count();
        assert!((150..250).contains(&count(WriteFate::Lost)));
        assert!((110..210).contains(&count(WriteFate::Duplicated)));
        let refused = all
            .iter()
            .filter(|fate| matches!(fate.request, RequestFate::Refused(_)));
        assert!((250..350).contains(&refused.count()));
        let mut draws = FaultDraws::new(7, faults.clone());
        let query = (0..100).map(|_| draws.draw(BehaviourRequest::Query).request);
        let well = RequestFate::Served {
            late: Duration::ZERO,
        };
        assert!(query.into_iter().all(|fate| fate == well));
    }
}
