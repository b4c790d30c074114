//! What `/metrics` says.

use std::collections::BTreeMap;

/// One answer of `/metrics`.
#[derive(Clone)]
pub struct Metrics {
    pub text: String,
}

impl Metrics {
    /// The value of the only series with this name and these labels, others aside.
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let found = self.all(name, labels);
        assert!(found.len() < 2, "{name} {labels:?} is several: {found:?}");
        found.first().copied()
    }

    /// The same where it has to be there.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found = self.find(name, labels);
        found.unwrap_or_else(|| panic!("no {name} {labels:?} in:\n{}", self.text))
    }

    /// The same as a whole number.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts in tests are small"
    )]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.value(name, labels).round() as u64
    }

    /// The sum over all series with this name and these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).iter().sum()
    }

    fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let wanted: Vec<_> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        self.series()
            .into_iter()
            .filter(|(series, _)| {
                let (own, rest) = series.split_once('{').unwrap_or((series, ""));
                let own_labels: Vec<_> = rest.trim_end_matches('}').split(',').collect();
                own == name
                    && wanted
                        .iter()
                        .all(|label| own_labels.contains(&label.as_str()))
            })
            .map(|(_, value)| value)
            .collect()
    }

    /// Every series by its name and labels as written.
    pub fn series(&self) -> BTreeMap<&str, f64> {
        self.text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, value)| (series, value.parse().unwrap()))
            .collect()
    }

    /// Counters that are lower than they were, or gone.
    pub fn gone_back_since(&self, before: &Self) -> Vec<String> {
        let now = self.series();
        let counts = |series: &str| {
            let name = series.split('{').next().unwrap_or_default();
            ["_total", "_count", "_sum", "_bucket"]
                .iter()
                .any(|ending| name.ends_with(ending))
        };
        before
            .series()
            .into_iter()
            .filter(|(series, _)| counts(series))
            .filter(|(series, old)| now.get(series).is_none_or(|new| new < old))
            .map(|(series, old)| format!("{series}: {old} -> {:?}", now.get(series)))
            .collect()
    }
}
