use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, sleep};

use crate::{load::Profile, runner::RunHandle};

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
            eprintln!("{text}");
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
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            duration: load.duration(),
            begun: Instant::now(),
            started: std::collections::VecDeque::new(),
        }
    }

    fn update(&mut self, run: &RunHandle) -> String {
        let now = Instant::now();
        let chats = run.chats();
        let ended = chats.passed + chats.failed + chats.stopped + chats.dropped;
        let elapsed = now.saturating_duration_since(self.begun);
        let by_time = self.bar.length() == Some(self.duration.as_secs().max(1));
        self.bar.set_position(if by_time && ended == 0 {
            elapsed.as_secs()
        } else {
            ended
        });
        let rate = self.rate(now, chats.started);
        let left = self.duration.saturating_sub(elapsed).as_secs();
        let left = if left > 0 {
            format!("{left} s left")
        } else {
            "finishing".to_owned()
        };
        let text = format!(
            "active {}  passed {}  failed {}  {rate:.1}/s  {left}",
            chats.in_progress, chats.passed, chats.failed
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
