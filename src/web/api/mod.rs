//! The admin API under `/api/v1`.

pub(super) mod baselines;
pub(super) mod bursts;
pub(super) mod catalogue;
pub(super) mod configuration;
pub(super) mod history;
pub(super) mod orders;
pub(super) mod orphans;
pub(super) mod probes;
pub(super) mod reports;
pub(super) mod request;
pub(super) mod runs;
pub(super) mod stream;
pub(super) mod turns;

pub use baselines::{BaselineList, BaselineRequest, BaselineView};
pub use bursts::{BurstView, ScheduleView};
pub use catalogue::{InputView, ScenarioView, StepPart, StepView, TargetView};
pub use history::{FailureList, HourList};
pub use orders::{ChangeRequest, StopRequest};
pub use orphans::OrphanList;
pub use probes::{ProbeResult, ProbeView};
pub use request::{
    BurstRequest, CustomersRequest, LoadRequest, MemberRequest, SearchRequest, StageRequest,
    ThresholdRequest,
};
pub use runs::{RunList, RunSummary};
