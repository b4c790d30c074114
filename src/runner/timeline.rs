//! A run second by second.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    Batch, BatchFigures, Histogram,
    batches::Batches,
    measurements::Measurements,
    outcomes::Outcomes,
    pacing::Wanted,
    sample::{AskedFor, Sample},
};

/// Samples that are kept: four hours. Older ones are gone from memory.
const KEPT: usize = 4 * 3600;
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

/// The seconds of a run that are over. Of each a sample stays, of the last ones the histograms too; the rest of
/// what was measured adds up to the run.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// When the second began that is not over.
    begun: Duration,
    /// What the load profile wants of it.
    asked: AskedFor,
    /// The number of the first sample that is kept.
    first: u64,
    samples: VecDeque<Arc<Sample>>,
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
        self.samples.push_back(Arc::new(sample));
        if self.samples.len() > KEPT {
            self.samples.pop_front();
            self.first += 1;
        }
    }

    /// The same in a few pieces, without what happened since the last sample.
    pub(super) fn batches(&self) -> Arc<Batches> {
        self.batches.clone()
    }

    /// The samples from this number on, and the number of the next one.
    pub(super) fn since(&self, number: u64) -> (Vec<Arc<Sample>>, u64) {
        let samples = self.samples.iter().skip(self.place_of(number)).cloned();
        (samples.collect(), self.next())
    }

    /// The same with their histograms.
    pub(super) fn whole_since(&self, number: u64) -> (Vec<WholeSecond>, u64) {
        let gone = self.samples.len() - self.whole.len();
        let seconds = self.samples.iter().enumerate();
        let seconds = seconds.skip(self.place_of(number));
        let seconds = seconds.map(|(place, sample)| WholeSecond {
            sample: sample.clone(),
            batch: (place.checked_sub(gone)).and_then(|place| self.whole.get(place).cloned()),
        });
        (seconds.collect(), self.next())
    }

    fn place_of(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    fn next(&self) -> u64 {
        self.first + self.samples.len() as u64
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
    }
}
