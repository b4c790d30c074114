//! What customers do in a chat that tells them of events: write, say goodbye, leave.

use tokio::time::Instant;

use super::Floor;
use crate::simulator::{
    engagement::ChatStage,
    ids::EngagementId,
    requests::{Message, RequestRefusal},
    statistics::End,
};

impl Floor {
    /// The customer writes, or says goodbye.
    pub fn message(
        &mut self,
        id: &str,
        message: &Message,
        now: Instant,
    ) -> Result<(), RequestRefusal> {
        let answers_bye = self.settings.quirks.answers_bye;
        let chat = self.find_of(id, &message.session_id)?;
        if chat.leaving {
            return Err(RequestRefusal::Ended);
        }
        let id = chat.id;
        let talking = matches!(chat.stage, ChatStage::Talking(_));
        if message.is_bye() {
            if !(answers_bye && talking) {
                self.end(id, End::Bye, now);
                return Ok(());
            }
            chat.leaving = true;
        }
        self.hear(id, message.text());
        self.take_message(id, now);
        Ok(())
    }

    /// The customer has written something, which agents who act by themselves answer.
    pub(super) fn take_message(&mut self, id: EngagementId, now: Instant) {
        let by_hand = self.by_hand();
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        chat.heard = now;
        if by_hand {
            return;
        }
        chat.desk.unanswered = chat.desk.unanswered.saturating_add(1);
        if matches!(chat.stage, ChatStage::Talking(_)) {
            self.write_next(id, now);
        }
    }

    /// The customer leaves without a goodbye.
    pub fn disconnect(
        &mut self,
        id: &str,
        session: &str,
        now: Instant,
    ) -> Result<(), RequestRefusal> {
        let id = self.find_of(id, session)?.id;
        self.end(id, End::Disconnected, now);
        Ok(())
    }
}
