//! Which connections the descriptors of the process go to, so that some are always left for the web and
//! for events.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use nix::errno::Errno;
use tokio::time::{Instant, sleep};

/// Descriptors that are no connections: the runtime, listeners, the history, logs, `/proc`. A process with a
/// high limit may use the most, one with a low limit uses the least all the same.
const MOST_OTHERS: u64 = 64;
const LEAST_OTHERS: u64 = 32;
/// Connections of the web that are always possible.
const MOST_KEPT_FOR_WEB: u64 = 32;
/// Connections from clients that outbound ones always leave room for.
const MOST_KEPT_FOR_INBOUND: u64 = 128;

/// How often, and after how long each time, whoever needs a descriptor looks whether one that was given
/// up is free: its owner is another task.
const LOOKS: u32 = 25;
const LOOK: Duration = Duration::from_millis(20);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A request to a target.
    Outbound,
    /// Events, and requests to the simulator.
    Inbound,
    /// Metrics, admin API, console.
    Web,
}

/// The right to have one connection open, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    budget: &'static Budget,
    purpose: Purpose,
}

/// Somebody who can close a connection that is not needed.
pub trait Reclaim: Send + Sync {
    /// Closes one, soon; whether there was one.
    fn close_idle(&self) -> bool;

    /// Since when the one has been idle that it would give up, if it can say so.
    fn idle_since(&self) -> Option<Instant> {
        None
    }
}

/// A permit for a connection, if the limit of the process leaves one.
pub fn acquire(purpose: Purpose) -> Option<Permit> {
    BUDGET.acquire(purpose, super::allowed())
}

/// Connections to targets that are open.
pub fn outbound() -> u64 {
    lock(&BUDGET.0).outbound
}

/// How many connections to targets a process with this limit may have open at once.
pub fn most_outbound(allowed: u64) -> u64 {
    match allowed {
        // Where the limit is not known, the system decides alone.
        0 => u64::MAX,
        _ => Shares::of(allowed).outbound,
    }
}

/// A limit that allows so many connections to targets at once.
pub const fn limit_for_outbound(connections: u64) -> u64 {
    connections.saturating_add(MOST_OTHERS + MOST_KEPT_FOR_WEB + MOST_KEPT_FOR_INBOUND)
}

/// A permit for a connection to a target. If there is none, an idle connection is closed for it: one from a
/// client if outbound ones have not their whole share, otherwise one to a target.
///
/// # Errors
/// `EMFILE`, as the system says it, if no descriptor becomes free.
pub async fn acquire_outbound() -> io::Result<Permit> {
    BUDGET.acquire_outbound(&RECLAIMERS, super::allowed()).await
}

/// Has an idle connection from a client closed because the process has no descriptor left; whether there was
/// one.
pub fn reclaim() -> bool {
    RECLAIMERS.reclaim(Purpose::Inbound)
}

/// Asks this one from now on when connections of its purpose are to be given up.
pub fn reclaim_from(purpose: Purpose, reclaimer: Weak<dyn Reclaim>) {
    let mut reclaimers = lock(&RECLAIMERS.0);
    reclaimers.retain(|(_, reclaimer)| reclaimer.strong_count() > 0);
    reclaimers.push((purpose, reclaimer));
}

static BUDGET: Budget = Budget(Mutex::new(InUse {
    outbound: 0,
    inbound: 0,
    web: 0,
}));
static RECLAIMERS: Reclaimers = Reclaimers(Mutex::new(Vec::new()));

/// Who has connections of which purpose to give up.
struct Reclaimers(Mutex<Vec<(Purpose, Weak<dyn Reclaim>)>>);

impl Reclaimers {
    /// Has the connection closed that has been idle the longest, at least of those of one reclaimer; whether
    /// there was one.
    fn reclaim(&self, purpose: Purpose) -> bool {
        let of_purpose: Vec<_> = {
            let reclaimers = lock(&self.0);
            let of_purpose = reclaimers.iter().filter(|(of, _)| *of == purpose);
            of_purpose
                .filter_map(|(_, reclaimer)| reclaimer.upgrade())
                .collect()
        };
        let mut idle: Vec<_> = of_purpose
            .iter()
            .map(|reclaimer| (reclaimer.idle_since(), reclaimer))
            .collect();
        // Those that do not say come first.
        idle.sort_by_key(|(since, _)| *since);
        idle.into_iter()
            .any(|(_, reclaimer)| reclaimer.close_idle())
    }
}

#[derive(Debug)]
struct Budget(Mutex<InUse>);

#[derive(Debug, Default, Clone, Copy)]
struct InUse {
    outbound: u64,
    inbound: u64,
    web: u64,
}

/// How many connections the limit of a process allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shares {
    /// Of all purposes together, besides those that are kept for the web.
    common: u64,
    /// Of them, outbound.
    outbound: u64,
    kept_for_web: u64,
}

impl Shares {
    fn of(allowed: u64) -> Self {
        let others = (allowed / 4).clamp(LEAST_OTHERS, MOST_OTHERS);
        let kept_for_web = MOST_KEPT_FOR_WEB.min(allowed / 8);
        let common = allowed.saturating_sub(others + kept_for_web);
        Self {
            common,
            outbound: common - MOST_KEPT_FOR_INBOUND.min(common / 4),
            kept_for_web,
        }
    }
}

impl InUse {
    fn of(&mut self, purpose: Purpose) -> &mut u64 {
        match purpose {
            Purpose::Outbound => &mut self.outbound,
            Purpose::Inbound => &mut self.inbound,
            Purpose::Web => &mut self.web,
        }
    }

    fn allows_one_more(&self, purpose: Purpose, shares: &Shares) -> bool {
        let web_in_common = self.web.saturating_sub(shares.kept_for_web);
        let common = self.outbound + self.inbound + web_in_common < shares.common;
        match purpose {
            Purpose::Outbound => common && self.outbound < shares.outbound,
            Purpose::Inbound => common,
            Purpose::Web => common || self.web < shares.kept_for_web,
        }
    }
}

impl Budget {
    fn acquire(&'static self, purpose: Purpose, allowed: u64) -> Option<Permit> {
        let mut in_use = lock(&self.0);
        // Where the limit is not known it is 0, and the system decides alone.
        if allowed > 0 && !in_use.allows_one_more(purpose, &Shares::of(allowed)) {
            return None;
        }
        *in_use.of(purpose) += 1;
        Some(Permit {
            budget: self,
            purpose,
        })
    }

    async fn acquire_outbound(
        &'static self,
        reclaimers: &Reclaimers,
        allowed: u64,
    ) -> io::Result<Permit> {
        if let Some(permit) = self.acquire(Purpose::Outbound, allowed) {
            return Ok(permit);
        }
        let reclaimed = (self.outbound_may_have_more(allowed)
            && reclaimers.reclaim(Purpose::Inbound))
            || reclaimers.reclaim(Purpose::Outbound);
        if reclaimed {
            for _ in 0..LOOKS {
                sleep(LOOK).await;
                if let Some(permit) = self.acquire(Purpose::Outbound, allowed) {
                    return Ok(permit);
                }
            }
        }
        Err(Errno::EMFILE.into())
    }

    /// Whether connections to targets have not their whole share, so that they gain if others are given up.
    fn outbound_may_have_more(&self, allowed: u64) -> bool {
        lock(&self.0).outbound < Shares::of(allowed).outbound
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *lock(&self.budget.0).of(self.purpose) -= 1;
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Numbers and lists that are whole after every statement.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn budget() -> &'static Budget {
        Box::leak(Box::new(Budget(Mutex::default())))
    }

    fn acquire_all(budget: &'static Budget, purpose: Purpose, allowed: u64) -> Vec<Permit> {
        std::iter::from_fn(|| budget.acquire(purpose, allowed)).collect()
    }

    #[test]
    fn chats_that_take_every_connection_leave_some_for_events_and_for_the_web() {
        for (allowed, outbound, inbound, web) in [
            (16, 0, 0, 2),
            (64, 18, 6, 8),
            (256, 120, 40, 32),
            (1_024, 800, 128, 32),
            (20_000, 19_776, 128, 32),
        ] {
            let budget = budget();
            let all = [
                acquire_all(budget, Purpose::Outbound, allowed),
                acquire_all(budget, Purpose::Inbound, allowed),
                acquire_all(budget, Purpose::Web, allowed),
            ];
            assert_eq!(all.each_ref().map(Vec::len), [outbound, inbound, web]);
            let others = allowed - all.iter().map(Vec::len).sum::<usize>() as u64;
            assert!(others >= 32.min(allowed - 2), "{others} of {allowed}");
        }
    }

    #[test]
    fn what_is_not_needed_by_others_may_be_taken_and_comes_back() {
        let budget = budget();
        let events = acquire_all(budget, Purpose::Inbound, 256);
        assert_eq!(events.len(), 160);
        assert!(budget.acquire(Purpose::Outbound, 256).is_none());
        assert!(budget.outbound_may_have_more(256));
        assert_eq!(acquire_all(budget, Purpose::Web, 256).len(), 32);
        drop(events);
        assert_eq!(acquire_all(budget, Purpose::Web, 256).len(), 192);
        let chats = acquire_all(budget, Purpose::Outbound, 256);
        assert!(!budget.outbound_may_have_more(256), "{chats:?}");
    }

    /// Holds permits of idle connections, the oldest first.
    struct Idle {
        since: Instant,
        permits: Mutex<Vec<Permit>>,
    }

    impl Reclaim for Idle {
        fn close_idle(&self) -> bool {
            lock(&self.permits).pop().is_some()
        }

        fn idle_since(&self) -> Option<Instant> {
            (!lock(&self.permits).is_empty()).then_some(self.since)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_make_room_for_one_to_another_target_the_oldest_first() {
        let (budget, now) = (budget(), Instant::now());
        let idle = |purpose, count: usize, seconds| {
            let permits = (0..count).filter_map(|_| budget.acquire(purpose, 256));
            let idle = Arc::new(Idle {
                since: now - Duration::from_secs(seconds),
                permits: Mutex::new(permits.collect()),
            });
            let weak: Weak<dyn Reclaim> = Arc::downgrade(&idle) as _;
            (idle, (purpose, weak))
        };
        let (young, of_young) = idle(Purpose::Outbound, 100, 1);
        let (old, of_old) = idle(Purpose::Outbound, 20, 9);
        let (inbound, of_inbound) = idle(Purpose::Inbound, 40, 20);
        let reclaimers = Reclaimers(Mutex::new(vec![of_young, of_old, of_inbound]));
        let left = || [&young, &old, &inbound].map(|idle| lock(&idle.permits).len());
        let mut taken = Vec::new();
        for expected in [[100, 19, 40], [100, 18, 40]] {
            taken.push(budget.acquire_outbound(&reclaimers, 256).await.unwrap());
            assert_eq!(left(), expected);
        }
        // Events never lose their permit to more than the share of chats.
        lock(&young.permits).clear();
        lock(&old.permits).clear();
        taken.extend(acquire_all(budget, Purpose::Outbound, 256));
        let error = budget.acquire_outbound(&reclaimers, 256).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::EMFILE as i32));
        assert_eq!((taken.len(), left()), (120, [0, 0, 40]));
    }

    #[test]
    fn the_limit_that_is_recommended_allows_the_connections() {
        for connections in [0, 1, 18, 100, 500, 20_000] {
            let limit = limit_for_outbound(connections);
            assert!(
                most_outbound(limit) >= connections,
                "{connections}: {limit}"
            );
        }
        assert_eq!([0, 64, 256].map(most_outbound), [u64::MAX, 18, 120]);
    }

    #[test]
    fn an_unknown_limit_is_none() {
        assert_eq!(
            (0..9)
                .filter_map(|_| budget().acquire(Purpose::Outbound, 0))
                .count(),
            9
        );
    }
}
