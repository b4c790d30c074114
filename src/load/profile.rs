use std::{fmt, time::Duration};

use super::{
    ArrivalSpacing, Arrivals, Customers, Level, Search, Shape, Threshold, chats, customers,
    keys::LoadForm, search, stages, steady,
};
use crate::{
    document::{Mapping, Node, Place, Problems},
    units::{Rate, duration},
};

/// What a `load:` mapping asks for: which chats start when, and how many there may be at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The mapping as YAML, with its values in their usual units.
    written: String,
    /// That of the first step, if it is a search.
    shape: Shape,
    max_active: Option<u64>,
    search: Option<Search>,
    /// As it is written; see [`Profile::graceful_stop`].
    pub(super) own_graceful_stop: Option<Duration>,
}

/// Reads the mapping, given the value of the key that tells its form.
type Read = fn(&Node, &mut Mapping<'_>, &Problems) -> Option<Profile>;

/// Every form of the mapping, by the key that only it has.
const FORMS: [(&str, Read); 5] = [
    ("chats", |node, load, problems| {
        chats::read(node, load, problems).map(Profile::from)
    }),
    ("customers", |node, load, problems| {
        customers::read(node, load, problems).map(Profile::from)
    }),
    ("rate", |node, load, problems| {
        steady::read(node, load, problems).map(Profile::from)
    }),
    ("stages", |node, load, problems| {
        stages::read(node, load, problems).map(Profile::from)
    }),
    ("search", |node, load, problems| {
        search::read(node, load, problems).map(Profile::from)
    }),
];

impl From<LoadForm<Arrivals>> for Profile {
    fn from(form: LoadForm<Arrivals>) -> Self {
        Self::new(form.written, Shape::Arrivals(form.load), form.max_active)
    }
}

impl From<LoadForm<Customers>> for Profile {
    fn from(form: LoadForm<Customers>) -> Self {
        Self::new(form.written, Shape::Customers(form.load), form.max_active)
    }
}

impl From<LoadForm<Search>> for Profile {
    fn from(form: LoadForm<Search>) -> Self {
        let search = form.load;
        let first = search.shape_at(search.first());
        Self {
            search: Some(search),
            ..Self::new(form.written, first, form.max_active)
        }
    }
}

impl Profile {
    /// Reads a `load:` mapping; what is wrong is noted in `problems`.
    pub fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let wanted = "a load such as `{ rate: 500/s, for: 10m }`";
        let mut load = Mapping::open(node, wanted, problems)?;
        let form = load.one_of(&FORMS.map(|(key, _)| key));
        let read = form.and_then(|(key, _)| FORMS.iter().find(|(form, _)| *form == key));
        let profile = if let (Some((_, value)), Some((_, read))) = (form, read) {
            read(value, &mut load, problems)
        } else {
            // Without a form, only a key that no form has can be called unknown.
            for key in ["for", "ramp", "ramp_down", "pace", "max_active", "arrivals"] {
                load.get(key);
            }
            None
        };
        let graceful_stop = (load.get("graceful_stop")).map(|node| node.duration(problems));
        load.finish();
        let profile = profile?;
        if profile.chats() == Some(0) {
            problems.add(
                &node.place,
                "this load never starts a chat; some rate must be above zero",
            );
            return None;
        }
        match graceful_stop {
            Some(limit) => Some(profile.with_graceful_stop(limit?)),
            None => Some(profile),
        }
    }

    fn with_graceful_stop(mut self, limit: Duration) -> Self {
        let written = self.written.strip_suffix(" }").unwrap_or(&self.written);
        let limit_text = duration::format(limit);
        self.written = format!("{written}, graceful_stop: {limit_text} }}");
        self.own_graceful_stop = Some(limit);
        self
    }

    fn new(written: String, shape: Shape, max_active: Option<u64>) -> Self {
        Self {
            written,
            shape,
            max_active,
            search: None,
            own_graceful_stop: None,
        }
    }

    /// One chat, at once: what a probe runs.
    pub fn one_chat() -> Self {
        chats::one().into()
    }

    /// When chats start; in the first step, if this is a search.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What is looked for, if this load looks for the limit of the target.
    pub fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// Notes that this load cannot be used with these thresholds.
    pub fn check_thresholds(&self, thresholds: &[Threshold], place: &Place, problems: &Problems) {
        if self.search.is_some() && thresholds.is_empty() {
            problems.add(
                place,
                "a search needs a threshold to tell whether a step held; add one such as \
                 `{ p95: 10s }`",
            );
        }
    }

    /// Whether chats arrive whatever the target does: then latency counts from the intended start.
    pub fn is_open(&self) -> bool {
        match &self.shape {
            Shape::Arrivals(arrivals) => arrivals.is_open(),
            Shape::Customers(_) => false,
        }
    }

    /// Whether chats start until a time is over, and not until there were so many.
    pub(super) fn lasts_for_a_time(&self) -> bool {
        match &self.shape {
            Shape::Arrivals(arrivals) => arrivals.is_open(),
            Shape::Customers(_) => true,
        }
    }

    /// The most chats at once that an open profile allows; arrivals beyond it are dropped.
    pub fn max_active(&self) -> Option<u64> {
        self.max_active
    }

    /// Whether it is drawn when chats start, and so how many there are.
    pub fn is_drawn(&self) -> bool {
        match &self.shape {
            Shape::Arrivals(arrivals) => arrivals.spacing() == ArrivalSpacing::Poisson,
            Shape::Customers(_) => false,
        }
    }

    /// How many chats are due in all, where that does not depend on how long they take; on average if that is drawn.
    pub fn chats(&self) -> Option<u64> {
        match &self.shape {
            _ if self.search.is_some() => None,
            Shape::Arrivals(arrivals) => Some(arrivals.total()),
            Shape::Customers(_) => None,
        }
    }

    /// What the number of chats at once cannot exceed; `None` for open arrivals without a bound.
    pub fn peak_active(&self) -> Option<u64> {
        if let Some(Level::Customers(most)) = self.search.map(|search| search.top()) {
            return Some(most);
        }
        match &self.shape {
            Shape::Arrivals(arrivals) if arrivals.is_open() => self.max_active,
            Shape::Arrivals(arrivals) => Some(arrivals.total()),
            Shape::Customers(customers) => Some(customers.peak()),
        }
    }

    /// The highest rate of starts; `None` for customers, whose starts depend on the target. Chats
    /// of a given number that start all at once are so many within a second.
    pub fn peak_rate(&self) -> Option<Rate> {
        if let Some(Level::Rate(highest)) = self.search.map(|search| search.top()) {
            return Some(highest);
        }
        let Shape::Arrivals(arrivals) = &self.shape else {
            return None;
        };
        if arrivals.is_open() {
            return arrivals.peak_rate();
        }
        #[expect(clippy::cast_precision_loss, reason = "a load has at most 10^10 chats")]
        let all = Rate::per_second(arrivals.total() as f64);
        [arrivals.peak_rate(), all]
            .into_iter()
            .flatten()
            .min_by(|a, b| a.as_per_second().total_cmp(&b.as_per_second()))
    }

    /// When no chat starts any more; at the latest, if this is a search.
    pub fn duration(&self) -> Duration {
        if let Some(search) = &self.search {
            return search.longest();
        }
        match &self.shape {
            Shape::Arrivals(arrivals) => arrivals.duration(),
            Shape::Customers(customers) => customers.duration(),
        }
    }
}

/// The YAML flow form; [`Profile::read`] makes the same profile of it.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        load::testing::{profile, refused},
        units::Rate,
    };

    #[test]
    fn a_profile_is_written_as_people_know_it_and_reads_back() {
        for text in [
            "{ chats: 20000 }",
            "{ chats: 20000, ramp: 1m }",
            "{ customers: 200, for: 10m }",
            "{ customers: 200, for: 10m, ramp: 1m30s }",
            "{ rate: 500/s, for: 10m }",
            "{ rate: 0.5/s, for: 10m, max_active: 20000 }",
            "{ stages: [ { for: 1m, rate: 0/s }, { for: 5m, from: 100/s, rate: 400/s } ] }",
            "{ stages: [ { for: 1m, rate: 100/s } ], max_active: 5000 }",
            "{ stages: [ { for: 1m, rate: 100/s } ], max_active: 5000, arrivals: poisson }",
            "{ rate: 500/s, for: 10m, arrivals: poisson }",
            "{ search: { from: 50/s, to: 2000/s, hold: 30s }, arrivals: poisson }",
            "{ customers: 200, for: 10m, ramp: 1m, ramp_down: 2m, pace: 30s }",
            "{ search: { from: 50/s, to: 2000/s, hold: 30s } }",
            "{ search: { from: 0.5/s, to: 2/s, hold: 1m30s }, max_active: 5000 }",
            "{ search: { customers: { from: 10, to: 500 }, hold: 30s } }",
        ] {
            assert_eq!(profile(text).to_string(), text);
        }
        for text in [
            "{ ramp: 60s, chats: 20000 }",
            "{ for: 1.5h, rate: 100/m, max_active: 7 }",
            "{ stages: [ { rate: 7/h, from: 0.1/s, for: 1234567ns } ] }",
        ] {
            let first = profile(text);
            assert_eq!(profile(&first.to_string()), first);
        }
    }

    #[test]
    fn a_load_has_exactly_one_form() {
        assert_eq!(
            refused("fast"),
            ["a.yaml:1:1: expected a load such as `{ rate: 500/s, for: 10m }`, found text"]
        );
        assert_eq!(
            refused("{ chats: 5, rate: 1/s, for: 1m }"),
            ["a.yaml:1:1: `chats` and `rate` exclude each other; keep one of them"]
        );
        assert_eq!(
            refused("{ chat: 5, ramp: 1m }"),
            [
                "a.yaml:1:1: one of the keys `chats`, `customers`, `rate`, `stages`, `search` is missing here",
                "a.yaml:1:3: unknown key `chat`; did you mean `chats`?",
            ]
        );
    }

    #[test]
    fn the_peak_rate_is_the_steepest_of_all() {
        let stages = "{ stages: [ { for: 1m, rate: 9/s }, { for: 1m, from: 400/s, rate: 1/s } ] }";
        assert_eq!(profile(stages).peak_rate(), Rate::per_second(400.0));
        let even = profile("{ chats: 600, ramp: 60s }");
        assert_eq!(even.peak_rate(), Rate::per_second(10.0));
        assert_eq!(
            profile("{ chats: 600 }").peak_rate(),
            Rate::per_second(600.0)
        );
        let quick = profile("{ chats: 600, ramp: 1ms }");
        assert_eq!(quick.peak_rate(), Rate::per_second(600.0));
        assert_eq!(profile("{ customers: 6, for: 1m }").peak_rate(), None);
    }
}
