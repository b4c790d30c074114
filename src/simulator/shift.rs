//! The agents who act by hand: who has logged in, which chats each holds, and who listens at a socket.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{
    agents::Agent,
    ids::EngagementId,
    requests::RequestRefusal,
    settings::{Agents, CentreSettings},
    statistics::End,
    transcript::SpokenLine,
};

/// Frames that wait for one agent; with more the socket is closed.
const QUEUE: usize = 1_024;
/// Agents who may log in where their number is not limited.
const MOST_AGENTS: usize = 10_000;

/// A chat as agents see it before they accept it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Offer {
    pub chat: String,
    pub customer: String,
    pub conversation: Option<String>,
}

/// What an agent at a socket is told.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum AgentFrame {
    Waiting(Offer),
    Accepted(Offer),
    Message {
        chat: String,
        #[serde(flatten)]
        line: SpokenLine,
    },
    Ended {
        chat: String,
        reason: End,
    },
    Error {
        reason: u16,
        detail: String,
    },
}

/// All agents who have logged in.
#[derive(Debug)]
pub(super) struct Shift {
    most: usize,
    chats_each: usize,
    agents: BTreeMap<Agent, HandAgent>,
    numbers: BTreeMap<String, Agent>,
    last: u64,
    /// Sockets so far.
    sockets: u64,
}

#[derive(Debug)]
struct HandAgent {
    name: String,
    chats: BTreeSet<EngagementId>,
    /// The number of the socket at which he listens.
    attends: Option<u64>,
    /// Where its frames go; none once it has read too slowly.
    frames: Option<Sender<AgentFrame>>,
}

impl Shift {
    /// As many agents as the settings say, with as many chats each.
    pub fn new(settings: &CentreSettings) -> Self {
        Self {
            most: match settings.agents {
                Agents::Unlimited => MOST_AGENTS,
                Agents::Limited(agents) => agents.get() as usize,
            },
            chats_each: settings.chats_per_agent.get() as usize,
            agents: BTreeMap::new(),
            numbers: BTreeMap::new(),
            last: 0,
            sockets: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Agents with at least one chat.
    pub fn busy(&self) -> usize {
        let agents = self.agents.values();
        agents.filter(|agent| !agent.chats.is_empty()).count()
    }

    /// Logs an agent in, who may have logged in already.
    pub fn log_in(&mut self, name: &str) -> Result<Agent, RequestRefusal> {
        if let Some(agent) = self.numbers.get(name) {
            return Ok(*agent);
        }
        if self.agents.len() >= self.most {
            return Err(RequestRefusal::Full("agents"));
        }
        self.last += 1;
        let agent = Agent(self.last);
        self.numbers.insert(name.to_owned(), agent);
        let new = HandAgent {
            name: name.to_owned(),
            chats: BTreeSet::new(),
            attends: None,
            frames: None,
        };
        self.agents.insert(agent, new);
        Ok(agent)
    }

    /// Logs an agent out: the chats that he leaves behind.
    pub fn log_out(&mut self, agent: Agent) -> BTreeSet<EngagementId> {
        let Some(agent) = self.agents.remove(&agent) else {
            return BTreeSet::new();
        };
        self.numbers.remove(&agent.name);
        agent.chats
    }

    /// The agent of that name, who has logged in.
    pub fn find(&self, name: &str) -> Result<Agent, RequestRefusal> {
        let agent = self.numbers.get(name).copied();
        agent.ok_or(RequestRefusal::LoggedOut)
    }

    pub fn name(&self, agent: Agent) -> Option<&str> {
        self.agents.get(&agent).map(|agent| agent.name.as_str())
    }

    /// The chats that an agent holds.
    pub fn chats(&self, agent: Agent) -> impl Iterator<Item = EngagementId> {
        let agent = self.agents.get(&agent);
        agent
            .into_iter()
            .flat_map(|agent| agent.chats.iter().copied())
    }

    /// Gives a chat to an agent.
    pub fn hold(&mut self, agent: Agent, chat: EngagementId) -> Result<(), RequestRefusal> {
        let agent = self
            .agents
            .get_mut(&agent)
            .ok_or(RequestRefusal::LoggedOut)?;
        if agent.chats.len() >= self.chats_each {
            return Err(RequestRefusal::Conflict(
                "the agent has as many chats as `chats_per_agent` says",
            ));
        }
        agent.chats.insert(chat);
        Ok(())
    }

    /// Takes a chat from an agent.
    pub fn release(&mut self, agent: Agent, chat: EngagementId) {
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.chats.remove(&chat);
        }
    }

    /// Has an agent listen at a socket, in the place of another one: the number of the socket, and what comes there.
    pub fn listen(&mut self, agent: Agent) -> (u64, Receiver<AgentFrame>) {
        let (sender, receiver) = channel(QUEUE);
        self.sockets += 1;
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.attends = Some(self.sockets);
            agent.frames = Some(sender);
        }
        (self.sockets, receiver)
    }

    /// Whether that is the socket at which the agent listens.
    pub fn listens_at(&self, agent: Agent, socket: u64) -> bool {
        let agent = self.agents.get(&agent);
        agent.is_some_and(|agent| agent.attends == Some(socket))
    }

    /// Tells an agent at a socket. Who reads too slowly is not told any more, and his socket is closed.
    pub fn tell(&mut self, agent: Agent, frame: AgentFrame) {
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.tell(frame);
        }
    }

    /// Tells all agents at a socket.
    pub fn tell_all(&mut self, frame: &AgentFrame) {
        for agent in self.agents.values_mut() {
            agent.tell(frame.clone());
        }
    }
}

impl HandAgent {
    fn tell(&mut self, frame: AgentFrame) {
        let told = self.frames.as_ref().map(|frames| frames.try_send(frame));
        if told.is_some_and(|told| told.is_err()) {
            self.frames = None;
        }
    }
}
