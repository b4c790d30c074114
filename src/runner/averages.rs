//! What figures of some seconds come to, of which the durations themselves are not known any more.

/// The longer of both, or the one that there is.
pub(super) fn most(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    [one, other].into_iter().flatten().reduce(f64::max)
}

/// The mean of values that count so much each; `None` where none is known.
pub(super) fn weighted(values: [(Option<f64>, f64); 2]) -> Option<f64> {
    let known = values
        .into_iter()
        .filter_map(|(value, weight)| Some((value?, weight)));
    let (sum, of) = known.fold((0.0, 0.0), |(sum, of), (value, weight)| {
        (sum + value * weight, of + weight)
    });
    (of > 0.0).then(|| sum / of)
}

#[expect(clippy::cast_precision_loss, reason = "a weight needs no more digits")]
pub(super) fn weight(count: u64) -> f64 {
    count as f64
}
