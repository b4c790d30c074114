//! How thresholds stand in the reports of runs.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    load::{Judgement, Measured, Threshold},
    units::duration,
};

/// A threshold and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThresholdReport {
    /// What has to hold.
    pub threshold: String,
    /// How it stands. `pending`: the run goes on and nothing has been measured for it. `held`: what was measured is
    /// within the limit. `broken`: it is beyond the limit, or the run came to its end and nothing was
    /// measured. `not_judged`: the run was stopped or interrupted before anything was measured, or it is a search,
    /// which judges its steps. As long as a run goes on, `held` and `broken` are as of now.
    #[serde(alias = "held", deserialize_with = "ThresholdState::read")]
    pub state: ThresholdState,
    /// What was measured.
    pub measured: String,
}

/// How a threshold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdState {
    /// Nothing has been measured for it, and the run goes on.
    Pending,
    /// What was measured is within the limit.
    Held,
    /// What was measured is beyond the limit, or nothing was measured by the end of the run.
    Broken,
    /// The run gives no answer: it was cut short before anything was measured, or judges something else by it.
    NotJudged,
}

impl ThresholdState {
    /// The words for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Broken => "broken",
            Self::NotJudged => "not judged",
        }
    }

    /// Reads a state; a report of an earlier version has `held` with a boolean in its place.
    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum StateOrHeld {
            State(ThresholdState),
            Held(bool),
        }
        Ok(match StateOrHeld::deserialize(from)? {
            StateOrHeld::State(state) => state,
            StateOrHeld::Held(true) => Self::Held,
            StateOrHeld::Held(false) => Self::Broken,
        })
    }
}

impl ThresholdReport {
    /// How a threshold stands; `unmeasured` is its state if nothing was measured for it.
    pub(super) fn of(
        threshold: &Threshold,
        measured: Measured,
        unmeasured: ThresholdState,
    ) -> Self {
        Self {
            threshold: threshold.to_string(),
            state: match threshold.judge(measured) {
                Judgement::Held => ThresholdState::Held,
                Judgement::Broken => ThresholdState::Broken,
                Judgement::NoData => unmeasured,
            },
            measured: match measured {
                Measured::Latency { value, of } => {
                    format!("{} over {of}", duration::rounded(value))
                }
                Measured::Share { failed, of } => format!("{failed} of {of}"),
                Measured::Nothing => "nothing".to_owned(),
            },
        }
    }
}
