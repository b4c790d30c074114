//! Wrong admin tokens: how long their answers are held back, and how many tokens of a peer are compared.
//!
//! After its free guesses, each wrong token of a peer takes a slot for as long as its answer is held back, whether or
//! not the client waits for it. A peer without a free slot is told to come again later, and its token is not
//! compared: otherwise many connections at once, or clients that do not wait, would guess as fast as they like.
//!
//! One peer can take a few of the slots only, and half of them are kept for peers that have none, so that few peers
//! together cannot keep another from using the right token. What keeps a token from being guessed is its length; the
//! delay keeps guesses from taking the connections and the CPU.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Denied, sender::is_loopback};

/// Wrong tokens of a peer in a row that are answered at once: people mistype.
const FREE: u32 = 3;
/// Wrong tokens of all peers within [`BUSY_FOR`] after which no peer has free guesses, except those that sent the right
/// token of late. Otherwise a client with many addresses would have free guesses with each of them.
const FREE_TOGETHER: usize = 30;
const BUSY_FOR: Duration = Duration::from_mins(1);
/// The delay of the first answer that is held back; each further one doubles it.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// A little less than clients that have a time limit usually wait.
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// A peer that sends no token for this time is forgotten.
const REMEMBERED: Duration = Duration::from_mins(15);
/// Peers that are remembered. Beyond that, those without the right token and with the oldest token are forgotten first.
const MOST_PEERS: usize = 1_024;
/// Answers that are held back at once, of 512 connections: guesses leave a quarter of them to others.
const MOST_HELD: usize = 384;
/// Answers that are held back for one peer: with the longest delay, it has one guess a second.
const MOST_HELD_OF_ONE: usize = 8;
/// Slots that a peer with slots may still take. The others are for peers that have none.
const SHARED_PLACES: usize = MOST_HELD / 2;

/// The admin tokens that peers sent of late.
#[derive(Debug, Default)]
pub(in crate::web) struct Guesses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    peers: HashMap<IpAddr, Peer>,
    /// The times of the last wrong tokens of all peers, [`FREE_TOGETHER`] at most.
    recent: VecDeque<Instant>,
}

#[derive(Debug)]
struct Peer {
    /// Wrong tokens in a row.
    wrong: u32,
    /// Whether it has sent the right token.
    proven: bool,
    /// When its last token was compared.
    last: Instant,
    /// The ends of the delays of its answers, [`MOST_HELD_OF_ONE`] at most.
    slots: Vec<Instant>,
}

/// A request that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct RefusedRequest {
    pub(in crate::web) denied: Denied,
    /// How long the answer is held back.
    pub(in crate::web) delay: Duration,
}

impl From<Denied> for RefusedRequest {
    fn from(denied: Denied) -> Self {
        Self {
            denied,
            delay: Duration::ZERO,
        }
    }
}

impl Guesses {
    /// Compares the token that a peer sent, unless too many wrong ones came before.
    pub(in crate::web) fn compare(
        &self,
        peer: Option<SocketAddr>,
        is_right: impl FnOnce() -> bool,
    ) -> Result<(), RefusedRequest> {
        let (peer, now) = (network(peer), Instant::now());
        // Locked until the token is noted, so that tokens at the same time are not all compared as the first.
        let mut state = self.state();
        state.forget(now);
        let delay = state.delay(peer);
        if !delay.is_zero() && !state.has_slot(peer) {
            let again = state.next_slot(peer, now).unwrap_or(delay);
            return Err(Denied::Throttled { again }.into());
        }
        let right = is_right();
        state.note(peer, (!right).then_some(delay), now);
        if right {
            return Ok(());
        }
        let denied = Denied::WrongToken;
        Err(RefusedRequest { denied, delay })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what has ended by now.
    fn forget(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            peer.slots.retain(|end| *end > now);
        }
        self.peers
            .retain(|_, peer| now.duration_since(peer.last) < REMEMBERED);
        self.recent
            .retain(|came| now.duration_since(*came) < BUSY_FOR);
    }

    /// How long the answer is held back if the next token of this peer is wrong.
    fn delay(&self, peer: IpAddr) -> Duration {
        let peer = self.peers.get(&peer);
        let wrong = peer.map_or(0, |peer| peer.wrong);
        let has_free = self.recent.len() < FREE_TOGETHER || peer.is_some_and(|peer| peer.proven);
        if has_free && wrong < FREE {
            return Duration::ZERO;
        }
        let factor = 2_u32.saturating_pow(wrong.saturating_sub(FREE));
        FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY)
    }

    fn has_slot(&self, peer: IpAddr) -> bool {
        let own = self.peers.get(&peer).map_or(0, |peer| peer.slots.len());
        let all: usize = self.peers.values().map(|peer| peer.slots.len()).sum();
        let most = if all < SHARED_PLACES {
            MOST_HELD_OF_ONE
        } else {
            1
        };
        own < most && all < MOST_HELD
    }

    /// After which time this peer has one slot less.
    fn next_slot(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let end = self.peers.get(&peer)?.slots.iter().min()?;
        Some(end.duration_since(now))
    }

    /// Notes a token of this peer: a wrong one with the delay of its answer, or the right one.
    fn note(&mut self, peer: IpAddr, wrong: Option<Duration>, now: Instant) {
        if self.peers.len() >= MOST_PEERS && !self.peers.contains_key(&peer) {
            // There are more peers than slots.
            let idle = self.peers.iter().filter(|(_, peer)| peer.slots.is_empty());
            let oldest = idle.min_by_key(|(_, peer)| (peer.proven, peer.last));
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.peers.remove(&oldest);
            }
        }
        let peer = self.peers.entry(peer).or_insert(Peer {
            wrong: 0,
            proven: false,
            last: now,
            slots: Vec::new(),
        });
        peer.last = now;
        let Some(delay) = wrong else {
            peer.wrong = 0;
            peer.proven = true;
            return;
        };
        peer.wrong = peer.wrong.saturating_add(1);
        if !delay.is_zero() {
            peer.slots.push(now + delay);
        }
        if self.recent.len() >= FREE_TOGETHER {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }
}

/// The addresses that count as one peer: an IPv4 address; a network of IPv6, since everybody there has 2^64 addresses;
/// this machine, since each of its processes has all addresses of 127.0.0.0/8.
fn network(peer: Option<SocketAddr>) -> IpAddr {
    let ip = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| {
        peer.ip().to_canonical()
    });
    match ip {
        _ if is_loopback(ip) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests;
