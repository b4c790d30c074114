//! Who is free to pick up a chat.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::settings::Agents;

/// The number of an agent, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Agent(pub u64);

/// The agents and the chats they hold. Each agent stands in `free` once for each chat he could
/// still take; whoever became free first is asked first.
#[derive(Debug)]
pub(super) struct AgentPool {
    team: Team,
    busy: u64,
}

#[derive(Debug)]
enum Team {
    Unlimited {
        hired: u64,
    },
    Limited {
        free: VecDeque<Agent>,
        chats: Vec<u32>,
    },
}

impl AgentPool {
    pub fn new(agents: Agents, chats_per_agent: NonZeroU32) -> Self {
        let team = match agents {
            Agents::Unlimited => Team::Unlimited { hired: 0 },
            Agents::Limited(agents) => {
                let everyone = || (1..=u64::from(agents.get())).map(Agent);
                Team::Limited {
                    free: (0..chats_per_agent.get())
                        .flat_map(|_| everyone())
                        .collect(),
                    chats: vec![0; agents.get() as usize],
                }
            }
        };
        Self { team, busy: 0 }
    }

    /// Takes an agent, if one is free.
    pub fn take(&mut self) -> Option<Agent> {
        match &mut self.team {
            Team::Unlimited { hired } => {
                *hired += 1;
                self.busy += 1;
                Some(Agent(*hired))
            }
            Team::Limited { free, chats } => {
                let agent = free.pop_front()?;
                let held = chats_of(chats, agent);
                *held += 1;
                self.busy += u64::from(*held == 1);
                Some(agent)
            }
        }
    }

    /// Gives an agent back who was taken.
    pub fn release(&mut self, agent: Agent) {
        match &mut self.team {
            Team::Unlimited { .. } => self.busy -= 1,
            Team::Limited { free, chats } => {
                let held = chats_of(chats, agent);
                *held -= 1;
                self.busy -= u64::from(*held == 0);
                free.push_back(agent);
            }
        }
    }

    /// Agents with at least one chat.
    pub fn busy(&self) -> u64 {
        self.busy
    }

    /// All agents; none when there is no limit.
    pub fn total(&self) -> Option<usize> {
        match &self.team {
            Team::Unlimited { .. } => None,
            Team::Limited { chats, .. } => Some(chats.len()),
        }
    }
}

/// The chats that an agent of a limited team holds; agents count from 1.
fn chats_of(chats: &mut [u32], agent: Agent) -> &mut u32 {
    let index = usize::try_from(agent.0 - 1).unwrap_or(usize::MAX);
    &mut chats[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(agents: u32, chats: u32) -> AgentPool {
        let number = |number| NonZeroU32::new(number).unwrap();
        AgentPool::new(Agents::Limited(number(agents)), number(chats))
    }

    #[test]
    fn chats_are_spread_before_an_agent_gets_a_second_one() {
        let mut pool = limited(2, 2);
        let taken: Vec<u64> = std::iter::from_fn(|| pool.take())
            .map(|agent| agent.0)
            .collect();
        assert_eq!(taken, [1, 2, 1, 2]);
        assert_eq!(pool.busy(), 2);
    }

    #[test]
    fn an_agent_is_busy_until_the_last_chat_is_given_back() {
        let mut pool = limited(1, 2);
        let agent = pool.take().unwrap();
        pool.take().unwrap();
        assert!(pool.take().is_none());
        pool.release(agent);
        assert_eq!(pool.busy(), 1);
        pool.release(agent);
        assert_eq!(pool.busy(), 0);
        assert!(pool.take().is_some());
    }

    #[test]
    fn without_a_limit_somebody_is_always_free() {
        let mut pool = AgentPool::new(Agents::Unlimited, NonZeroU32::MIN);
        for _ in 0..1_000 {
            pool.take().unwrap();
        }
        assert_eq!((pool.busy(), pool.total()), (1_000, None));
    }
}
