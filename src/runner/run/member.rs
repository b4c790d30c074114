use std::sync::Arc;

use crate::{
    runner::{
        Engine, RunSpec, Tally,
        between_chats::BetweenChats,
        context::{EndSignal, RunContext},
        mixed_counters::MixedCounters,
        track::Leftover,
    },
    scenario::Scope,
};

/// The chats of a run that do the same, and what was set up for them.
pub(super) struct RunMember {
    pub(super) context: Arc<RunContext>,
    /// The variables with which chats begin, once the setup has begun.
    pub(super) scope: Option<Arc<Scope>>,
    /// What the setup may have left open.
    pub(super) set_up: Leftover,
    /// Customers who wait for their next chat, if the scenario has them wait.
    pub(super) between_chats: Option<BetweenChats>,
}

impl RunMember {
    /// Those of a run; its counters are told of their events.
    pub(super) fn all(
        engine: &Engine,
        spec: &Arc<RunSpec>,
        ending: &Arc<EndSignal>,
        tally: &Arc<Tally>,
    ) -> Vec<Self> {
        let members = spec.mix.members().iter().enumerate();
        let contexts = members.map(|(position, member)| {
            let chats = member.chats.clone();
            let (engine, spec, ending) = (engine, spec.clone(), ending.clone());
            let observers = if spec.mix.is_mixed() {
                let counters = MixedCounters::new(tally.clone(), spec.clone(), position);
                let subject = member.subject(spec.identity.subject.mode);
                let identity = Arc::new(spec.identity.member(subject));
                let observers = engine.observers.of_run(&identity, &chats.scenario);
                observers.with_counters(Arc::new(counters))
            } else {
                let observers = engine.observers.of_run(&spec.identity, &chats.scenario);
                observers.with_counters(tally.clone())
            };
            RunContext::new(engine, spec, chats, ending, observers)
        });
        contexts
            .map(|context| Self {
                context: Arc::new(context),
                scope: None,
                set_up: Leftover::default(),
                between_chats: None,
            })
            .collect()
    }
}
