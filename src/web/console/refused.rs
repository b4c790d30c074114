//! What is refused to somebody who reads pages is a page.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::header,
    middleware::Next,
    response::Response,
};
use maud::{Markup, html};

use super::frame::{Page, Viewer};
use crate::web::{App, refusal::ErrorBody};

/// The first parts of the paths of pages.
const PAGES: [&str; 9] = [
    "",
    "bursts",
    "compare",
    "configuration",
    "failures",
    "probes",
    "runs",
    "sign-in",
    "sign-out",
];
/// Headers of what is refused that its page has as well.
const KEPT: [header::HeaderName; 3] =
    [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE];

/// Makes a page of whatever is refused under the path of one, wherever that was.
pub(in crate::web) async fn refuse_in_words(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    if !is_for_people(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(viewer) = Viewer::from_request_parts(&mut parts, &app).await;
    let refused = next.run(Request::from_parts(parts, body)).await;
    let Some(told) = refused.extensions().get::<ErrorBody>() else {
        return refused;
    };
    let mut page = refusal(&told.error, &told.problems).answer_with(refused.status(), viewer);
    for name in KEPT {
        if let Some(value) = refused.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}

/// Whether it is for a page, or comes from a browser that looks for one where none is.
fn is_for_people(request: &Request) -> bool {
    let mut parts = request.uri().path().split('/').skip(1);
    let first = parts.next().unwrap_or_default();
    let looks_for_page = || {
        let accepted = request.headers().get_all(header::ACCEPT).iter();
        let mut accepted = accepted.filter_map(|types| types.to_str().ok());
        accepted.any(|types| types.contains("text/html"))
    };
    PAGES.contains(&first) || (!["api", "live"].contains(&first) && looks_for_page())
}

/// That there is no page, and why.
fn refusal(error: &str, problems: &[String]) -> Page {
    Page {
        path: "",
        title: "Not to be had".to_owned(),
        main: main(error, problems),
    }
}

fn main(error: &str, problems: &[String]) -> Markup {
    html! {
        h1 { "This page is not to be had" }
        p.note.failed { (error) }
        @if !problems.is_empty() { ul { @for problem in problems { li { (problem) } } } }
        p { a href="/" { "What is going on now" } " · " a href="/runs" { "History" } }
    }
}
