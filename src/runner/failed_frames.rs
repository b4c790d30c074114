//! What passed over the connections of failed chats, for reports.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

use super::Example;
use crate::event::{FailedChat, FrameTrace};

/// Failed chats of which a report shows frames: no more than it lists.
const MOST_CHATS: usize = 20;
/// Frames that it shows of each: the last ones.
const MOST_FRAMES: usize = 20;
/// What it shows of each frame, in bytes.
const MOST_CONTENT: usize = 200;

/// The latest failed chats over whose connections something passed. A clone shares them.
#[derive(Debug, Clone, Default)]
pub(super) struct FailedFrames(VecDeque<Arc<Explained>>);

#[derive(Debug)]
struct Explained {
    chat: Arc<FailedChat>,
    /// Made when a report first asks for them: that takes time which chats need.
    shown: OnceLock<Vec<FrameTrace>>,
}

impl FailedFrames {
    /// Notes a chat that failed and has frames.
    pub(super) fn note(&mut self, chat: &Arc<FailedChat>) {
        if self.0.len() == MOST_CHATS {
            self.0.pop_front();
        }
        self.0.push_back(Arc::new(Explained {
            chat: chat.clone(),
            shown: OnceLock::new(),
        }));
    }

    /// Adds the frames of those chats that are listed.
    pub(super) fn add_to(&self, listed: &mut [Example]) {
        for explained in &self.0 {
            let chat = explained.chat.chat;
            if let Some(example) = listed.iter_mut().find(|example| example.chat == chat) {
                example.frames = explained.shown().to_vec();
            }
        }
    }
}

impl Explained {
    fn shown(&self) -> &[FrameTrace] {
        self.shown.get_or_init(|| {
            let trace = &self.chat.trace;
            let mut frames = trace.frames.present(&trace.redaction());
            frames.drain(..frames.len().saturating_sub(MOST_FRAMES));
            for frame in &mut frames {
                let text = &mut frame.content.text;
                if text.len() > MOST_CONTENT {
                    text.truncate(text.floor_char_boundary(MOST_CONTENT));
                    text.push('…');
                }
            }
            frames
        })
    }
}
