//! Reconciliation: whatever the scenario, the target and whoever stops it do, every chat, every step and
//! every event is counted once, and all who count come to the same.

mod chat;
mod draw;
mod model;
mod script;
mod stage;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    mem,
};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use self::{
    draw::{case, races},
    model::{End, Fates, Outcomes, Outlook, predict},
    script::Play,
    stage::{Played, Stage},
};
use super::*;
use crate::event::Fate;

const EVENTS: &str = "callback_events_total";

fn steps_of(report: &RunReport) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for step in &report.steps {
        let failed = step.failed_by_reason.iter();
        let failed = failed.map(|(reason, count)| (End::Failed(*reason), *count));
        let others = [(End::Passed, step.passed), (End::Stopped, step.stopped)];
        for (end, count) in failed.chain(others) {
            outcomes.insert((step.step.clone(), end), count);
        }
    }
    outcomes.retain(|_, count| *count > 0);
    outcomes
}

fn endings_of(heard: &heard::Heard) -> BTreeMap<u64, (End, u64)> {
    let ended = heard.pick(|_, note| match note {
        heard::Note::Ended {
            chat,
            ending,
            duration,
            ..
        } => Some((*chat, ending.clone(), *duration)),
        _ => None,
    });
    let ended = ended.into_iter().map(|(chat, ending, duration)| {
        let end = match ending {
            Ending::Passed => End::Passed,
            Ending::Stopped => End::Stopped,
            Ending::Failed(failure) => End::Failed(failure.reason),
        };
        (chat, (end, u64::try_from(duration.as_millis()).unwrap()))
    });
    ended.collect()
}

/// What came of it, as far as the run's own counters and those who listened know.
fn seen(played: &Played, model: &Outlook) -> Outlook {
    Outlook {
        chats: played.report.chats.clone(),
        gracefully_stopped: (played.report.graceful_stop).map_or(0, |stop| stop.stopped),
        endings: endings_of(&played.heard),
        steps: steps_of(&played.report),
        fates: played.report.events.by_fate.clone(),
        through_other_callbacks: played.report.events.through_other_callbacks,
        verdict: played.report.verdict,
        ..model.clone()
    }
}

/// The counts that `/metrics` has to give for this, those that are not 0.
fn counts_of(play: &Play, outlook: &Outlook) -> BTreeMap<String, u64> {
    let mode = play.mode.as_str();
    let subject = r#"scenario="s",target="t""#;
    let chats = &outlook.chats;
    let mut counts = BTreeMap::new();
    let mut add = |name: &str, labels: String, count: u64| {
        *counts.entry(format!("{name}{{{labels}}}")).or_default() += count;
    };
    let of_mode = |labels: &str| format!("mode=\"{mode}\",{labels}");
    for (name, count) in [
        ("chats_started_total", chats.started),
        ("chats_passed_total", chats.passed),
        ("chats_stopped_total", chats.stopped),
        ("chat_duration_seconds_count", chats.passed),
    ] {
        add(name, of_mode(subject), count);
    }
    let lateness = format!("mode=\"{mode}\"");
    add("start_lateness_seconds_count", lateness, chats.started);
    add(
        "burst_arrivals_dropped_total",
        format!("burst=\"run\",{subject}"),
        chats.dropped,
    );
    for (reason, count) in &chats.failed_by_reason {
        let labels = of_mode(&format!("reason=\"{reason}\",{subject}"));
        add("chats_failed_total", labels, *count);
    }
    for ((step, end), count) in &outlook.steps {
        // The only one that asks; a request that is in flight at a stop is given up.
        if step == "open" && *end != End::Stopped {
            add(
                "send_lateness_seconds_count",
                format!("mode=\"{mode}\""),
                *count,
            );
        }
        let labels = r#"scenario="s",step=""#.to_owned() + step + r#"",target="t""#;
        let joins = play.joins.contains(step);
        match end {
            End::Failed(reason) => {
                let labels = of_mode(&format!("reason=\"{reason}\",{labels}"));
                add("steps_failed_total", labels, *count);
                if joins && *reason == Reason::AgentJoinTimeout {
                    add("agent_join_timeouts_total", of_mode(subject), *count);
                }
            }
            End::Stopped => add("steps_stopped_total", of_mode(&labels), *count),
            End::Passed => {
                add("steps_passed_total", of_mode(&labels), *count);
                add("step_duration_seconds_count", of_mode(&labels), *count);
                if joins {
                    add("agent_join_seconds_count", of_mode(subject), *count);
                }
            }
        }
    }
    for (fate, count) in &outlook.all_fates {
        let labels = format!(r#"fate="{}",{subject}"#, fate.as_str());
        add(EVENTS, labels, *count);
    }
    let nowhere = r#"fate="unknown",scenario="none",target="none""#.to_owned();
    add(EVENTS, nowhere, outlook.nowhere);
    if let (Mode::Burst, Some(verdict)) = (play.mode, outlook.verdict) {
        let labels = format!(r#"burst="run",{subject},verdict="{}""#, verdict.as_str());
        add("bursts_total", labels, 1);
    }
    counts.retain(|_, count| *count > 0);
    counts
}

/// What came of all cases together: a property of cases in which nothing happens says nothing.
#[derive(Debug, Default)]
struct Seen {
    reasons: BTreeSet<Reason>,
    fates: BTreeSet<Fate>,
    verdicts: BTreeSet<&'static str>,
    passed: u64,
    stopped: u64,
    gracefully_stopped: u64,
    dropped: u64,
}

impl Seen {
    fn add(&mut self, report: &RunReport) {
        let steps = report.steps.iter();
        self.reasons
            .extend(steps.flat_map(|step| step.failed_by_reason.keys()));
        self.fates.extend(report.events.by_fate.keys());
        self.verdicts.extend(report.verdict.map(Verdict::as_str));
        self.passed += report.chats.passed;
        self.stopped += report.chats.stopped;
        self.gracefully_stopped += report.graceful_stop.map_or(0, |stop| stop.stopped);
        self.dropped += report.chats.dropped;
    }

    fn check(&self) {
        let reasons = [
            Reason::Status,
            Reason::Expectation,
            Reason::Capture,
            Reason::AgentJoinTimeout,
            Reason::ReplyTimeout,
            Reason::Disconnected,
            Reason::Template,
        ];
        assert_eq!(self.reasons, reasons.into());
        // An event that comes twice is too rare to be drawn each time; callbacks::tests::duplicates has it always.
        let rare = [Fate::Duplicate, Fate::OtherCallback];
        let missed =
            (Fate::ALL.iter()).find(|fate| !self.fates.contains(fate) && !rare.contains(fate));
        assert_eq!(missed, None, "{self:?}");
        assert_eq!(self.verdicts, ["failed", "passed", "stopped"].into());
        // Chats that a graceful stop ends are too rare to be drawn each time; runner::tests::graceful_stop has them always.
        let counts = [self.passed, self.stopped, self.dropped];
        let all_counted = counts.iter().all(|count| *count > 3);
        assert!(all_counted, "{self:?}");
    }
}

/// Tries the cases of a property test, as many as by default or by `PROPTEST_CASES`, divided by `part`.
fn check_all<T: Debug>(
    part: u32,
    strategy: impl Strategy<Value = T>,
    check: impl Fn(&Stage, &T) -> Result<RunReport, TestCaseError>,
) {
    let stage = Stage::new();
    let seen = RefCell::new(Seen::default());
    let usual = Config::default();
    let config = Config {
        cases: usual.cases / part,
        source_file: Some(file!()),
        ..usual
    };
    let result = TestRunner::new(config).run(&strategy, |case| {
        let report = check(&stage, &case)?;
        seen.borrow_mut().add(&report);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    seen.into_inner().check();
}

#[test]
fn every_chat_step_and_event_is_counted_as_the_script_has_it() {
    check_all(1, case(), |stage, case| {
        let (model, play) = (predict(case), case.play());
        let played = stage.play(&play);
        prop_assert_eq!(&played.left, &Vec::<String>::new());
        prop_assert_eq!(&seen(&played, &model), &model, "by the report");
        prop_assert_eq!(played.counts, counts_of(&play, &model), "by the metrics");
        Ok(played.report)
    });
}

#[test]
fn nothing_is_lost_or_counted_twice_where_things_happen_at_one_moment() {
    check_all(2, races(), |stage, play| {
        let mut played = stage.play(play);
        prop_assert_eq!(&played.left, &Vec::<String>::new());
        let report = &played.report;
        let (events, others) = mem::take(&mut played.counts)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(name, _)| name.starts_with(EVENTS));
        let told = seen(&played, &Outlook::default());
        let without_events = Outlook {
            all_fates: Fates::new(),
            ..told
        };
        prop_assert_eq!(others, counts_of(play, &without_events), "by the metrics");
        prop_assert_eq!(events.values().sum::<u64>(), play.letters.len() as u64);
        for (fate, count) in &report.events.by_fate {
            let labels = format!(
                r#"{EVENTS}{{fate="{}",scenario="s",target="t"}}"#,
                fate.as_str()
            );
            prop_assert!(
                events.get(&labels) >= Some(count),
                "{} {:?}",
                labels,
                events
            );
        }
        let notes = played.heard.notes();
        let count = |wanted: &heard::Note| notes.iter().filter(|note| *note == wanted).count();
        prop_assert_eq!(
            count(&heard::Note::WaitStarted),
            count(&heard::Note::WaitEnded)
        );
        prop_assert_eq!(endings_of(&played.heard).len() as u64, report.chats.started);
        Ok(played.report)
    });
}
