use std::{sync::Arc, time::Duration};

use super::{
    Caps, Catalogue, Schedule,
    mix::{ChatsRead, UnsaidChats},
};
use crate::{
    document::{Entry, Mapping, Node, Place, Problems},
    event::{Mode, RunIdentity, Subject},
    load::{Profile, Threshold, ThresholdSubjects},
    runner::Mix,
    scenario::{Cost, ScenarioRead, check_label},
    target::Target,
    units::{Rate, seed},
};

/// A scenario against a target under a load profile.
#[derive(Debug, Clone)]
pub struct Burst {
    /// Its name; those that are not in the configuration share one.
    pub name: Arc<str>,
    /// What its chats do.
    pub mix: Mix,
    /// When chats start.
    pub load: Profile,
    /// What decides about the verdict.
    pub thresholds: Vec<Threshold>,
    /// When it starts by itself.
    pub schedule: Option<Schedule>,
    /// The seed of its pauses; drawn anew for each run if absent.
    pub seed: Option<u64>,
    /// What a run of it costs.
    pub cost: Cost,
    /// Who asks for it, if they say so.
    pub asked_by: Option<String>,
    /// Where it is declared.
    pub place: Place,
    /// What was set, to be taken over by a request that changes only some of it.
    set: Vec<Entry>,
}

impl Burst {
    pub(super) fn read(
        entry: &Entry,
        catalogue: &Catalogue,
        caps: &Caps,
        problems: &Problems,
    ) -> Option<Self> {
        let wanted = "a burst such as `{ scenario: ..., target: ..., load: ... }`";
        let before = problems.count();
        check_label(&entry.key, &entry.place, problems);
        if entry.key == RunIdentity::AD_HOC {
            problems.add(
                &entry.place,
                "`ad-hoc` is the name of bursts that are not in the configuration; take another",
            );
        }
        let mut map = Mapping::open(&entry.node, wanted, problems)?;
        let schedule = map
            .get("schedule")
            .map(|node| Schedule::read(node, problems));
        let unsaid = Unsaid {
            base: None,
            default_target: None,
        };
        let mut burst = Self::read_parts(map, unsaid, &entry.key, catalogue, caps, problems)?;
        burst.place = entry.place.clone();
        burst.schedule = match schedule {
            Some(schedule) => Some(schedule?),
            None => None,
        };
        (problems.count() == before).then_some(burst)
    }

    /// Reads a burst that somebody asks for now: everything is given, or `burst:` names one in the
    /// configuration and the rest changes it.
    pub fn read_request(
        node: &Node,
        known: &[Arc<Burst>],
        catalogue: &Catalogue,
        caps: &Caps,
        problems: &Problems,
    ) -> Option<Self> {
        let mut map = Mapping::open(
            node,
            "a burst such as `{ \"burst\": \"nightly\" }`",
            problems,
        )?;
        let base = match map.get("burst") {
            None => None,
            Some(node) => {
                let name = node.text("the name of a burst", problems)?;
                let base = known.iter().find(|burst| *burst.name == *name);
                if base.is_none() {
                    let names = known.iter().map(|burst| burst.name.as_ref());
                    let hint = crate::document::did_you_mean(name, names);
                    problems.add(
                        &node.place,
                        format!("there is no burst named `{name}`{hint}"),
                    );
                    return None;
                }
                base
            }
        };
        let name = base.map_or(RunIdentity::AD_HOC, |base| &base.name);
        let asked_by = map.get("by").and_then(|node| {
            let wanted = "who asks, in up to 100 characters";
            let asker = read_asker(node.text(wanted, problems)?);
            asker.map_err(|error| problems.add(&node.place, error)).ok()
        });
        let unsaid = Unsaid {
            base: base.map(AsRef::as_ref),
            default_target: catalogue.only_target(),
        };
        let burst = Self::read_parts(map, unsaid, name, catalogue, caps, problems)?;
        Some(Self { asked_by, ..burst })
    }

    /// What its beginning and end are counted under.
    pub fn subject(&self) -> Subject {
        self.mix.subject(Mode::Burst)
    }

    /// How long chats in flight may go on after the last start; `None` if they may take as long as they need.
    pub fn graceful_stop(&self) -> Option<Duration> {
        self.load.graceful_stop(self.cost.longest_chat)
    }

    fn read_parts(
        mut map: Mapping<'_>,
        unsaid: Unsaid<'_>,
        name: &str,
        catalogue: &Catalogue,
        caps: &Caps,
        problems: &Problems,
    ) -> Option<Self> {
        let Unsaid {
            base,
            default_target,
        } = unsaid;
        let before = problems.count();
        let place = map.place.clone();
        let unsaid = UnsaidChats {
            mix: base.map(|base| &base.mix),
            set: base.map(|base| base.set.clone()).unwrap_or_default(),
            target: default_target,
        };
        let chats = ChatsRead::read(&mut map, unsaid, catalogue, problems);
        let load = read_load(&mut map, base, caps, problems);
        let load_place = map.get("load").map(|node| &node.place);
        let thresholds = map.get("thresholds");
        let seed = map
            .get("seed")
            .and_then(|node| node.whole_number_in(0..=seed::LARGEST, problems));
        map.finish();
        let load_place = load_place.or(thresholds.map(|node| &node.place));
        let before_thresholds = problems.count();
        let thresholds = read_thresholds(thresholds, base, chats.scenarios.as_deref(), problems);
        if let (Some(load), true) = (&load, problems.count() == before_thresholds) {
            load.check_thresholds(&thresholds, load_place.unwrap_or(&place), problems);
        }
        (problems.count() == before).then_some(())?;
        let mix = chats.mix?;
        Some(Self {
            name: name.into(),
            // To count it takes time that a start by schedule does not have.
            cost: mix.cost(),
            mix,
            load: load?,
            thresholds,
            schedule: None,
            asked_by: None,
            seed: seed.or(base.and_then(|base| base.seed)),
            place,
            set: chats.set,
        })
    }
}

/// What a burst has that does not say so itself.
#[derive(Clone, Copy)]
struct Unsaid<'a> {
    /// Everything of this one.
    base: Option<&'a Burst>,
    /// This target, where there is no base.
    default_target: Option<&'a Arc<Target>>,
}

fn read_asker(text: &str) -> Result<String, String> {
    let fits = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if !fits {
        return Err("a name has 1 to 100 characters and no control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn read_load(
    map: &mut Mapping<'_>,
    base: Option<&Burst>,
    caps: &Caps,
    problems: &Problems,
) -> Option<Profile> {
    let node = match (map.get("load"), base) {
        (None, Some(base)) => return Some(base.load.clone()),
        (None, None) => map.need("load")?,
        (Some(node), _) => node,
    };
    let load = Profile::read(node, problems)?;
    caps.check(&load, node, problems);
    Some(load)
}

fn read_thresholds(
    node: Option<&Node>,
    base: Option<&Burst>,
    scenarios: Option<&[ScenarioRead]>,
    problems: &Problems,
) -> Vec<Threshold> {
    match (node, base) {
        (None, Some(base)) => base.thresholds.clone(),
        (None, None) => Vec::new(),
        (Some(node), _) => thresholds_of(scenarios, node, problems),
    }
}

/// Reads a list of thresholds for chats of these scenarios, as far as they are known.
pub fn thresholds_of(
    scenarios: Option<&[ScenarioRead]>,
    node: &Node,
    problems: &Problems,
) -> Vec<Threshold> {
    let Some(scenarios) = scenarios else {
        return Threshold::read_list(node, None, problems);
    };
    let steps: Vec<_> = scenarios.iter().map(ScenarioRead::step_names).collect();
    let known = scenarios
        .iter()
        .zip(&steps)
        .map(|(scenario, steps)| ThresholdSubjects {
            scenario: scenario.name(),
            steps,
            deliveries: scenario.may_expect_deliveries(),
        });
    let known: Vec<_> = known.collect();
    Threshold::read_list(node, Some(&known), problems)
}

impl Caps {
    fn check(&self, load: &Profile, node: &Node, problems: &Problems) {
        if let Some(peak) = load.peak_active()
            && peak > self.max_active_chats
        {
            problems.add(
                &node.place,
                format!(
                    "this load has up to {peak} chats at once; `limits.max_active_chats` allows {}",
                    self.max_active_chats
                ),
            );
        }
        if let Some(peak) = load.peak_rate() {
            self.check_rate(peak)
                .unwrap_or_else(|message| problems.add(&node.place, message));
        }
    }

    /// Whether chats may start at this rate.
    pub fn check_rate(&self, rate: Rate) -> Result<(), String> {
        if rate > self.max_rate {
            return Err(format!(
                "this load starts up to {rate}; `limits.max_rate` allows {}",
                self.max_rate
            ));
        }
        Ok(())
    }
}
