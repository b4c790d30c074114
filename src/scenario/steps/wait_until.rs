//! `wait_until`: a pause of a track until something holds that other tracks capture.

use std::time::Duration;

use super::{DEFAULT_TIMEOUT, reader::StepReader};
use crate::{
    document::{Mapping, Node},
    scenario::{Expression, Setting},
};

/// `wait_until: EXPRESSION`.
#[derive(Debug)]
pub struct WaitUntil {
    /// Whether it waits at all.
    pub when: Option<Expression>,
    /// What has to hold.
    pub condition: Expression,
    /// How long it waits.
    pub timeout: Setting<Duration>,
}

impl StepReader<'_> {
    pub(super) fn read_wait_until(
        &mut self,
        node: &Node,
        when: Option<Expression>,
        mut map: Mapping<'_>,
    ) -> Option<WaitUntil> {
        let timeout = self.read_timeout(&mut map);
        map.finish();
        if self.names.track().is_none() {
            self.problems.add(
                &node.place,
                "a `wait_until` belongs into a track of a `together`: it waits for what another track captures",
            );
        }
        let condition = Expression::read(node, &self.names, self.problems);
        Some(WaitUntil {
            when,
            condition: condition?,
            timeout: timeout?,
        })
    }

    /// `timeout`, or how long a step may take that does not say so itself.
    pub(super) fn read_timeout(&self, map: &mut Mapping<'_>) -> Option<Setting<Duration>> {
        match map.get("timeout") {
            Some(node) => Setting::read(node, &self.names, self.problems),
            None => Some(Setting::Fixed(DEFAULT_TIMEOUT)),
        }
    }
}
