//! What all sockets of the chat rooms share, and what becomes of a frame from a client.

use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    desk::SupportDesk,
    directory::{ClientId, Directory, is_of_support},
    faults::{RoomFaults, SentCode},
    outgoing::Outgoing,
    protocol::{ClientFrame, ClientFrameKind, FrameRefusal, Role, Said, SupportEnd, TextFrame},
    settings::RoomsSettings,
    shared_channel::SharedChannel,
    statistics::{RoomStatistics, SocketCloser},
};
use crate::simulator::{
    ErrorStatus,
    agenda::after,
    randomness::sequence,
    timekeeper::{Timed, Timekeeper},
};

/// What the random numbers of handshakes are for.
const OF_HANDSHAKES: u64 = 102;

/// What all sockets share.
#[derive(Debug)]
pub(super) struct House {
    pub settings: Arc<RoomsSettings>,
    pub state: Timekeeper<HouseState>,
    pub statistics: Arc<RoomStatistics>,
    /// What is shared with other backends, if anything is.
    pub shared: Option<Arc<SharedChannel>>,
    pub shutdown: CancellationToken,
}

#[derive(Debug)]
pub(super) struct HouseState {
    directory: Directory,
    desk: SupportDesk,
    faults: RoomFaults,
    /// Draws for handshakes.
    rng: fastrand::Rng,
    /// Messages whose ids were made here.
    named: u64,
}

/// A client that was taken in, with what is to go wrong on its socket.
#[derive(Debug)]
pub(super) struct Entrant {
    pub id: ClientId,
    pub outgoing: Arc<Outgoing>,
    pub close: Option<(Instant, SentCode)>,
    pub stop_reading: Option<Instant>,
}

/// What is open at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RoomCensus {
    /// Open sockets.
    pub sockets: usize,
    /// Rooms with a member, those of the support desk too.
    pub rooms: usize,
    /// Members of all rooms; whoever is in two rooms counts twice.
    pub members: usize,
    /// Frames that wait for a client.
    pub queued_frames: usize,
    /// Chats of the support desk.
    pub support_chats: usize,
    /// Those of them that wait for an agent to be free.
    pub support_waiting: usize,
    /// Agents with a chat.
    pub agents_busy: u64,
    /// Whether there is a subscription at Redis; absent without a Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribed: Option<bool>,
    /// Backends that were heard of in the last seconds, this one too; absent without a Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backends: Option<usize>,
}

impl House {
    pub fn new(
        settings: Arc<RoomsSettings>,
        statistics: Arc<RoomStatistics>,
        shared: Option<Arc<SharedChannel>>,
    ) -> Self {
        let directory = Directory::new(
            settings.seed,
            settings.limits.clone(),
            settings.slow_clients,
            settings.faults.frames.clone(),
            statistics.clone(),
        );
        let state = HouseState {
            directory,
            desk: SupportDesk::new(settings.clone(), statistics.clone()),
            faults: settings.faults.clone(),
            rng: sequence(settings.seed, OF_HANDSHAKES, 0),
            named: 0,
        };
        Self {
            state: Timekeeper::new(state),
            settings,
            statistics,
            shared,
            shutdown: CancellationToken::new(),
        }
    }

    /// Whether a handshake is refused on purpose.
    pub fn refuses(&self) -> Option<ErrorStatus> {
        self.state.act(|state, _| {
            let refuse = state.faults.refuse.as_ref()?;
            refuse
                .probability
                .hits(&mut state.rng)
                .then_some(refuse.status)
        })
    }

    /// Takes a client in; `None` if there is no place.
    pub fn enter(&self) -> Option<Entrant> {
        self.state.act(|state, now| {
            let (id, outgoing, rng) = state.directory.enter(now)?;
            let faults = &state.faults;
            let close = faults.close.as_ref();
            let close = close.filter(|close| close.probability.hits(rng));
            let close = close.map(|close| (after(now, close.after.sample(rng)), close.code));
            let stop = faults.stop_reading.as_ref();
            let stop = stop.filter(|stop| stop.probability.hits(rng));
            let stop_reading = stop.map(|stop| after(now, stop.after.sample(rng)));
            Some(Entrant {
                id,
                outgoing,
                close,
                stop_reading,
            })
        })
    }

    /// The socket of a client has ended.
    pub fn gone(&self, id: ClientId, by: SocketCloser, code: Option<u16>) {
        self.state.act(|state, now| {
            let HouseState {
                desk, directory, ..
            } = state;
            desk.forget(id, SupportEnd::Disconnected, directory, now);
            desk.agent_gone(id, directory, now);
            let unsent = directory.remove(id, now);
            self.statistics.closed(by, code, unsent);
        });
    }

    /// Carries out what a frame of a client asks for; answers with an error if nothing comes of it.
    pub fn take(&self, id: ClientId, text: &str) {
        let read = ClientFrame::read(text).inspect(|frame| {
            self.statistics
                .count(|counts| *counts.received.entry(frame.kind).or_default() += 1);
        });
        self.carry_out(id, read);
    }

    /// Carries out what a client asks for; answers with an error if nothing comes of it.
    pub fn carry_out(&self, id: ClientId, asked: Result<ClientFrame, FrameRefusal>) {
        if let Err(refusal) = asked.and_then(|frame| self.try_out(id, frame)) {
            self.refuse(id, refusal);
        }
    }

    /// Tells a client that nothing came of its frame.
    pub fn refuse(&self, id: ClientId, refusal: FrameRefusal) {
        self.statistics.refused(refusal);
        let frame = TextFrame::from(refusal);
        self.state
            .act(|state, now| state.directory.post_to(&frame, [id], now));
    }

    fn try_out(&self, id: ClientId, frame: ClientFrame) -> Result<(), FrameRefusal> {
        let room = frame.room.clone().unwrap_or_default();
        self.state.act(|state, now| {
            let HouseState {
                directory, desk, ..
            } = state;
            match frame.kind {
                ClientFrameKind::Join if is_of_support(&room) => Err(FrameRefusal::Reserved),
                ClientFrameKind::Join => directory.join(id, &room, frame.name, frame.watch, now),
                ClientFrameKind::Leave => {
                    directory.leave(id, &room, now)?;
                    if desk.is_agent(id, &room) {
                        desk.agent_left(id, &room, directory, now);
                    } else if is_of_support(&room) {
                        desk.forget(id, SupportEnd::Left, directory, now);
                    }
                    Ok(())
                }
                ClientFrameKind::History => directory.tell_history(id, &room, frame.limit, now),
                ClientFrameKind::Presence => directory.tell_presence(id, &room, now),
                ClientFrameKind::Support => desk.open(id, frame.name, directory, now),
                ClientFrameKind::Agent => desk.attend(id, frame.name, directory, now),
                ClientFrameKind::Accept => desk.accept(id, frame.room.as_deref(), directory, now),
                ClientFrameKind::Say => {
                    let said = state.said(id, frame)?;
                    self.say(state, id, said, now)
                }
            }
        })
    }

    /// Tells everybody in the room: by way of Redis if there is one, which brings it back to this backend too.
    /// Rooms of the support desk are of this backend alone.
    fn say(
        &self,
        state: &mut HouseState,
        id: ClientId,
        said: Said,
        now: Instant,
    ) -> Result<(), FrameRefusal> {
        let of_support = said.room.as_deref().is_some_and(is_of_support);
        match &self.shared {
            Some(shared) if !of_support => shared.publish(said),
            _ => {
                let text = of_support.then(|| said.text.clone());
                state.directory.say(said, now);
                if let Some(text) = text {
                    state.desk.hear(id, &text, &mut state.directory, now);
                }
                Ok(())
            }
        }
    }

    /// Hands on what came from Redis.
    pub fn deliver(&self, said: Said) {
        self.state.act(|state, now| state.directory.say(said, now));
    }

    /// Has all open sockets closed with this code; how many there are.
    pub fn close_all(&self, code: SentCode) -> usize {
        self.state.act(|state, _| state.directory.end_all(code))
    }

    pub fn faults(&self) -> RoomFaults {
        self.state.act(|state, _| state.faults.clone())
    }

    pub fn replace_faults(&self, faults: RoomFaults) {
        if let Some(shared) = &self.shared {
            shared.set_lifetime(faults.kill_subscription);
        }
        self.state.act(|state, _| {
            state.directory.faults = faults.frames.clone();
            state.desk.faults = faults.agents.clone();
            state.faults = faults;
        });
    }

    pub fn census(&self) -> RoomCensus {
        let (population, desk) = self
            .state
            .act(|state, _| (state.directory.population(), state.desk.occupancy()));
        let shared = self.shared.as_ref();
        RoomCensus {
            sockets: population.sockets,
            rooms: population.rooms,
            members: population.members,
            queued_frames: population.queued_frames,
            support_chats: desk.chats,
            support_waiting: desk.waiting,
            agents_busy: desk.agents_busy,
            subscribed: shared.map(|shared| shared.is_subscribed()),
            backends: shared.map(|shared| shared.backends()),
        }
    }
}

impl HouseState {
    /// The message of a frame, with an id in any case.
    fn said(&mut self, id: ClientId, frame: ClientFrame) -> Result<Said, FrameRefusal> {
        let speaker = self.directory.speaker(id, frame.room.as_deref())?;
        let room = frame.room.as_deref();
        let role = if room.is_some_and(|room| self.desk.is_agent(id, room)) {
            Role::Agent
        } else {
            Role::Member
        };
        let id = frame.id.unwrap_or_else(|| {
            self.named += 1;
            format!("message-{}-{}", id.0, self.named)
        });
        Ok(Said {
            name: if frame.room.is_none() {
                frame.name.unwrap_or(speaker)
            } else {
                speaker
            },
            room: frame.room,
            id,
            role,
            text: frame.text.unwrap_or_default(),
            at: Said::now(),
        })
    }
}

impl Timed for HouseState {
    fn next(&self) -> Option<Instant> {
        self.desk.next()
    }

    fn advance(&mut self, now: Instant) {
        self.desk.advance(&mut self.directory, now);
    }
}
