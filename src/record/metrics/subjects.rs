use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use super::{
    Boundaries, MetricsError,
    callbacks::Source,
    chats::{ChatFamilies, ChatSeries},
    family::Maker,
    phases::{PhaseFamily, PhaseSeries},
    steps::{StepFamilies, StepSeries},
    waits::{AgentFamilies, AgentSeries},
};
use crate::{
    driver::Phases,
    event::{Ending, RunIdentity, StepOutcome, Subject},
    scenario::{Observation, Reason, Scenario, Step},
};

/// One step that is known before it ever runs.
#[derive(Debug, Clone)]
pub struct StepDeclaration {
    /// Its name.
    pub name: Arc<str>,
    /// The reasons for which it can fail.
    pub reasons: Vec<Reason>,
    /// Whether it sends something, and does not wait.
    pub is_request: bool,
}

/// What is known of a scenario before it ever runs: its series begin at 0, so that the first
/// failure is an increase and not a series that comes out of nothing.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Every step of every part.
    pub steps: Vec<StepDeclaration>,
    /// Whether a step measures the wait for an agent.
    pub agent_join: bool,
    /// Whether events come in.
    pub callbacks: bool,
}

impl Declaration {
    /// What is known of this scenario.
    pub fn of(scenario: &Scenario) -> Self {
        let steps = scenario.all_steps();
        Self {
            steps: steps
                .iter()
                .map(|step| StepDeclaration {
                    name: step.name.clone(),
                    reasons: reasons(scenario, step),
                    is_request: step.action.requests() > 0,
                })
                .collect(),
            agent_join: scenario.observes_agent_join(),
            callbacks: scenario.callbacks.is_some(),
        }
    }

    pub(super) fn is_request(&self, name: &str) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| *step.name == *name && step.is_request)
    }

    /// The reasons for which a chat can fail: those of its steps.
    pub(super) fn chat_reasons(&self) -> Vec<Reason> {
        let steps = self.steps.iter();
        let reasons: BTreeSet<Reason> = steps.flat_map(|step| step.reasons.clone()).collect();
        reasons.into_iter().collect()
    }
}

/// The reasons for which a step can fail; any step can be the one in which a chat passes its deadline.
fn reasons(scenario: &Scenario, step: &Step) -> Vec<Reason> {
    let mut reasons = step.reasons();
    if scenario.deadline.is_some() && !reasons.contains(&Reason::Timeout) {
        reasons.push(Reason::Timeout);
    }
    reasons
}

struct Families {
    chats: ChatFamilies,
    steps: StepFamilies,
    phases: PhaseFamily,
    agent: AgentFamilies,
}

impl Families {
    fn declare(&self, subject: &Subject, declaration: &Declaration) {
        let labels = owned_labels(subject);
        let values = labels_of(subject);
        self.chats.declare(&values, &declaration.chat_reasons());
        self.phases.series(&labels);
        for step in &declaration.steps {
            self.steps.declare(&labels, step);
        }
        if declaration.agent_join {
            self.agent.series(&values);
        }
    }

    /// Removes the series of a subject that are not declared any more.
    fn keep(&self, subject: &Subject, declaration: &Declaration) {
        let values = labels_of(subject);
        self.chats.keep(&values, &declaration.chat_reasons());
        self.steps.keep(&values, &declaration.steps);
        if !declaration.agent_join {
            self.agent.remove(&values);
        }
    }

    fn remove(&self, subject: &Subject) {
        let values = labels_of(subject);
        self.chats.remove(&values);
        self.steps.keep(&values, &[]);
        self.phases.remove(&values);
        self.agent.remove(&values);
    }
}

fn labels_of(subject: &Subject) -> [&str; 3] {
    [&subject.scenario, &subject.target, subject.mode.as_str()]
}

fn owned_labels(subject: &Subject) -> [Arc<str>; 3] {
    let mode = subject.mode.as_str().into();
    [subject.scenario.clone(), subject.target.clone(), mode]
}

/// The series of one subject at hand, so that an event finds them without its labels.
pub(super) struct SubjectSeries {
    families: Arc<Families>,
    labels: [Arc<str>; 3],
    chats: ChatSeries,
    steps: RwLock<HashMap<Arc<str>, Arc<StepSeries>>>,
    phases: PhaseSeries,
    agent: OnceLock<AgentSeries>,
}

impl SubjectSeries {
    fn new(families: Arc<Families>, subject: &Subject) -> Self {
        let labels = owned_labels(subject);
        Self {
            chats: families.chats.series(&labels),
            phases: families.phases.series(&labels),
            families,
            labels,
            steps: RwLock::default(),
            agent: OnceLock::new(),
        }
    }

    fn step(&self, name: &Arc<str>) -> Arc<StepSeries> {
        let steps = self.steps.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = steps.get(name) {
            return series.clone();
        }
        drop(steps);
        let mut steps = self.steps.write().unwrap_or_else(PoisonError::into_inner);
        let series = steps
            .entry(name.clone())
            .or_insert_with(|| Arc::new(self.families.steps.series(&self.labels, name)));
        series.clone()
    }

    fn agent(&self) -> &AgentSeries {
        self.agent.get_or_init(|| {
            let [scenario, target, mode] = &self.labels;
            self.families.agent.series(&[scenario, target, mode])
        })
    }

    pub(super) fn chat_started(&self) {
        self.chats.started();
    }

    pub(super) fn chat_ended(&self, run: &str, chat: u64, ending: &Ending, duration: Duration) {
        self.chats.ended(ending, duration);
        // A chat that is cut short may leave its wait behind.
        if let Some(agent) = self.agent.get() {
            agent.change(|waits| waits.end(run, chat));
        }
    }

    pub(super) fn wait_started(&self, run: &str, chat: u64, what: Observation, now: SystemTime) {
        match what {
            Observation::AgentJoin => self.agent().change(|waits| waits.begin(run, chat, now)),
        }
    }

    pub(super) fn wait_ended(&self, run: &str, chat: u64, what: Observation) {
        match what {
            Observation::AgentJoin => self.agent().change(|waits| waits.end(run, chat)),
        }
    }

    pub(super) fn request_resent(&self, step: &str, times: u32) {
        self.families.steps.resent(&self.labels, step, times);
    }

    pub(super) fn request_sent(&self, phases: &Phases) {
        self.phases.observe(phases);
    }

    pub(super) fn step_ended(
        &self,
        step: &Arc<str>,
        observation: Option<Observation>,
        outcome: StepOutcome,
    ) {
        self.step(step).ended(outcome);
        match observation {
            Some(Observation::AgentJoin) => self.agent().ended(outcome),
            None => {}
        }
    }
}

struct Entry {
    series: Arc<SubjectSeries>,
    /// None for a subject that was first heard of by an event.
    declared: Option<Declaration>,
    /// Runs in progress. Nothing is removed under their hands: a gauge would begin anew at 0 and
    /// then fall below.
    runs: usize,
    /// Whether it is in the configuration; if not, it goes with its last run.
    kept: bool,
    /// Whether series are to go that are not declared any more.
    stale: bool,
}

/// All subjects and their series.
pub(super) struct Subjects {
    families: Arc<Families>,
    entries: RwLock<HashMap<Subject, Entry>>,
}

impl Subjects {
    pub(super) fn new(make: &Maker<'_>, boundaries: &Boundaries) -> Result<Self, MetricsError> {
        Ok(Self {
            families: Arc::new(Families {
                chats: ChatFamilies::new(make, boundaries)?,
                steps: StepFamilies::new(make, boundaries)?,
                phases: PhaseFamily::new(make)?,
                agent: AgentFamilies::new(make, boundaries)?,
            }),
            entries: RwLock::default(),
        })
    }

    pub(super) fn of(&self, subject: &Subject) -> Arc<SubjectSeries> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(subject) {
            return entry.series.clone();
        }
        drop(entries);
        self.change(subject, |entry| entry.series.clone())
    }

    fn change<T>(&self, subject: &Subject, change: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(subject.clone()).or_insert_with(|| Entry {
            series: Arc::new(SubjectSeries::new(self.families.clone(), subject)),
            declared: None,
            runs: 0,
            kept: true,
            stale: false,
        });
        change(entry)
    }

    pub(super) fn declare(&self, subject: &Subject, declaration: &Declaration) {
        self.change(subject, |entry| {
            self.families.declare(subject, declaration);
            entry.declared = Some(declaration.clone());
            entry.kept = true;
            entry.stale = true;
            self.tidy(subject, entry);
        });
    }

    /// Removes what is not declared any more, if no run is in progress.
    fn tidy(&self, subject: &Subject, entry: &mut Entry) {
        let Some(declaration) = entry.declared.as_ref().filter(|_| entry.runs == 0) else {
            return;
        };
        if std::mem::take(&mut entry.stale) {
            self.families.keep(subject, declaration);
            let series = SubjectSeries::new(self.families.clone(), subject);
            if declaration.agent_join {
                series.agent();
            }
            entry.series = Arc::new(series);
        }
    }

    /// `declaration`: what this run may count, for a subject that the configuration does not name.
    pub(super) fn run_started(&self, subject: &Subject, declaration: &Declaration) {
        self.change(subject, |entry| {
            self.families.declare(subject, declaration);
            entry.declared.get_or_insert_with(|| declaration.clone());
            entry.runs += 1;
        });
    }

    /// Whether the subject went with its run.
    pub(super) fn run_ended(&self, run: &RunIdentity) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(&run.subject) else {
            return false;
        };
        entry.runs = entry.runs.saturating_sub(1);
        if let Some(agent) = entry.series.agent.get() {
            agent.change(|waits| waits.end_run(&run.id));
        }
        self.tidy(&run.subject, entry);
        let gone = entry.runs == 0 && !entry.kept;
        if gone {
            entries.remove(&run.subject);
            self.families.remove(&run.subject);
        }
        gone
    }

    /// Removes subjects that are not kept; those with a run in progress go with its end.
    /// Gives those that went.
    pub(super) fn retain(&self, keep: impl Fn(&Subject) -> bool) -> Vec<Subject> {
        let mut gone = Vec::new();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|subject, entry| {
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
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.values() {
            if let Some(agent) = entry.series.agent.get() {
                agent.refresh();
            }
        }
    }

    /// Those that have events coming in, or may have for all that is known.
    pub(super) fn sources_of_callbacks(&self) -> HashSet<Source> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let with = entries.iter().filter(|(_, entry)| {
            let declared = entry.declared.as_ref();
            declared.is_none_or(|declaration| declaration.callbacks)
        });
        with.map(|(subject, _)| subject.into()).collect()
    }
}
