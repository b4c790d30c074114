//! What is told of a run when it is over, or as it stands: documents made of a [`RunRecord`], and runs
//! side by side. No I/O.
//!
//! [`html`] is for people and has its parts and [`chart`]s as functions of their own; [`tables`] are for
//! spreadsheets, [`junit`] is for pipelines. As JSON a record is itself the document.
//!
//! [`RunRecord`]: crate::runner::RunRecord

mod baseline;
pub mod chart;
mod compare;
pub mod html;
pub mod junit;
mod rates;
pub mod tables;
#[cfg(test)]
pub(crate) mod testing;
pub mod wording;

pub use baseline::BaselineCheck;
pub use compare::{
    Change, Compared, Comparison, Drift, Figure, MOST_BASELINES, Method, NotJudged, Overall,
    Regression, SubjectComparison, SubjectKind, Word,
};
