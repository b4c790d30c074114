#![expect(
    clippy::float_cmp,
    reason = "the values are exact: counts, and times that binary fractions can tell"
)]

mod catalogue;
mod chats;
mod configuration;
mod listeners;
mod others;
mod requests;

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    event::{Ending, Failure, Sent, StepOutcome, Trigger},
    scenario::{Observation, Reason, StepId},
};

/// Metrics that are told of events at times of one's choice.
pub(super) struct Fixture {
    pub(super) metrics: Metrics,
}

/// Whole seconds after this begin the times in here.
pub(super) const EPOCH: u32 = 1_800_000_000;

impl Fixture {
    pub(super) fn new() -> Self {
        Self {
            metrics: Metrics::new(&Boundaries::default()).unwrap(),
        }
    }

    pub(super) fn tell(&self, event: &Event) {
        self.tell_at(0, event);
    }

    pub(super) fn tell_at(&self, second: u64, event: &Event) {
        let now = UNIX_EPOCH + Duration::from_secs(u64::from(EPOCH) + second);
        self.metrics.observe_at(event, now);
    }

    pub(super) fn declare_probe(&self, subject: &Subject, interval: Duration) {
        let objectives = Objectives::default();
        self.metrics
            .declare_probe(subject, interval, &objectives, &declaration());
    }

    pub(super) fn begin(&self, run: &Arc<RunIdentity>) {
        self.tell(&Event::run_started(run));
    }

    pub(super) fn end(&self, run: &Arc<RunIdentity>) {
        self.tell(&Event::RunEnded {
            run: run.clone(),
            verdict: Verdict::Passed,
            reason: None,
            all_passed: true,
            failed_for: None,
        });
    }

    pub(super) fn start_chat(&self, run: &Arc<RunIdentity>) {
        self.tell(&Event::ChatStarted {
            run: run.clone(),
            lateness: Duration::from_millis(3),
        });
    }

    pub(super) fn end_chat(&self, run: &Arc<RunIdentity>, chat: u64, ending: Ending) {
        self.tell(&Event::ChatEnded {
            run: run.clone(),
            chat,
            ending,
            duration: Duration::from_secs(7),
            correlation: Vec::new(),
        });
    }

    pub(super) fn step(
        &self,
        run: &Arc<RunIdentity>,
        step: &str,
        observation: Option<Observation>,
        outcome: StepOutcome,
    ) {
        self.tell(&Event::StepEnded {
            sent: Some(Sent {
                late: Duration::from_millis(3),
                ..Sent::default()
            }),
            run: run.clone(),
            step: StepId::at(0),
            name: step.into(),
            observation,
            outcome,
        });
    }

    pub(super) fn wait(&self, second: u64, run: &Arc<RunIdentity>, chat: u64) {
        let event = Event::WaitStarted {
            run: run.clone(),
            chat,
            observation: Observation::AgentJoin,
        };
        self.tell_at(second, &event);
    }

    pub(super) fn wait_no_more(&self, run: &Arc<RunIdentity>, chat: u64) {
        self.tell(&Event::WaitEnded {
            run: run.clone(),
            chat,
            observation: Observation::AgentJoin,
        });
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
    })
}

pub(super) fn failed(reason: Reason) -> Ending {
    Ending::Failed(Failure {
        step: "send".into(),
        reason,
        detail: "as it happens".to_owned(),
    })
}

pub(super) fn declaration() -> Declaration {
    Declaration {
        steps: vec![
            StepDeclaration {
                name: "send".into(),
                reasons: vec![Reason::Connect, Reason::Status],
                is_request: true,
            },
            StepDeclaration {
                name: "agent_join".into(),
                reasons: vec![Reason::AgentJoinTimeout, Reason::Disconnected],
                is_request: false,
            },
        ],
        agent_join: true,
        callbacks: true,
    }
}
