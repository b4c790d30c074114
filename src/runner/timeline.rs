//! A run second by second.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    Batch, BatchFigures, Histogram,
    batches::Batches,
    measurements::Measurements,
    outcomes::Outcomes,
    pacing::Wanted,
    resolution::{self, MOST_PIECES},
    sample::{AskedFor, Sample},
};

use crate::event::DeliveryFate;

/// Seconds whose histograms are kept, for whoever asks a few times a second.
const KEPT_WHOLE: usize = 30;
/// What a sample takes at least, except the last one of a run: a rate over less spikes with every chat.
const LEAST: Duration = Duration::from_millis(500);

/// One second of a run with its histograms.
#[derive(Debug, Clone)]
pub struct WholeSecond {
    /// Its figures.
    pub sample: Arc<Sample>,
    /// What ended in it; `None` if it was not asked for within half a minute.
    pub batch: Option<Arc<Batch>>,
}

/// One second of a run or some.
#[derive(Debug, Clone)]
struct Piece {
    /// How many.
    seconds: u64,
    sample: Arc<Sample>,
}

/// The seconds of a run that are over. Of each a sample stays, which in a run of more than four hours is joined with its
/// neighbours once it is old; of the last ones the histograms stay too. The rest of what was measured adds up to the run.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// When the second began that is not over.
    begun: Duration,
    /// What the load profile wants of it.
    asked: AskedFor,
    /// The number of the next second.
    next: u64,
    pieces: VecDeque<Piece>,
    /// What ended in the last of these seconds.
    whole: VecDeque<Arc<Batch>>,
    batches: Arc<Batches>,
    /// Chats that were due before the second began.
    due: u64,
}

impl Timeline {
    /// What the load profile wants by now.
    pub(super) fn ask(&mut self, wanted: Wanted) {
        match wanted {
            // During a pause it wants none at all, and what was due before stays due.
            Wanted::Started(due) => {
                let due = due.saturating_sub(self.due);
                self.asked.due = self.asked.due.max(Some(due));
            }
            Wanted::Active(customers) => self.asked.customers = Some(customers),
        }
    }

    /// Whether another whole second of the run is over.
    pub(super) fn is_over(&self, elapsed: Duration) -> bool {
        let is_long = elapsed.saturating_sub(self.begun) >= LEAST;
        is_long && elapsed.as_secs() > self.begun.as_secs()
    }

    /// Ends the second, in which this was measured.
    pub(super) fn close(&mut self, elapsed: Duration, measured: &Measurements, in_progress: u64) {
        let asked = std::mem::take(&mut self.asked);
        let length = elapsed.saturating_sub(self.begun);
        self.begun = elapsed;
        self.due += asked.due.unwrap_or_default();
        let batch = Arc::new(batch_of(measured, length));
        Arc::make_mut(&mut self.batches).add(&batch);
        self.whole.push_back(batch);
        if self.whole.len() > KEPT_WHOLE {
            self.whole.pop_front();
        }
        let sample = Sample::of(measured, asked, elapsed, length, in_progress);
        self.pieces.push_back(Piece {
            seconds: 1,
            sample: Arc::new(sample),
        });
        self.next += 1;
        if self.pieces.len() > MOST_PIECES {
            self.join_old();
        }
    }

    fn join_old(&mut self) {
        let seconds: Vec<_> = self.pieces.iter().map(|piece| piece.seconds).collect();
        let pieces = resolution::joined(&seconds).into_iter().map(|range| {
            let mut pieces = self.pieces.range(range);
            // No range is empty.
            let first = pieces.next()?.clone();
            Some(pieces.fold(first, Piece::joined_with))
        });
        self.pieces = pieces.flatten().collect();
    }

    /// The same in a few pieces, without what happened since the last sample.
    pub(super) fn batches(&self) -> Arc<Batches> {
        self.batches.clone()
    }

    /// The samples from the second of this number on, so many at most, and the number of the second behind them. One that
    /// began before is left out.
    pub(super) fn since(&self, number: u64, most: usize) -> (Vec<Arc<Sample>>, u64) {
        let place = self.place_of(number);
        let end = place.saturating_add(most).min(self.pieces.len());
        let later = self.pieces.range(end..).map(|piece| piece.seconds);
        let next = self.next - later.sum::<u64>();
        let samples = self.pieces.range(place..end);
        (samples.map(|piece| piece.sample.clone()).collect(), next)
    }

    /// The same with their histograms.
    pub(super) fn whole_since(&self, number: u64) -> (Vec<WholeSecond>, u64) {
        // The last seconds are not joined, so that each has a piece of its own.
        let gone = self.pieces.len() - self.whole.len();
        let seconds = self.pieces.iter().enumerate();
        let seconds = seconds.skip(self.place_of(number));
        let seconds = seconds.map(|(place, piece)| WholeSecond {
            sample: piece.sample.clone(),
            batch: (place.checked_sub(gone)).and_then(|place| self.whole.get(place).cloned()),
        });
        (seconds.collect(), self.next)
    }

    /// Of the first piece that begins with this second or later. Those who ask are a few seconds behind.
    fn place_of(&self, number: u64) -> usize {
        let mut begin = self.next;
        let earlier = self.pieces.iter().rposition(|piece| {
            begin -= piece.seconds;
            begin < number
        });
        earlier.map_or(0, |place| place + 1)
    }
}

impl Piece {
    fn joined_with(mut self, next: &Self) -> Self {
        self.seconds += next.seconds;
        Arc::make_mut(&mut self.sample).join(&next.sample);
        self
    }
}

fn batch_of(measured: &Measurements, length: Duration) -> Batch {
    let figures = |outcomes: &Outcomes| BatchFigures {
        latency: Histogram::from(&outcomes.latency),
        failed: outcomes.failed(),
    };
    let steps = measured.steps.iter();
    Batch {
        seconds: length.as_secs_f64(),
        chats: figures(&measured.chats),
        steps: steps.map(|step| figures(&step.outcomes)).collect(),
        deliveries: BatchFigures {
            latency: Histogram::from(&measured.deliveries.latency),
            failed: measured.deliveries.of(DeliveryFate::Lost),
        },
        sockets: measured.sockets.ended(),
    }
}
