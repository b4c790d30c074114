//! The body of `POST /api/v1/bursts`, as types: for the document, and for clients written in Rust.
//! The service itself reads the text, which tells every mistake with its line and column.

use serde::Serialize;
use utoipa::ToSchema;

/// A burst to start now: everything is given, or `burst` names one in the configuration and the
/// rest changes it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BurstRequest {
    /// The name of a burst in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub burst: Option<String>,
    /// The name of the scenario; needed without `burst`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scenario: Option<String>,
    /// The name of the target; without `burst` needed where the configuration has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub target: Option<String>,
    /// Chats of several scenarios instead, in these shares. They share one load and one verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mix: Option<Vec<MemberRequest>>,
    /// When chats start; needed without `burst`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub load: Option<LoadRequest>,
    /// What the run must feel like; without any, every chat has to pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub thresholds: Option<Vec<ThresholdRequest>>,
    /// Values of the scenario's inputs by name: text, numbers, booleans, durations such as `5s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub inputs: Option<serde_json::Map<String, serde_json::Value>>,
    /// Who asks, for those who read its report later; up to 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub by: Option<String>,
    /// The seed of its pauses: the same seed draws the same ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 9_007_199_254_740_991_u64)]
    pub seed: Option<u64>,
}

/// The chats of a burst that are of one of its scenarios.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    /// The name of the scenario.
    pub scenario: String,
    /// The name of the target; that of the burst without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub target: Option<String>,
    /// How many of its chats there are, compared with those of the others; 1 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000_000)]
    pub weight: Option<u64>,
    /// Values of its inputs by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub inputs: Option<serde_json::Map<String, serde_json::Value>>,
}

/// When chats start, in one of five forms.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LoadRequest {
    /// Arrivals at one rate, whatever the target does.
    Rate {
        /// Starts, such as `500/s`, `30/m` or `10/h`.
        rate: String,
        /// How long, such as `10m`.
        r#for: String,
        /// The most chats at once; an arrival beyond it is dropped.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 1)]
        max_active: Option<u64>,
        /// `even`, or `poisson` for starts that are drawn with the rate as their mean; `even` without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        arrivals: Option<String>,
        /// How long chats in flight may go on after the last start, such as `2m`; without it no limit for a number of
        /// chats, and for others the longest path of a chat, at least `30s` and at most `10m`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        graceful_stop: Option<String>,
    },
    /// Arrivals at rates that change with time.
    Stages {
        /// One after the other.
        stages: Vec<StageRequest>,
        /// The most chats at once; an arrival beyond it is dropped.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 1)]
        max_active: Option<u64>,
        /// `even`, or `poisson` for starts that are drawn with the rate as their mean; `even` without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        arrivals: Option<String>,
        /// How long chats in flight may go on after the last start, such as `2m`; without it no limit for a number of
        /// chats, and for others the longest path of a chat, at least `30s` and at most `10m`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        graceful_stop: Option<String>,
    },
    /// So many chats, each once.
    Chats {
        /// How many.
        #[schema(minimum = 1)]
        chats: u64,
        /// Over how long their starts are spread, such as `1m`; all at once without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        ramp: Option<String>,
        /// How long chats in flight may go on after the last start, such as `2m`; without it no limit for a number of
        /// chats, and for others the longest path of a chat, at least `30s` and at most `10m`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        graceful_stop: Option<String>,
    },
    /// So many customers at any time, each of whom starts a new chat after the last.
    Customers {
        /// How many.
        #[schema(minimum = 1)]
        customers: u64,
        /// How long, such as `10m`.
        r#for: String,
        /// How long until all of them are there, such as `1m`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        ramp: Option<String>,
        /// Over how long before the end they leave, such as `1m`; all at the end without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        ramp_down: Option<String>,
        /// The least time from one start of a customer to the next, such as `30s`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pace: Option<String>,
        /// How long chats in flight may go on after the last start, such as `2m`; without it no limit for a number of
        /// chats, and for others the longest path of a chat, at least `30s` and at most `10m`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        graceful_stop: Option<String>,
    },
    /// More and more until thresholds break, then narrowing down to where the limit is. It needs
    /// a threshold.
    Search {
        /// From where to where.
        search: SearchRequest,
        /// The most chats at once, where it is about a rate; an arrival beyond it is dropped.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 1)]
        max_active: Option<u64>,
        /// `even`, or `poisson` for starts that are drawn with the rate as their mean; `even` without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        arrivals: Option<String>,
        /// How long chats in flight may go on after the last start, such as `2m`; without it no limit for a number of
        /// chats, and for others the longest path of a chat, at least `30s` and at most `10m`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        graceful_stop: Option<String>,
    },
}

/// What a search is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SearchRequest {
    /// The rate of arrivals.
    Rate {
        /// The first, such as `50/s`.
        from: String,
        /// The highest.
        to: String,
        /// How long each step takes, such as `30s`.
        hold: String,
    },
    /// The number of customers.
    Customers {
        /// How few and how many.
        customers: CustomersRequest,
        /// How long each step takes, such as `30s`.
        hold: String,
    },
}

/// From so many customers to so many.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomersRequest {
    /// In the first step.
    #[schema(minimum = 1)]
    pub from: u64,
    /// The most.
    #[schema(minimum = 1)]
    pub to: u64,
}

/// A stretch of time with its rate.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StageRequest {
    /// How long, such as `5m`.
    pub r#for: String,
    /// The rate at its end, such as `400/s`.
    pub rate: String,
    /// The rate at its beginning, from where it changes evenly; the same without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from: Option<String>,
}

/// What chats must feel like: exactly one measure, of one step or of whole chats.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdRequest {
    /// The scenario whose chats or step it is about, in a burst with several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scenario: Option<String>,
    /// The step; whole chats without it, or deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub step: Option<String>,
    /// The longest that half may take, such as `10s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p50: Option<String>,
    /// The longest that 90 of 100 may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p90: Option<String>,
    /// The longest that 95 of 100 may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p95: Option<String>,
    /// The longest that 99 of 100 may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p99: Option<String>,
    /// The longest that any may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max: Option<String>,
    /// The longest that the mean may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mean: Option<String>,
    /// The share that may fail, such as `1%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failed: Option<String>,
    /// Whether it is about deliveries to members of rooms, with a time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub deliveries: bool,
    /// The share of deliveries that may be lost, such as `0.1%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lost: Option<String>,
    /// Whether the run, or the step of a search, ends early once this is broken for good.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub abort: bool,
}
