//! Who is connected, the rooms, who is in them, and what was said there. Without I/O.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    faults::SentCode,
    outgoing::Outgoing,
    protocol::{
        Attendance, FrameRefusal, Remembered, SUPPORT_ROOM, Said, ServerFrame, ServerFrameKind,
        TextFrame,
    },
    settings::{RoomLimits, SlowClients},
    statistics::{FrameCounts, RoomStatistics},
};
use crate::simulator::{
    fault_shapes::{TransitFate, TransitFaults},
    randomness::sequence,
};

/// Bytes of the messages that a room remembers.
const HISTORY_BYTES: usize = 64 * 1024;
/// Names in a list of those who are present.
const MOST_NAMES: usize = 100;
/// What the random numbers of clients are for.
const OF_CLIENTS: u64 = 100;

/// Names a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientId(pub u64);

#[derive(Debug)]
pub(super) struct Directory {
    seed: u64,
    limits: RoomLimits,
    slow: SlowClients,
    pub faults: TransitFaults<ServerFrameKind>,
    clients: BTreeMap<ClientId, Client>,
    rooms: HashMap<String, Room>,
    last: u64,
    statistics: Arc<RoomStatistics>,
}

#[derive(Debug)]
struct Client {
    outgoing: Arc<Outgoing>,
    name: String,
    rooms: BTreeSet<String>,
    rng: fastrand::Rng,
}

#[derive(Debug, Default)]
struct Room {
    members: BTreeMap<ClientId, RoomMember>,
    /// Members who want to know who comes and goes.
    watchers: usize,
    history: VecDeque<Remembered>,
    history_bytes: usize,
}

#[derive(Debug)]
struct RoomMember {
    name: String,
    watches: bool,
}

/// How many there are of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Population {
    pub sockets: usize,
    pub rooms: usize,
    pub members: usize,
    pub queued_frames: usize,
}

/// Who came or went.
#[derive(Debug, Clone, Copy)]
enum Movement {
    Came,
    Went,
}

impl Directory {
    pub fn new(
        seed: u64,
        limits: RoomLimits,
        slow: SlowClients,
        faults: TransitFaults<ServerFrameKind>,
        statistics: Arc<RoomStatistics>,
    ) -> Self {
        Self {
            seed,
            limits,
            slow,
            faults,
            clients: BTreeMap::new(),
            rooms: HashMap::new(),
            last: 0,
            statistics,
        }
    }

    pub fn population(&self) -> Population {
        let clients = self.clients.values();
        Population {
            sockets: self.clients.len(),
            rooms: self.rooms.len(),
            members: self.rooms.values().map(|room| room.members.len()).sum(),
            queued_frames: clients.map(|client| client.outgoing.len()).sum(),
        }
    }

    fn is_full(&self) -> bool {
        self.clients.len() >= self.limits.sockets.get() as usize
    }

    /// Takes in a client, with its random numbers; `None` if there is no place.
    pub fn enter(&mut self, now: Instant) -> Option<(ClientId, Arc<Outgoing>, &mut fastrand::Rng)> {
        if self.is_full() {
            return None;
        }
        self.last += 1;
        let id = ClientId(self.last);
        let outgoing = Arc::new(Outgoing::new(self.limits.of_queue(), now));
        let client = Client {
            outgoing: outgoing.clone(),
            name: format!("client-{}", id.0),
            rooms: BTreeSet::new(),
            rng: sequence(self.seed, OF_CLIENTS, id.0),
        };
        let client = self.clients.entry(id).or_insert(client);
        Some((id, outgoing, &mut client.rng))
    }

    /// A client is gone; how many frames still waited for it.
    pub fn remove(&mut self, id: ClientId, now: Instant) -> usize {
        let Some(client) = self.clients.remove(&id) else {
            return 0;
        };
        for room in client.rooms {
            self.remove_member(id, &room, now);
        }
        client.outgoing.len()
    }

    /// Ends the sockets of all clients; how many there are.
    pub fn end_all(&self, code: SentCode) -> usize {
        for client in self.clients.values() {
            client.outgoing.end(code);
        }
        self.clients.len()
    }

    /// Makes a client a member, and tells it; one that is a member already may take another name.
    pub fn join(
        &mut self,
        id: ClientId,
        name: &str,
        as_name: Option<String>,
        watches: bool,
        now: Instant,
    ) -> Result<(), FrameRefusal> {
        let Some(client) = self.clients.get_mut(&id) else {
            return Ok(());
        };
        let rooms = self.rooms.len();
        let member_already = client.rooms.contains(name);
        if !member_already {
            let members = self.rooms.get(name).map(|room| room.members.len());
            let full = members.unwrap_or_default() >= self.limits.members.get() as usize
                || members.is_none() && rooms >= self.limits.rooms.get() as usize
                || client.rooms.len() >= self.limits.memberships.get() as usize;
            if full {
                return Err(FrameRefusal::Full);
            }
            client.rooms.insert(name.to_owned());
        }
        if let Some(as_name) = as_name {
            client.name = as_name;
        }
        let member = RoomMember {
            name: client.name.clone(),
            watches,
        };
        let as_name = member.name.clone();
        let room = self.rooms.entry(name.to_owned()).or_default();
        room.watchers += usize::from(watches);
        if let Some(before) = room.members.insert(id, member) {
            room.watchers -= usize::from(before.watches);
        }
        let members = room.members.len();
        let joined = ServerFrame::Joined {
            room: name,
            name: &as_name,
            members,
        };
        self.post(id, &joined, now);
        if !member_already {
            self.announce(id, name, &as_name, Movement::Came, now);
        }
        Ok(())
    }

    /// Makes a client a member no more, and tells it.
    pub fn leave(&mut self, id: ClientId, room: &str, now: Instant) -> Result<(), FrameRefusal> {
        let client = self.clients.get_mut(&id);
        if !client.is_some_and(|client| client.rooms.remove(room)) {
            return Err(FrameRefusal::NotAMember);
        }
        self.remove_member(id, room, now);
        self.post(id, &ServerFrame::Left { room }, now);
        Ok(())
    }

    fn remove_member(&mut self, id: ClientId, name: &str, now: Instant) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let Some(member) = room.members.remove(&id) else {
            return;
        };
        room.watchers -= usize::from(member.watches);
        if room.members.is_empty() {
            self.rooms.remove(name);
        } else {
            self.announce(id, name, &member.name, Movement::Went, now);
        }
    }

    /// Tells the others who want to know who came or went.
    fn announce(&mut self, id: ClientId, name: &str, who: &str, movement: Movement, now: Instant) {
        let Some(room) = self.rooms.get(name).filter(|room| room.watchers > 0) else {
            return;
        };
        let attendance = Attendance {
            room: name,
            members: room.members.len(),
            names: Vec::new(),
            came: matches!(movement, Movement::Came).then_some(who),
            went: matches!(movement, Movement::Went).then_some(who),
        };
        let frame = ServerFrame::Presence(attendance).text();
        let watchers = room.members.iter();
        let watchers = watchers.filter(|(member, it)| it.watches && **member != id);
        let watchers: Vec<_> = watchers.map(|(member, _)| *member).collect();
        self.post_to(&frame, watchers, now);
    }

    /// Who says it, if the client is in that room; without a room it may say it in any case.
    pub fn speaker(&self, id: ClientId, room: Option<&str>) -> Result<String, FrameRefusal> {
        let name = match room {
            Some(room) => {
                let room = self.rooms.get(room);
                room.and_then(|room| room.members.get(&id))
                    .map(|it| &it.name)
            }
            None => self.clients.get(&id).map(|client| &client.name),
        };
        name.cloned().ok_or(FrameRefusal::NotAMember)
    }

    /// Tells all members of the room, or all clients, and remembers it in the room.
    pub fn say(&mut self, said: Said, now: Instant) {
        let frame = ServerFrame::Said(&said).text();
        let Some(name) = &said.room else {
            let everybody: Vec<_> = self.clients.keys().copied().collect();
            self.post_to(&frame, everybody, now);
            return;
        };
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let members: Vec<_> = room.members.keys().copied().collect();
        room.remember(Arc::new(said), self.limits.history as usize);
        self.post_to(&frame, members, now);
    }

    /// Tells a member what was said last.
    pub fn tell_history(
        &mut self,
        id: ClientId,
        name: &str,
        limit: Option<usize>,
        now: Instant,
    ) -> Result<(), FrameRefusal> {
        let room = self.room_of(id, name)?;
        let skipped = room
            .history
            .len()
            .saturating_sub(limit.unwrap_or(usize::MAX));
        let messages: Vec<_> = room.history.iter().skip(skipped).cloned().collect();
        let messages = messages.iter().map(Arc::as_ref).collect();
        self.post(
            id,
            &ServerFrame::History {
                room: name,
                messages,
            },
            now,
        );
        Ok(())
    }

    /// Tells a member who is there.
    pub fn tell_presence(
        &mut self,
        id: ClientId,
        name: &str,
        now: Instant,
    ) -> Result<(), FrameRefusal> {
        let room = self.room_of(id, name)?;
        let members = room.members.len();
        let names = room.members.values().take(MOST_NAMES);
        let names: Vec<_> = names.map(|member| member.name.clone()).collect();
        let attendance = Attendance {
            room: name,
            members,
            names: names.iter().map(String::as_str).collect(),
            ..Attendance::default()
        };
        self.post(id, &ServerFrame::Presence(attendance), now);
        Ok(())
    }

    fn room_of(&self, id: ClientId, name: &str) -> Result<&Room, FrameRefusal> {
        let room = self.rooms.get(name);
        room.filter(|room| room.members.contains_key(&id))
            .ok_or(FrameRefusal::NotAMember)
    }

    /// Has a frame sent to one client.
    pub fn post(&mut self, id: ClientId, frame: &ServerFrame<'_>, now: Instant) {
        self.post_to(&frame.text(), [id], now);
    }

    /// Has a frame sent to clients.
    pub fn post_to(
        &mut self,
        frame: &TextFrame,
        to: impl IntoIterator<Item = ClientId>,
        now: Instant,
    ) {
        let mut counts = FrameCounts::default();
        let mut slow = 0;
        for id in to {
            let Some(client) = self.clients.get_mut(&id) else {
                continue;
            };
            counts.emitted += 1;
            let fate = self.faults.fate(&frame.kind, &mut client.rng);
            if fate == TransitFate::Dropped {
                counts.dropped += 1;
                continue;
            }
            let posted = client.outgoing.post(frame.clone(), fate, now);
            counts.duplicated += u64::from(posted.duplicated);
            counts.delayed += u64::from(posted.delayed);
            counts.overflowed += posted.overflowed;
            counts.reordered += u64::from(posted.overtook);
            if posted.overflowed > 0 && self.slow == SlowClients::Disconnect {
                slow += u64::from(client.outgoing.end(SentCode::TRY_AGAIN));
            }
        }
        self.statistics.count(|all| {
            all.slow_disconnected += slow;
            all.frames.entry(frame.kind).or_default().add(&counts);
        });
    }
}

impl Room {
    fn remember(&mut self, said: Remembered, most: usize) {
        self.history_bytes += said.size();
        self.history.push_back(said);
        while self.history.len() > most || self.history_bytes > HISTORY_BYTES {
            let Some(oldest) = self.history.pop_front() else {
                return;
            };
            self.history_bytes -= oldest.size();
        }
    }
}

/// Whether only the support desk opens rooms of this name.
pub(super) fn is_of_support(room: &str) -> bool {
    room.starts_with(SUPPORT_ROOM)
}
