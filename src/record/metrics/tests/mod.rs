#![expect(
    clippy::float_cmp,
    reason = "the values are exact: counts, and times that binary fractions can tell"
)]

mod catalogue;
mod chats;
mod configuration;
mod deliveries;
mod listeners;
mod others;
mod requests;
mod sockets;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use super::*;
use crate::{
    event::{
        Ending, Failure, MemberDeclaration, Objectives, RunEvent, Sent, SocketDeclaration,
        StepDeclaration, StepOutcome, Trigger,
    },
    scenario::{Observation, Reason, StepId},
};

/// Metrics that hear of events at times of one's choice.
pub(super) struct Fixture {
    pub(super) metrics: Arc<Metrics>,
    runs: Mutex<HashMap<(String, Subject), Arc<RunMetrics>>>,
}

/// Whole seconds after this begin the times in here.
pub(super) const EPOCH: u32 = 1_800_000_000;

pub(super) fn moment(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::from(EPOCH) + second)
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(&Boundaries::default())
    }

    pub(super) fn with(boundaries: &Boundaries) -> Self {
        Self {
            metrics: Arc::new(Metrics::new(boundaries).unwrap()),
            runs: Mutex::default(),
        }
    }

    pub(super) fn emit(&self, event: &ServiceEvent) {
        self.emit_at(0, event);
    }

    pub(super) fn emit_at(&self, second: u64, event: &ServiceEvent) {
        self.metrics.observe_at(event, moment(second));
    }

    /// What happens in a run, which begins with it unless it did so before.
    pub(super) fn emit_in(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        self.emit_in_at(0, run, event);
    }

    pub(super) fn emit_in_at(&self, second: u64, run: &Arc<RunIdentity>, event: &RunEvent) {
        let series = self.begin(run);
        series.observe_at(run, event, || moment(second));
    }

    pub(super) fn declare_probe(&self, subject: &Subject, interval: Duration) {
        self.metrics.declare_probe(&ProbeDeclaration {
            subject: subject.clone(),
            scenario: declaration(),
            every: interval,
            objectives: Objectives::default(),
        });
    }

    pub(super) fn begin(&self, run: &Arc<RunIdentity>) -> Arc<RunMetrics> {
        self.begin_at(0, run)
    }

    pub(super) fn begin_at(&self, second: u64, run: &Arc<RunIdentity>) -> Arc<RunMetrics> {
        self.begin_with(second, run, &declaration())
    }

    pub(super) fn begin_with(
        &self,
        second: u64,
        run: &Arc<RunIdentity>,
        declaration: &ScenarioDeclaration,
    ) -> Arc<RunMetrics> {
        let key = (format!("{}-{}", run.name, run.id), run.subject.clone());
        let begin = || {
            let metrics = self.metrics.clone();
            Arc::new(RunMetrics::start(metrics, run, declaration, moment(second)))
        };
        let mut runs = self.runs.lock().unwrap();
        runs.entry(key).or_insert_with(begin).clone()
    }

    pub(super) fn end(&self, run: &Arc<RunIdentity>) {
        let passed = RunEvent::Ended {
            verdict: Verdict::Passed,
            reason: None,
            all_passed: true,
            failed_for: None,
        };
        self.emit_in(run, &passed);
    }

    pub(super) fn start_chat(&self, run: &Arc<RunIdentity>) {
        let lateness = Duration::from_millis(3);
        self.emit_in(run, &RunEvent::ChatStarted { lateness });
    }

    pub(super) fn end_chat(&self, run: &Arc<RunIdentity>, chat: u64, ending: Ending) {
        let ended = RunEvent::ChatEnded {
            chat,
            ending,
            duration: Duration::from_secs(7),
            correlation: Vec::new(),
        };
        self.emit_in(run, &ended);
    }

    pub(super) fn step(&self, run: &Arc<RunIdentity>, step: &str, outcome: StepOutcome) {
        let sent = Sent {
            late: Duration::from_millis(3),
            ..Sent::default()
        };
        let ended = RunEvent::StepEnded {
            step: step_named(step),
            sent: Some(sent),
            outcome,
        };
        self.emit_in(run, &ended);
    }

    pub(super) fn wait(&self, second: u64, run: &Arc<RunIdentity>, chat: u64) {
        let observation = Observation::AgentJoin;
        self.emit_in_at(second, run, &RunEvent::WaitStarted { chat, observation });
    }

    pub(super) fn wait_no_more(&self, run: &Arc<RunIdentity>, chat: u64) {
        let observation = Observation::AgentJoin;
        self.emit_in(run, &RunEvent::WaitEnded { chat, observation });
    }

    /// Every series of the real output and its value.
    pub(super) fn output(&self) -> BTreeMap<String, f64> {
        let text = self.metrics.render().unwrap();
        let mut output = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let before = output.insert(series.to_owned(), value.parse().unwrap());
            assert!(before.is_none(), "twice: {series}");
        }
        output
    }

    /// The series whose name begins so and whose labels contain that, one a line, with the values.
    pub(super) fn lines(&self, name: &str, label: &str) -> Vec<String> {
        let output = self.output();
        let found = output.iter().filter(|(series, _)| {
            series.starts_with(&format!("chatprobe_{name}{{")) && series.contains(label)
        });
        found
            .map(|(series, value)| format!("{} {value}", &series["chatprobe_".len()..]))
            .collect()
    }

    /// The same without those that are 0.
    pub(super) fn counts(&self, name: &str) -> Vec<String> {
        let mut lines = self.lines(name, "");
        lines.retain(|line| !line.ends_with(" 0"));
        lines
    }

    /// The value of one series, if there is one.
    pub(super) fn value(&self, series: &str) -> Option<f64> {
        self.output().get(&format!("chatprobe_{series}")).copied()
    }
}

pub(super) fn subject(scenario: &str, target: &str, mode: Mode) -> Subject {
    Subject {
        scenario: scenario.into(),
        target: target.into(),
        mode,
    }
}

pub(super) fn run_of(name: &str, id: &str, subject: &Subject) -> Arc<RunIdentity> {
    Arc::new(RunIdentity {
        id: id.to_owned(),
        name: name.into(),
        subject: subject.clone(),
        trigger: Trigger::Interval,
        is_member: false,
    })
}

pub(super) fn failed(reason: Reason) -> Ending {
    Ending::Failed(Failure {
        step: "send".into(),
        reason,
        detail: "as it happens".to_owned(),
    })
}

/// A step of the [`declaration`].
pub(super) fn step_named(name: &str) -> StepId {
    let steps = declaration().steps;
    let found = steps.iter().position(|step| *step.name == *name);
    StepId::at(found.unwrap())
}

pub(super) fn declaration() -> ScenarioDeclaration {
    ScenarioDeclaration {
        steps: vec![
            StepDeclaration {
                name: "send".into(),
                reasons: vec![Reason::Connect, Reason::Status],
                observes: None,
                is_request: true,
                polls: true,
            },
            StepDeclaration {
                name: "agent_join".into(),
                reasons: vec![Reason::AgentJoinTimeout, Reason::Disconnected],
                observes: Some(Observation::AgentJoin),
                is_request: false,
                polls: false,
            },
        ],
        agent_join: true,
        callbacks: true,
        sockets: SocketDeclaration::Rooms,
    }
}

/// A burst whose chats are all alike.
fn whole_burst(name: &str, subject: &Subject) -> BurstDeclaration {
    BurstDeclaration {
        name: name.into(),
        subject: subject.clone(),
        members: vec![MemberDeclaration {
            subject: subject.clone(),
            scenario: declaration(),
            limits: Vec::new(),
        }],
    }
}
