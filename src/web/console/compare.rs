//! Two runs of the history beside each other.

use axum::{
    extract::RawQuery,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::frame::{Page, Viewer};
use crate::web::refusal::Refusal;

/// Leads to the comparison of the chosen runs; with one of them, back to the list to choose the other.
/// Ids of later runs sort behind those of earlier ones, and the earlier one is the baseline.
pub(super) async fn choose(viewer: Viewer, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let mut runs: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "run")
        .map(|(_, run)| run.into_owned())
        .collect();
    runs.sort_unstable();
    runs.dedup();
    let encoded = |run: &str| form_urlencoded::byte_serialize(run.as_bytes()).collect::<String>();
    let place = match &*runs {
        [] => "/runs".to_owned(),
        [one] => format!("/runs?with={}", encoded(one)),
        [earlier, later] => {
            let (earlier, later) = (encoded(earlier), encoded(later));
            format!("/api/v1/runs/{later}/compare/{earlier}/report.html")
        }
        _ => {
            let refusal = Refusal::malformed(format!(
                "{} runs were chosen to be compared; choose two",
                runs.len()
            ));
            return Page::answer_or_refusal(Err(refusal), viewer);
        }
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}
