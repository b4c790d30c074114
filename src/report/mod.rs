//! What is told of a run when it is over, or as it stands: documents made of a
//! [`RunRecord`](crate::runner::RunRecord), and two runs side by side. No I/O.

mod compare;
#[cfg(test)]
mod testing;

pub use compare::{Change, Compared, Comparison, Figure, Regression, SubjectComparison, Word};
