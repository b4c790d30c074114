//! Runs of the history beside each other.

use axum::{
    extract::RawQuery,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::frame::{Page, Viewer};
use crate::{
    report::MOST_BASELINES,
    web::{api::reports::BETWEEN_BASELINES, refusal::Refusal},
};

/// Runs that can be chosen: the latest, and what it is held against.
pub(super) const MOST_RUNS: usize = MOST_BASELINES + 1;

/// Leads to the comparison of the chosen runs; with one of them, back to the list to choose others. Ids of later
/// runs sort behind those of earlier ones: the latest is held against all the others, unless `of` says which one.
pub(super) async fn choose(viewer: Viewer, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let chosen = |field: &str| -> Vec<_> {
        let mut values: Vec<_> = form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == field)
            .map(|(_, value)| value.into_owned())
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let mut runs = chosen("run");
    let of = chosen("of").pop().or_else(|| runs.pop());
    let place = match (of, &*runs) {
        (None, _) => "/runs".to_owned(),
        (Some(one), []) => format!("/runs?with={}", encoded(&one)),
        (Some(_), baselines) if baselines.len() > MOST_BASELINES => {
            let refusal = Refusal::malformed(format!(
                "{} runs were chosen to be compared; choose up to {MOST_RUNS}",
                baselines.len() + 1
            ));
            return Page::answer_or_refusal(Err(refusal), viewer);
        }
        (Some(run), baselines) => comparison(&run, baselines.iter().map(String::as_str)),
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

/// Where a run is held against others: ids of runs, or names of baselines.
pub(super) fn comparison<'a>(run: &str, baselines: impl Iterator<Item = &'a str>) -> String {
    let baselines: Vec<_> = baselines.map(encoded).collect();
    let baselines = baselines.join(&BETWEEN_BASELINES.to_string());
    format!(
        "/api/v1/runs/{}/compare/{baselines}/report.html",
        encoded(run)
    )
}

fn encoded(run: &str) -> String {
    form_urlencoded::byte_serialize(run.as_bytes()).collect()
}
