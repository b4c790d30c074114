//! The pages for people: what is going on, runs, a form for bursts, the configuration.
//!
//! A page is rendered here and readable without a script. What changes is rendered again once a second,
//! for all who look at it together, and sent to them as server-sent events ([`live`]); a small script puts it
//! in place, draws the charts and sends what buttons say to the admin API.

mod burst;
mod compare;
mod configuration;
mod failure;
mod figures;
mod followed;
mod frame;
mod live;
mod now;
mod probe;
mod refused;
mod run;
mod runs;
mod sign_in;
mod sockets;
mod words;

use std::sync::Arc;

use axum::{
    http::header,
    response::IntoResponse,
    routing::{get, post},
};
use utoipa_axum::router::OpenApiRouter;

pub(super) use self::{live::Live, refused::refuse_in_words, sign_in::PATH as SIGN_IN};
use super::App;

pub(super) const SIGN_OUT: &str = "/sign-out";
const STYLE: &str = concat!(
    include_str!("style.css"),
    include_str!("print.css"),
    include_str!("../../report/chart.css"),
);
const ICON: &str = include_str!("icon.svg");
/// In this order: what is used at once comes first.
const SCRIPT: &str = concat!(
    include_str!("script/reach.js"),
    include_str!("script/orders.js"),
    include_str!("script/charts.js"),
    include_str!("script/live.js"),
    include_str!("script/compare.js"),
    include_str!("script/form.js"),
);

/// Every page, and what they are made of.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .route("/", get(now::show))
        .route("/runs", get(runs::show))
        .route("/runs/{id}", get(run::show))
        .route("/compare", get(compare::choose))
        .route("/probes/{name}", get(probe::show))
        .route("/bursts/new", get(burst::show))
        .route("/failures/{id}", get(failure::show))
        .route("/configuration", get(configuration::show))
        .route(SIGN_IN, get(sign_in::show).post(sign_in::sign_in))
        .route(SIGN_OUT, post(sign_in::sign_out))
        .route("/live/now", get(live::now))
        .route("/live/runs/{id}", get(live::run))
        .route("/live/runs", get(live::runs))
        .route("/live/probes/{name}", get(live::probe))
        .route("/live/configuration", get(live::configuration))
        .route("/console.css", get(style))
        .route("/console.js", get(script))
        .route("/console.svg", get(icon))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], ICON)
}

async fn script() -> impl IntoResponse {
    let kind = "text/javascript; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], SCRIPT)
}
