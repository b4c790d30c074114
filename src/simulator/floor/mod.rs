//! The floor of the centre: sessions, chats, the queue, the agents, and what is to happen next.
//!
//! Nothing here waits or performs I/O. Whoever holds the floor calls [`Floor::advance`] first, so
//! that what has come due happens before what is asked for now.

mod attendance;
mod by_hand;
mod customers;
mod polled;
mod sessions;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

use super::agenda::{Agenda, after};
use super::agents::{Agent, AgentPool};
use super::delivery::Queue;
use super::due::Due;
use super::engagement::{ChatStage, Engagement, Timer};
use super::events::{CentreEvent, EventIds};
use super::fault_shapes::RequestFate;
use super::faults::Faults;
use super::ids::{EngagementId, Party, SessionId};
use super::outbox::Outbox;
use super::randomness::sequence;
use super::requests::{NewEngagement, RequestKind, RequestRefusal};
use super::settings::{CentreSettings, Staffing};
use super::shift::{AgentFrame, Shift};
use super::statistics::{End, Statistics};
use super::timekeeper::Timed;
use super::transcript::Transcript;
use super::webhooks::Webhooks;
pub(super) use by_hand::Attendant;
use sessions::CentreSession;

/// What is open at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Census {
    /// Sessions that have not ended.
    pub sessions_open: usize,
    /// Chats that have not ended.
    pub engagements_open: usize,
    /// Those of them that wait for an agent to be free.
    pub engagements_queued: usize,
    /// Agents with at least one chat.
    pub agents_busy: u64,
    /// All agents, by hand those who have logged in; absent when there is no limit.
    pub agents_total: Option<usize>,
    /// Registered callback URLs.
    pub webhooks: usize,
    /// Callback URLs that fell out because there were too many, since the start.
    pub webhooks_forgotten: u64,
}

/// What the random numbers are for; each use has a sequence of its own.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Chat,
    Request(RequestKind),
}

#[derive(Debug)]
pub(super) struct Floor {
    settings: Arc<CentreSettings>,
    faults: Faults,
    sessions: HashMap<SessionId, CentreSession>,
    chats: HashMap<EngagementId, Engagement>,
    /// Ids grow, so the first is the oldest.
    queue: BTreeSet<EngagementId>,
    pool: AgentPool,
    /// Those who act by hand.
    shift: Shift,
    agenda: Agenda<Due>,
    outbox: Outbox,
    statistics: Arc<Statistics>,
    /// The id before the first.
    origin: u64,
    last_session: u64,
    last_chat: u64,
    /// Requests drawn for so far, by kind.
    requests: HashMap<RequestKind, u64>,
}

impl Floor {
    /// `origin`: ids grow from there.
    pub fn new(
        settings: Arc<CentreSettings>,
        queue: Arc<Queue>,
        statistics: Arc<Statistics>,
        origin: u64,
    ) -> Self {
        let webhooks = Webhooks::new(
            settings.quirks.shared_callback,
            settings.limits.webhooks,
            origin + 1,
        );
        let limit = settings.delivery.queue.get() as usize;
        Self {
            faults: settings.faults.clone(),
            sessions: HashMap::new(),
            chats: HashMap::new(),
            queue: BTreeSet::new(),
            pool: AgentPool::new(settings.agents, settings.chats_per_agent),
            shift: Shift::new(&settings),
            agenda: Agenda::new(),
            outbox: Outbox::new(
                webhooks,
                queue,
                statistics.clone(),
                EventIds {
                    numeric: settings.quirks.numeric_ids,
                    constant: settings.quirks.constant_ids,
                },
                limit,
            ),
            statistics,
            origin,
            last_session: origin,
            last_chat: origin,
            requests: HashMap::new(),
            settings,
        }
    }

    pub fn webhooks(&mut self) -> &mut Webhooks {
        &mut self.outbox.webhooks
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    pub fn replace_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    pub fn census(&self) -> Census {
        let by_hand = self.by_hand();
        Census {
            sessions_open: self.sessions.len(),
            engagements_open: self.chats.len(),
            engagements_queued: self.queue.len(),
            agents_busy: if by_hand {
                self.shift.busy() as u64
            } else {
                self.pool.busy()
            },
            agents_total: if by_hand {
                Some(self.shift.len())
            } else {
                self.pool.total()
            },
            webhooks: self.outbox.webhooks.len(),
            webhooks_forgotten: self.outbox.webhooks.forgotten(),
        }
    }

    /// Draws what becomes of a request: the n-th of its kind always meets the same.
    pub fn request_fate(&mut self, kind: RequestKind) -> RequestFate {
        let ordinal = self.requests.entry(kind).or_default();
        *ordinal += 1;
        let mut rng = stream(self.settings.seed, Stream::Request(kind), *ordinal);
        self.faults.request(kind, &mut rng)
    }

    /// Opens a chat; `requested`: when the request for it came in.
    pub fn open_chat(
        &mut self,
        new: NewEngagement,
        requested: Instant,
        now: Instant,
    ) -> Result<EngagementId, RequestRefusal> {
        let session =
            SessionId::parse(&new.session_id).ok_or(RequestRefusal::NotFound("session"))?;
        let open = self
            .sessions
            .get_mut(&session)
            .ok_or(RequestRefusal::NotFound("session"))?;
        open.touched = now;
        if self.chats.len() >= self.settings.limits.engagements.get() as usize {
            return Err(RequestRefusal::Full("engagements"));
        }
        let id = EngagementId::take(&mut self.last_chat);
        open.chats.push(id);
        let rng = stream(self.settings.seed, Stream::Chat, id.number() - self.origin);
        let mut chat = Engagement::new(id, session, new, rng, requested, now);
        if self.settings.floor == Staffing::ByHand {
            chat.transcript.get_or_insert_with(Transcript::default);
        }
        let unattended = self.faults.agents.never_come.hits(&mut chat.rng);
        chat.gate = after(now, self.settings.first_events);
        if unattended {
            chat.stage = ChatStage::Unattended;
        } else {
            self.queue.insert(id);
        }
        self.chats.insert(id, chat);
        self.arm(id, Timer::Silence, after(now, self.settings.silence));
        self.emit(id, CentreEvent::CustomerJoined, now);
        self.emit(id, CentreEvent::EngagementCreated, now);
        if !unattended {
            self.announce(id);
        }
        self.pick_up(now);
        Ok(id)
    }

    /// The open chat of that name.
    pub fn find(&mut self, id: &str) -> Result<&mut Engagement, RequestRefusal> {
        let id = EngagementId::parse(id, self.settings.quirks.numeric_ids)
            .ok_or(RequestRefusal::NotFound("engagement"))?;
        let issued = id.number() > self.origin && id.number() <= self.last_chat;
        let gone = if issued {
            RequestRefusal::Ended
        } else {
            RequestRefusal::NotFound("engagement")
        };
        self.chats.get_mut(&id).ok_or(gone)
    }

    /// The open chat of that name, if it belongs to that session.
    fn find_of(&mut self, id: &str, session: &str) -> Result<&mut Engagement, RequestRefusal> {
        let chat = self.find(id)?;
        if SessionId::parse(session) == Some(chat.session) {
            Ok(chat)
        } else {
            Err(RequestRefusal::NotFound("session with this engagement"))
        }
    }

    fn chat_due(&mut self, id: EngagementId, timer: Timer, now: Instant) {
        match timer {
            Timer::Join => self.join(id, now),
            Timer::Write => self.write(id, now),
            Timer::Handled => self.end(id, End::Handled, now),
            Timer::Leave => self.desert(id, now),
            Timer::Silence => self.silence(id, now),
            Timer::Release => {
                if let Some(chat) = self.chats.get_mut(&id) {
                    self.outbox.release(chat, now, &mut self.agenda);
                }
            }
        }
    }

    fn silence(&mut self, id: EngagementId, now: Instant) {
        let Some(chat) = self.chats.get(&id) else {
            return;
        };
        let until = after(chat.heard, self.settings.silence);
        if until > now {
            self.arm(id, Timer::Silence, until);
        } else {
            self.end(id, End::Silent, now);
        }
    }

    /// Ends a chat; nothing of it stays but the events on their way.
    fn end(&mut self, id: EngagementId, end: End, now: Instant) {
        let party = if end == End::Handled {
            Party::Agent
        } else {
            Party::Customer
        };
        self.emit_left(id, party, now);
        let Some(mut chat) = self.chats.remove(&id) else {
            return;
        };
        self.outbox.release(&mut chat, now, &mut self.agenda);
        for key in chat.timers() {
            self.agenda.strike(key);
        }
        self.queue.remove(&id);
        if chat.polled {
            self.close_session(chat.session);
        } else if let Some(session) = self.sessions.get_mut(&chat.session) {
            session.chats.retain(|open| *open != id);
            session.touched = now;
        }
        self.statistics.ended(end);
        if let Some(agent) = chat.stage.holds() {
            let frame = AgentFrame::Ended {
                chat: id.text(self.settings.quirks.numeric_ids),
                reason: end,
            };
            self.shift.tell(agent, frame);
            self.release(agent, id);
            self.pick_up(now);
        }
    }

    /// Takes a chat from its agent.
    fn release(&mut self, agent: Agent, chat: EngagementId) {
        match self.settings.floor {
            Staffing::Automatic => self.pool.release(agent),
            Staffing::ByHand => self.shift.release(agent, chat),
        }
    }

    fn emit_left(&mut self, id: EngagementId, party: Party, now: Instant) {
        self.emit(id, CentreEvent::Left(party), now);
        if self.settings.quirks.disconnected_twice {
            self.emit(id, CentreEvent::Left(party), now);
        }
    }

    fn emit(&mut self, id: EngagementId, event: CentreEvent, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        if let CentreEvent::AgentMessage { number } = event
            && let Some(mut transcript) = chat.transcript.take()
        {
            transcript.add(Party::Agent, chat.agent_text(number));
            chat.transcript = Some(transcript);
        }
        if !chat.polled {
            self.outbox
                .emit(chat, event, now, &self.faults.events, &mut self.agenda);
        }
    }

    /// Sets a timer of a chat, in place of the one set before.
    fn arm(&mut self, id: EngagementId, timer: Timer, when: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let key = self.agenda.add(when, Due::Chat(id, timer));
        if let Some(before) = chat.timer(timer).replace(key) {
            self.agenda.strike(before);
        }
    }
}

impl Timed for Floor {
    fn next(&self) -> Option<Instant> {
        self.agenda.next()
    }

    fn advance(&mut self, now: Instant) {
        while let Some(due) = self.agenda.due(now) {
            match due {
                Due::Post(notice) => self.outbox.post_scheduled(notice),
                Due::SessionIdle(id) => self.session_idle(id, now),
                Due::Chat(id, timer) => {
                    if let Some(chat) = self.chats.get_mut(&id) {
                        *chat.timer(timer) = None;
                        self.chat_due(id, timer, now);
                    }
                }
            }
        }
    }
}

/// The random numbers for one chat or request.
fn stream(seed: u64, stream: Stream, ordinal: u64) -> fastrand::Rng {
    let which = match stream {
        Stream::Chat => 1,
        Stream::Request(kind) => 2 + kind as u64,
    };
    sequence(seed, which, ordinal)
}

#[cfg(test)]
mod tests;
