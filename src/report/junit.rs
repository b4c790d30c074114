//! A run as a suite of tests, for Jenkins and others that read JUnit XML.

use std::{fmt::Write as _, time::Duration};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{BaselineCheck, Overall, wording};
use crate::{
    event::{DeliveryFate, Verdict},
    printable,
    runner::{
        DeliveryReport, RunRecord, RunReport, RunState, StepReport, ThresholdReport, ThresholdState,
    },
};

/// A test for the verdict, one for each step and threshold, one for the deliveries to rooms, and one for the baselines if
/// there are any.
///
/// A step fails where the run does, and so do lost deliveries: what its thresholds allow for is no failure. A comparison is skipped unless
/// a regression fails it or nothing became worse: in any other case that the run is no worse was not seen.
pub fn document(record: &RunRecord, baseline: Option<&BaselineCheck>) -> String {
    let report = &record.report;
    let took = Duration::try_from_secs_f64(report.elapsed_seconds).unwrap_or_default();
    let mut suite = TestSuite::new(report.name.as_str());
    suite.set_time(took);
    suite.add_test_case(verdict(report));
    suite.add_test_cases(report.steps.iter().map(|step| of_step(step, report)));
    suite.add_test_cases((report.deliveries.as_ref()).map(|it| deliveries(it, report)));
    suite.add_test_cases(report.thresholds.iter().map(|held| threshold(held, report)));
    suite.add_test_cases(baseline.map(|baseline| against(baseline, report)));
    let mut document = Report::new("chatprobe");
    document.set_time(took);
    document.add_test_suite(suite);
    // Written to memory, which takes everything.
    let text = document.to_string().unwrap_or_default();
    printable::lines(&text).into_owned()
}

fn verdict(report: &RunReport) -> TestCase {
    let reasons = report.verdict_reasons.join("; ");
    let status = match report.verdict {
        Some(Verdict::Passed) => TestCaseStatus::success(),
        Some(Verdict::Failed) => failure(reasons),
        Some(Verdict::Invalid) => error(format!("says nothing about the target: {reasons}")),
        Some(Verdict::Stopped) => error(format!("stopped before its end: {reasons}")),
        None if report.state == RunState::Interrupted => error(format!("interrupted: {reasons}")),
        None => skipped("the run is in progress".to_owned()),
    };
    let mut case = case("verdict", "verdict", status, report);
    case.set_time(Duration::try_from_secs_f64(report.elapsed_seconds).unwrap_or_default());
    let teardown = report
        .teardown_failed
        .as_ref()
        .map(wording::teardown_failed);
    let told = [
        wording::graceful_stop(report),
        teardown,
        wording::other_callbacks(&report.events),
    ];
    let outside = report.failures_outside_steps().into_iter().map(|example| {
        let (chat, step, reason) = (example.chat, &example.step, example.reason);
        format!("chat {chat} failed at {step}: {reason}: {}", example.detail)
    });
    let told: Vec<_> = told.into_iter().flatten().chain(outside).collect();
    if !told.is_empty() {
        case.set_system_out(told.join("\n"));
    }
    case
}

fn of_step(step: &StepReport, report: &RunReport) -> TestCase {
    let mut told = format!("{} passed, {} failed", step.passed, step.failed);
    for (reason, count) in &step.failed_by_reason {
        // Writing to a string cannot fail.
        let _ = write!(told, "; {count} {reason}");
    }
    if step.stopped > 0 {
        // Likewise.
        let _ = write!(told, "; {} stopped before their end", step.stopped);
    }
    let mut latest = report.failures.iter().rev();
    if let Some(example) = latest.find(|example| example.step == step.step) {
        let _ = write!(told, "; such as chat {}: {}", example.chat, example.detail);
    }
    let status = match (step.passed, step.failed) {
        (0, 0) if step.stopped > 0 => skipped(
            if report.graceful_stop.is_some_and(|stop| stop.exceeded) {
                "its chats were stopped before its end"
            } else {
                "the run was stopped before its end"
            }
            .to_owned(),
        ),
        (0, 0) => skipped(
            match report.state {
                RunState::Ended => "it was not run",
                RunState::Interrupted => "the run was cut off, and no result of it is known",
                _ => "the run is in progress, and it has no result yet",
            }
            .to_owned(),
        ),
        (_, 1..) if report.verdict == Some(Verdict::Failed) => failure(told.clone()),
        _ => TestCaseStatus::success(),
    };
    let mut case = case("steps", &step.step, status, report);
    case.set_time(
        Duration::try_from_secs_f64(step.latency.p50.unwrap_or_default()).unwrap_or_default(),
    );
    case.set_system_out(told);
    case
}

fn deliveries(deliveries: &DeliveryReport, report: &RunReport) -> TestCase {
    let told = wording::deliveries(deliveries);
    let lost = deliveries.of_fate(DeliveryFate::Lost);
    let status = match (lost, report.verdict) {
        (1.., Some(Verdict::Failed)) => failure(told.clone()),
        (0, _) if deliveries.expected == 0 => skipped("no delivery was expected".to_owned()),
        _ => TestCaseStatus::success(),
    };
    let mut case = case("deliveries", "deliveries", status, report);
    let median = deliveries.latency.p50.unwrap_or_default();
    case.set_time(Duration::try_from_secs_f64(median).unwrap_or_default());
    case.set_system_out(told);
    case
}

fn threshold(threshold: &ThresholdReport, report: &RunReport) -> TestCase {
    let measured = format!("measured: {}", threshold.measured);
    let so_far = format!("so far {}, {measured}", threshold.state.in_words());
    let status = match (threshold.state, report.verdict) {
        _ if report.search.is_some() => {
            skipped("each step of the search is judged, and the run as a whole is not".to_owned())
        }
        (_, None) if report.state == RunState::Interrupted => {
            skipped(format!("the run was cut off; {so_far}"))
        }
        (_, None) => skipped(format!("the run is in progress; {so_far}")),
        (ThresholdState::Held, _) => TestCaseStatus::success(),
        (ThresholdState::Broken, _) => failure(measured.clone()),
        (ThresholdState::Pending | ThresholdState::NotJudged, _) => {
            skipped("the run was stopped before anything was measured".to_owned())
        }
    };
    let mut case = case("thresholds", &threshold.threshold, status, report);
    case.set_system_out(measured);
    case
}

fn against(baseline: &BaselineCheck, report: &RunReport) -> TestCase {
    let regressions = baseline.regressions();
    let (judged, of) = baseline.judged();
    let compared = &baseline.comparison;
    let status = if !regressions.is_empty() {
        failure(regressions.join("; "))
    } else if matches!(compared.overall, Overall::Unchanged | Overall::Better) {
        TestCaseStatus::success()
    } else {
        skipped(compared.headline.clone())
    };
    let held_against = match &*compared.baselines {
        [] => &compared.left_out,
        baselines => baselines,
    };
    let ids: Vec<_> = held_against.iter().map(|run| run.id.as_str()).collect();
    let runs = if ids.len() == 1 { "run" } else { "runs" };
    let name = format!("no worse than {runs} {}", ids.join(", "));
    let mut case = case("baseline", &name, status, report);
    case.set_system_out(format!(
        "{} {judged} of {of} figures could be judged",
        compared.headline
    ));
    case
}

fn case(part: &str, name: &str, status: TestCaseStatus, report: &RunReport) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{}.{part}", report.scenario));
    case
}

fn failure(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message);
    status
}

fn error(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(message);
    status
}

fn skipped(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Second, record, with_rooms};

    /// The cases as Jenkins would read them: class, name, and `passed` or what is wrong.
    fn cases(document: &str) -> Vec<(String, String, String)> {
        let report = Report::deserialize_from_str(document).unwrap();
        let suite = &report.test_suites[0];
        let told = suite.test_cases.iter().map(|case| {
            let status = match &case.status {
                TestCaseStatus::Success { .. } => "passed".to_owned(),
                TestCaseStatus::NonSuccess { kind, message, .. } => {
                    let message = message.as_ref().map_or("", |message| message.as_str());
                    format!("{kind:?}: {message}")
                }
                TestCaseStatus::Skipped { .. } => "skipped".to_owned(),
            };
            let class = case.classname.as_ref().unwrap().to_string();
            (class, case.name.to_string(), status)
        });
        told.collect()
    }

    fn told(document: &str) -> Vec<String> {
        cases(document).into_iter().map(|case| case.2).collect()
    }

    #[test]
    fn verdict_steps_and_thresholds_are_a_test_each() {
        let mut failing = vec![Second::default()];
        failing[0] = Second {
            passed: vec![0.5],
            failed: 1,
        };
        let mut record = record(&failing);
        record.report.thresholds = vec![ThresholdReport {
            threshold: "failed <= 60%".to_owned(),
            state: ThresholdState::Held,
            measured: "1 of 2".to_owned(),
        }];
        let tests: Vec<_> = cases(&document(&record, None))
            .into_iter()
            .map(|(class, name, _)| (class, name))
            .collect();
        let test = |class: &str, name: &str| (class.to_owned(), name.to_owned());
        assert_eq!(
            tests,
            [
                test("chat.verdict", "verdict"),
                test("chat.steps", "ask"),
                test("chat.thresholds", "failed <= 60%"),
            ]
        );
        // One of two may fail.
        assert_eq!(told(&document(&record, None)), ["passed"; 3]);

        record.report.verdict = Some(Verdict::Failed);
        record.report.verdict_reasons = vec!["broken: <failed>".to_owned()];
        record.report.thresholds[0].state = ThresholdState::Broken;
        assert_eq!(
            told(&document(&record, None)),
            [
                "Failure: broken: <failed>",
                "Failure: 1 passed, 1 failed; 1 timeout",
                "Failure: measured: 1 of 2",
            ]
        );
        record.report.verdict = Some(Verdict::Invalid);
        let invalid = told(&document(&record, None));
        assert!(invalid[0].starts_with("Error: says nothing about the target: "));
        assert_eq!(
            invalid[1], "passed",
            "what was not measured is nobody's fault"
        );
        record.report.verdict = None;
        for state in [RunState::Running, RunState::Interrupted] {
            record.report.state = state;
            for threshold in [
                ThresholdState::Pending,
                ThresholdState::Held,
                ThresholdState::Broken,
            ] {
                record.report.thresholds[0].state = threshold;
                assert_eq!(told(&document(&record, None))[2], "skipped");
            }
        }
        record.report.state = RunState::Running;
        assert_eq!(told(&document(&record, None))[0], "skipped");
        record.report.state = RunState::Interrupted;
        assert_eq!(
            told(&document(&record, None))[0],
            "Error: interrupted: broken: <failed>"
        );
    }

    #[test]
    fn a_step_without_a_result_is_skipped_and_says_why() {
        for (state, stopped, why) in [
            (RunState::Ended, 0, "it was not run"),
            (RunState::Ended, 1, "the run was stopped before its end"),
            (RunState::Running, 0, "has no result yet"),
            (RunState::Interrupted, 0, "no result of it is known"),
        ] {
            let mut record = record(&[Second::default()]);
            record.report.state = state;
            record.report.steps[0].stopped = stopped;
            let document = document(&record, None);
            assert_eq!(told(&document)[1], "skipped", "{why}");
            assert!(document.contains(why), "`{why}` in:\n{document}");
        }
    }

    #[test]
    fn a_regression_fails_a_test_of_its_own() {
        let seconds = |latency: f64| -> Vec<_> {
            let passed = (0..10).map(|part| latency * (1.0 + f64::from(part) / 100.0));
            vec![
                Second {
                    passed: passed.collect(),
                    failed: 0
                };
                40
            ]
        };
        let (before, after) = (record(&seconds(0.5)), record(&seconds(0.7)));
        let baseline = |limit| BaselineCheck::new(&[&before], &after, limit);
        let failed = told(&document(&after, Some(&baseline(Some(0.2)))));
        let message = "Failure: whole chats mean: 523 ms before, 731 ms now: +40.0%, where 20.0% are allowed; ";
        assert!(failed[2].starts_with(message), "{failed:?}");
        for allowed in [Some(0.5), None] {
            let passed = told(&document(&after, Some(&baseline(allowed))));
            assert_eq!(
                passed,
                ["passed", "passed", "skipped"],
                "worse, and allowed"
            );
        }
        let quicker = BaselineCheck::new(&[&after], &before, Some(0.2));
        assert_eq!(told(&document(&before, Some(&quicker))), ["passed"; 3]);
        let same = BaselineCheck::new(&[&before], &before, Some(0.2));
        assert_eq!(told(&document(&before, Some(&same))), ["passed"; 3]);
        let short = record(&[Second::default()]);
        let baseline = BaselineCheck::new(&[&before, &before], &short, Some(0.2));
        let document = document(&short, Some(&baseline));
        assert_eq!(told(&document)[2], "skipped", "nothing was seen");
        assert_eq!(cases(&document)[2].1, "no worse than runs 0123, 0123");
    }

    #[test]
    fn only_what_is_unchanged_or_better_is_no_worse() {
        let run = record(&[Second::default()]);
        let mut baseline = BaselineCheck::new(&[&run], &run, Some(0.2));
        for (overall, status) in [
            (Overall::Worse, "skipped"),
            (Overall::Better, "passed"),
            (Overall::Mixed, "skipped"),
            (Overall::RunToRun, "skipped"),
            (Overall::Unclear, "skipped"),
            (Overall::VerdictChanged, "skipped"),
            (Overall::Unchanged, "passed"),
            (Overall::TooShort, "skipped"),
            (Overall::NotComparable, "skipped"),
        ] {
            baseline.comparison.overall = overall;
            assert_eq!(
                told(&document(&run, Some(&baseline)))[2],
                status,
                "{overall:?}"
            );
        }
    }

    #[test]
    fn an_invalid_run_is_no_worse_and_names_what_it_was_held_against() {
        let usual = record(&vec![
            Second {
                passed: vec![0.5; 10],
                failed: 0
            };
            40
        ]);
        let mut invalid = record(&vec![
            Second {
                passed: vec![0.9; 5],
                failed: 5
            };
            40
        ]);
        invalid.report.verdict = Some(Verdict::Invalid);
        for (before, after) in [(&usual, &invalid), (&invalid, &usual)] {
            let baseline = BaselineCheck::new(&[before], after, Some(0.0));
            assert_eq!(baseline.comparison.overall, Overall::NotComparable);
            assert_eq!(baseline.regressions(), Vec::<String>::new());
            let cases = cases(&document(after, Some(&baseline)));
            assert_eq!(cases[2].1, "no worse than run 0123");
            assert_eq!(cases[2].2, "skipped");
        }
    }

    #[test]
    fn what_others_say_stays_text() {
        let mut record = record(&[Second::default()]);
        let evil = "</testsuite>\"'<script>&\u{0}\u{1b}[31m\u{202e}";
        record.report.name = evil.to_owned();
        record.report.scenario = evil.to_owned();
        record.report.verdict = Some(Verdict::Failed);
        record.report.verdict_reasons = vec![evil.to_owned()];
        let document = document(&record, None);
        assert!(
            !document.contains("<script") && !document.contains('\u{0}'),
            "{document}"
        );
        assert!(!document.contains('\u{202e}'), "{document}");
        let cases = cases(&document);
        assert_eq!(cases[0].2, "Failure: </testsuite>\"'<script>&\\u202e");
    }

    #[test]
    fn lost_deliveries_fail_where_the_run_does() {
        let mut record = with_rooms(record(&[]));
        let of_deliveries = |record: &RunRecord| {
            let cases = cases(&document(record, None));
            let mut cases = cases.into_iter();
            cases.find(|case| case.0 == "chat.deliveries").unwrap().2
        };
        assert_eq!(of_deliveries(&record), "passed");
        record.report.verdict = Some(Verdict::Failed);
        let told = of_deliveries(&record);
        assert!(
            told.starts_with("Failure: 40 expected of 2 messages: 36 delivered, 3 lost"),
            "{told}"
        );
        let deliveries = record.report.deliveries.as_mut().unwrap();
        deliveries.by_fate.remove(&DeliveryFate::Lost);
        assert_eq!(of_deliveries(&record), "passed");
        record.report.deliveries = Some(DeliveryReport::default());
        assert_eq!(of_deliveries(&record), "skipped");
    }
}
