use std::sync::Arc;

use super::{HealthBudget, TraceBudget};
use crate::{callbacks::Exchange, event::Observers, scenario::Drivers, vitals::Vitals};

/// What every run of the process shares.
#[derive(Debug, Clone)]
pub struct Engine {
    /// What actions reach targets with.
    pub drivers: Drivers,
    /// Takes inbound events.
    pub exchange: Exchange,
    /// The address at which targets reach the callback listener, without a slash at the end.
    pub callback_url: Arc<str>,
    /// Who hears what happens.
    pub observers: Observers,
    /// How late the generator itself may be.
    pub budget: HealthBudget,
    /// How the machine treats the process.
    pub vitals: Vitals,
    /// What the traces of chats in progress may take.
    pub traces: TraceBudget,
}
