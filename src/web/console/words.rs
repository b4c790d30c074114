//! Figures and states as people read them.

use maud::{Markup, html};

use crate::{event::Verdict, runner::RunState};

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

    pub(super) fn show(self) -> Markup {
        html! { span class={ "standing " (self.class) } { (self.sign) " " (self.word) } }
    }
}

/// `1.24 s`, `35 ms`; a dash where nothing was measured.
pub(super) fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds >= 100.0 => format!("{seconds:.0} s"),
        Some(seconds) if seconds >= 1.0 => format!("{seconds:.2} s"),
        Some(seconds) if seconds >= 0.01 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{:.1} ms", seconds * 1e3),
    }
}

/// `20,000`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// An RFC 3339 time without parts of seconds.
pub(super) fn moment(rfc3339: &str) -> Markup {
    let whole = rfc3339.split('.').next().unwrap_or(rfc3339);
    let whole = whole.trim_end_matches('Z');
    html! { time datetime=(rfc3339) { (whole.replacen('T', " ", 1)) " UTC" } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let times = [None, Some(0.0012), Some(0.035), Some(1.237), Some(734.2)].map(time);
        assert_eq!(times, ["–", "1.2 ms", "35 ms", "1.24 s", "734 s"]);
        assert_eq!(
            [0, 999, 1_000, 20_000, 1_234_567].map(count),
            ["0", "999", "1,000", "20,000", "1,234,567"]
        );
        let shown = moment("2026-11-21T20:07:13.123456Z").into_string();
        assert!(shown.contains(">2026-11-21 20:07:13 UTC<"), "{shown}");
    }
}
