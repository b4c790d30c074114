use std::sync::Arc;

use crate::scenario::Expression;

/// `wait_for: EXPRESSION`: passes with the first event of this chat for which it holds and which
/// came after the request that it answers was sent.
#[derive(Debug)]
pub struct WaitAction {
    /// What is looked for in `event`.
    pub matches: Expression,
    /// `since: STEP`: the step whose request the event answers; the latest request if absent.
    pub since: Option<Arc<str>>,
}
