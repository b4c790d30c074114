use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MixMember, Quantiles, outcomes::Outcomes};
use crate::scenario::Reason;

/// The chats of a mixed run that are of one scenario.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MemberReport {
    /// The scenario.
    pub scenario: String,
    /// The target.
    pub target: String,
    /// How many of its chats there are, compared with those of the others.
    pub weight: u64,
    /// Chats all of whose steps passed.
    pub passed: u64,
    /// Chats one of whose steps failed.
    pub failed: u64,
    /// The failed ones by reason.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// Chats that were stopped in progress, with the run or by its graceful stop.
    pub stopped: u64,
    /// How long passed chats took.
    pub chat_duration: Quantiles,
}

impl MemberReport {
    pub(super) fn of(member: &MixMember, outcomes: &Outcomes) -> Self {
        Self {
            scenario: member.chats.scenario.name.to_string(),
            target: member.chats.target.name.to_string(),
            weight: member.weight,
            passed: outcomes.passed(),
            failed: outcomes.failed(),
            failed_by_reason: outcomes.failed_by_reason.clone(),
            stopped: outcomes.stopped,
            chat_duration: Quantiles::of(&outcomes.latency),
        }
    }
}
