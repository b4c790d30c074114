use std::sync::Arc;

use crate::{
    config::{Plan, check_variables},
    document::{Entry, Place, Problems, did_you_mean},
    driver::Origins,
    scenario::Scenario,
    target::{Target, check_url},
};

/// Whom a run talks to.
pub(super) struct Chosen {
    pub(super) target: Arc<Target>,
    /// The target of the configuration whose variables it has at another address.
    origin: Option<Arc<Target>>,
}

impl Chosen {
    /// The target that `--target` names; or the address that it is, with the variables but not the
    /// secrets of the configuration's only target; or without it that only target. Requests may lead to `also`
    /// besides.
    pub(super) fn read(
        option: Option<&str>,
        variables: &[Entry],
        also: &Origins,
        plan: Option<&Plan>,
        problems: &Problems,
    ) -> Option<Self> {
        let known: Vec<_> = plan
            .map(|plan| plan.catalogue.targets.values().cloned().collect())
            .unwrap_or_default();
        let only = match &known[..] {
            [only] => Some(only.clone()),
            _ => None,
        };
        let refused = |message| problems.add(&Place::whole("--target"), message);
        let (base, origin) = match (option, only) {
            (Some(address), only) if address.contains("://") => {
                let url = check_url(address).map_err(refused).ok()?;
                let at = || Target::at(&url);
                let target = only.as_ref().map_or_else(at, |only| only.moved_to(&url));
                (Arc::new(target), only)
            }
            (Some(name), _) => {
                let named = known.iter().find(|target| *target.name == *name);
                let unknown = || no_target(name, &known);
                (
                    named.cloned().ok_or_else(unknown).map_err(refused).ok()?,
                    None,
                )
            }
            (None, Some(only)) => (only, None),
            (None, None) => {
                let known = names(&known);
                refused(format!("name a target or write its address; {known}"));
                return None;
            }
        };
        Some(Self {
            target: Arc::new(base.with(variables, problems).leading_to(also)),
            origin,
        })
    }

    /// Notes what the scenario asks of the target and does not find there.
    pub(super) fn check(&self, scenario: &Scenario, problems: &Problems) {
        let place = Place::whole("--target");
        check_variables(scenario, &self.target, &place, problems);
        let Some(origin) = &self.origin else { return };
        let withheld = origin
            .secret_names()
            .find(|name| scenario.target_variables.contains_key(*name) && !self.target.has(name));
        if let Some(secret) = withheld {
            let name = &origin.name;
            problems.add(
                &place,
                format!(
                    "`{secret}` is a secret of `{name}`, which is not sent to an address from the command line; add a target with this address and its secrets to the configuration, and name that"
                ),
            );
        }
    }
}

fn no_target(name: &str, known: &[Arc<Target>]) -> String {
    let hint = did_you_mean(name, known.iter().map(|target| target.name.as_ref()));
    let looks_like_an_address = name == "localhost" || name.contains([':', '/', '.']);
    let hint = if hint.is_empty() && looks_like_an_address {
        format!("; an address begins with `http://` or `https://`: did you mean `http://{name}`?")
    } else {
        hint
    };
    let known = names(known);
    format!("there is no target named `{name}`, {known}{hint}")
}

fn names(known: &[Arc<Target>]) -> String {
    let names: Vec<_> = known.iter().map(|target| target.name.as_ref()).collect();
    if names.is_empty() {
        "the configuration has none".to_owned()
    } else {
        format!("the configuration has {}", names.join(", "))
    }
}
