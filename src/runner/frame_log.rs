use std::{collections::VecDeque, mem, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::TraceBudget;
use crate::{
    event::{Passage, TracedFrame, TracedFrames},
    scenario::Beginning,
};

/// Frames of one chat that are kept: the latest ones.
const MOST_FRAMES: usize = 50;
/// What they may take together, in bytes.
const MOST_BYTES: usize = 16 * 1024;
/// What is kept of the content of each, in bytes.
const MOST_CONTENT: usize = 512;

/// The latest frames of a chat in progress, in case it fails. Those of a burst are given up when there is no room any
/// more.
pub(super) struct FrameLog {
    /// `None` for a probe, which takes what it needs.
    budget: Option<TraceBudget>,
    bytes: usize,
    latest: VecDeque<LoggedFrame>,
    /// What is kept of their contents, one behind the other: every frame of every chat passes here, and would need memory
    /// of its own.
    contents: VecDeque<u8>,
    dropped: u64,
    /// Nobody asks any more.
    is_over: bool,
}

/// A connection whose frames are kept.
pub(super) struct LoggedConnection {
    /// Which connection of the chat, from one.
    pub(super) number: u32,
    /// The name of its socket, with that of its track in front if it has one.
    pub(super) socket: Arc<str>,
}

/// A frame without its content.
struct LoggedFrame {
    connection: u32,
    socket: Arc<str>,
    at: Instant,
    passage: Passage,
    /// How much of its content is kept.
    kept: usize,
    /// The length of the whole.
    length: usize,
}

impl FrameLog {
    pub(super) fn new(budget: Option<TraceBudget>) -> Self {
        Self {
            budget,
            bytes: 0,
            latest: VecDeque::new(),
            contents: VecDeque::new(),
            dropped: 0,
            is_over: false,
        }
    }

    /// Keeps the beginning of what passed over a connection.
    pub(super) fn note(
        &mut self,
        connection: &LoggedConnection,
        at: Instant,
        passage: Passage,
        content: &[u8],
    ) {
        if self.is_over {
            return;
        }
        let kept = &content[..content.len().min(MOST_CONTENT)];
        let frame = LoggedFrame {
            connection: connection.number,
            socket: connection.socket.clone(),
            at,
            passage,
            kept: kept.len(),
            length: content.len(),
        };
        let bytes = frame.bytes();
        while self.latest.len() >= MOST_FRAMES || self.bytes + bytes > MOST_BYTES {
            self.drop_oldest();
        }
        // Where there is no room for more, a chat has as much as it had.
        while !self.takes(bytes) {
            if !self.drop_oldest() {
                self.dropped += 1;
                return;
            }
        }
        self.bytes += bytes;
        self.contents.extend(kept);
        self.latest.push_back(frame);
    }

    /// What was kept, with moments after `since`. From now on nothing is kept.
    pub(super) fn take(&mut self, since: Option<Instant>) -> TracedFrames {
        self.is_over = true;
        let mut contents = Bytes::from(Vec::from(mem::take(&mut self.contents)));
        let latest = mem::take(&mut self.latest).into_iter().map(|logged| {
            let after = |since| logged.at.saturating_duration_since(since);
            TracedFrame {
                connection: logged.connection,
                socket: logged.socket,
                at: since.map(after),
                passage: logged.passage,
                content: Beginning {
                    text: contents.split_to(logged.kept),
                    length: logged.length,
                },
            }
        });
        let frames = TracedFrames {
            latest: latest.collect(),
            dropped: self.dropped,
        };
        let bytes = mem::take(&mut self.bytes);
        self.give_back(bytes);
        frames
    }

    fn takes(&self, bytes: usize) -> bool {
        let budget = self.budget.as_ref();
        budget.is_none_or(|budget| budget.take(bytes))
    }

    fn give_back(&self, bytes: usize) {
        if let Some(budget) = &self.budget {
            budget.give_back(bytes);
        }
    }

    /// Whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.latest.pop_front() else {
            return false;
        };
        self.contents.drain(..oldest.kept);
        let bytes = oldest.bytes();
        self.bytes -= bytes;
        self.give_back(bytes);
        self.dropped += 1;
        true
    }
}

impl LoggedFrame {
    fn bytes(&self) -> usize {
        TracedFrame::bytes_with(self.kept)
    }
}

impl Drop for FrameLog {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::scenario::FrameKind;

    const RECEIVED: Passage = Passage::Received(FrameKind::Text);

    fn connection() -> LoggedConnection {
        LoggedConnection {
            number: 1,
            socket: "socket".into(),
        }
    }

    /// Of frames that are all short, or of any length.
    fn lengths() -> impl Strategy<Value = Vec<usize>> {
        prop_oneof![
            prop::collection::vec(0..100_usize, 0..120),
            prop::collection::vec(0..2_000_usize, 0..120),
        ]
    }

    proptest! {
        #[test]
        fn the_latest_frames_are_kept_with_their_beginnings_and_the_others_counted(
            lengths in lengths()
        ) {
            let budget = TraceBudget::default();
            let mut log = FrameLog::new(Some(budget.clone()));
            let began = Instant::now();
            for (number, length) in lengths.iter().enumerate() {
                let after = Duration::from_millis(u64::try_from(number).unwrap());
                log.note(&connection(), began + after, RECEIVED, &vec![b'x'; *length]);
            }
            let taken = budget.taken();
            let frames = log.take(Some(began));
            prop_assert_eq!(taken, frames.bytes());
            prop_assert!(taken <= MOST_BYTES && frames.latest.len() <= MOST_FRAMES);
            prop_assert_eq!(budget.taken(), 0);
            let dropped = usize::try_from(frames.dropped).unwrap();
            prop_assert_eq!(dropped + frames.latest.len(), lengths.len());
            for (number, frame) in frames.latest.iter().enumerate() {
                let number = dropped + number;
                prop_assert_eq!(frame.content.length, lengths[number]);
                prop_assert_eq!(frame.content.text.len(), lengths[number].min(MOST_CONTENT));
                let after = Duration::from_millis(u64::try_from(number).unwrap());
                prop_assert_eq!(frame.at, Some(after));
            }
            // There is no room for one more only where all are needed.
            if dropped > 0 && frames.latest.len() < MOST_FRAMES {
                prop_assert!(frames.bytes() + MOST_CONTENT + 100 > MOST_BYTES);
            }
        }
    }

    #[test]
    fn without_room_a_chat_keeps_as_much_as_it_has() {
        let budget = TraceBudget::default();
        let mut log = FrameLog::new(Some(budget.clone()));
        log.note(&connection(), Instant::now(), RECEIVED, b"first");
        budget.fill();
        log.note(&connection(), Instant::now(), RECEIVED, b"other");
        let full = budget.taken();
        let mut none = FrameLog::new(Some(budget.clone()));
        none.note(&connection(), Instant::now(), RECEIVED, b"first");
        assert_eq!(none.take(None).dropped, 1);
        let frames = log.take(None);
        assert_eq!((frames.latest.len(), frames.dropped), (1, 1));
        assert_eq!(&frames.latest[0].content.text[..], b"other");
        assert!(budget.taken() < full);
        // Of what comes after the chat was explained nobody asks.
        log.note(&connection(), Instant::now(), RECEIVED, b"late");
        assert_eq!(log.take(None).latest.len(), 0);
    }
}
