use super::{
    boundaries::{BESIDES_BOUNDARIES, Boundaries, PHASE_SECONDS},
    sockets::SocketFamilies,
};
use crate::{
    driver::Phase,
    event::{DeliveryFate, ScenarioDeclaration},
};

impl Boundaries {
    /// How many series one scenario makes with one target and one mode. Its callbacks are not in:
    /// the targets share them.
    pub fn series_per_subject(&self, declaration: &ScenarioDeclaration) -> usize {
        let chat_histogram = self.chat_seconds().len() + BESIDES_BOUNDARIES;
        let step_histogram = self.step_seconds().len() + BESIDES_BOUNDARIES;
        // Started, passed, stopped and active.
        let chats = 4 + declaration.chat_reasons().len() + chat_histogram;
        let steps = declaration.steps.iter();
        let steps: usize = steps
            .map(|step| {
                // Passed, stopped, resent, and polled.
                let counters = 2 + usize::from(step.is_request) + usize::from(step.polls);
                counters + step.reasons.len() + step_histogram
            })
            .sum();
        // Timeouts, waiting, and since when.
        let agent = 3 + self.agent_join_seconds().len() + BESIDES_BOUNDARIES;
        let phases = Phase::ALL.len() * (PHASE_SECONDS.len() + BESIDES_BOUNDARIES);
        let delivery_histogram = self.delivery_seconds().len() + BESIDES_BOUNDARIES;
        let deliveries = DeliveryFate::ALL.len() + delivery_histogram;
        let some = [
            (declaration.agent_join, agent),
            (
                declaration.sockets.has_sockets(),
                SocketFamilies::series_per_subject(),
            ),
            (declaration.sockets.has_deliveries(), deliveries),
        ];
        let some = some.iter().filter(|(has, _)| *has);
        chats + phases + steps + some.map(|(_, series)| series).sum::<usize>()
    }
}
