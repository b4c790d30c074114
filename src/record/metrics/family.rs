use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use prometheus::{
    Counter, Gauge, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry,
    core::{Collector, Desc, Metric},
    proto::{MetricFamily, MetricType},
};

use super::MetricsError;

/// The labels that say what a measurement is about.
pub(super) const SUBJECT: &[&str] = &["scenario", "target", "mode"];
pub(super) const SUBJECT_REASON: &[&str] = &["scenario", "target", "mode", "reason"];
pub(super) const STEP: &[&str] = &["scenario", "target", "mode", "step"];
pub(super) const STEP_REASON: &[&str] = &["scenario", "target", "mode", "step", "reason"];

type Build<M> = Box<dyn Fn(HashMap<String, String>) -> prometheus::Result<M> + Send + Sync>;

/// All series of one metric, by the values of their labels.
///
/// The vectors of the prometheus crate know a series by a hash over its label values one behind the
/// other with nothing between, so that the scenarios `a` on `bc` and `ab` on `c` would share one and
/// each show the sum of both. Here they are told apart by the values themselves.
pub(super) struct Family<M>(Arc<Inner<M>>);

struct Inner<M> {
    desc: Desc,
    kind: MetricType,
    labels: &'static [&'static str],
    build: Build<M>,
    children: RwLock<BTreeMap<Vec<Box<str>>, M>>,
}

impl<M> Clone for Family<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Metric> Inner<M> {
    fn build(&self, values: &[&str]) -> prometheus::Result<M> {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.desc.fq_name);
        let labels = self.labels.iter().zip(values);
        (self.build)(
            labels
                .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }
}

impl<M: Metric> Family<M> {
    /// The series with these values, in the order of the labels; a new one starts at 0.
    pub(super) fn child(&self, values: &[&str]) -> M {
        let key: Vec<Box<str>> = values.iter().map(|value| (*value).into()).collect();
        let children = self.0.children.read();
        if let Some(child) = children.unwrap_or_else(PoisonError::into_inner).get(&key) {
            return child.clone();
        }
        let mut children = (self.0.children.write()).unwrap_or_else(PoisonError::into_inner);
        children
            .entry(key)
            .or_insert_with(|| {
                #[expect(
                    clippy::expect_used,
                    reason = "names and buckets are checked, and values are free"
                )]
                self.0
                    .build(values)
                    .expect("Maker::make built one with other values")
            })
            .clone()
    }

    /// Every series whose values begin with these.
    pub(super) fn children(&self, prefix: &[&str]) -> Vec<M> {
        let children = (self.0.children.read()).unwrap_or_else(PoisonError::into_inner);
        let with = children
            .iter()
            .filter(|(values, _)| begins_with(values, prefix));
        with.map(|(_, child)| child.clone()).collect()
    }

    /// Removes every series whose values begin with these.
    pub(super) fn remove(&self, prefix: &[&str]) {
        self.retain(|values| !begins_with(values, prefix));
    }

    /// Removes every series whose values are not kept.
    pub(super) fn retain(&self, keep: impl Fn(&[Box<str>]) -> bool) {
        let mut children = (self.0.children.write()).unwrap_or_else(PoisonError::into_inner);
        children.retain(|values, _| keep(values));
    }
}

/// Whether the first values of a series are these.
pub(super) fn begins_with(values: &[Box<str>], prefix: &[&str]) -> bool {
    values.len() >= prefix.len() && values.iter().zip(prefix).all(|(a, b)| **a == **b)
}

impl<M: Metric> Collector for Family<M> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(self.0.desc.fq_name.clone());
        family.set_help(self.0.desc.help.clone());
        family.set_field_type(self.0.kind);
        let children = (self.0.children.read()).unwrap_or_else(PoisonError::into_inner);
        family.set_metric(children.values().map(Metric::metric).collect());
        vec![family]
    }
}

/// Makes metrics and registers them.
pub(super) struct Maker<'a>(pub(super) &'a Registry);

impl Maker<'_> {
    fn make<M: Metric + 'static>(
        &self,
        opts: Opts,
        labels: &'static [&'static str],
        kind: MetricType,
        build: Build<M>,
    ) -> Result<Family<M>, MetricsError> {
        let names = labels.iter().map(|&label| label.to_owned()).collect();
        let desc = Desc::new(opts.name, opts.help, names, HashMap::new());
        let inner = Inner {
            desc: desc.map_err(MetricsError::Make)?,
            kind,
            labels,
            build,
            children: RwLock::default(),
        };
        inner
            .build(&vec![""; labels.len()])
            .map_err(MetricsError::Make)?;
        let family = Family(Arc::new(inner));
        let registered = self.0.register(Box::new(family.clone()));
        registered.map_err(MetricsError::Make)?;
        Ok(family)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &'static [&'static str],
    ) -> Result<Family<IntCounter>, MetricsError> {
        let opts = Opts::new(name, help);
        let build = {
            let opts = opts.clone();
            Box::new(move |values| IntCounter::with_opts(opts.clone().const_labels(values)))
        };
        self.make(opts, labels, MetricType::COUNTER, build)
    }

    pub(super) fn int_gauges(
        &self,
        name: &str,
        help: &str,
        labels: &'static [&'static str],
    ) -> Result<Family<IntGauge>, MetricsError> {
        let opts = Opts::new(name, help);
        let build = {
            let opts = opts.clone();
            Box::new(move |values| IntGauge::with_opts(opts.clone().const_labels(values)))
        };
        self.make(opts, labels, MetricType::GAUGE, build)
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &'static [&'static str],
    ) -> Result<Family<Gauge>, MetricsError> {
        let opts = Opts::new(name, help);
        let build = {
            let opts = opts.clone();
            Box::new(move |values| Gauge::with_opts(opts.clone().const_labels(values)))
        };
        self.make(opts, labels, MetricType::GAUGE, build)
    }

    /// `buckets` in ascending order, in seconds.
    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &'static [&'static str],
        buckets: &[f64],
    ) -> Result<Family<Histogram>, MetricsError> {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let build = Box::new(move |values| Histogram::with_opts(opts.clone().const_labels(values)));
        self.make(Opts::new(name, help), labels, MetricType::HISTOGRAM, build)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        Ok(self.gauges(name, help, &[])?.child(&[]))
    }

    /// A counter of fractions, such as seconds.
    pub(super) fn fraction_counter(&self, name: &str, help: &str) -> Result<Counter, MetricsError> {
        let opts = Opts::new(name, help);
        let build = {
            let opts = opts.clone();
            Box::new(move |values| Counter::with_opts(opts.clone().const_labels(values)))
        };
        let family = self.make(opts, &[], MetricType::COUNTER, build)?;
        Ok(family.child(&[]))
    }
}
