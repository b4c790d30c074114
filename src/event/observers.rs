//! Who observes, and how events reach them.

use std::{fmt, sync::Arc};

use super::{RunEvent, RunIdentity, ServiceEvent};
use crate::scenario::Scenario;

/// Observes the service, and its runs through an observer of each. Called where something happens: it must be quick
/// and must not block.
pub trait Observer: Send + Sync {
    /// Takes note of what happened to the service.
    fn observe_service(&self, _: &ServiceEvent) {}

    /// Who observes a run that is about to start; `None` if nobody does. What is needed for every event of the run
    /// is looked up here, once.
    fn of_run(
        self: Arc<Self>,
        _run: &Arc<RunIdentity>,
        _scenario: &Scenario,
    ) -> Option<Arc<dyn RunObserver>> {
        None
    }

    /// Who observes what concerns the whole of a run with chats of several scenarios, each of which has observers of its
    /// own.
    fn of_mixed_run(self: Arc<Self>, _run: &Arc<RunIdentity>) -> Option<Arc<dyn RunObserver>> {
        None
    }
}

/// Observes a run. Called from within its chats: it must be quick and must not block.
pub trait RunObserver: Send + Sync {
    /// Takes note of what happened in the run.
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent);
}

/// All observers of the service.
#[derive(Clone, Default)]
pub struct Observers(Vec<Listed>);

#[derive(Clone)]
enum Listed {
    OfService(Arc<dyn Observer>),
    OfEveryRun(Arc<dyn RunObserver>),
}

impl Observers {
    /// The same observers and one more.
    #[must_use]
    pub fn and(self, observer: Arc<dyn Observer>) -> Self {
        self.and_listed(Listed::OfService(observer))
    }

    /// The same observers and one that observes every run alike, and nothing else.
    #[must_use]
    pub fn and_of_runs(self, observer: Arc<dyn RunObserver>) -> Self {
        self.and_listed(Listed::OfEveryRun(observer))
    }

    fn and_listed(mut self, listed: Listed) -> Self {
        self.0.push(listed);
        self
    }

    /// Lets all of them observe what happened to the service.
    pub fn emit(&self, event: &ServiceEvent) {
        for listed in &self.0 {
            if let Listed::OfService(observer) = listed {
                observer.observe_service(event);
            }
        }
    }

    /// Those of a run that is about to start.
    pub fn of_run(&self, run: &Arc<RunIdentity>, scenario: &Scenario) -> RunObservers {
        self.observing(run, |observer| observer.of_run(run, scenario))
    }

    /// Those of the whole of a run with chats of several scenarios.
    pub fn of_mixed_run(&self, run: &Arc<RunIdentity>) -> RunObservers {
        self.observing(run, |observer| observer.of_mixed_run(run))
    }

    fn observing(
        &self,
        run: &Arc<RunIdentity>,
        own: impl Fn(Arc<dyn Observer>) -> Option<Arc<dyn RunObserver>>,
    ) -> RunObservers {
        let lasting = self.0.iter().filter_map(|listed| match listed {
            Listed::OfService(observer) => own(observer.clone()),
            Listed::OfEveryRun(observer) => Some(observer.clone()),
        });
        RunObservers {
            run: run.clone(),
            lasting: lasting.collect(),
            counters: None,
        }
    }
}

/// All observers of one run.
#[derive(Clone)]
pub struct RunObservers {
    run: Arc<RunIdentity>,
    lasting: Arc<[Arc<dyn RunObserver>]>,
    counters: Option<Arc<dyn RunObserver>>,
}

impl RunObservers {
    /// Nobody observes the run yet.
    #[cfg(test)]
    pub(crate) fn nobody(run: Arc<RunIdentity>) -> Self {
        Self {
            run,
            lasting: Arc::default(),
            counters: None,
        }
    }

    /// The run that they observe.
    pub fn run(&self) -> &Arc<RunIdentity> {
        &self.run
    }

    /// These and the counters of the run, which are final once it is over.
    #[must_use]
    pub fn with_counters(self, counters: Arc<dyn RunObserver>) -> Self {
        Self {
            counters: Some(counters),
            ..self
        }
    }

    /// Those that observe what happens once the run is over, such as events that come late.
    #[must_use]
    pub fn after_the_end(&self) -> Self {
        Self {
            counters: None,
            ..self.clone()
        }
    }

    /// Lets all of them observe what happened in the run.
    pub fn emit(&self, event: &RunEvent) {
        for observer in self.lasting.iter().chain(&self.counters) {
            observer.observe(&self.run, event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}

impl fmt::Debug for RunObservers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.lasting.len() + usize::from(self.counters.is_some());
        write!(f, "RunObservers({number} of {})", self.run.id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{
        document::{Problems, parse},
        event::{Fate, Mode, Subject, Trigger},
    };

    type Log = Arc<Mutex<Vec<String>>>;

    /// Notes what it observes, under its name.
    struct Named(&'static str, Log);

    impl Named {
        fn note(&self, what: &str) {
            self.1.lock().unwrap().push(format!("{}: {what}", self.0));
        }
    }

    impl Observer for Named {
        fn observe_service(&self, event: &ServiceEvent) {
            self.note(&format!("{event:?}"));
        }

        fn of_run(
            self: Arc<Self>,
            run: &Arc<RunIdentity>,
            _: &Scenario,
        ) -> Option<Arc<dyn RunObserver>> {
            self.note(&format!("begins {}", run.name));
            (&*run.name != "unknown").then_some(self as Arc<dyn RunObserver>)
        }
    }

    impl RunObserver for Named {
        fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
            self.note(&format!("{event:?} in {}", run.name));
        }
    }

    fn of_run(observers: &Observers, name: &str) -> RunObservers {
        let node = parse("s.yaml", "{ scenario: s, steps: [ { think: 0s } ] }").unwrap();
        let scenario = Scenario::read(&node, &Problems::default()).unwrap();
        let subject = Subject {
            scenario: "s".into(),
            target: "t".into(),
            mode: Mode::Burst,
        };
        let run = RunIdentity::new(name.into(), subject, Trigger::Api);
        observers.of_run(&Arc::new(run), &scenario)
    }

    #[test]
    fn events_of_a_run_reach_its_observers_in_order_and_its_counters_until_its_end() {
        let log = Log::default();
        let named = |name| Arc::new(Named(name, log.clone()));
        let noted = || std::mem::take(&mut *log.lock().unwrap());
        let observers = Observers::default()
            .and_of_runs(named("first"))
            .and(named("second"));
        let run = of_run(&observers, "run").with_counters(named("counters"));
        assert_eq!(noted(), ["second: begins run"]);
        run.emit(&RunEvent::ArrivalDropped);
        let dropped = ["first", "second", "counters"];
        assert_eq!(
            noted(),
            dropped.map(|name| format!("{name}: ArrivalDropped in run"))
        );
        let late = RunEvent::CallbackSettled(Fate::Late);
        run.after_the_end().emit(&late);
        let late = ["first", "second"];
        assert_eq!(
            noted(),
            late.map(|name| format!("{name}: CallbackSettled(Late) in run"))
        );

        of_run(&observers, "unknown").emit(&RunEvent::Started);
        assert_eq!(
            noted(),
            ["second: begins unknown", "first: Started in unknown"]
        );
        observers.emit(&ServiceEvent::ConfigurationRefused);
        assert_eq!(noted(), ["second: ConfigurationRefused"]);
    }
}
