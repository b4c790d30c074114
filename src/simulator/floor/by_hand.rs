//! What agents do by hand: log in, look who waits, accept, write, end, and log out.

use tokio::{sync::mpsc::Receiver, time::Instant};

use super::Floor;
use crate::simulator::{
    agents::Agent,
    engagement::{ChatStage, Engagement},
    events::CentreEvent,
    ids::{EngagementId, Party},
    requests::RequestRefusal,
    settings::Staffing,
    shift::{AgentFrame, Offer},
    statistics::End,
    transcript::{SpokenLine, Transcript},
};

/// Chats in the answer to who waits.
const MOST_OFFERS: usize = 100;

/// An agent at a socket.
#[derive(Debug)]
pub(in crate::simulator) struct Attendant {
    pub name: String,
    pub agent: Agent,
    /// The number of the socket.
    pub socket: u64,
    pub frames: Receiver<AgentFrame>,
}

impl Floor {
    pub(super) fn by_hand(&self) -> bool {
        self.settings.floor == Staffing::ByHand
    }

    /// Logs an agent in, who may have logged in already: the chats that he holds.
    pub fn log_in(&mut self, name: &str) -> Result<Vec<String>, RequestRefusal> {
        if !self.by_hand() {
            return Err(RequestRefusal::Conflict(
                "agents come by themselves here: the setting is `floor: by_hand`",
            ));
        }
        let agent = self.shift.log_in(name)?;
        let numeric = self.settings.quirks.numeric_ids;
        Ok(self
            .shift
            .chats(agent)
            .map(|chat| chat.text(numeric))
            .collect())
    }

    /// Logs an agent out, who leaves the customers of his chats behind.
    pub fn log_out(&mut self, name: &str, now: Instant) -> Result<(), RequestRefusal> {
        let agent = self.shift.find(name)?;
        self.take_leave(agent, now);
        Ok(())
    }

    fn take_leave(&mut self, agent: Agent, now: Instant) {
        for chat in self.shift.log_out(agent) {
            self.desert(chat, now);
        }
    }

    /// Logs an agent in who listens at a socket, and tells him who waits.
    pub fn attend(&mut self, name: &str) -> Result<Attendant, RequestRefusal> {
        self.log_in(name)?;
        let agent = self.shift.find(name)?;
        let (socket, frames) = self.shift.listen(agent);
        for offer in self.offers() {
            self.shift.tell(agent, AgentFrame::Waiting(offer));
        }
        Ok(Attendant {
            name: name.to_owned(),
            agent,
            socket,
            frames,
        })
    }

    /// The socket of an agent has ended, at which he may not listen any more.
    pub fn unattend(&mut self, agent: Agent, socket: u64, now: Instant) {
        if self.shift.listens_at(agent, socket) {
            self.take_leave(agent, now);
        }
    }

    /// The chats that wait for an agent, the oldest first.
    pub fn offers(&self) -> Vec<Offer> {
        let waiting = self.queue.iter().take(MOST_OFFERS);
        let chats = waiting.filter_map(|id| self.chats.get(id));
        chats.map(|chat| self.offer(chat)).collect()
    }

    fn offer(&self, chat: &Engagement) -> Offer {
        Offer {
            chat: chat.id.text(self.settings.quirks.numeric_ids),
            customer: chat.customer.clone(),
            conversation: chat.conversation.clone(),
        }
    }

    /// Tells agents at sockets of a chat that waits.
    pub(super) fn announce(&mut self, id: EngagementId) {
        if let Some(chat) = self.chats.get(&id).filter(|_| self.by_hand()) {
            let offer = self.offer(chat);
            self.shift.tell_all(&AgentFrame::Waiting(offer));
        }
    }

    /// An agent joins a chat that waits, the oldest if none is named.
    pub fn accept(
        &mut self,
        name: &str,
        chat: Option<&str>,
        now: Instant,
    ) -> Result<Offer, RequestRefusal> {
        let agent = self.shift.find(name)?;
        let id = match chat {
            Some(chat) => self.find(chat)?.id,
            None => *self
                .queue
                .first()
                .ok_or(RequestRefusal::NotFound("chat that waits"))?,
        };
        if !self.queue.contains(&id) {
            return Err(RequestRefusal::Conflict(
                "the chat does not wait for an agent",
            ));
        }
        self.shift.hold(agent, id)?;
        self.queue.remove(&id);
        let name = self.shift.name(agent).map(str::to_owned);
        if let Some(chat) = self.chats.get_mut(&id) {
            chat.stage = ChatStage::Talking(agent);
            chat.agent = name;
            chat.heard = now;
        }
        self.emit(id, CentreEvent::AgentJoined, now);
        let chat = self.chats.get(&id).ok_or(RequestRefusal::Ended)?;
        let offer = self.offer(chat);
        self.shift.tell(agent, AgentFrame::Accepted(offer.clone()));
        Ok(offer)
    }

    /// The chat of that name, which that agent holds.
    fn held(&mut self, name: &str, chat: &str) -> Result<EngagementId, RequestRefusal> {
        let agent = self.shift.find(name)?;
        let chat = self.find(chat)?;
        if chat.stage == ChatStage::Talking(agent) {
            Ok(chat.id)
        } else {
            Err(RequestRefusal::Conflict(
                "the chat is not one of the agent's: accept it first",
            ))
        }
    }

    /// An agent writes: the number of the line.
    pub fn agent_writes(
        &mut self,
        name: &str,
        chat: &str,
        text: String,
        now: Instant,
    ) -> Result<u32, RequestRefusal> {
        let id = self.held(name, chat)?;
        let chat = self.chats.get_mut(&id).ok_or(RequestRefusal::Ended)?;
        chat.desk.written += 1;
        chat.heard = now;
        chat.written = Some(text);
        let number = chat.desk.written;
        let leaving = chat.leaving;
        self.emit(id, CentreEvent::AgentMessage { number }, now);
        let line = self
            .chats
            .get(&id)
            .and_then(|chat| chat.transcript.as_ref());
        let line = line.map_or(number, Transcript::last);
        if leaving {
            self.end(id, End::Bye, now);
        }
        Ok(line)
    }

    /// An agent ends a chat.
    pub fn agent_ends(
        &mut self,
        name: &str,
        chat: &str,
        now: Instant,
    ) -> Result<(), RequestRefusal> {
        let id = self.held(name, chat)?;
        self.end(id, End::Handled, now);
        Ok(())
    }

    /// What was said behind a line.
    pub fn lines(&mut self, chat: &str, after: u32) -> Result<Vec<SpokenLine>, RequestRefusal> {
        let chat = self.find(chat)?;
        let transcript = chat.transcript.as_ref();
        let transcript = transcript.ok_or(RequestRefusal::NotFound("transcript of this chat"))?;
        Ok(transcript.after(after))
    }

    /// Keeps what the customer said, and tells the agent.
    pub(super) fn hear(&mut self, id: EngagementId, text: &str) -> Option<SpokenLine> {
        let numeric = self.settings.quirks.numeric_ids;
        let chat = self.chats.get_mut(&id)?;
        let line = chat
            .transcript
            .as_mut()?
            .add(Party::Customer, text.to_owned());
        if let ChatStage::Talking(agent) = chat.stage {
            let frame = AgentFrame::Message {
                chat: id.text(numeric),
                line: line.clone(),
            };
            self.shift.tell(agent, frame);
        }
        Some(line)
    }
}
