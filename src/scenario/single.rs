//! A scenario of one step that was written nowhere.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Action, DEFAULT_TIMEOUT, Item, Otherwise, Rows, Scenario, Setting, Step, StepId, fingerprint,
};
use crate::{document::Place, driver::Origins};

impl Scenario {
    /// The name of a scenario of one step, and of its step.
    pub const SINGLE: &str = "request";

    /// Each chat does this once. `place`: where that was said; `written`: all that tells it from others.
    pub(super) fn single(action: Action, place: &str, written: &str) -> Self {
        let name: Arc<str> = Self::SINGLE.into();
        let place = Place::whole(place);
        let fingerprint = fingerprint(written);
        let step = Step {
            id: StepId::at(0),
            name: name.clone(),
            place: place.clone(),
            when: None,
            action,
            timeout: Setting::Fixed(DEFAULT_TIMEOUT),
            expect: Vec::new(),
            captures: Vec::new(),
            claim: None,
            observe: None,
            otherwise: Otherwise::End,
            branches: None,
        };
        Self {
            name,
            description: None,
            place,
            inputs: Vec::new(),
            callbacks: None,
            rows: Rows::default(),
            setup: Vec::new(),
            steps: vec![Item::Step(Box::new(step))],
            always: Vec::new(),
            teardown: Vec::new(),
            fingerprint,
            correlation: Vec::new(),
            sockets: Arc::default(),
            deadline: None,
            loop_delay: None,
            target_variables: BTreeMap::new(),
            session_values: BTreeMap::new(),
            origins: Origins::default(),
        }
    }
}
