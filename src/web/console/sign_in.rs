//! Signing in with the admin token, and out again.

use std::sync::Arc;

use axum::{
    extract::{FromRequest as _, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::html;
use serde::Deserialize;

use super::frame::{Page, Viewer};
use crate::web::{
    App,
    access::{Denied, RequestSender},
    extract::Form,
    refusal::Refusal,
    session::is_from_here,
};

pub(in crate::web) const PATH: &str = "/sign-in";
const ELSEWHERE: &str = "This form was sent from another site. If it was not, a proxy changes the `Host` that it passes on.";

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct SignInForm {
    token: String,
}

pub(super) async fn show(viewer: Viewer) -> Response {
    page("").answer(viewer)
}

fn page(wrong: &str) -> Page {
    Page {
        path: PATH,
        title: "Sign in".to_owned(),
        main: html! {
            h1 { "Sign in" }
            @if !wrong.is_empty() { p.note.failed role="alert" { (wrong) } }
            form method="post" action=(PATH) {
                label { "Admin token " input type="password" name="token" required
                    autocomplete="current-password" autofocus; }
                " " button { "Sign in" }
            }
            p.quiet { "Without it you see everything and change nothing." }
        },
    }
}

/// Looks at the token itself: whoever signs in has nothing else yet.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let form = Request::from_parts(parts.clone(), body);
    let Form(SignInForm { token }) = Form::from_request(form, &app).await?;
    let headers = &parts.headers;
    if !is_from_here(headers) {
        return Ok(page(ELSEWHERE).answer_with(StatusCode::FORBIDDEN, viewer));
    }
    let sender = RequestSender::of_parts(&parts);
    let checked = (app.web.access).check_token(&token, sender.peer, &app.guesses);
    if let Err(refused) = checked {
        app.deny(refused, &sender, (&parts.method, PATH)).await;
        return match refused.denied {
            Denied::WrongToken => {
                Ok(page("This is not the admin token.").answer_with(StatusCode::FORBIDDEN, viewer))
            }
            denied => Err(denied.into()),
        };
    }
    // The browser forgets the one that it has.
    app.sessions.close(headers);
    let forwarded = headers.get("x-forwarded-proto");
    let cookie = app
        .sessions
        .open(forwarded.is_some_and(|scheme| scheme == "https"));
    Ok(leave([(header::SET_COOKIE, cookie)]))
}

pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Response {
    if !is_from_here(&headers) {
        return page(ELSEWHERE).answer_with(StatusCode::FORBIDDEN, viewer);
    }
    leave([(header::SET_COOKIE, app.sessions.close(&headers))])
}

fn leave(headers: [(header::HeaderName, String); 1]) -> Response {
    (StatusCode::SEE_OTHER, headers, [(header::LOCATION, "/")]).into_response()
}
