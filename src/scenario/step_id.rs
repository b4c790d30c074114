/// A step of a scenario, by its place in [`Scenario::all_steps`](super::Scenario::all_steps). Lists of what is
/// measured of steps have one entry a step in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(u16);

impl StepId {
    /// The step at this place, which is below 65,536: a document has at most 200,000 values, and a step takes four.
    pub fn at(index: usize) -> Self {
        debug_assert!(u16::try_from(index).is_ok(), "step {index}");
        Self(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// The place of the step among all of its scenario, from zero.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}
