//! An inbox without anything that finds it by a key.

mod connections;
mod cursors;
mod limits;
mod tracks;
mod turns;
mod waking;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use minijinja::Value;
use tokio::time::Instant;

use super::*;
use crate::{
    document::Place,
    event::{Fate, Mode, RunEvent, RunIdentity, RunObserver, RunObservers, Subject, Trigger},
    scenario::{EvaluationError, InboundSource, Match, Reason, SocketEvent, WaitSources},
};

/// What was observed of inbound events of a run.
#[derive(Debug, Default)]
struct Ledger(Mutex<Entries>);

#[derive(Debug, Default, Clone)]
struct Entries {
    received: usize,
    fates: BTreeMap<Fate, usize>,
    dropped: usize,
}

impl RunObserver for Ledger {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        let mut entries = self.0.lock().unwrap();
        match event {
            RunEvent::CallbackReceived { .. } => entries.received += 1,
            RunEvent::CallbackSettled(fate) => *entries.fates.entry(*fate).or_default() += 1,
            RunEvent::Socket(SocketEvent::Dropped) => entries.dropped += 1,
            _ => {}
        }
    }
}

impl Ledger {
    fn received(&self) -> usize {
        self.0.lock().unwrap().received
    }

    fn count(&self, fate: Fate) -> usize {
        let entries = self.0.lock().unwrap();
        entries.fates.get(&fate).copied().unwrap_or_default()
    }

    fn dropped(&self) -> usize {
        self.0.lock().unwrap().dropped
    }

    fn settled(&self) -> usize {
        self.0.lock().unwrap().fates.values().sum()
    }
}

/// An inbox of a chat and what its run hears.
struct Bench {
    ledger: Arc<Ledger>,
    sender: EventSender,
    inbox: Arc<Inbox>,
    /// When it was opened.
    since: Instant,
}

impl Bench {
    fn new() -> Self {
        let ledger = Arc::<Ledger>::default();
        let subject = Subject {
            scenario: "s".into(),
            target: "t".into(),
            mode: Mode::Burst,
        };
        let run = Arc::new(RunIdentity::new("run".into(), subject, Trigger::Api));
        let observers = RunObservers::nobody(run).with_counters(ledger.clone());
        let owner = Arc::new(Owner::new(1, observers));
        let inbox = Inbox::new(owner, 1);
        Self {
            ledger,
            sender: inbox.sender(),
            inbox: Arc::new(inbox),
            since: Instant::now(),
        }
    }

    /// Sends an event that is a text.
    fn send(&self, text: &str) {
        self.send_sized(text, 10);
    }

    fn send_sized(&self, text: &str, bytes: usize) {
        self.sender
            .send(self.incoming(text, bytes), IdSpread::OneChat);
    }

    /// Sends an event that has its text as its identity.
    fn send_identified(&self, text: &str) {
        let mut incoming = self.incoming(text, 10);
        let identity = Identity::of(text.to_owned(), &incoming.inbound.event, &[]);
        incoming.identity = Some(Box::new(identity));
        self.sender.send(incoming, IdSpread::OneChat);
    }

    /// Sends a frame that is a text.
    fn send_frame(&self, connection: u32, text: &str, bytes: usize) {
        self.sender.send_of_connection(Inbound {
            source: InboundSource::Connection(connection),
            ..self.incoming(text, bytes).inbound
        });
    }

    /// Says that a connection ended.
    fn end(&self, connection: u32) {
        self.sender.send_of_connection(Inbound {
            source: InboundSource::EndOf {
                connection,
                reason: Reason::Closed,
            },
            ..self.incoming("socket `s` broke", 10).inbound
        });
    }

    fn incoming(&self, text: &str, bytes: usize) -> Incoming {
        Incoming {
            inbound: Inbound {
                arrived: Instant::now(),
                source: InboundSource::Callback,
                event: Value::from(text),
                delivery: None,
                bytes,
            },
            identity: None,
            through: self.sender.owner().clone(),
        }
    }

    /// Waits a second for the event with this text, whenever it came.
    async fn wait_for(&self, text: &str) -> Result<Inbound, WaitError> {
        let since = self.since;
        let deadline = Instant::now() + Duration::from_secs(1);
        self.inbox
            .wait(
                WaitSources::Callbacks,
                since,
                deadline,
                wanting(text),
                |_| {},
            )
            .await
    }
}

/// Judges events by their texts; `left` says that the other side left.
fn wanting(text: &str) -> impl FnMut(&Inbound) -> Match {
    move |inbound| match inbound.event.as_str() {
        Some(there) if there == text => Match::Wanted,
        Some("left") => Match::Disconnected,
        _ => Match::Other,
    }
}
