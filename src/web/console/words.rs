//! Figures and states as people read them.

use maud::{Markup, html};

pub(super) use crate::report::wording::{count, span};
use crate::{
    event::Verdict,
    history::ProbeHour,
    report::wording,
    runner::{RunState, StepReport, ThresholdState},
};

/// Where there is nothing to tell.
const NOTHING: &str = "–";

/// How something stands, told by a sign and a word besides the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
}

impl Standing {
    pub(super) fn of(state: RunState, verdict: Option<Verdict>) -> Self {
        let (class, sign, word) = match (verdict, state) {
            (Some(Verdict::Passed), _) => ("passed", "✓", "passed"),
            (Some(Verdict::Failed), _) => ("failed", "✗", "failed"),
            (Some(Verdict::Invalid), _) => ("invalid", "?", "invalid"),
            (Some(Verdict::Stopped), _) => ("stopped", "■", "stopped"),
            (None, RunState::SettingUp) => ("active", "▸", "setting up"),
            (None, RunState::Running) => ("active", "▸", "running"),
            (None, RunState::Paused) => ("stopped", "‖", "paused"),
            (None, RunState::Finishing) => ("active", "▸", "finishing"),
            (None, RunState::TearingDown) => ("active", "▸", "tearing down"),
            (None, RunState::Ended) => ("stopped", "■", "ended"),
            (None, RunState::Interrupted) => ("invalid", "?", "interrupted"),
        };
        Self { class, sign, word }
    }

    pub(super) fn of_threshold(state: ThresholdState) -> Self {
        let (class, sign) = match state {
            ThresholdState::Pending => ("active", "…"),
            ThresholdState::Held => ("passed", "✓"),
            ThresholdState::Broken => ("failed", "✗"),
            ThresholdState::NotJudged => ("stopped", "–"),
        };
        let word = state.in_words();
        Self { class, sign, word }
    }

    /// How steps or chats fare of which so many passed and failed.
    pub(super) fn of_counts(passed: u64, failed: u64) -> Self {
        let (class, sign, word) = match (passed, failed) {
            (0, 0) => ("", "·", "nothing yet"),
            (_, 0) => ("passed", "✓", "passed"),
            _ => ("failed", "✗", "failed"),
        };
        Self { class, sign, word }
    }

    /// How an hour of a probe was: as the worst of its runs. Stopped runs decide only if there are no others.
    pub(super) fn of_hour(hour: &ProbeHour) -> Self {
        let has = |verdict: &Verdict| hour.with(*verdict) > 0;
        let worst = [Verdict::Failed, Verdict::Invalid].into_iter().find(has);
        if worst.is_none() && hour.broken_off() > 0 {
            return Self::of(RunState::Interrupted, None);
        }
        let other = || [Verdict::Passed, Verdict::Stopped].into_iter().find(has);
        Self::of(RunState::Ended, worst.or_else(other))
    }

    /// How a step of a run, or its chats as a whole, fare.
    pub(super) fn of_step(step: &StepReport, state: RunState) -> Self {
        let counted = Self::of_counts(step.passed, step.failed);
        match state {
            _ if step.passed + step.failed > 0 => counted,
            _ if step.stopped > 0 => Self {
                class: "stopped",
                sign: "■",
                word: "stopped",
            },
            // By no chat: they ended before it, or its `when` did not hold.
            RunState::Ended => Self {
                word: "not run",
                ..counted
            },
            // Some may have been in progress.
            RunState::Interrupted => Self {
                word: "no result",
                ..counted
            },
            _ => counted,
        }
    }

    pub(super) fn show(self) -> Markup {
        html! { span class={ "standing " (self.class) } { (self.sign) " " (self.word) } }
    }
}

/// `1.24 s`, `35 ms`; a dash where nothing was measured.
pub(super) fn time(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| NOTHING.to_owned(), wording::seconds)
}

/// The share of those that failed; a dash where there was none at all.
pub(super) fn share(failed: u64, passed: u64) -> String {
    match failed + passed {
        0 => NOTHING.to_owned(),
        of => wording::percent(number(failed) / number(of)),
    }
}

/// `4.9/s`; a dash before any time is over.
pub(super) fn rate(count: u64, seconds: f64) -> String {
    if seconds > 0.0 {
        wording::rate(number(count) / seconds)
    } else {
        NOTHING.to_owned()
    }
}

/// The same of a rate that is known or not.
pub(super) fn per_second(rate: Option<f64>) -> String {
    rate.map_or_else(|| NOTHING.to_owned(), wording::rate)
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn number(count: u64) -> f64 {
    count as f64
}

/// An RFC 3339 time without parts of seconds.
pub(super) fn moment(rfc3339: &str) -> Markup {
    html! { time datetime=(rfc3339) { (wording::moment(rfc3339)) } }
}

/// The same without the day, where that stands beside it.
pub(super) fn hour(rfc3339: &str) -> Markup {
    let whole = wording::whole_seconds(rfc3339);
    let hour = whole.split('T').nth(1).unwrap_or(whole);
    html! { time datetime=(rfc3339) title=(wording::moment(rfc3339)) { (hour) " UTC" } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let times = [None, Some(0.0012), Some(0.035), Some(1.237), Some(734.2)].map(time);
        assert_eq!(times, ["–", "1.2 ms", "35 ms", "1.24 s", "734 s"]);
        assert_eq!(
            (share(0, 0), share(1, 3)),
            ("–".to_owned(), "25.0%".to_owned())
        );
        let rates = [(0, 0.0), (0, 1.0), (1, 4.0), (49, 10.0), (1_234, 2.0)];
        assert_eq!(
            rates.map(|(count, seconds)| rate(count, seconds)),
            ["–", "0/s", "0.25/s", "4.9/s", "617/s"]
        );
        let shown = moment("2026-11-21T20:07:13.123456Z").into_string();
        assert!(shown.contains(">2026-11-21 20:07:13 UTC<"), "{shown}");
        let shown = hour("2026-11-21T20:07:13Z").into_string();
        assert!(shown.contains(">20:07:13 UTC<"), "{shown}");
    }
}
