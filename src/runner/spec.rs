//! What one run is to do.

use std::sync::Arc;

use super::{GracefulStop, Mix};
use crate::{
    event::{Mode, RunIdentity, Trigger},
    load::{Profile, Threshold},
    units::{Rate, seed},
};

/// What one run is to do.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// Its name, subject and trigger.
    pub identity: Arc<RunIdentity>,
    /// What the chats do.
    pub mix: Mix,
    /// When chats start.
    pub load: Profile,
    /// The most chats at once under an open profile; an arrival beyond it is dropped.
    pub capacity: Option<u64>,
    /// How chats in flight are bounded after the last start, if they are.
    pub graceful_stop: Option<GracefulStop>,
    /// The most starts a second where a number of customers is kept: a target that refuses at
    /// once would be asked as fast as this machine can.
    pub max_rate: Option<Rate>,
    /// What decides about the verdict; without any, every chat has to pass.
    pub thresholds: Vec<Threshold>,
    /// The same seed draws the same pauses for the same chat.
    pub seed: u64,
    /// What may go wrong on this machine, as it looked before the start.
    pub warnings: Vec<String>,
    /// Who asked for it, if they said so.
    pub asked_by: Option<String>,
    /// The fingerprint of the configuration that it is of; `None` without one.
    pub configuration: Option<u64>,
}

impl RunSpec {
    /// A new run of such chats, as the profile starts them, with an identity of its own. Nothing else
    /// bounds it, every chat has to pass, and its seed is drawn.
    pub fn new(name: Arc<str>, mode: Mode, trigger: Trigger, mix: Mix, load: Profile) -> Self {
        let subject = mix.subject(mode);
        Self {
            identity: Arc::new(RunIdentity::new(name, subject, trigger)),
            mix,
            capacity: load.max_active(),
            load,
            graceful_stop: None,
            max_rate: None,
            thresholds: Vec::new(),
            seed: seed::draw(),
            warnings: Vec::new(),
            asked_by: None,
            configuration: None,
        }
    }
}
