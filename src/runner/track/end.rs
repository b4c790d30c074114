//! `end`: the steps of the chat are over.

use super::{Interrupt, Track};
use crate::{
    event::Failure,
    scenario::{ChatEnd, Reason},
};

impl Track<'_> {
    pub(super) fn end(&self, end: &ChatEnd) -> Result<(), Interrupt> {
        if !self.entry_applies("end", end.when.as_ref())? {
            return Ok(());
        }
        let Some(why) = &end.failed else {
            return Err(Interrupt::Passed);
        };
        let why = why
            .render(&self.scope)
            .map_err(|error| Interrupt::Failed(self.failed_outside_steps("end", &error)))?;
        Err(Interrupt::Failed(Failure {
            step: "end".into(),
            reason: Reason::Expectation,
            detail: self.presentable(format!("{}: {why}", end.place)),
        }))
    }
}
