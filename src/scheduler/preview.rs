//! What would happen, if somebody asked for it.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    BurstRefused, Installed, Scheduler,
    handle::Shared,
    launcher::{ChatLimits, Launcher},
};
use crate::{
    config::{Burst, Plan},
    document::Problem,
    preflight::{Findings, Machine},
    scenario::Bounds,
    units::{Rate, duration},
};

/// What a burst would ask for, before it starts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BurstPreview {
    /// What each chat would do.
    pub scenario: String,
    /// Whom it would talk to.
    pub target: String,
    /// The load profile.
    pub load: String,
    /// How many chats would start in all; null if that depends on how long they take.
    pub chats: Option<u64>,
    /// The most chats at once; null if nothing bounds them.
    pub most_at_once: Option<u64>,
    /// The most starts a second; null if the target times them.
    pub starts_per_second: Option<f64>,
    /// When no chat starts any more, at the latest.
    pub duration: String,
    /// How long chats in flight could go on after the last start; null if they could take as long as they need.
    pub graceful_stop: Option<String>,
    /// Requests of a chat whose steps all pass, with these inputs. What depends on answers of the target is
    /// bounded.
    pub requests_of_a_chat: Bounds,
    /// Requests of the whole run, its setup and teardown included, if no arrival is dropped; null if `chats` is.
    pub requests: Option<Bounds>,
    /// Why it would be refused, each with what to do.
    pub refusals: Vec<String>,
    /// What may go wrong on this machine.
    pub warnings: Vec<String>,
}

impl Scheduler {
    /// What [`Self::start_requested`] would start.
    pub fn preview_requested(&self, body: &str) -> Result<BurstPreview, BurstRefused> {
        let burst = self.read_request(body)?;
        Ok(self.shared.launcher.preview(&burst))
    }

    /// What [`Self::reload`] would change.
    ///
    /// # Errors
    /// The problems for which it would be refused.
    pub async fn preview_reload(&self) -> Result<Installed, Vec<Problem>> {
        let plan = self.load_anew().await?;
        Ok(self.shared.changes_of(&plan))
    }
}

impl Launcher {
    fn preview(&self, burst: &Burst) -> BurstPreview {
        let ChatLimits {
            max_active,
            peak,
            cap,
        } = self.limits_of(burst);
        let targets = burst.mix.targets().into_iter();
        let connections: Vec<_> = targets.map(|target| &target.connections).collect();
        let Findings {
            mut refusals,
            warnings,
        } = Machine::look().examine(&burst.cost, &connections, &burst.load, Some(peak));
        let reserved = self.runs.reserved();
        if reserved.saturating_add(peak) > cap {
            let wanted = peak;
            let refused = BurstRefused::NoCapacity {
                wanted,
                reserved,
                cap,
            };
            refusals.push(refused.to_string());
        }
        let subject = burst.subject();
        BurstPreview {
            scenario: subject.scenario.to_string(),
            target: subject.target.to_string(),
            load: burst.load.to_string(),
            chats: burst.load.chats(),
            most_at_once: max_active.or(burst.load.peak_active()),
            starts_per_second: burst.load.peak_rate().map(Rate::as_per_second),
            duration: duration::format(burst.load.duration()),
            graceful_stop: burst.graceful_stop().map(duration::format),
            requests_of_a_chat: burst.cost.chat,
            requests: burst.load.chats().map(|chats| burst.cost.of_chats(chats)),
            refusals,
            warnings,
        }
    }
}

impl Shared {
    fn changes_of(&self, plan: &Arc<Plan>) -> Installed {
        let in_force = self.probes();
        let mut changes = Installed::default();
        for probe in &plan.probes {
            let name = probe.name.to_string();
            match in_force.get(&probe.name) {
                Some(task) if task.probe.fingerprint == probe.fingerprint => {
                    changes.kept.push(name);
                }
                _ => changes.started.push(name),
            }
        }
        let gone = in_force
            .keys()
            .filter(|name| !plan.probes.iter().any(|probe| probe.name == **name));
        changes.stopped = gone.map(ToString::to_string).collect();
        changes.needs_restart = self.needs_restart(plan);
        changes
    }
}
