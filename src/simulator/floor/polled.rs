//! Chats whose customers get no events and ask instead.

use serde::Serialize;
use tokio::time::Instant;

use super::Floor;
use crate::simulator::{
    engagement::ChatStage,
    ids::EngagementId,
    requests::{NewChat, NewEngagement, RequestRefusal},
    statistics::End,
    transcript::Transcript,
};

/// Where a chat stands, for its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::simulator) enum PolledState {
    /// No agent has joined.
    Waiting,
    Talking,
    /// The agent has left.
    Deserted,
    Ended,
}

/// A chat, for its customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::simulator) struct PolledChat {
    pub id: String,
    pub state: PolledState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The number of the last line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
}

impl Floor {
    /// Opens a chat in a session of its own, which ends with it.
    pub fn open_polled(
        &mut self,
        new: NewChat,
        requested: Instant,
        now: Instant,
    ) -> Result<PolledChat, RequestRefusal> {
        let session = self.open_session(now)?;
        let new = NewEngagement::polled(session.text(), new);
        let opened = self.open_chat(new, requested, now);
        if opened.is_err() {
            self.close_session(session);
        }
        let text = opened?.text(self.settings.quirks.numeric_ids);
        self.polled(&text)
    }

    /// Where the chat of that name stands.
    pub fn polled(&mut self, id: &str) -> Result<PolledChat, RequestRefusal> {
        let ended = PolledChat {
            id: id.to_owned(),
            state: PolledState::Ended,
            agent: None,
            last: None,
        };
        let chat = match self.find(id) {
            Ok(chat) => chat,
            Err(RequestRefusal::Ended) => return Ok(ended),
            Err(refusal) => return Err(refusal),
        };
        let (state, agent) = match chat.stage {
            ChatStage::Waiting | ChatStage::Unattended | ChatStage::Joining(_) => {
                (PolledState::Waiting, None)
            }
            ChatStage::Talking(_) => (PolledState::Talking, Some(chat.agent_name())),
            ChatStage::Deserted(_) => (PolledState::Deserted, None),
        };
        Ok(PolledChat {
            state,
            agent,
            last: chat.transcript.as_ref().map(Transcript::last),
            ..ended
        })
    }

    /// The chat of that name, whose customer asks.
    fn polled_id(&mut self, id: &str) -> Result<EngagementId, RequestRefusal> {
        let chat = self.find(id)?;
        let polled = chat.polled.then_some(chat.id);
        polled.ok_or(RequestRefusal::Conflict("the chat belongs to a session"))
    }

    /// The customer writes: the number of the line.
    pub fn polled_says(
        &mut self,
        id: &str,
        text: &str,
        now: Instant,
    ) -> Result<u32, RequestRefusal> {
        let id = self.polled_id(id)?;
        let line = self.hear(id, text).ok_or(RequestRefusal::Ended)?;
        self.take_message(id, now);
        Ok(line.number)
    }

    /// The customer ends the chat.
    pub fn polled_ends(&mut self, id: &str, now: Instant) -> Result<(), RequestRefusal> {
        let id = self.polled_id(id)?;
        self.end(id, End::Bye, now);
        Ok(())
    }
}
