//! A scenario of one request that was written nowhere.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Action, DEFAULT_TIMEOUT, HttpAction, Item, PlainRequest, Scenario, Setting, Step, fingerprint,
};
use crate::{document::Place, driver::Origins};

impl Scenario {
    /// The name of a scenario of one request, and of its step.
    pub const SINGLE: &str = "request";

    /// Each chat sends this request as it is and expects a 2xx status.
    pub fn single(request: PlainRequest) -> Self {
        let name: Arc<str> = Self::SINGLE.into();
        let place = Place::whole("--url");
        let fingerprint = fingerprint(&format!("{} {}", request.method, request.url));
        let step = Step {
            name: name.clone(),
            place: place.clone(),
            when: None,
            action: Action::Http(HttpAction::plain(request)),
            timeout: Setting::Fixed(DEFAULT_TIMEOUT),
            expect: Vec::new(),
            expects_status: false,
            captures: Vec::new(),
            claim: None,
            observe: None,
        };
        Self {
            name,
            description: None,
            place,
            inputs: Vec::new(),
            callbacks: None,
            setup: Vec::new(),
            steps: vec![Item::Step(Box::new(step))],
            always: Vec::new(),
            teardown: Vec::new(),
            fingerprint,
            correlation: Vec::new(),
            loop_delay: None,
            target_variables: BTreeMap::new(),
            cookies: None,
            origins: Origins::default(),
        }
    }
}
