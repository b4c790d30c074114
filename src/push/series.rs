//! The series of one run, and what each of its seconds adds to them.
//!
//! Counts add up from the beginning of the run, as those on `/metrics` do from the beginning of the process, so that the
//! last sample of a series is what the report of the run says. A series begins with a zero one moment before its
//! first count, so that the count is an increase.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    address::PushFormat,
    influx,
    key::{Detail, SeriesKey},
    queue::{Point, PushEntry, SeriesHead},
    remote_write,
};
use crate::{
    event::{Mode, RunIdentity, Verdict},
    record::Boundaries,
    runner::{BatchFigures, Histogram, MachineSample, Sample, StepSample, WholeSecond},
};

/// Series that a run may have. A scenario of 100 steps has about 2,000.
const MOST_SERIES: usize = 10_000;

/// The numbers of all series of the process.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// What the series of a run are made with.
#[derive(Debug)]
pub(super) struct SeriesSettings {
    pub(super) format: PushFormat,
    /// The labels of all series of all runs.
    pub(super) labels: Vec<(String, String)>,
    /// The buckets of durations of chats, in seconds.
    pub(super) chat_bounds: Vec<f64>,
    /// The buckets of durations of steps, in seconds.
    pub(super) step_bounds: Vec<f64>,
}

impl SeriesSettings {
    pub(super) fn new(
        format: PushFormat,
        labels: Vec<(String, String)>,
        boundaries: &Boundaries,
    ) -> Self {
        Self {
            format,
            labels,
            chat_bounds: boundaries.chat_seconds(),
            step_bounds: boundaries.step_seconds(),
        }
    }
}

/// The series of one run, and how they stand.
#[derive(Debug)]
pub(super) struct RunSeries {
    settings: Arc<SeriesSettings>,
    labels: Vec<(String, String)>,
    /// The names of the steps, in the order in which samples have them.
    steps: Vec<String>,
    /// When the run began, in milliseconds since 1970.
    began_ms: u64,
    /// The moment of the latest entry.
    at_ms: u64,
    counters: BTreeMap<SeriesKey, Point>,
    gauges: BTreeMap<SeriesKey, Point>,
    /// Samples of series for which there was no capacity.
    left_out: u64,
}

impl RunSeries {
    pub(super) fn new(
        settings: Arc<SeriesSettings>,
        run: &RunIdentity,
        steps: Vec<String>,
        began_ms: u64,
    ) -> Self {
        let subject = &run.subject;
        let mut labels = settings.labels.clone();
        let mut label = |name: &str, value: &str| labels.push((name.to_owned(), value.to_owned()));
        label("run", &run.name);
        label("scenario", &subject.scenario);
        label("target", &subject.target);
        label("mode", subject.mode.as_str());
        // Probes run for as long as the service does: each run of its own series would be too many.
        if subject.mode == Mode::Burst {
            label("run_id", &run.id);
        }
        Self {
            settings,
            labels,
            steps,
            began_ms,
            at_ms: began_ms,
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// The beginning of the run: what can be counted of it stands at 0.
    pub(super) fn begin(&mut self) -> PushEntry {
        for name in [
            "chatprobe_run_chats_started_total",
            "chatprobe_run_chats_passed_total",
            "chatprobe_run_chats_stopped_total",
            "chatprobe_run_arrivals_dropped_total",
            "chatprobe_run_events_received_total",
        ] {
            self.count(SeriesKey::new(name), 0);
        }
        self.count_durations(&DURATIONS_OF_CHATS, None, &Histogram::default());
        for step in 0..self.steps.len() {
            self.count(SeriesKey::new(STEPS_PASSED).of_step(step), 0);
            self.count(SeriesKey::new(STEPS_STOPPED).of_step(step), 0);
            self.count_durations(&DURATIONS_OF_STEPS, Some(step), &Histogram::default());
        }
        PushEntry::new(self.counters.values().cloned().collect(), self.began_ms)
    }

    /// What a second of the run adds: the zeros of series that begin with it, and how all of them stand at its end.
    pub(super) fn add(&mut self, second: &WholeSecond) -> Vec<PushEntry> {
        let known: Vec<_> = self.counters.keys().copied().collect();
        let sample = &*second.sample;
        self.add_chats(sample);
        self.add_others(sample);
        for (step, figures) in sample.steps.iter().enumerate().take(self.steps.len()) {
            self.add_step(step, figures);
        }
        if let Some(batch) = &second.batch {
            let latency = |figures: &BatchFigures| figures.latency.clone();
            self.count_durations(&DURATIONS_OF_CHATS, None, &latency(&batch.chats));
            for (step, figures) in batch.steps.iter().enumerate().take(self.steps.len()) {
                self.count_durations(&DURATIONS_OF_STEPS, Some(step), &latency(figures));
            }
        }
        let begun = self.counters.iter();
        let begun = begun.filter(|(key, _)| known.binary_search(key).is_err());
        let zeros: Vec<_> = begun
            .map(|(_, point)| Point {
                head: point.head.clone(),
                value: 0.0,
            })
            .collect();
        let before = self.at_ms;
        let after = Duration::try_from_secs_f64(sample.at).unwrap_or_default();
        self.at_ms = (self.began_ms + millis(after)).max(before + 1);
        let mut entries = Vec::new();
        if !zeros.is_empty() {
            entries.push(PushEntry::new(zeros, before));
        }
        entries.push(self.stand());
        entries
    }

    /// The end of the run: what it came to, and that nothing follows.
    pub(super) fn end(&mut self, verdict: Option<Verdict>) -> Vec<PushEntry> {
        let mut entries = Vec::new();
        if let Some(verdict) = verdict {
            let key = SeriesKey::new("chatprobe_run_verdict").with(Detail::Verdict(verdict));
            self.set(key, 1.0);
            let ended = self.gauges.get(&key).cloned();
            entries.push(PushEntry::new(ended.into_iter().collect(), self.at_ms));
        }
        if self.settings.format == PushFormat::RemoteWrite {
            let all = self.counters.values().chain(self.gauges.values());
            let stale = all.map(|point| Point {
                head: point.head.clone(),
                value: remote_write::stale(),
            });
            entries.push(PushEntry::new(stale.collect(), self.at_ms + 1));
        }
        entries
    }

    /// Samples that had no capacity since this was asked last.
    pub(super) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    fn stand(&self) -> PushEntry {
        let all = self.counters.values().chain(self.gauges.values());
        PushEntry::new(all.cloned().collect(), self.at_ms)
    }

    fn add_chats(&mut self, sample: &Sample) {
        for (name, count) in [
            ("chatprobe_run_chats_started_total", sample.started),
            ("chatprobe_run_chats_passed_total", sample.passed),
            ("chatprobe_run_chats_stopped_total", sample.stopped),
            ("chatprobe_run_arrivals_dropped_total", sample.dropped),
            ("chatprobe_run_events_received_total", sample.received),
        ] {
            self.count(SeriesKey::new(name), count);
        }
        if let Some(due) = sample.due {
            self.count(SeriesKey::new("chatprobe_run_chats_due_total"), due);
        }
        let failed = SeriesKey::new("chatprobe_run_chats_failed_total");
        for (reason, count) in &sample.failed_by_reason {
            self.count(failed.with(Detail::Reason(*reason)), *count);
        }
        let began = Duration::from_millis(self.began_ms).as_secs_f64();
        self.show(
            SeriesKey::new("chatprobe_run_start_timestamp_seconds"),
            Some(began),
        );
        self.show(
            SeriesKey::new("chatprobe_run_elapsed_seconds"),
            Some(sample.at),
        );
        let active = number(sample.in_progress);
        self.show(SeriesKey::new("chatprobe_run_chats_active"), Some(active));
        let customers = sample.customers.map(number);
        self.show(SeriesKey::new("chatprobe_run_customers"), customers);
        let late = SeriesKey::new("chatprobe_run_start_lateness_seconds");
        self.show(late.with(Detail::P99), sample.start_late);
        let late = SeriesKey::new("chatprobe_run_send_lateness_seconds");
        self.show(late.with(Detail::P99), sample.sent_late);
    }

    fn add_others(&mut self, sample: &Sample) {
        let events = SeriesKey::new("chatprobe_run_events_total");
        for (fate, count) in &sample.by_fate {
            self.count(events.with(Detail::Fate(*fate)), *count);
        }
        if let Some(sockets) = &sample.sockets {
            self.count(
                SeriesKey::new("chatprobe_run_sockets_opened_total"),
                sockets.opened,
            );
            let closed = SeriesKey::new("chatprobe_run_sockets_closed_total");
            for (end, count) in &sockets.closed {
                self.count(closed.with(Detail::EndedBy(*end)), *count);
            }
            let frames = SeriesKey::new("chatprobe_run_frames_total");
            for (direction, figures) in [("sent", sockets.sent), ("received", sockets.received)] {
                self.count(frames.with(Detail::Direction(direction)), figures.frames());
            }
        }
        if let Some(deliveries) = &sample.deliveries {
            let settled = SeriesKey::new("chatprobe_run_deliveries_total");
            for (fate, count) in &deliveries.by_fate {
                self.count(settled.with(Detail::Delivery(*fate)), *count);
            }
        }
        let of = |read: fn(&MachineSample) -> Option<f64>| sample.machine.as_ref().and_then(read);
        for (name, value) in [
            (
                "chatprobe_run_cpu_usage_cores",
                of(|machine| Some(machine.cpu_user + machine.cpu_system)),
            ),
            ("chatprobe_run_cpu_wait", of(|machine| machine.cpu_wait)),
            (
                "chatprobe_run_host_busy_ratio",
                of(|machine| machine.host_busy),
            ),
            (
                "chatprobe_run_memory_bytes",
                of(|machine| machine.memory_bytes.map(number)),
            ),
            (
                "chatprobe_run_open_files",
                of(|machine| machine.files.map(number)),
            ),
        ] {
            self.show(SeriesKey::new(name), value);
        }
    }

    fn add_step(&mut self, step: usize, figures: &StepSample) {
        self.count(SeriesKey::new(STEPS_PASSED).of_step(step), figures.passed);
        self.count(SeriesKey::new(STEPS_STOPPED).of_step(step), figures.stopped);
        let failed = SeriesKey::new("chatprobe_run_steps_failed_total").of_step(step);
        for (reason, count) in &figures.failed_by_reason {
            self.count(failed.with(Detail::Reason(*reason)), *count);
        }
    }

    fn count_durations(&mut self, names: &DurationNames, step: Option<usize>, latency: &Histogram) {
        let key = |name| SeriesKey {
            step,
            ..SeriesKey::new(name)
        };
        let bounds = self.bounds(names.bucket);
        let (mut count, mut sum) = (0, 0.0);
        // The last one has no bound.
        let mut buckets = vec![0; bounds.len() + 1];
        for (duration, times) in latency.buckets() {
            let seconds = duration.as_secs_f64();
            sum += seconds * number(times);
            count += times;
            // Each bucket holds what the ones before it hold as well.
            let first = bounds.partition_point(|bound| *bound < seconds);
            buckets[first..]
                .iter_mut()
                .for_each(|in_it| *in_it += times);
        }
        for (place, in_it) in buckets.into_iter().enumerate() {
            self.count(key(names.bucket).with(Detail::Bucket(place)), in_it);
        }
        self.count(key(names.count), count);
        self.raise(key(names.sum), sum);
    }

    fn count(&mut self, key: SeriesKey, more: u64) {
        self.raise(key, number(more));
    }

    fn raise(&mut self, key: SeriesKey, more: f64) {
        if let Some(point) = self.counters.get_mut(&key) {
            point.value += more;
        } else if let Some(head) = self.head(key) {
            self.counters.insert(key, Point { head, value: more });
        }
    }

    /// A value of this moment; one that is not known ends the series.
    fn show(&mut self, key: SeriesKey, value: Option<f64>) {
        match value {
            Some(value) => self.set(key, value),
            None => drop(self.gauges.remove(&key)),
        }
    }

    fn set(&mut self, key: SeriesKey, value: f64) {
        if let Some(point) = self.gauges.get_mut(&key) {
            point.value = value;
        } else if let Some(head) = self.head(key) {
            self.gauges.insert(key, Point { head, value });
        }
    }

    /// The name and labels of a series that begins, if there is capacity for it.
    fn head(&mut self, key: SeriesKey) -> Option<Arc<SeriesHead>> {
        if self.counters.len() + self.gauges.len() >= MOST_SERIES {
            self.left_out += 1;
            return None;
        }
        let mut labels = self.labels.clone();
        if let Some(step) = key.step.and_then(|step| self.steps.get(step)) {
            labels.push(("step".to_owned(), step.clone()));
        }
        let detail = key.detail.label(self.bounds(key.name));
        labels.extend(detail.map(|(name, value)| (name.to_owned(), value)));
        let bytes = match self.settings.format {
            PushFormat::RemoteWrite => remote_write::head(key.name, &labels),
            PushFormat::Influx => influx::head(key.name, &labels),
        };
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Some(Arc::new(SeriesHead { number, bytes }))
    }

    /// The bounds of the buckets of a histogram.
    fn bounds(&self, name: &str) -> &[f64] {
        if name == DURATIONS_OF_CHATS.bucket {
            &self.settings.chat_bounds
        } else {
            &self.settings.step_bounds
        }
    }
}

/// The series that a histogram has.
struct DurationNames {
    bucket: &'static str,
    sum: &'static str,
    count: &'static str,
}

const DURATIONS_OF_CHATS: DurationNames = DurationNames {
    bucket: "chatprobe_run_chat_duration_seconds_bucket",
    sum: "chatprobe_run_chat_duration_seconds_sum",
    count: "chatprobe_run_chat_duration_seconds_count",
};
const DURATIONS_OF_STEPS: DurationNames = DurationNames {
    bucket: "chatprobe_run_step_duration_seconds_bucket",
    sum: "chatprobe_run_step_duration_seconds_sum",
    count: "chatprobe_run_step_duration_seconds_count",
};
const STEPS_PASSED: &str = "chatprobe_run_steps_passed_total";
const STEPS_STOPPED: &str = "chatprobe_run_steps_stopped_total";

#[expect(
    clippy::cast_precision_loss,
    reason = "samples are floating point numbers; exact below 2^53"
)]
fn number(count: u64) -> f64 {
    count as f64
}

/// In whole milliseconds.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
