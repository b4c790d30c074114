//! The frames that wait to be sent to one client.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{faults::SentCode, protocol::TextFrame};
use crate::simulator::{agenda::after, fault_shapes::TransitFate};

/// How long a frame that is to be overtaken waits for the next one.
const HOLD: Duration = Duration::from_secs(1);

/// What may wait for one client.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueLimits {
    pub frames: usize,
    pub bytes: usize,
}

/// The queue of one client. What is posted is taken in order, by the task of the socket alone.
#[derive(Debug)]
pub(super) struct Outgoing {
    limits: QueueLimits,
    queued: Mutex<Queued>,
    /// Something was posted, or the socket is to end.
    changed: Notify,
}

#[derive(Debug)]
struct Queued {
    frames: VecDeque<Waiting>,
    bytes: usize,
    /// No frame goes out before.
    gate: Instant,
    /// A frame that lets the next one pass, and when it goes in any case.
    held: Option<(Instant, TextFrame)>,
    ending: Option<SentCode>,
}

#[derive(Debug)]
struct Waiting {
    due: Instant,
    frame: TextFrame,
}

/// What became of a frame that was posted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Posted {
    pub duplicated: bool,
    pub delayed: bool,
    /// Copies for which there was no place.
    pub overflowed: u64,
    /// It has overtaken the one before.
    pub overtook: bool,
}

/// What to do next with a socket.
#[derive(Debug)]
pub(super) enum NextStep {
    Send(TextFrame),
    Close(SentCode),
}

impl Outgoing {
    pub fn new(limits: QueueLimits, now: Instant) -> Self {
        Self {
            limits,
            queued: Mutex::new(Queued {
                frames: VecDeque::new(),
                bytes: 0,
                gate: now,
                held: None,
                ending: None,
            }),
            changed: Notify::new(),
        }
    }

    fn queued(&self) -> MutexGuard<'_, Queued> {
        // Every change below leaves it whole.
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a frame at the end that is not dropped.
    pub fn post(&self, frame: TextFrame, fate: TransitFate, now: Instant) -> Posted {
        let TransitFate::Sent {
            twice,
            late,
            swapped,
        } = fate
        else {
            return Posted::default();
        };
        let mut queued = self.queued();
        let mut posted = Posted::default();
        if swapped && queued.held.is_none() {
            queued.held = Some((after(now, HOLD), frame));
        } else {
            let due = after(queued.gate.max(now), late);
            queued.gate = due;
            posted.duplicated = twice;
            posted.delayed = !late.is_zero();
            for _ in 0..=u8::from(twice) {
                let kept = queued.push(frame.clone(), due, self.limits);
                posted.overflowed += u64::from(!kept);
            }
            if let Some((_, held)) = queued.held.take() {
                posted.overtook = true;
                posted.overflowed += u64::from(!queued.push(held, due, self.limits));
            }
        }
        drop(queued);
        self.changed.notify_one();
        posted
    }

    /// The socket is to be closed with this code, whatever waits. Whether this is the first call, which counts.
    pub fn end(&self, code: SentCode) -> bool {
        let first = {
            let mut queued = self.queued();
            let first = queued.ending.is_none();
            queued.ending.get_or_insert(code);
            first
        };
        self.changed.notify_one();
        first
    }

    /// The next frame once it is due, or the end. May be dropped and called again.
    pub async fn next(&self) -> NextStep {
        loop {
            let wait_until = {
                let mut queued = self.queued();
                if let Some(code) = queued.ending {
                    return NextStep::Close(code);
                }
                let now = Instant::now();
                queued.release(now);
                match queued.frames.front().map(|waiting| waiting.due) {
                    Some(due) if due <= now => {
                        if let Some(frame) = queued.pop() {
                            return NextStep::Send(frame);
                        }
                        None
                    }
                    Some(due) => Some(due),
                    None => queued.held.as_ref().map(|(until, _)| *until),
                }
            };
            match wait_until {
                Some(until) => {
                    tokio::select! {
                        () = self.changed.notified() => {}
                        () = sleep_until(until) => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// Completes when the socket is to end. Beside a frame that the client does not take.
    pub async fn ending(&self) -> SentCode {
        loop {
            if let Some(code) = self.queued().ending {
                return code;
            }
            self.changed.notified().await;
        }
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        let queued = self.queued();
        queued.frames.len() + usize::from(queued.held.is_some())
    }
}

impl Queued {
    /// Whether there was a place for it.
    fn push(&mut self, frame: TextFrame, due: Instant, limits: QueueLimits) -> bool {
        let bytes = self.bytes + frame.text.len();
        let fits = self.frames.len() < limits.frames && bytes <= limits.bytes;
        if fits {
            self.bytes = bytes;
            self.frames.push_back(Waiting { due, frame });
        }
        fits
    }

    fn pop(&mut self) -> Option<TextFrame> {
        let frame = self.frames.pop_front()?.frame;
        self.bytes -= frame.text.len();
        Some(frame)
    }

    /// A frame that nobody has overtaken in time goes behind all others. It takes the place that it had.
    fn release(&mut self, now: Instant) {
        if let Some((_, frame)) = self.held.take_if(|(until, _)| *until <= now) {
            let due = self.gate.max(now);
            self.bytes += frame.text.len();
            self.frames.push_back(Waiting { due, frame });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::simulator::rooms::protocol::ServerFrameKind;

    fn queue(frames: usize, bytes: usize) -> Outgoing {
        Outgoing::new(QueueLimits { frames, bytes }, Instant::now())
    }

    fn frame(text: &str) -> TextFrame {
        TextFrame {
            kind: ServerFrameKind::Said,
            text: text.into(),
        }
    }

    fn fate(twice: bool, late: u64, swapped: bool) -> TransitFate {
        TransitFate::Sent {
            twice,
            late: Duration::from_secs(late),
            swapped,
        }
    }

    async fn text(queue: &Outgoing) -> String {
        match queue.next().await {
            NextStep::Send(frame) => frame.text.to_string(),
            NextStep::Close(code) => u16::from(code).to_string(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn frames_come_in_order_twice_late_and_overtaken_as_their_fate_is() {
        let queue = queue(10, 100);
        let began = Instant::now();
        queue.post(frame("dropped"), TransitFate::Dropped, began);
        queue.post(frame("a"), fate(true, 0, false), began);
        queue.post(frame("late"), fate(false, 2, false), began);
        queue.post(frame("swapped"), fate(false, 0, true), began);
        let posted = queue.post(frame("next"), TransitFate::WELL, began);
        assert!(posted.overtook);
        assert_eq!(queue.len(), 5);
        for (expected, after) in [("a", 0), ("a", 0), ("late", 2), ("next", 2), ("swapped", 2)] {
            assert_eq!(text(&queue).await, expected);
            assert_eq!(began.elapsed(), Duration::from_secs(after), "{expected}");
        }
        assert!(queue.next().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_nobody_overtakes_goes_out_after_a_second() {
        let queue = queue(10, 100);
        let began = Instant::now();
        queue.post(frame("alone"), fate(false, 0, true), began);
        assert_eq!(text(&queue).await, "alone");
        assert_eq!(began.elapsed(), HOLD);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_by_number_or_bytes_overflows() {
        let now = Instant::now();
        let few = queue(2, 100);
        let overflowed = |queue: &Outgoing, text: &str| {
            queue.post(frame(text), TransitFate::WELL, now).overflowed
        };
        assert_eq!(
            ["a", "b", "c"].map(|text| overflowed(&few, text)),
            [0, 0, 1]
        );
        let short = queue(10, 5);
        assert_eq!(
            ["abc", "de", "f"].map(|text| overflowed(&short, text)),
            [0, 0, 1]
        );
        assert_eq!(text(&short).await, "abc");
        assert_eq!(overflowed(&short, "ghi"), 0, "its bytes are free again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_goes_before_everything_that_waits() {
        let queue = queue(10, 100);
        queue.post(frame("a"), TransitFate::WELL, Instant::now());
        assert!(queue.end(SentCode::TRY_AGAIN));
        assert!(!queue.end(SentCode::AWAY));
        assert_eq!(text(&queue).await, "1013");
        assert_eq!(queue.ending().await, SentCode::TRY_AGAIN);
    }
}
