use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Boundaries, MetricsError,
    callbacks::Source,
    chats::ChatFamilies,
    deliveries::DeliveryFamilies,
    family::Maker,
    phases::PhaseFamily,
    sockets::SocketFamilies,
    steps::StepFamilies,
    waits::{AgentFamilies, Waiting, Waits},
};
use crate::event::{ScenarioDeclaration, Subject};

pub(super) struct Families {
    pub(super) chats: ChatFamilies,
    pub(super) steps: StepFamilies,
    pub(super) phases: PhaseFamily,
    pub(super) agent: AgentFamilies,
    pub(super) sockets: SocketFamilies,
    pub(super) deliveries: DeliveryFamilies,
}

impl Families {
    fn declare(&self, subject: &Subject, declaration: &ScenarioDeclaration) {
        let labels = owned_labels(subject);
        let values = labels_of(subject);
        self.chats.series(&labels);
        self.chats.declare(&values, &declaration.chat_reasons());
        self.phases.series(&labels);
        if declaration.sockets.has_sockets() {
            self.sockets.series(&labels);
        }
        if declaration.sockets.has_deliveries() {
            self.deliveries.series(&values);
        }
        for step in &declaration.steps {
            self.steps.declare(&labels, step);
        }
    }

    /// Removes the series of a subject that are not declared any more.
    fn keep(&self, subject: &Subject, declaration: &ScenarioDeclaration) {
        let values = labels_of(subject);
        self.chats.keep(&values, &declaration.chat_reasons());
        self.steps.keep(&values, &declaration.steps);
        if !declaration.agent_join {
            self.agent.remove(&values);
        }
        if !declaration.sockets.has_sockets() {
            self.sockets.remove(&values);
        }
        if !declaration.sockets.has_deliveries() {
            self.deliveries.remove(&values);
        }
    }

    fn remove(&self, subject: &Subject) {
        let values = labels_of(subject);
        self.chats.remove(&values);
        self.steps.keep(&values, &[]);
        self.phases.remove(&values);
        self.agent.remove(&values);
        self.sockets.remove(&values);
        self.deliveries.remove(&values);
    }
}

fn labels_of(subject: &Subject) -> [&str; 3] {
    [&subject.scenario, &subject.target, subject.mode.as_str()]
}

pub(super) fn owned_labels(subject: &Subject) -> [Arc<str>; 3] {
    let mode = subject.mode.as_str().into();
    [subject.scenario.clone(), subject.target.clone(), mode]
}

#[derive(Default)]
struct Entry {
    declared: ScenarioDeclaration,
    /// Runs in progress. Nothing is removed under their hands: a gauge would begin anew at 0 and
    /// then fall below.
    runs: usize,
    /// Whether it is in the configuration; if not, it goes with its last run.
    kept: bool,
    /// Whether series are to go that are not declared any more.
    stale: bool,
    /// Who waits for an agent, if the subject measures that.
    waiting: Option<Waiting>,
}

/// All subjects.
pub(super) struct Subjects {
    pub(super) families: Families,
    entries: Mutex<HashMap<Subject, Entry>>,
}

impl Subjects {
    pub(super) fn new(make: &Maker<'_>, boundaries: &Boundaries) -> Result<Self, MetricsError> {
        Ok(Self {
            families: Families {
                chats: ChatFamilies::new(make, boundaries)?,
                steps: StepFamilies::new(make, boundaries)?,
                phases: PhaseFamily::new(make)?,
                agent: AgentFamilies::new(make, boundaries)?,
                sockets: SocketFamilies::new(make)?,
                deliveries: DeliveryFamilies::new(make, boundaries)?,
            },
            entries: Mutex::default(),
        })
    }

    pub(super) fn declare(&self, subject: &Subject, declaration: &ScenarioDeclaration) {
        let mut entries = self.entries();
        let entry = entries.entry(subject.clone()).or_default();
        self.begin_series(subject, declaration, entry);
        entry.declared = declaration.clone();
        entry.kept = true;
        entry.stale = true;
        self.tidy(subject, entry);
    }

    /// Lets what is declared begin at 0.
    fn begin_series(
        &self,
        subject: &Subject,
        declaration: &ScenarioDeclaration,
        entry: &mut Entry,
    ) {
        self.families.declare(subject, declaration);
        if declaration.agent_join {
            let gauges = || self.families.agent.waiting(&labels_of(subject));
            entry.waiting.get_or_insert_with(gauges);
        }
    }

    /// Removes what is not declared any more, if no run is in progress.
    fn tidy(&self, subject: &Subject, entry: &mut Entry) {
        if entry.runs == 0 && std::mem::take(&mut entry.stale) {
            self.families.keep(subject, &entry.declared);
            if !entry.declared.agent_join {
                entry.waiting = None;
            }
        }
    }

    /// `declaration`: what this run may count, for a subject that the configuration does not name. Gives where the
    /// run keeps who waits, if it measures that.
    pub(super) fn run_started(
        &self,
        subject: &Subject,
        declaration: &ScenarioDeclaration,
    ) -> Option<Arc<Waits>> {
        let mut entries = self.entries();
        let entry = entries.entry(subject.clone()).or_insert_with(|| Entry {
            declared: declaration.clone(),
            kept: true,
            ..Entry::default()
        });
        self.begin_series(subject, declaration, entry);
        entry.runs += 1;
        let waiting = entry.waiting.as_mut().filter(|_| declaration.agent_join);
        waiting.map(Waiting::begin_run)
    }

    /// Whether the subject went with its run, whose waits are over, if it kept any.
    pub(super) fn run_ended(&self, subject: &Subject, waits: Option<&Arc<Waits>>) -> bool {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(subject) else {
            return false;
        };
        entry.runs = entry.runs.saturating_sub(1);
        if let (Some(waiting), Some(waits)) = (&mut entry.waiting, waits) {
            waiting.end_run(waits);
        }
        self.tidy(subject, entry);
        let gone = entry.runs == 0 && !entry.kept;
        if gone {
            entries.remove(subject);
            self.families.remove(subject);
        }
        gone
    }

    /// Removes subjects that are not kept; those with a run in progress go with its end.
    /// Gives those that went.
    pub(super) fn retain(&self, keep: impl Fn(&Subject) -> bool) -> Vec<Subject> {
        let mut gone = Vec::new();
        self.entries().retain(|subject, entry| {
            entry.kept = keep(subject);
            let stays = entry.kept || entry.runs > 0;
            if !stays {
                self.families.remove(subject);
                gone.push(subject.clone());
            }
            stays
        });
        gone
    }

    /// Brings the gauges up to date that are made when somebody asks.
    pub(super) fn refresh(&self) {
        let entries = self.entries();
        let waiting = entries.values().filter_map(|entry| entry.waiting.as_ref());
        waiting.for_each(Waiting::refresh);
    }

    /// Those that have events coming in.
    pub(super) fn sources_of_callbacks(&self) -> HashSet<Source> {
        let entries = self.entries();
        let with = entries.iter().filter(|(_, entry)| entry.declared.callbacks);
        with.map(|(subject, _)| subject.into()).collect()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Subject, Entry>> {
        // An entry is whole after every statement.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
