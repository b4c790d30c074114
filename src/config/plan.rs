use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Burst, Catalogue, Kind, Probe, Sections, Settings,
    files::{read_configuration, similar},
};
use crate::{
    document::{Entry, Mapping, Node, Place, Problem, Problems, canonical},
    scenario::fingerprint,
};

/// A configuration that was checked whole: every name in it means something.
#[derive(Debug)]
pub struct Plan {
    /// The file it was read from.
    pub path: PathBuf,
    /// The plain settings.
    pub settings: Settings,
    /// Scenarios and targets.
    pub catalogue: Catalogue,
    /// What runs all the time.
    pub probes: Vec<Arc<Probe>>,
    /// What runs on a schedule or when asked for.
    pub bursts: Vec<Arc<Burst>>,
    /// The text of the configuration and its scenarios, hashed; secrets are not in it. Another build
    /// of chatprobe may come to another one.
    pub fingerprint: u64,
    /// Who reads sections of which this module knows nothing.
    pub sections: Sections,
}

impl Plan {
    /// Reads and checks a configuration with everything it names.
    ///
    /// # Errors
    /// Every problem there is, in the order of files, lines and columns.
    pub fn load(path: &Path, sections: Sections) -> Result<Self, Vec<Problem>> {
        let problems = Problems::default();
        let plan = Self::read_noting(path, sections, &problems);
        problems.into_result()?;
        // Without a problem there is a plan: each reader that gives up notes why.
        plan.ok_or_else(Vec::new)
    }

    /// Reads it once more from its file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_anew(&self) -> Result<Self, Vec<Problem>> {
        Self::load(&self.path, self.sections)
    }

    /// The same for whoever has more to check: what has problems, which are noted, is not in the plan. `None` if
    /// nothing can be told of the configuration at all.
    pub fn read_noting(path: &Path, sections: Sections, problems: &Problems) -> Option<Self> {
        if !path.exists() {
            let message = format!(
                "cannot be read: there is no such file{}; --config names the configuration",
                similar(path)
            );
            problems.add(&Place::whole(path.display().to_string()), message);
            return None;
        }
        match read_configuration(path, problems) {
            Ok(node) if Kind::Configuration.fits(&node, problems) => {
                Self::read(&node, path, sections, problems)
            }
            Ok(_) => None,
            Err(problem) => {
                problems.add(&problem.place, problem.message);
                None
            }
        }
    }

    fn read(node: &Node, path: &Path, sections: Sections, problems: &Problems) -> Option<Self> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut map = Mapping::open(node, "a configuration", problems)?;
        let settings = Settings::read(&mut map, directory, sections, problems);
        let scenarios = map.get("scenarios");
        let targets = map.get("targets");
        let catalogue = Catalogue::read(scenarios, targets, directory, problems);
        let probes: Vec<_> = entries(map.get("probes"), "a mapping of names and probes", problems)
            .iter()
            .filter_map(|entry| Probe::read(entry, &catalogue, problems))
            .map(Arc::new)
            .collect();
        let bursts = entries(map.get("bursts"), "a mapping of names and bursts", problems)
            .iter()
            .filter_map(|entry| Burst::read(entry, &catalogue, &settings.caps, problems))
            .map(Arc::new)
            .collect();
        map.finish();
        find_twins(&probes, problems);
        let text = canonical(node);
        let text = (catalogue.scenarios.values()).fold(text, |text, scenario| {
            format!("{text} {:x}", scenario.fingerprint)
        });
        Some(Self {
            fingerprint: fingerprint(&text),
            path: path.to_owned(),
            settings,
            catalogue,
            probes,
            bursts,
            sections,
        })
    }
}

fn entries<'a>(node: Option<&'a Node>, wanted: &str, problems: &Problems) -> &'a [Entry] {
    node.map(|node| node.entries(wanted, problems))
        .unwrap_or_default()
}

/// Two probes with the same labels would write the same series.
fn find_twins(probes: &[Arc<Probe>], problems: &Problems) {
    let mut seen = BTreeMap::new();
    for probe in probes {
        if let Some(first) = seen.insert((&probe.scenario.name, &probe.target.name), &probe.name) {
            problems.add(
                &probe.place,
                format!(
                    "probes `{first}` and `{}` run the same scenario against the same target; metrics could not tell them apart",
                    probe.name
                ),
            );
        }
    }
}
