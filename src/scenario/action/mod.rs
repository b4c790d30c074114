//! What a step does.
//!
//! Each kind of action has a folder here that owns all that is special about it ([`ActionKind`]). A new protocol is
//! such a folder, one line in the list of kinds below, and one driver.

mod address;
mod chat_sockets;
mod frame;
mod http;
mod kind;
mod message;
mod payload;
mod performed;
mod session_event;
mod sessions;
mod shown;
mod socket_rules;
mod source;
#[cfg(test)]
mod toy;
mod traced;
mod wait_for;
mod websocket;

use std::{sync::Arc, time::Duration};

use super::{EvaluationError, Expression, Observation, Reason, Scope, Setting, look::VisibleNames};
use crate::{document::Node, driver::Origins};

pub use chat_sockets::ChatSockets;
pub use frame::is_readable;
pub(super) use http::read_headers;
pub use http::{Answer, HttpAction, PlainRequest, PlainRequestError};
use kind::{ActionKind, StepKey};
pub(super) use kind::{ActionReading, Looks, PendingMark, ReadStep};
pub use performed::{Failed, Kept, Opened, Performed, Sending, Task, Unperformed, Until};
pub use session_event::{
    ArrivedFrame, FrameKind, NewConnection, PassedFrame, SessionEvent, SessionSink, SocketEnd,
    SocketEvent,
};
pub use sessions::{Feed, Sessions};
pub use shown::{
    ActionTrace, AnswerTrace, EventTrace, Excerpt, HttpTrace, PhaseTrace, RequestTrace,
};
pub use socket_rules::{DeliveryRule, SocketRules};
pub use source::{Awaited, InboundSource, WaitSources};
pub use traced::{Beginning, Presenter, TracedAction, Tracer};
pub(super) use wait_for::EVENT;
pub use wait_for::{Delivery, EventView, KeptEvents, MarkedStep, Match, WaitAction};
pub use websocket::{CloseAction, ConnectAction, ReceiveAction, RoomEntry, SendAction};

macro_rules! kinds {
    ($($(#[doc = $about:literal])* $(#[cfg($condition:meta)])? $kind:ident($action:ty),)+) => {
        /// What a step does.
        #[derive(Debug)]
        pub enum Action {
            $(
                $(#[doc = $about])*
                $(#[cfg($condition)])?
                $kind($action),
            )+
        }

        /// Every kind, in the order in which messages list them.
        static KINDS: &[Kind] = &[$($(#[cfg($condition)])? Kind::of::<$action>(),)+];

        $(
            $(#[cfg($condition)])?
            impl From<$action> for Action {
                fn from(action: $action) -> Self {
                    Self::$kind(action)
                }
            }
        )+

        impl Action {
            /// The key of a step that says so.
            pub fn key(&self) -> &'static str {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(_) => <$action>::KEY,)+
                }
            }

            /// Learns what the expressions of its step look at.
            pub(super) fn know_looks(&mut self, looks: &Looks<'_>) {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.know_looks(looks),)+
                }
            }

            /// The reasons for which it can fail besides those of every step.
            pub(super) fn reasons(&self, observed: Option<Observation>) -> Vec<Reason> {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.reasons(observed),)+
                }
            }

            /// The reason of a failed step of which this expectation did not hold.
            pub fn reason_unmet(&self, expectation: &Expression) -> Reason {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.reason_unmet(expectation),)+
                }
            }

            /// Whether a step with it may `observe` how long a customer waits.
            pub(super) fn is_observable(&self) -> bool {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.is_observable(),)+
                }
            }

            /// The time from one of its requests to the next, if it polls.
            pub fn polls_every(&self) -> Option<&Setting<Duration>> {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.polls_every(),)+
                }
            }

            /// Requests that it sends to the target; at least so many if it polls.
            pub fn requests(&self) -> u64 {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.requests(),)+
                }
            }

            /// The name of the connection that it opens, over which something comes outside of the steps, if it does.
            pub fn connects(&self) -> Option<&Arc<str>> {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.connects(),)+
                }
            }

            /// Performs it with the sessions of the chat.
            pub async fn perform(
                &self,
                sessions: &mut Sessions,
                task: Task<'_>,
            ) -> Result<Performed, EvaluationError> {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.perform(sessions, task).await,)+
                }
            }

            /// Adds the server that the scenario and the configuration name for it.
            pub(super) fn add_origin(&self, scope: &Arc<Scope>, origins: &mut Origins) {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.add_origin(scope, origins),)+
                }
            }

            /// Finds out whether it always fails because of where it leads, as far as that is known before a run.
            pub fn check_address(&self, scope: &Arc<Scope>) -> Result<(), EvaluationError> {
                match self {
                    $($(#[cfg($condition)])? Self::$kind(action) => action.check_address(scope),)+
                }
            }
        }
    };
}

kinds! {
    /// Sends a request and reads the answer.
    Http(HttpAction),
    /// Waits for an inbound event of this chat.
    WaitFor(WaitAction),
    /// Opens a socket.
    Connect(ConnectAction),
    /// Sends a frame.
    Send(SendAction),
    /// Waits for a frame.
    Receive(ReceiveAction),
    /// Closes a socket.
    Close(CloseAction),
    /// Turns a text around, in tests.
    #[cfg(test)]
    Toy(toy::ToyAction),
}

/// What is known of a kind without an action of it.
struct Kind {
    key: &'static str,
    step_keys: &'static [StepKey],
    look: &'static VisibleNames,
    own_looks: &'static [&'static VisibleNames],
    observable: Option<&'static str>,
    read: fn(&Node, &mut ActionReading<'_, '_>) -> Option<Action>,
    check_step_keys: fn(&mut ActionReading<'_, '_>),
}

impl Kind {
    const fn of<T: ActionKind + Into<Action>>() -> Self {
        Self {
            key: T::KEY,
            step_keys: T::STEP_KEYS,
            look: &T::LOOK,
            own_looks: T::OWN_LOOKS,
            observable: T::OBSERVABLE,
            read: |node, reading| T::read(node, reading).map(Into::into),
            check_step_keys: T::check_step_keys,
        }
    }

    fn find(key: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.key == key)
    }
}

impl Action {
    /// Itself as a wait, which the owner of the inbox of the chat performs; `None` for other kinds.
    pub fn as_wait(&self) -> Option<&WaitAction> {
        match self {
            Self::WaitFor(wait) => Some(wait),
            Self::Receive(receive) => Some(&receive.wait),
            _ => None,
        }
    }

    /// Lets a wait count from a step that was read behind it.
    pub(super) fn set_since(&mut self, step: MarkedStep) {
        match self {
            Self::WaitFor(wait) => wait.since = Some(step),
            Self::Receive(receive) => receive.wait.since = Some(step),
            _ => {}
        }
    }

    /// The room that the chat enters once a step with it has passed, if it does.
    pub fn room_entry(&self) -> Option<&RoomEntry> {
        match self {
            Self::Send(send) => send.room_entry.as_ref(),
            Self::Receive(receive) => receive.room_entry.as_ref(),
            _ => None,
        }
    }

    /// The name of the socket over which it publishes a message to everybody in a room, if it does.
    pub(super) fn publishes(&self) -> Option<&Arc<str>> {
        match self {
            Self::Send(send) => send.publishes(),
            _ => None,
        }
    }

    /// The name of the socket that it closes, if it does.
    pub(super) fn closes(&self) -> Option<&Arc<str>> {
        match self {
            Self::Close(close) => Some(&close.socket),
            _ => None,
        }
    }

    /// The keys of a step of which one says what it does.
    pub(super) fn keys() -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.key).collect()
    }

    /// Reads the action that a step with this key has.
    pub(super) fn read(
        key: &str,
        node: &Node,
        reading: &mut ActionReading<'_, '_>,
    ) -> Option<Self> {
        let kind = Kind::find(key)?;
        // Several kinds may have a key of one name.
        let is_own = |key: &&StepKey| kind.step_keys.iter().any(|own| own.name == key.name);
        let all = KINDS.iter().flat_map(|kind| kind.step_keys);
        for misplaced in all.filter(|key| !is_own(key)) {
            if let Some(why) = misplaced.misplaced
                && reading.map.has(misplaced.name)
                && let Some(node) = reading.map.get(misplaced.name)
            {
                reading.problems.add(&node.place, why);
            }
        }
        (kind.read)(node, reading)
    }

    /// The keys of a step that belong to one kind.
    pub(super) fn step_keys() -> impl Iterator<Item = &'static str> {
        let keys = KINDS.iter().flat_map(|kind| kind.step_keys);
        keys.map(|key| key.name)
    }

    /// Notes problems of such keys in a step that does not say what it does.
    pub(super) fn check_step_keys(reading: &mut ActionReading<'_, '_>) {
        for kind in KINDS {
            (kind.check_step_keys)(reading);
        }
        for key in Self::step_keys() {
            reading.map.get(key);
        }
    }

    /// What `expect` and `capture` of a step with this key look at; without a key, of any step.
    pub(super) fn looks(key: Option<&str>) -> Vec<&'static VisibleNames> {
        let kinds = KINDS.iter();
        let kinds = kinds.filter(|kind| key.is_none_or(|key| kind.key == key));
        kinds.map(|kind| kind.look).collect()
    }

    /// Everything that expressions of steps look at.
    pub(super) fn all_looks() -> impl Iterator<Item = &'static VisibleNames> {
        let looks =
            |kind: &'static Kind| std::iter::once(kind.look).chain(kind.own_looks.iter().copied());
        KINDS.iter().flat_map(looks)
    }

    /// Why a step with it cannot be observed, if it cannot.
    pub(super) fn why_unobservable(&self) -> Option<String> {
        if self.is_observable() {
            return None;
        }
        let observable: Vec<_> = KINDS.iter().filter_map(|kind| kind.observable).collect();
        Some(format!(
            "`observe` belongs to {}: it measures how long a customer waits",
            observable.join(" or ")
        ))
    }
}
