use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Quantiles, StepReport, ThresholdReport};
use crate::load::Level;

/// What a search found, or has found so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchReport {
    /// What came of it; null while it goes on, and if the run ended before it was through.
    pub outcome: Option<SearchOutcome>,
    /// The same in words: how far it is, or what held, what broke and why.
    pub summary: String,
    /// The most that held; null if nothing has.
    pub held: Option<SearchLevel>,
    /// The least at which the target broke; null if it has not.
    pub broke: Option<SearchLevel>,
    /// What is asked for now; null while chats end that a broken step left behind, and once the
    /// search is over.
    pub now: Option<SearchLevel>,
    /// Every step that was judged, in the order of time.
    pub steps: Vec<SearchStep>,
}

/// What comes of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchOutcome {
    /// The limit lies between what held and what broke.
    Limit,
    /// All that was asked for held.
    HeldToTheEnd,
    /// The first step broke.
    NotEvenTheFirst,
    /// The generator could not do what a step asked for: the target's limit is not known.
    Generator,
}

/// A load that a search asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchLevel {
    /// As people write it, such as `75/s` or `20 customers`.
    pub text: String,
    /// Starts a second, or customers.
    pub amount: f64,
}

impl SearchLevel {
    /// Whether it is a rate of starts; else it is a number of customers.
    pub fn is_rate(&self) -> bool {
        self.text.contains('/')
    }
}

/// One step of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchStep {
    /// What it asked for.
    pub load: SearchLevel,
    /// Whether every threshold held, and the generator was well.
    pub held: bool,
    /// Who broke it; null if it held.
    pub broken_by: Option<BrokenBy>,
    /// Why it broke, in words.
    pub reasons: Vec<String>,
    /// Chats that started in its judged part, a second.
    pub started_per_second: f64,
    /// Chats that ended in its judged part, a second.
    pub ended_per_second: f64,
    /// Chats in progress when the step of the search ended.
    pub in_progress: u64,
    /// The thresholds, over its judged part.
    pub thresholds: Vec<ThresholdReport>,
    /// Chats that failed in its judged part.
    #[serde(default)]
    pub failed: u64,
    /// How long the chats took that passed in its judged part.
    #[serde(default)]
    pub chat_duration: Quantiles,
    /// The steps of the scenario over its judged part, in their order.
    #[serde(default)]
    pub steps: Vec<StepReport>,
}

/// Who broke a step of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BrokenBy {
    /// A threshold was broken.
    Target,
    /// Chats started late, were dropped at the concurrency limit, or failed on this machine. What
    /// thresholds say of such a step says nothing about the target.
    Generator,
}

impl From<Level> for SearchLevel {
    fn from(level: Level) -> Self {
        Self {
            text: level.to_string(),
            amount: level.amount(),
        }
    }
}
