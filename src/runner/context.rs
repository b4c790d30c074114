use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Engine, RunSpec};
use crate::{
    callbacks::Path,
    event::{Event, Observers},
    scenario::{RunScope, Scope},
};

/// No wait needs longer, and the clock cannot count much further.
pub(super) const FOREVER: Duration = Duration::from_hours(365 * 24);

/// What the chats of a run share.
#[derive(Debug)]
pub(super) struct RunContext {
    pub(super) engine: Engine,
    pub(super) spec: RunSpec,
    pub(super) path: Option<Path>,
    pub(super) ending: EndSignal,
    pub(super) observers: Observers,
}

impl RunContext {
    /// The context of a new run, whose events are taken from now on.
    pub(super) fn new(engine: &Engine, spec: RunSpec, observers: Observers) -> Self {
        let path = spec.scenario.callbacks.is_some().then(|| {
            engine.exchange.open(
                spec.identity.clone(),
                spec.scenario.clone(),
                Scope::of_run(Arc::new(run_scope(&spec, None))),
                observers.clone(),
            )
        });
        Self {
            engine: engine.clone(),
            spec,
            path,
            ending: EndSignal::default(),
            observers,
        }
    }

    /// What expressions see before anything was captured.
    pub(super) fn scope(&self) -> Scope {
        let url = self
            .path
            .as_ref()
            .map(|path| format!("{}/{}", self.engine.callback_url, path.token()));
        Scope::of_run(Arc::new(run_scope(&self.spec, url)))
    }

    pub(super) fn tell(&self, event: &Event) {
        self.observers.tell(event);
    }

    /// Completes when a performer with this patience has to stop.
    pub(super) async fn out_of_patience(&self, patience: Patience) {
        let cleanups = match patience {
            Patience::None => 0,
            Patience::Cleanup => 1,
            Patience::Teardown => 2,
        };
        let ending = self.ending.begun().await;
        sleep_until(ending.at + ending.cleanup.min(FOREVER) * cleanups).await;
    }
}

/// How long a performer goes on once its run is to end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Not at all: setup, and the steps of a chat.
    None,
    /// One cleanup time: `always`.
    Cleanup,
    /// Two: the teardown, which comes behind the last `always`.
    Teardown,
}

/// Tells everything in a run that it is to end now.
#[derive(Debug, Default)]
pub(super) struct EndSignal {
    token: CancellationToken,
    end: OnceLock<End>,
}

/// When a run was told to end now, and how long it may clean up.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) at: Instant,
    pub(super) cleanup: Duration,
}

impl EndSignal {
    pub(super) fn give(&self, cleanup: Duration) {
        self.end.get_or_init(|| End {
            at: Instant::now(),
            cleanup,
        });
        self.token.cancel();
    }

    pub(super) async fn begun(&self) -> End {
        self.token.cancelled().await;
        // Set before the token is cancelled.
        *self.end.get_or_init(|| End {
            at: Instant::now(),
            cleanup: Duration::ZERO,
        })
    }
}

fn run_scope(spec: &RunSpec, callback_url: Option<String>) -> RunScope {
    let one = |name: &'static str, value: String| BTreeMap::from([(name, value)]).into();
    RunScope {
        target: spec.target.variable(),
        inputs: spec.inputs.clone(),
        run: one("id", spec.identity.id.clone()),
        callback: callback_url.map_or_else(Default::default, |url| one("url", url)),
    }
}
