//! A run in a few pieces, so that a comparison can see how much its figures vary by themselves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Histogram;

/// [`MOST_BATCHES`] as a number that multiplies seconds.
const MOST: u8 = 32;
/// Pieces that are kept at most. A simulation's output needs ten to thirty of them, and more do not
/// tell more (Schmeiser, Batch Size Effects in the Analysis of Simulation Output, 1982).
pub const MOST_BATCHES: usize = MOST as usize;

/// One of the pieces of about equal length that a run is kept in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Batch {
    /// How long it was, in seconds.
    pub seconds: f64,
    /// The chats that ended in it.
    pub chats: BatchFigures,
    /// The steps that ended in it, in the order in which the report has them.
    pub steps: Vec<BatchFigures>,
    /// The deliveries that were settled in it: how long those took that came, and how many were lost.
    #[serde(default, skip_serializing_if = "BatchFigures::is_empty")]
    pub deliveries: BatchFigures,
    /// The sockets that ended in it.
    #[serde(default, skip_serializing_if = "EndedSockets::is_empty")]
    pub sockets: EndedSockets,
}

/// Sockets that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndedSockets {
    /// All of them.
    pub ended: u64,
    /// Those that the target closed.
    pub by_target: u64,
}

/// What ended in a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchFigures {
    /// How long those took that passed.
    pub latency: Histogram,
    /// How many failed.
    pub failed: u64,
}

/// The batches of a run, made of its seconds; whenever there are too many, two become one.
#[derive(Debug, Clone)]
pub struct Batches {
    /// Of a batch that is full, in seconds.
    length: f64,
    batches: Vec<Batch>,
}

impl Default for Batches {
    fn default() -> Self {
        Self {
            length: 1.0,
            batches: Vec::new(),
        }
    }
}

impl Batches {
    /// Of a run of so many seconds, of which old ones come together: batches are as long from the first one on as they
    /// have to be for that.
    pub fn lasting(seconds: f64) -> Self {
        let mut batches = Self::default();
        while batches.length * f64::from(MOST) < seconds {
            batches.length *= 2.0;
        }
        batches
    }

    /// Adds what happened in about a second.
    pub fn add(&mut self, second: &Batch) {
        let is_full = |last: &Batch| last.seconds + second.seconds / 2.0 >= self.length;
        match self.batches.last_mut() {
            Some(last) if !is_full(last) => last.absorb(second),
            _ => {
                if self.batches.len() == MOST_BATCHES {
                    self.join_pairs();
                }
                self.batches.push(second.clone());
            }
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Batch> {
        self.batches.clone()
    }

    fn join_pairs(&mut self) {
        self.length *= 2.0;
        let pairs = self.batches.chunks(2).map(|pair| {
            let mut joined = pair[0].clone();
            pair[1..].iter().for_each(|next| joined.absorb(next));
            joined
        });
        self.batches = pairs.collect();
    }
}

impl Batch {
    /// How long passed chats took, then each step in its order.
    pub fn latencies(&self) -> impl Iterator<Item = &Histogram> {
        let all = [&self.chats].into_iter().chain(&self.steps);
        all.map(|figures| &figures.latency)
    }

    fn absorb(&mut self, next: &Self) {
        self.seconds += next.seconds;
        self.chats.absorb(&next.chats);
        for (figures, next) in self.steps.iter_mut().zip(&next.steps) {
            figures.absorb(next);
        }
        self.deliveries.absorb(&next.deliveries);
        self.sockets.ended += next.sockets.ended;
        self.sockets.by_target += next.sockets.by_target;
    }
}

impl EndedSockets {
    const fn is_empty(&self) -> bool {
        self.ended == 0
    }
}

impl BatchFigures {
    fn is_empty(&self) -> bool {
        self.failed == 0 && self.latency.buckets().next().is_none()
    }

    fn absorb(&mut self, next: &Self) {
        self.latency = Histogram::merged(&[&self.latency, &next.latency]);
        self.failed += next.failed;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::latencies::Latencies, *};

    fn second(number: u64) -> Batch {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_micros(number));
        let figures = BatchFigures {
            latency: Histogram::from(&latencies),
            failed: 1,
        };
        Batch {
            seconds: 1.05,
            chats: figures.clone(),
            steps: vec![figures.clone(), figures.clone()],
            deliveries: figures,
            sockets: EndedSockets {
                ended: 3,
                by_target: 1,
            },
        }
    }

    #[test]
    fn old_seconds_that_come_together_make_batches_as_long_as_the_others() {
        let mut batches = Batches::lasting(6_000.0);
        let of = |seconds| Batch {
            seconds,
            ..second(1)
        };
        (0..50).for_each(|_| batches.add(&of(64.0)));
        (0..2_800).for_each(|_| batches.add(&of(1.0)));
        let all = batches.all();
        assert_eq!(all.len(), 24);
        for batch in &all[..23] {
            assert!((batch.seconds - 256.0).abs() < 40.0, "{}", batch.seconds);
        }
        let failed = all.iter().map(|batch| batch.chats.failed);
        assert_eq!(failed.sum::<u64>(), 2_850);
    }

    #[test]
    fn however_long_a_run_is_its_batches_are_few_and_alike_and_lack_nothing() {
        for (seconds, few, seconds_each) in
            [(1, 1, 1.0), (32, 32, 1.0), (33, 17, 2.0), (600, 20, 32.0)]
        {
            let mut batches = Batches::default();
            (0..seconds).for_each(|number| batches.add(&second(number)));
            let all = batches.all();
            assert_eq!(all.len(), few, "{seconds}");
            for batch in &all[..few - 1] {
                assert!(
                    (batch.seconds / seconds_each - 1.0).abs() < 0.1,
                    "{batch:?}"
                );
            }
            let of_sockets =
                |of: fn(EndedSockets) -> u64| all.iter().map(|it| of(it.sockets)).sum::<u64>();
            assert_eq!(of_sockets(|it| it.ended), 3 * seconds);
            assert_eq!(of_sockets(|it| it.by_target), seconds);
            let lost = all.iter().map(|batch| batch.deliveries.failed);
            assert_eq!(lost.sum::<u64>(), seconds);
            let steps = all.iter().map(|batch| &batch.steps[1]);
            assert_eq!(steps.clone().map(|step| step.failed).sum::<u64>(), seconds);
            let seen = steps.flat_map(|step| step.latency.buckets().map(|(micros, _)| micros));
            assert!(
                seen.map(|at| at.as_micros())
                    .eq((0..seconds).map(u128::from))
            );
        }
    }
}
