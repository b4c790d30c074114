use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::output::tell;
use crate::{
    load::Profile,
    runner::{ChatCounts, RunHandle, ThresholdReport, ThresholdState},
};

/// How often the bar moves.
const REFRESH: Duration = Duration::from_millis(200);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Over how long the rate of starts is averaged.
const RATE_OVER: Duration = Duration::from_secs(2);

/// Shows how far a run is until it has ended: a bar on a terminal, lines elsewhere.
pub(super) async fn show(run: &RunHandle, load: &Profile) {
    let terminal = stderr().is_terminal();
    let mut progress = Progress::new(load, terminal);
    let mut next_line = Instant::now() + LINE_EVERY;
    while !run.has_ended() {
        let text = progress.update(run);
        if !terminal && Instant::now() >= next_line {
            tell(text);
            next_line += LINE_EVERY;
        }
        tokio::select! {
            () = run.ended() => {}
            () = sleep(REFRESH) => {}
        }
    }
    progress.bar.finish_and_clear();
}

struct Progress {
    bar: ProgressBar,
    duration: Duration,
    /// How many chats will start, where that is known.
    total: Option<u64>,
    begun: Instant,
    /// Chats started, at some moments of the last seconds.
    started: std::collections::VecDeque<(Instant, u64)>,
}

impl Progress {
    fn new(load: &Profile, terminal: bool) -> Self {
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        // Chats where their number is known, else the time.
        let length = load
            .chats()
            .unwrap_or_else(|| load.duration().as_secs().max(1));
        let bar = ProgressBar::with_draw_target(Some(length), target);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent:>3}%  {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            duration: load.duration(),
            total: load.chats(),
            begun: Instant::now(),
            started: std::collections::VecDeque::new(),
        }
    }

    fn update(&mut self, run: &RunHandle) -> String {
        let now = Instant::now();
        let chats = run.chats();
        let ended = chats.passed + chats.failed + chats.stopped + chats.dropped;
        let elapsed = now.saturating_duration_since(self.begun);
        self.bar.set_position(match self.total {
            Some(_) => ended,
            None => elapsed.as_secs(),
        });
        let rate = self.rate(now, chats.started);
        let phase = match run.search() {
            Some(search) => format!("{} active, {search}", chats.in_progress),
            None => phase(self.total, &chats, self.duration.saturating_sub(elapsed)),
        };
        // A search judges its steps, and says how far it is.
        let thresholds = match run.search() {
            Some(_) => String::new(),
            None => thresholds(&run.thresholds()),
        };
        let text = format!(
            "passed {}  failed {}  {rate:.1}/s  {phase}{thresholds}",
            chats.passed, chats.failed
        );
        self.bar.set_message(text.clone());
        text
    }

    fn rate(&mut self, now: Instant, started: u64) -> f64 {
        self.started.push_back((now, started));
        while self.started.len() > 2
            && self
                .started
                .front()
                .is_some_and(|(at, _)| now.saturating_duration_since(*at) > RATE_OVER)
        {
            self.started.pop_front();
        }
        let Some((since, before)) = self.started.front() else {
            return 0.0;
        };
        let seconds = now.saturating_duration_since(*since).as_secs_f64();
        if seconds == 0.0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let started = started.saturating_sub(*before) as f64;
        started / seconds
    }
}

/// What the run is at. How long chats take is not known, so the time left is that for starting
/// them.
fn phase(total: Option<u64>, chats: &ChatCounts, left: Duration) -> String {
    let active = chats.in_progress;
    let all_started = match total {
        Some(total) => chats.started + chats.dropped >= total,
        None => left.is_zero(),
    };
    if total == Some(1) {
        return "running".to_owned();
    }
    if all_started {
        return format!("finishing, {active} active");
    }
    let left = left.as_secs_f64().ceil();
    format!("starting, {active} active, {left} s left")
}

/// How many thresholds stand how, so far; nothing if there are none.
fn thresholds(all: &[ThresholdReport]) -> String {
    let states = [
        ThresholdState::Held,
        ThresholdState::Broken,
        ThresholdState::Pending,
    ];
    let counts = states.into_iter().filter_map(|state| {
        let count = all.iter().filter(|threshold| threshold.state == state);
        let count = count.count();
        (count > 0).then(|| format!("{count} {}", state.in_words()))
    });
    let counts: Vec<_> = counts.collect();
    if counts.is_empty() {
        return String::new();
    }
    format!("  thresholds: {}", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_counted_by_how_they_stand() {
        let threshold = |state| ThresholdReport {
            threshold: "p95 <= 1s".to_owned(),
            state,
            measured: "nothing".to_owned(),
        };
        let all = [
            ThresholdState::Pending,
            ThresholdState::Broken,
            ThresholdState::Pending,
        ];
        assert_eq!(
            thresholds(&all.map(threshold)),
            "  thresholds: 1 broken, 2 pending"
        );
        assert_eq!(thresholds(&[]), "");
    }

    fn counts(started: u64, in_progress: u64, dropped: u64) -> ChatCounts {
        ChatCounts {
            started,
            in_progress,
            dropped,
            ..ChatCounts::default()
        }
    }

    #[test]
    fn a_run_finishes_once_no_more_chats_start_and_not_before() {
        let ms = Duration::from_millis;
        for (total, chats, left, says) in [
            (
                Some(9),
                counts(3, 3, 0),
                ms(1_200),
                "starting, 3 active, 2 s left",
            ),
            // Late, but there is more to come.
            (
                Some(9),
                counts(8, 8, 0),
                ms(0),
                "starting, 8 active, 0 s left",
            ),
            (Some(9), counts(9, 4, 0), ms(0), "finishing, 4 active"),
            (Some(9), counts(7, 4, 2), ms(0), "finishing, 4 active"),
            (
                None,
                counts(50, 4, 0),
                ms(1),
                "starting, 4 active, 1 s left",
            ),
            (None, counts(50, 4, 0), ms(0), "finishing, 4 active"),
            (Some(1), counts(1, 1, 0), ms(0), "running"),
        ] {
            assert_eq!(phase(total, &chats, left), says);
        }
    }
}
