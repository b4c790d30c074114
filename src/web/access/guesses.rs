//! Wrong admin tokens, and how long whoever sends them waits for the answer.
//!
//! The right token is never delayed, whoever sent wrong ones before: nobody can be locked out. What keeps
//! it from being guessed is its length; the delay keeps guesses from taking the connections and the CPU.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// So many wrong tokens in a row are answered at once: people mistype.
const FREE: u32 = 3;
/// The delay of the next one; each doubles it.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// A little less than clients that have a time limit usually wait.
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// Whoever sends none for so long begins anew.
const REMEMBERED: Duration = Duration::from_mins(15);
/// Peers that are known; whoever was quiet longest makes room.
const MOST_PEERS: usize = 1_024;
/// Answers that are held back at once, of 512 connections: guesses leave the others a quarter of them.
const MOST_HELD: usize = 384;

/// The wrong tokens of late, by who sent them.
#[derive(Debug)]
pub(in crate::web) struct Guesses {
    peers: Mutex<HashMap<IpAddr, Wrong>>,
    places: Semaphore,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    /// In a row.
    tokens: u32,
    last: Instant,
}

/// How the answer to a wrong token was held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Held {
    /// For as long as is due.
    Waited,
    /// Not at all, because too many are: its connection is to be closed.
    NoPlace,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            peers: Mutex::default(),
            places: Semaphore::new(MOST_HELD),
        }
    }
}

impl Guesses {
    /// Notes a wrong token and waits as long as its answer is held back, or until `closing`.
    pub(in crate::web) async fn wrong(
        &self,
        peer: Option<SocketAddr>,
        closing: &CancellationToken,
    ) -> Held {
        let delay = self.note(network(peer));
        if delay.is_zero() {
            return Held::Waited;
        }
        let Ok(_place) = self.places.try_acquire() else {
            return Held::NoPlace;
        };
        closing.run_until_cancelled(sleep(delay)).await;
        Held::Waited
    }

    /// Whoever has the right token only mistyped before.
    pub(in crate::web) fn right(&self, peer: Option<SocketAddr>) {
        self.peers().remove(&network(peer));
    }

    /// How long the answer to this wrong token is held back.
    fn note(&self, peer: IpAddr) -> Duration {
        let mut peers = self.peers();
        peers.retain(|_, wrong| wrong.last.elapsed() < REMEMBERED);
        if peers.len() >= MOST_PEERS && !peers.contains_key(&peer) {
            let quiet = peers.iter().min_by_key(|(_, wrong)| wrong.last);
            if let Some(quiet) = quiet.map(|(peer, _)| *peer) {
                peers.remove(&quiet);
            }
        }
        let last = Instant::now();
        let wrong = peers.entry(peer).or_insert(Wrong { tokens: 0, last });
        wrong.last = last;
        wrong.tokens = wrong.tokens.saturating_add(1);
        delay(wrong.tokens)
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<IpAddr, Wrong>> {
        // A map that is whole after every statement.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The delay of so many wrong tokens in a row.
fn delay(tokens: u32) -> Duration {
    let Some(doublings) = tokens.checked_sub(FREE + 1) else {
        return Duration::ZERO;
    };
    let factor = 2_u32.saturating_pow(doublings);
    FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY)
}

/// Who counts as one: an IPv4 address, or a network of IPv6, of which everybody has 2^64 addresses.
fn network(peer: Option<SocketAddr>) -> IpAddr {
    let ip = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| {
        peer.ip().to_canonical()
    });
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// How long the answer to a wrong token takes.
    async fn wrong(guesses: &Guesses, from: &str) -> Duration {
        let began = Instant::now();
        let held = guesses
            .wrong(Some(peer(from)), &CancellationToken::new())
            .await;
        assert_eq!(held, Held::Waited);
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_of_wrong_tokens_doubles_from_the_fourth_on_up_to_its_limit() {
        let guesses = Guesses::default();
        let mut delays = Vec::new();
        for port in 1..=11 {
            // Another port is no other peer.
            delays.push(
                wrong(&guesses, &format!("192.0.2.1:{port}"))
                    .await
                    .as_millis(),
            );
        }
        assert_eq!(
            delays,
            [0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]
        );
        assert_eq!(wrong(&guesses, "192.0.2.2:1").await, Duration::ZERO);
        assert_eq!(delay(u32::MAX), LONGEST_DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn the_right_token_and_a_quarter_of_an_hour_end_it() {
        let guesses = Guesses::default();
        for _ in 0..4 {
            wrong(&guesses, "192.0.2.1:1").await;
        }
        guesses.right(Some(peer("192.0.2.1:2")));
        assert_eq!(wrong(&guesses, "192.0.2.1:1").await, Duration::ZERO);
        for _ in 0..3 {
            wrong(&guesses, "192.0.2.1:1").await;
        }
        tokio::time::advance(REMEMBERED).await;
        assert_eq!(wrong(&guesses, "192.0.2.1:1").await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn one_network_of_ipv6_is_one_peer() {
        let guesses = Guesses::default();
        for host in 1..=3 {
            wrong(&guesses, &format!("[2001:db8::{host}]:1")).await;
        }
        assert_eq!(wrong(&guesses, "[2001:db8::99]:1").await, FIRST_DELAY);
        assert_eq!(wrong(&guesses, "[2001:db8:0:1::1]:1").await, Duration::ZERO);
        assert_eq!(
            network(Some(peer("[::ffff:192.0.2.1]:1"))),
            network(Some(peer("192.0.2.1:9")))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_peers_are_known_and_the_quiet_ones_go_first() {
        let guesses = Guesses::default();
        let address = |number: u32| IpAddr::from(Ipv4Addr::from_bits(number));
        for number in 1..=3_000 {
            guesses.note(address(number));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(guesses.peers().len(), MOST_PEERS);
        assert!(guesses.peers().contains_key(&address(3_000)));
        assert!(!guesses.peers().contains_key(&address(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_answers_are_held_back_and_the_end_of_the_service_frees_them() {
        let guesses = std::sync::Arc::new(Guesses::default());
        let closing = CancellationToken::new();
        for _ in 0..FREE {
            wrong(&guesses, "192.0.2.1:1").await;
        }
        let held: Vec<_> = (0..MOST_HELD)
            .map(|_| {
                let (guesses, closing) = (guesses.clone(), closing.clone());
                tokio::spawn(
                    async move { guesses.wrong(Some(peer("192.0.2.1:1")), &closing).await },
                )
            })
            .collect();
        // Until each of them has had its turn.
        for _ in 0..MOST_HELD {
            tokio::task::yield_now().await;
        }
        assert_eq!(guesses.places.available_permits(), 0);
        let began = Instant::now();
        let more = guesses.wrong(Some(peer("192.0.2.1:1")), &closing).await;
        assert_eq!((more, began.elapsed()), (Held::NoPlace, Duration::ZERO));
        closing.cancel();
        for held in held {
            assert_eq!(held.await.unwrap(), Held::Waited);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
