//! The support desk: customers who ask for an agent, the queue, and the agents. Without I/O.

mod hands;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    directory::{ClientId, Directory},
    protocol::{FrameRefusal, Role, SUPPORT_ROOM, Said, ServerFrame, SupportEnd},
    settings::RoomsSettings,
    statistics::RoomStatistics,
    support_chat::{SupportChat, SupportId, SupportTimer, name_of},
};
use crate::simulator::{
    AgentFaults,
    agenda::{Agenda, after},
    agents::AgentPool,
    engagement::{ChatStage, Desk, Draft},
    randomness::sequence,
};

/// What the random numbers of support chats are for.
const OF_SUPPORT_CHATS: u64 = 101;
/// Characters of a customer's message that an agent repeats.
const REPEATED: usize = 200;
/// What a customer says as a goodbye, in any case of letters and with anything behind it.
const GOODBYE: &str = "bye";

#[derive(Debug)]
pub(super) struct SupportDesk {
    settings: Arc<RoomsSettings>,
    pub faults: AgentFaults,
    pool: AgentPool,
    /// The clients who are agents by hand, with their names.
    hands: BTreeMap<ClientId, String>,
    queue: BTreeSet<SupportId>,
    chats: BTreeMap<SupportId, SupportChat>,
    of_clients: HashMap<ClientId, SupportId>,
    agenda: Agenda<(SupportId, SupportTimer)>,
    last: SupportId,
    statistics: Arc<RoomStatistics>,
}

/// How many there are of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeskOccupancy {
    pub chats: usize,
    pub waiting: usize,
    pub agents_busy: u64,
}

impl SupportDesk {
    pub fn new(settings: Arc<RoomsSettings>, statistics: Arc<RoomStatistics>) -> Self {
        Self {
            faults: settings.faults.agents.clone(),
            // One chat each: `agents` alone says how many customers are served at once.
            pool: AgentPool::new(settings.support.agents, std::num::NonZeroU32::MIN),
            settings,
            hands: BTreeMap::new(),
            queue: BTreeSet::new(),
            chats: BTreeMap::new(),
            of_clients: HashMap::new(),
            agenda: Agenda::new(),
            last: 0,
            statistics,
        }
    }

    /// When something comes due next.
    pub fn next(&self) -> Option<Instant> {
        self.agenda.next()
    }

    pub fn occupancy(&self) -> DeskOccupancy {
        DeskOccupancy {
            chats: self.chats.len(),
            waiting: self.queue.len(),
            agents_busy: self.pool.busy() + self.busy_hands() as u64,
        }
    }

    /// A customer asks for an agent: gets a room of its own, and a place in the queue.
    pub fn open(
        &mut self,
        client: ClientId,
        name: Option<String>,
        directory: &mut Directory,
        now: Instant,
    ) -> Result<(), FrameRefusal> {
        if self.of_clients.contains_key(&client) {
            return Err(FrameRefusal::InSupport);
        }
        if self.chats.len() >= self.settings.limits.support_chats.get() as usize {
            return Err(FrameRefusal::Full);
        }
        let id = self.last + 1;
        let room = format!("{SUPPORT_ROOM}{id}");
        directory.join(client, &room, name, false, now)?;
        self.last = id;
        let mut rng = sequence(self.settings.seed, OF_SUPPORT_CHATS, id);
        let unattended = self.faults.never_come.hits(&mut rng);
        let stage = if unattended {
            ChatStage::Unattended
        } else {
            self.queue.insert(id);
            ChatStage::Waiting
        };
        let queued = ServerFrame::Queued {
            room: &room,
            position: self.queue.len().max(1),
        };
        directory.post(client, &queued, now);
        let chat = SupportChat {
            client,
            room,
            rng,
            stage,
            desk: Desk::default(),
            heard: now,
            said: String::new(),
            leaving: false,
            timers: [None; 5],
            hand: None,
        };
        self.chats.insert(id, chat);
        self.of_clients.insert(client, id);
        if !unattended {
            self.announce(id, directory, now);
        }
        self.arm(
            id,
            SupportTimer::Silence,
            self.settings.support.silence,
            now,
        );
        self.pick_up(now);
        Ok(())
    }

    /// The customer has said something in its room.
    pub fn hear(&mut self, client: ClientId, text: &str, directory: &mut Directory, now: Instant) {
        let Some((id, chat)) = self.chat_of(client) else {
            return;
        };
        if chat.leaving {
            return;
        }
        chat.heard = now;
        chat.said = text.chars().take(REPEATED).collect();
        chat.leaving = text.trim_start().to_lowercase().starts_with(GOODBYE);
        let answers = matches!(chat.stage, ChatStage::Talking(_)) && chat.hand.is_none();
        if !answers && chat.leaving {
            self.end(id, SupportEnd::Bye, directory, now);
            return;
        }
        chat.desk.unanswered = chat.desk.unanswered.saturating_add(1);
        if answers {
            self.write_next(id, now);
        }
    }

    /// The customer has left this room, or is gone altogether.
    pub fn forget(
        &mut self,
        client: ClientId,
        end: SupportEnd,
        directory: &mut Directory,
        now: Instant,
    ) {
        if let Some((id, _)) = self.chat_of(client) {
            self.end(id, end, directory, now);
        }
    }

    fn chat_of(&mut self, client: ClientId) -> Option<(SupportId, &mut SupportChat)> {
        let id = *self.of_clients.get(&client)?;
        Some((id, self.chats.get_mut(&id)?))
    }

    /// Lets everything happen that has come due.
    pub fn advance(&mut self, directory: &mut Directory, now: Instant) {
        while let Some((id, timer)) = self.agenda.due(now) {
            let Some(chat) = self.chats.get_mut(&id) else {
                continue;
            };
            chat.timers[timer as usize] = None;
            match timer {
                SupportTimer::Join => self.join(id, directory, now),
                SupportTimer::Write => self.write(id, directory, now),
                SupportTimer::Handled => self.end(id, SupportEnd::Handled, directory, now),
                SupportTimer::Desert => self.desert(id, directory, now),
                SupportTimer::Silence => self.notice_silence(id, directory, now),
            }
        }
    }

    /// Free agents pick up the oldest waiting chats.
    fn pick_up(&mut self, now: Instant) {
        if self.by_hand() {
            return;
        }
        while let Some(&id) = self.queue.first() {
            let Some(agent) = self.pool.take() else {
                return;
            };
            self.queue.remove(&id);
            let Some(chat) = self.chats.get_mut(&id) else {
                self.pool.release(agent);
                continue;
            };
            chat.stage = ChatStage::Joining(agent);
            let way = self.settings.support.join.sample(&mut chat.rng);
            self.arm(id, SupportTimer::Join, way, now);
        }
    }

    fn join(&mut self, id: SupportId, directory: &mut Directory, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let ChatStage::Joining(agent) = chat.stage else {
            return;
        };
        chat.stage = ChatStage::Talking(agent);
        chat.heard = now;
        if self.faults.write_first.hits(&mut chat.rng) {
            chat.desk.unasked += 1;
        }
        let deserts = self.faults.leave.as_ref();
        let deserts = deserts.filter(|leave| leave.probability.hits(&mut chat.rng));
        let deserts = deserts.map(|leave| leave.after.sample(&mut chat.rng));
        let handling = self.settings.support.handling;
        let handled = handling.map(|handling| handling.sample(&mut chat.rng));
        let joined = ServerFrame::AgentJoined {
            room: &chat.room,
            agent: &name_of(agent),
        };
        directory.post(chat.client, &joined, now);
        self.statistics.count(|counts| counts.agents_joined += 1);
        for (timer, delay) in [
            (SupportTimer::Desert, deserts),
            (SupportTimer::Handled, handled),
        ] {
            if let Some(delay) = delay {
                self.arm(id, timer, delay, now);
            }
        }
        self.write_next(id, now);
    }

    /// The agent takes up the next message he owes, if he is not writing already.
    fn write_next(&mut self, id: SupportId, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let Some(draft) = chat.desk.take_up() else {
            return;
        };
        let support = &self.settings.support;
        let thinking = match draft {
            Draft::Answer => support.answer.sample(&mut chat.rng),
            Draft::Unasked => Duration::ZERO,
        };
        let typing = support.typing.sample(&mut chat.rng);
        self.arm(
            id,
            SupportTimer::Write,
            thinking.saturating_add(typing),
            now,
        );
    }

    /// The agent has written what he had in hand.
    fn write(&mut self, id: SupportId, directory: &mut Directory, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let (Some(draft), ChatStage::Talking(agent)) = (chat.desk.draft.take(), chat.stage) else {
            return;
        };
        chat.desk.written += 1;
        if draft == Draft::Answer && self.faults.write_twice.hits(&mut chat.rng) {
            chat.desk.unasked += 1;
        }
        let through = chat.leaving && chat.desk.is_clear();
        let text = match (draft, through) {
            (_, true) => "Goodbye.".to_owned(),
            (Draft::Answer, false) => format!("You said: {}", chat.said),
            (Draft::Unasked, false) => "How can I help you?".to_owned(),
        };
        let said = Said {
            room: Some(chat.room.clone()),
            id: format!("{}-{}", chat.room, chat.desk.written),
            name: name_of(agent),
            role: Role::Agent,
            text,
            at: Said::now(),
        };
        directory.say(said, now);
        if through {
            self.end(id, SupportEnd::Bye, directory, now);
        } else {
            self.write_next(id, now);
        }
    }

    /// The agent leaves the customer behind.
    fn desert(&mut self, id: SupportId, directory: &mut Directory, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let ChatStage::Talking(agent) = chat.stage else {
            return;
        };
        chat.stage = ChatStage::Deserted(agent);
        chat.desk = Desk::default();
        for timer in [SupportTimer::Write, SupportTimer::Handled] {
            if let Some(key) = chat.timers[timer as usize].take() {
                self.agenda.strike(key);
            }
        }
        chat.tell_left(agent, SupportEnd::Deserted, directory, now);
        self.statistics.support_ended(SupportEnd::Deserted);
        if chat.hand.take().is_none() {
            self.pool.release(agent);
        }
        self.pick_up(now);
    }

    fn notice_silence(&mut self, id: SupportId, directory: &mut Directory, now: Instant) {
        let Some(chat) = self.chats.get(&id) else {
            return;
        };
        let until = after(chat.heard, self.settings.support.silence);
        if until > now {
            self.arm(id, SupportTimer::Silence, until - now, now);
        } else {
            self.end(id, SupportEnd::Silent, directory, now);
        }
    }

    /// Ends a chat: the agent is free, and the room is closed unless the customer has left it already.
    fn end(&mut self, id: SupportId, end: SupportEnd, directory: &mut Directory, now: Instant) {
        let Some(chat) = self.chats.remove(&id) else {
            return;
        };
        self.of_clients.remove(&chat.client);
        self.queue.remove(&id);
        for key in chat.timers.into_iter().flatten() {
            self.agenda.strike(key);
        }
        self.statistics.support_ended(end);
        if !matches!(end, SupportEnd::Left | SupportEnd::Disconnected) {
            if let ChatStage::Talking(agent) = chat.stage {
                chat.tell_left(agent, end, directory, now);
            }
            // The chat ends when its customer leaves its room.
            let _ = directory.leave(chat.client, &chat.room, now);
        }
        if let Some(hand) = chat.hand {
            // He may have left it already.
            let _ = directory.leave(hand.client, &chat.room, now);
        } else if let Some(agent) = chat.stage.holds() {
            self.pool.release(agent);
            self.pick_up(now);
        }
    }

    /// Sets a timer of a chat, in place of the one set before.
    fn arm(&mut self, id: SupportId, timer: SupportTimer, delay: Duration, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let key = self.agenda.add(after(now, delay), (id, timer));
        if let Some(before) = chat.timers[timer as usize].replace(key) {
            self.agenda.strike(before);
        }
    }
}
