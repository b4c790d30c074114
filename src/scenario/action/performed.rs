//! What performing an action came to: a plain value that runner, events and history handle without knowing which
//! kind of action it is.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    NewConnection,
    traced::{TracedAction, Tracer},
};
use crate::{
    driver::Phases,
    scenario::{Clients, Reason, Scope, SessionValues, View},
};

/// What an action is performed with.
pub struct Task<'a> {
    /// The variables.
    pub scope: &'a Arc<Scope>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether what expressions could look at is kept though none of the step does.
    pub is_traced: bool,
    /// What connections are opened with that are not those of the sessions. All chats of a run have it in common.
    pub clients: &'a Clients,
    /// Gives its place in the chat to a connection that is about to be opened, by the name of its socket.
    pub new_connection: &'a (dyn Fn(&Arc<str>) -> NewConnection + Sync),
    /// When it is given up.
    pub until: Until<'a>,
}

/// When an action is given up because its run ends.
pub struct Until<'a> {
    /// Completes when nothing is begun any more.
    pub stopped: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
    /// Completes when what is on its way to the target is not waited for any more either. It may be needed to
    /// clean up.
    pub give_up: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
}

/// What performing an action came to.
pub struct Performed {
    /// Its latency, or why there is none.
    pub result: Result<Duration, Unperformed>,
    /// What went out to the target, if something could.
    pub sent: Option<Sending>,
    /// When the customer knew what it came to; `None` if the run was stopped before.
    pub known_at: Option<Instant>,
    /// The moment from which later waits for an answer to it count.
    pub mark: Option<Instant>,
    /// What expressions look at from now on.
    pub view: Option<Arc<dyn View>>,
    /// What sessions keep from now on, if something of that is new.
    pub sessions: Option<SessionValues>,
    /// What it may have opened at the target.
    pub opened: Option<Opened>,
    /// How often something was sent once more because a connection was closed under it.
    pub resent: u32,
    /// How many requests it sent, if it polls.
    pub polled: u32,
    /// What is kept for the explanation of a failed chat.
    pub kept: Option<Box<dyn Kept>>,
}

/// Why an action has no latency.
#[derive(Debug)]
pub enum Unperformed {
    /// It failed.
    Failed(Box<Failed>),
    /// Its run was stopped.
    Stopped,
}

/// Why an action failed.
#[derive(Debug)]
pub struct Failed {
    /// The reason.
    pub reason: Reason,
    /// For people.
    pub detail: String,
    /// What the target said, of which the beginning belongs behind the detail.
    pub quote: Option<String>,
    /// If the target may not have been reached because a server in this process took nothing: since when.
    pub unreached_since: Option<Instant>,
}

/// What went out to the target.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    /// When.
    pub at: Instant,
    /// How long it then waited until there was a connection, or leave to open one.
    pub waited: Duration,
    /// What the rest of the time went into.
    pub phases: Phases,
    /// When the certificate of the target ends or ended, if a handshake showed it.
    pub certificate_expires: Option<SystemTime>,
    /// How long the system had had the answer when it was read; `None` if that is not known.
    pub read_delay: Option<Duration>,
}

/// What an action may have opened at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// What it asked for: the target accepted it.
    Accepted,
    /// That is not known: it may have reached the target, and there is no answer.
    Unanswered,
}

impl Sending {
    /// Something that went out on a connection that was open.
    pub(super) fn at(at: Instant) -> Self {
        Self {
            at,
            waited: Duration::ZERO,
            phases: Phases::default(),
            certificate_expires: None,
            read_delay: None,
        }
    }
}

impl Performed {
    /// An action that passed with this latency.
    pub fn with(latency: Duration) -> Self {
        Self::of(Ok(latency))
    }

    /// An action that did not.
    pub fn without(why: Unperformed) -> Self {
        Self::of(Err(why))
    }

    fn of(result: Result<Duration, Unperformed>) -> Self {
        Self {
            result,
            sent: None,
            known_at: None,
            mark: None,
            view: None,
            sessions: None,
            opened: None,
            resent: 0,
            polled: 0,
            kept: None,
        }
    }
}

impl Unperformed {
    /// A failure of which this is all that is known.
    pub fn failed(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Failed(Box::new(Failed {
            reason,
            detail: detail.into(),
            quote: None,
            unreached_since: None,
        }))
    }
}

/// What is kept of an action until its step is over.
pub trait Kept: Send + Sync {
    /// What of it is kept with the chat.
    fn traced(self: Box<Self>, tracer: &Tracer<'_>) -> Box<dyn TracedAction>;
}

impl Until<'_> {
    /// The result of something that is sent; `None` if it is given up before there is one. `is_on_wire`: whether
    /// the target may have seen it.
    pub(super) async fn answered<T>(
        self,
        mut sending: Pin<&mut (impl Future<Output = T> + Send)>,
        is_on_wire: impl Fn() -> bool,
    ) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stopped => {}
            result = &mut sending => return Some(result),
        }
        if !is_on_wire() {
            return None;
        }
        tokio::select! {
            biased;
            () = self.give_up => None,
            result = sending => Some(result),
        }
    }
}
