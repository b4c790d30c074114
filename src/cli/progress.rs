use std::{
    collections::VecDeque,
    fmt,
    io::{IsTerminal as _, stderr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::output::{bar_is_shown, tell};
use crate::{
    load::Profile,
    runner::{ChatCounts, RunHandle, RunState},
    units::duration,
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
    let _bar = terminal.then(BarShown::new);
    let mut next_line = Instant::now() + LINE_EVERY;
    while !run.has_ended() {
        let ProgressLine { counts, stage } = progress.update(run);
        if !terminal && Instant::now() >= next_line {
            tell(format_args!("{counts}  {stage}"));
            next_line += LINE_EVERY;
        }
        tokio::select! {
            () = run.ended() => {}
            () = sleep(REFRESH) => {}
        }
    }
    progress.bar.finish_and_clear();
}

/// Lines are written above the bar as long as this is there.
struct BarShown;

impl BarShown {
    fn new() -> Self {
        bar_is_shown(true);
        Self
    }
}

impl Drop for BarShown {
    fn drop(&mut self) {
        bar_is_shown(false);
    }
}

/// What stands on both sides of the bar. The bar draws itself with every single change, so all of it is taken when
/// the bar moves.
#[derive(Debug, Default)]
struct Shown {
    stage: String,
    figures: String,
}

/// How far a run is, for one line.
struct ProgressLine {
    counts: String,
    stage: Stage,
}

struct Progress {
    bar: ProgressBar,
    shown: Arc<Mutex<Shown>>,
    /// Over which chats start; of a search, at the longest.
    duration: Duration,
    /// When the first chat could start.
    begun: Option<Instant>,
    /// Chats started, at some moments of the last seconds.
    started: VecDeque<(Instant, u64)>,
}

impl Progress {
    fn new(load: &Profile, terminal: bool) -> Self {
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(100), target);
        let shown = Arc::<Mutex<Shown>>::default();
        if let Ok(style) = ProgressStyle::with_template("{stage} {wide_bar} {figures}") {
            let (stage, figures) = (shown.clone(), shown.clone());
            let style = style
                .with_key(
                    "stage",
                    move |_: &ProgressState, out: &mut dyn fmt::Write| {
                        write_out(out, &lock(&stage).stage);
                    },
                )
                .with_key(
                    "figures",
                    move |_: &ProgressState, out: &mut dyn fmt::Write| {
                        write_out(out, &lock(&figures).figures);
                    },
                );
            bar.set_style(style);
        }
        Self {
            bar,
            shown,
            duration: load.duration(),
            begun: None,
            started: VecDeque::new(),
        }
    }

    fn update(&mut self, run: &RunHandle) -> ProgressLine {
        let now = Instant::now();
        let (at, chats) = (run.state(), run.chats());
        if at != RunState::SettingUp {
            self.begun.get_or_insert(now);
        }
        let elapsed = self
            .begun
            .map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
        let rate = self.rate(now, chats.started);
        let stage = Stage::of(at, &chats, elapsed, self.duration, run.search());
        let counts = format!(
            "passed {}  failed {}  {rate:.1}/s",
            chats.passed, chats.failed
        );
        *lock(&self.shown) = Shown {
            stage: stage.name.to_owned(),
            figures: format!("{:>3}%  {counts}  {}", stage.percent, stage.details),
        };
        self.bar.set_position(stage.percent);
        ProgressLine { counts, stage }
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

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    // Text: usable whatever happened to a thread that held it.
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_out(out: &mut dyn fmt::Write, text: &str) {
    // A bar that cannot be drawn is not worth a run.
    let _ = out.write_str(text);
}

/// What a run is at, and how much of that is done. How long chats take is not known, so starting them and waiting
/// for the last of them are two things: the first has a time, the second a number of chats.
#[derive(Debug, PartialEq, Eq)]
struct Stage {
    name: &'static str,
    percent: u64,
    details: String,
}

impl Stage {
    /// `elapsed` of the `duration` over which chats start.
    fn of(
        state: RunState,
        chats: &ChatCounts,
        elapsed: Duration,
        duration: Duration,
        search: Option<String>,
    ) -> Self {
        let active = chats.in_progress;
        let left = duration.saturating_sub(elapsed);
        let left = duration::exact(Duration::from_secs(whole_seconds(left)));
        let (name, percent, details) = match state {
            RunState::SettingUp => ("setting up", 0, String::new()),
            RunState::Running | RunState::Paused => {
                let percent = part(elapsed.min(duration).as_millis(), duration.as_millis());
                match search {
                    Some(search) => {
                        let details = format!("{active} active, {search}, at most {left} left");
                        ("searching", percent, details)
                    }
                    None => ("starting", percent, format!("{active} active, {left} left")),
                }
            }
            RunState::Finishing => {
                let ended = chats.passed + chats.failed + chats.stopped;
                let percent = part(ended.into(), chats.started.into());
                ("finishing", percent, format!("{active} active"))
            }
            RunState::TearingDown | RunState::Ended | RunState::Interrupted => {
                ("tearing down", 100, String::new())
            }
        };
        Self {
            name,
            percent,
            details,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}%", self.name, self.percent)?;
        if self.details.is_empty() {
            return Ok(());
        }
        write!(f, ", {}", self.details)
    }
}

/// Rounded up: what is left takes at least a second until it is over.
fn whole_seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// Whole percents; of nothing, all is done.
fn part(done: u128, of: u128) -> u64 {
    let percent = (done * 100).checked_div(of).unwrap_or(100);
    u64::try_from(percent).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(started: u64, in_progress: u64) -> ChatCounts {
        ChatCounts {
            started,
            in_progress,
            passed: started - in_progress,
            ..ChatCounts::default()
        }
    }

    #[test]
    fn the_share_that_is_done_agrees_with_what_is_left() {
        let ms = Duration::from_millis;
        let (ramp, none) = (ms(30_000), Duration::ZERO);
        for (state, chats, elapsed, duration, says) in [
            (
                RunState::SettingUp,
                counts(0, 0),
                none,
                ramp,
                "setting up 0%",
            ),
            // None has ended, and a sixth of the time is over.
            (
                RunState::Running,
                counts(333, 333),
                ms(5_000),
                ramp,
                "starting 16%, 333 active, 25 s left",
            ),
            (
                RunState::Running,
                counts(1_900, 4),
                ms(29_700),
                ramp,
                "starting 99%, 4 active, 1 s left",
            ),
            // Late, but there is more to come.
            (
                RunState::Running,
                counts(1_900, 4),
                ms(31_000),
                ramp,
                "starting 100%, 4 active, 0 s left",
            ),
            (
                RunState::Finishing,
                counts(2_000, 1_500),
                ms(31_000),
                ramp,
                "finishing 25%, 1500 active",
            ),
            // It was told to end: no time is left for chats to start.
            (
                RunState::Finishing,
                counts(40, 10),
                ms(2_000),
                ramp,
                "finishing 75%, 10 active",
            ),
            (
                RunState::Finishing,
                counts(1, 1),
                none,
                none,
                "finishing 0%, 1 active",
            ),
            (
                RunState::TearingDown,
                counts(9, 0),
                ramp,
                ramp,
                "tearing down 100%",
            ),
        ] {
            let stage = Stage::of(state, &chats, elapsed, duration, None);
            assert_eq!(stage.to_string(), says);
        }
        let search = Some("75/s, warming up; 50/s held".to_owned());
        let stage = Stage::of(
            RunState::Running,
            &counts(9, 3),
            ms(60_000),
            ms(600_000),
            search,
        );
        assert_eq!(
            stage.to_string(),
            "searching 10%, 3 active, 75/s, warming up; 50/s held, at most 9 min left"
        );
    }
}
