//! Agents of the support desk who act by hand: clients who have said that they are agents.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::SupportDesk;
use crate::simulator::{
    Agents, Staffing,
    agents::Agent,
    engagement::ChatStage,
    rooms::{
        directory::{ClientId, Directory},
        protocol::{FrameRefusal, SUPPORT_ROOM, ServerFrame, SupportEnd},
        support_chat::{AtHand, SupportId},
    },
};

impl SupportDesk {
    pub(super) fn by_hand(&self) -> bool {
        self.settings.support.floor == Staffing::ByHand
    }

    /// Agents by hand who have a chat.
    pub(super) fn busy_hands(&self) -> usize {
        let chats = self.chats.values();
        let hands = chats.filter_map(|chat| Some(chat.hand.as_ref()?.client));
        hands.collect::<BTreeSet<_>>().len()
    }

    /// Registers a client as an agent, and sends it the customers in the queue.
    pub fn attend(
        &mut self,
        client: ClientId,
        name: Option<String>,
        directory: &mut Directory,
        now: Instant,
    ) -> Result<(), FrameRefusal> {
        let most = match self.settings.support.agents {
            Agents::Unlimited => usize::MAX,
            Agents::Limited(agents) => agents.get() as usize,
        };
        let is_new = !self.hands.contains_key(&client);
        if !self.by_hand() {
            return Err(FrameRefusal::NotAnAgent);
        }
        if is_new && self.hands.len() >= most {
            return Err(FrameRefusal::Full);
        }
        let name = name.unwrap_or_else(|| format!("Agent {}", client.0));
        self.hands.insert(client, name);
        for id in self.queue.iter().filter(|_| is_new) {
            if let Some(chat) = self.chats.get(id) {
                directory.post(client, &ServerFrame::Waiting { room: &chat.room }, now);
            }
        }
        Ok(())
    }

    /// Tells the agents of a chat that waits.
    pub(super) fn announce(&self, id: SupportId, directory: &mut Directory, now: Instant) {
        if let Some(chat) = self.chats.get(&id) {
            let frame = ServerFrame::Waiting { room: &chat.room }.text();
            directory.post_to(&frame, self.hands.keys().copied(), now);
        }
    }

    /// An agent joins the customer in this room, or the one who has waited longest.
    pub fn accept(
        &mut self,
        client: ClientId,
        room: Option<&str>,
        directory: &mut Directory,
        now: Instant,
    ) -> Result<(), FrameRefusal> {
        let name = self.hands.get(&client).ok_or(FrameRefusal::NotAnAgent)?;
        let named = room.map(|room| room.strip_prefix(SUPPORT_ROOM)?.parse().ok());
        let id = named.unwrap_or_else(|| self.queue.first().copied());
        let id = id.filter(|id| self.queue.contains(id));
        let chat = id.and_then(|id| self.chats.get_mut(&id));
        let chat = chat.ok_or(FrameRefusal::NotWaiting)?;
        directory.join(client, &chat.room, Some(name.clone()), false, now)?;
        chat.stage = ChatStage::Talking(Agent(client.0));
        chat.heard = now;
        let joined = ServerFrame::AgentJoined {
            room: &chat.room,
            agent: name,
        };
        directory.post(chat.client, &joined, now);
        chat.hand = Some(AtHand {
            client,
            name: name.clone(),
        });
        self.queue.retain(|waiting| Some(*waiting) != id);
        self.statistics.count(|counts| counts.agents_joined += 1);
        Ok(())
    }

    /// Whether a client is the agent in a room.
    pub fn is_agent(&self, client: ClientId, room: &str) -> bool {
        let id = room
            .strip_prefix(SUPPORT_ROOM)
            .and_then(|id| id.parse().ok());
        let chat = id.and_then(|id: SupportId| self.chats.get(&id));
        let hand = chat.and_then(|chat| chat.hand.as_ref());
        hand.is_some_and(|hand| hand.client == client)
    }

    /// An agent has left a room, which ends the chat.
    pub fn agent_left(
        &mut self,
        client: ClientId,
        room: &str,
        directory: &mut Directory,
        now: Instant,
    ) {
        let id = room
            .strip_prefix(SUPPORT_ROOM)
            .and_then(|id| id.parse().ok());
        if let Some(id) = id.filter(|_| self.is_agent(client, room)) {
            self.end(id, SupportEnd::Handled, directory, now);
        }
    }

    /// An agent is gone, and leaves his customers behind.
    pub fn agent_gone(&mut self, client: ClientId, directory: &mut Directory, now: Instant) {
        if self.hands.remove(&client).is_none() {
            return;
        }
        let chats = self.chats.iter();
        let his = chats.filter(|(_, chat)| {
            let hand = chat.hand.as_ref();
            hand.is_some_and(|hand| hand.client == client)
        });
        let his: Vec<_> = his.map(|(id, _)| *id).collect();
        for id in his {
            self.desert(id, directory, now);
        }
    }
}
