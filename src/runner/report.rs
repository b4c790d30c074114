use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    DeliveryReport, GracefulStopReport, HealthReport, MemberReport, OtherCallback, Pace,
    SearchReport, SocketReport, StepReport, ThresholdReport, ThresholdState,
    chat_counts::ChatCounts,
    listed_chats::{Example, Orphan},
    quantiles::Quantiles,
};
use crate::{
    event::{EndedBy, Failure, Fate, Mode, Trigger, Verdict},
    scenario::Reason,
};

/// In seconds: chats that were to start within less had no rate.
const LEAST_SCHEDULED: f64 = 0.5;

/// What a run did, felt and came to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunReport {
    /// The run.
    pub id: String,
    /// The name of its probe or burst.
    pub name: String,
    /// The scenario it ran.
    pub scenario: String,
    /// The target it ran against.
    pub target: String,
    /// Probe or burst.
    pub mode: Mode,
    /// What started it.
    pub trigger: Trigger,
    /// Who asked for it, if they said so.
    #[serde(default)]
    pub asked_by: Option<String>,
    /// The configuration that it was of, hashed without its secrets: runs with the same one can be
    /// compared. Null without a configuration.
    #[serde(default)]
    pub configuration: Option<String>,
    /// How far it is.
    pub state: RunState,
    /// What it came to, once it has ended.
    pub verdict: Option<Verdict>,
    /// Why, in words.
    pub verdict_reasons: Vec<String>,
    /// What ended it, or told it to end. `load`: its load was through, and no stop after that cut a chat short.
    /// `setup`: its setup failed. `threshold`: one with `abort` was broken. `operator`: the admin API or the console.
    /// `shutdown`: the service was shut down. `sigterm`, `sigint`, `sighup`: this signal to `chatprobe run`. `crash`:
    /// the process ended under it. Null as long as it goes on and nothing told it to end.
    #[serde(default)]
    pub ended_by: Option<EndedBy>,
    /// The load profile as it was asked for.
    pub load: String,
    /// What it was changed to last while the run went on, such as `rate: 5/s`.
    pub load_changed_to: Option<String>,
    /// What its search found, or has found so far; null for any other load.
    pub search: Option<SearchReport>,
    /// What might go wrong on this machine, as it looked before the start, in words.
    #[serde(alias = "doubts")]
    pub warnings: Vec<String>,
    /// The value of every input; by scenario where the chats are of several.
    #[schema(value_type = Object)]
    pub inputs: serde_json::Value,
    /// The chats of each scenario of a mixed run, in the order of its mix; empty of any other run.
    #[serde(default)]
    pub members: Vec<MemberReport>,
    /// The seed of its pauses.
    pub seed: u64,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// How long it took, or has taken so far, in seconds.
    pub elapsed_seconds: f64,
    /// For how long chats were to start by the load profile, in seconds: without the setup, pauses, and what
    /// follows the last start. Starts divided by it are the rate that was achieved. Null where it is not known, as of
    /// a run that an earlier chatprobe has kept.
    #[serde(default)]
    pub scheduled_seconds: Option<f64>,
    /// What is asked for and achieved at this moment; null once the run has ended.
    #[serde(default)]
    pub pace: Option<Pace>,
    /// When its first chat began, RFC 3339; null before. Of an interrupted run no later than that, by a
    /// second at most.
    #[serde(default)]
    pub first_chat_began_at: Option<String>,
    /// When the last of its chats ended so far, RFC 3339; null before one did. Of an interrupted run no
    /// earlier than that, by a second at most.
    #[serde(default)]
    pub last_chat_ended_at: Option<String>,
    /// Its chats.
    pub chats: ChatCounts,
    /// How long chats in flight could go on after the last start, and how many were stopped because that time
    /// had passed; null where they could take as long as they needed.
    #[serde(default)]
    pub graceful_stop: Option<GracefulStopReport>,
    /// Its requests.
    #[serde(default)]
    pub requests: RequestFigures,
    /// How long passed chats took.
    pub chat_duration: Quantiles,
    /// Its steps, in the order of the scenario.
    pub steps: Vec<StepReport>,
    /// Its thresholds and how they stand over the whole run. A search is judged by those of each of its steps
    /// instead.
    pub thresholds: Vec<ThresholdReport>,
    /// Events received and what became of them.
    #[serde(alias = "books")]
    pub events: ReceivedEvents,
    /// Its sockets; null for a scenario that opens none.
    #[serde(default)]
    pub sockets: Option<SocketReport>,
    /// What members of rooms were to receive and what became of it; null for a scenario that expects no deliveries.
    #[serde(default)]
    pub deliveries: Option<DeliveryReport>,
    /// How long after their intended start chats started.
    pub start_lateness: Quantiles,
    /// How much later than a customer would have sent them requests were sent.
    pub send_lateness: Quantiles,
    /// How long requests then waited for a connection, or for leave to open one; it belongs to their
    /// latency.
    pub connection_wait: Quantiles,
    /// How late the run's own heartbeat was.
    pub scheduler_lag: Quantiles,
    /// How long the system had had answers and requests with events when they were read, where it says so. It is no
    /// part of latencies: they end when the answer or the event arrived.
    #[serde(default)]
    pub read_delay: Quantiles,
    /// How much longer than it was a latency may have been measured, in seconds: how late the run's own
    /// heartbeat, an idle thread or a request came, or how long the system had had what was read, whichever is most,
    /// 99th percentile. Null before there was one.
    pub precision: Option<f64>,
    /// How the machine treated the generator.
    pub machine: HealthReport,
    /// The last failures.
    pub failures: Vec<Example>,
    /// Chats, and what the setup made, that may still be open at the target, because nothing confirmed that they were closed: the
    /// first 1,000.
    #[serde(default)]
    pub orphans: Vec<Orphan>,
    /// How many of them there are, what the setup made included. Those of an interrupted run are all at `/api/v1/runs/{id}/orphans`.
    #[serde(default)]
    pub orphans_total: u64,
    /// Why the teardown failed, so that something may be left at the target; null if it did not, or not yet.
    #[serde(default)]
    pub teardown_failed: Option<TeardownFailure>,
}

impl RunReport {
    /// About what it takes in memory, in bytes.
    pub fn size(&self) -> usize {
        let texts = [self.verdict_reasons.iter(), self.warnings.iter()];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let details = self
            .failures
            .iter()
            .map(|failure| 512 + failure.detail.len());
        let searched = self.search.as_ref().map_or(0, |search| search.steps.len());
        let steps = self.steps.len() * (1 + searched) + searched;
        4096 + texts + steps * 512 + details.sum::<usize>() + self.orphans.len() * 256
    }

    /// Chats that began a second, over the time in which they were to begin; `None` where that is not known, and
    /// where it is so short that all began at once.
    pub fn mean_start_rate(&self) -> Option<f64> {
        let seconds = self
            .scheduled_seconds
            .filter(|seconds| *seconds >= LEAST_SCHEDULED)?;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let started = self.chats.started as f64;
        Some(started / seconds)
    }

    /// The latest failure of each kind that belongs to no step, such as that of a chat that passed its deadline in a
    /// think time. The latest is first.
    pub fn failures_outside_steps(&self) -> Vec<&Example> {
        let is_of_step = |example: &Example| self.steps.iter().any(|it| it.step == example.step);
        let mut kinds = Vec::<&Example>::new();
        for example in self.failures.iter().rev().filter(|it| !is_of_step(it)) {
            let alike =
                |known: &&Example| (&known.step, known.reason) == (&example.step, example.reason);
            if !kinds.iter().any(alike) {
                kinds.push(example);
            }
        }
        kinds
    }

    /// Gives a run its end that has come to none of its own, because what performed it ended: `by` in words.
    pub fn interrupt(&mut self, by: &str) {
        self.state = RunState::Interrupted;
        self.pace = None;
        self.verdict_reasons = vec![match self.ended_by {
            None => format!("{by} ended under it"),
            Some(asked) => format!("{}; {by} ended before the run did", asked.in_words()),
        }];
        self.ended_by.get_or_insert(EndedBy::Crash);
        for threshold in &mut self.thresholds {
            if threshold.state == ThresholdState::Pending {
                threshold.state = ThresholdState::NotJudged;
            }
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Before its first chat.
    SettingUp,
    /// Chats start as the profile says.
    Running,
    /// No chats start for now.
    Paused,
    /// No more chats start; some are in progress.
    Finishing,
    /// After its last chat.
    TearingDown,
    /// Over.
    Ended,
    /// Cut off by the end of the process; the figures are those of the seconds that were kept.
    Interrupted,
}

/// How many requests came to an end, of setup and teardown too, whatever came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequestFigures {
    /// How many.
    pub count: u64,
    /// How many a second, over the whole run.
    pub per_second: f64,
}

impl RequestFigures {
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    pub(super) fn over(count: u64, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        let per_second = if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        };
        Self { count, per_second }
    }
}

/// received = consumed + ignored + early expired + late + duplicate + other callback + unknown + rejected + waiting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceivedEvents {
    /// Events that arrived for this run.
    pub received: u64,
    /// What became of them.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_fate: BTreeMap<Fate, u64>,
    /// Events of chats in progress that nobody has asked for yet.
    pub waiting: u64,
    /// Those of the received events that came through the callbacks of other runs, whatever became of them: the target
    /// still has the callbacks of earlier runs, or one address for all.
    #[serde(default)]
    pub through_other_callbacks: u64,
    /// The runs whose callbacks those were, the first 20.
    #[serde(default)]
    pub other_callbacks: Vec<OtherCallback>,
    /// Sums that should be equal and are not: a bug of chatprobe.
    pub differences: Vec<String>,
}

/// Why a teardown failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeardownFailure {
    /// The first of its steps that failed; null if it was cut short, because its time after a stop was over.
    pub step: Option<String>,
    /// The reason of that step.
    pub reason: Option<Reason>,
    /// What exactly went wrong.
    pub detail: String,
}

impl From<Option<&Failure>> for TeardownFailure {
    fn from(failure: Option<&Failure>) -> Self {
        let detail = failure.map_or(
            "it was cut short, because the time that it had after the stop was over",
            |failure| &failure.detail,
        );
        Self {
            step: failure.map(|failure| failure.step.to_string()),
            reason: failure.map(|failure| failure.reason),
            detail: detail.to_owned(),
        }
    }
}
