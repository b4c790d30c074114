//! The routes, and the document that is generated from them.

use std::sync::{Arc, LazyLock};

use axum::{body::Bytes, http::header, response::IntoResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    App,
    api::{
        baselines, bursts, catalogue, configuration, history, orders, orphans, probes, reports,
        runs, stream,
    },
    console, health,
    refusal::ErrorBody,
    responses::refusals,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "chatprobe",
        description = "Probes and load for chat services. What changes something needs the admin \
                       token; without one set, it is accepted from the machine itself only.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ErrorBody)),
    modifiers(&AdminToken),
    tags(
        (name = "bursts", description = "Load, on a schedule or when asked for"),
        (name = "runs", description = "What is and was going on"),
        (name = "reports", description = "Runs as documents, and side by side"),
        (name = "probes", description = "Chats one at a time, all day"),
        (name = "configuration", description = "What the configuration says"),
        (name = "health", description = "Metrics, and whether the service is well"),
        (name = "pages", description = "For people"),
    ),
)]
struct Frame;

struct AdminToken;

impl Modify for AdminToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The admin token"))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("admin_token", SecurityScheme::Http(scheme));
    }
}

/// Every route, with what the document says about it.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Frame::openapi())
        .merge(console::routes())
        .routes(routes!(health::metrics))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(show))
        .routes(routes!(bursts::list, bursts::start))
        .routes(routes!(bursts::preview))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show, orders::change))
        .routes(routes!(orphans::list))
        .routes(routes!(orders::stop))
        .routes(routes!(orders::pause))
        .routes(routes!(orders::resume))
        .routes(routes!(stream::follow))
        .routes(routes!(reports::page))
        .routes(routes!(reports::record))
        .routes(routes!(reports::steps))
        .routes(routes!(reports::timeline))
        .routes(routes!(reports::tests))
        .routes(routes!(reports::drift))
        .routes(routes!(reports::compare))
        .routes(routes!(reports::compare_page))
        .routes(routes!(baselines::list))
        .routes(routes!(baselines::set, baselines::delete))
        .routes(routes!(history::failures))
        .routes(routes!(history::failure))
        .routes(routes!(probes::list))
        .routes(routes!(probes::run))
        .routes(routes!(probes::pause))
        .routes(routes!(probes::resume))
        .routes(routes!(history::hours))
        .routes(routes!(catalogue::scenarios))
        .routes(routes!(catalogue::targets))
        .routes(routes!(configuration::reload))
        .routes(routes!(configuration::preview_reload))
}

/// How any request can be refused before it is looked at what it asks for.
const BEFORE_ROUTES: [(&str, &str); 2] = [
    ("400", "The request has no `Host`, or more than one"),
    (
        "403",
        "There is no admin token set, and the `Host` of the request is not a name of this service",
    ),
];

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = routes().into_openapi();
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ];
        for operation in operations.into_iter().flatten() {
            let answers = &mut operation.responses.responses;
            for (status, answer) in refusals(BEFORE_ROUTES) {
                answers.entry(status).or_insert(answer);
            }
        }
    }
    document
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "show_document",
    tag = "configuration",
    responses((status = 200, description = "The OpenAPI document", body = Object, content_type = "application/json")),
)]
async fn show() -> impl IntoResponse {
    // Made of the code, so the same for the life of the process; a document is always JSON.
    static TEXT: LazyLock<Bytes> =
        LazyLock::new(|| serde_json::to_vec(&document()).unwrap_or_default().into());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.clone())
}
