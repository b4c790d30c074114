//! What lies before every route.

use std::{sync::Arc, time::Duration};

use axum::{
    RequestExt, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tokio::time::{sleep, timeout};

use super::{
    App,
    access::{RefusedRequest, RequestSender},
    console::{self, SIGN_IN, SIGN_OUT},
    refusal::Refusal,
};
use crate::event::ServiceEvent;

/// The largest body of a request.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// The bytes of a host in a line of the log, which is longer than names are.
const LOGGED_HOST: usize = 256;
/// How long a request may take until the head of its answer.
const MOST_TIME: Duration = Duration::from_secs(30);

/// Puts the routes behind the gate. What is checked first stands last.
pub(super) fn behind(routes: Router<Arc<App>>, app: &Arc<App>) -> Router<Arc<App>> {
    routes
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn(read_body))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(from_fn_with_state(app.clone(), check_access))
        .layer(from_fn(bound_time))
        .layer(from_fn_with_state(app.clone(), console::refuse_in_words))
        .layer(from_fn(mark))
}

async fn no_such_path(uri: Uri) -> Refusal {
    Refusal::NotFound(format!(
        "there is no `{}`; `/api/v1/openapi.json` lists what there is",
        uri.path()
    ))
}

async fn no_such_method(method: Method, uri: Uri) -> Refusal {
    Refusal::Method(format!(
        "`{}` does not take {method}; `/api/v1/openapi.json` lists what it takes",
        uri.path()
    ))
}

/// Reads the body before anything looks at it, so that its size is bounded on routes that take
/// none as well.
async fn read_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body)
        .extract::<Bytes, _>()
        .await;
    match whole {
        Ok(bytes) => {
            next.run(Request::from_parts(parts, Body::from(bytes)))
                .await
        }
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::TooLarge(MOST_BYTES).into_response()
        }
        Err(_) => Refusal::malformed("the body broke off".to_owned()).into_response(),
    }
}

/// Answers requests for a host of this service (see [`super::access::Access::answers`]). Those that change something need
/// the right to do so.
async fn check_access(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let sender = RequestSender::of(&request);
    let host = match sender.host() {
        Ok(host) => host,
        Err(error) => return Refusal::malformed(error.to_string()).into_response(),
    };
    let path = request.uri().path();
    // Signing in compares the token of the form itself. Signing out ends the own session only, which may have expired.
    let open = request.method().is_safe() || [SIGN_IN, SIGN_OUT].contains(&path);
    let answered = app
        .web
        .access
        .answers(host.as_ref())
        .map_err(RefusedRequest::from);
    match answered.and_then(|()| {
        if open {
            Ok(())
        } else {
            app.may_change(&sender)
        }
    }) {
        Ok(()) => next.run(request).await,
        Err(refused) => {
            app.deny(refused, &sender, (request.method(), path)).await;
            Refusal::from(refused.denied).into_response()
        }
    }
}

impl App {
    /// Tells log and metrics of a request that is refused, and holds back the answer to a wrong token.
    pub(super) async fn deny(
        &self,
        RefusedRequest { denied, delay }: RefusedRequest,
        sender: &RequestSender<'_>,
        (method, path): (&Method, &str),
    ) {
        let peer = sender.peer;
        (self.web.observers).emit(&ServiceEvent::RequestDenied(denied.kind()));
        if let Some(untold) = self.refused.admit() {
            let peer = peer.map(tracing::field::display);
            let host = sender.headers.get(header::HOST);
            let host = host.and_then(|host| host.to_str().ok());
            let host = host.map(|host| host.get(..LOGGED_HOST).unwrap_or(host));
            tracing::warn!(peer, host, %method, path, untold, "refused: {denied}");
        }
        if !delay.is_zero() {
            self.closing.run_until_cancelled(sleep(delay)).await;
        }
    }
}

async fn bound_time(request: Request, next: Next) -> Response {
    match timeout(MOST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::Unavailable(format!(
            "no answer within {} seconds; try again later",
            MOST_TIME.as_secs()
        ))
        .into_response(),
    }
}

/// Answers change from one moment to the next, and are what they say they are.
async fn mark(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
