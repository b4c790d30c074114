//! What all pages have in common.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::SIGN_IN;
use crate::{
    printable,
    web::{App, access::RequestSender, refusal::Refusal},
};

/// Nothing but our own style, script and events: whatever a name or a failure of a target says, it is text.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Whoever looks at a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Viewer {
    pub(super) may_change: bool,
    /// With the admin token, and not by sitting at this machine.
    signed_in: bool,
    can_sign_in: bool,
}

impl Viewer {
    /// The same a while later: a session ends with its time, or in another tab.
    pub(super) fn renewed(self, app: &App, headers: &HeaderMap) -> Self {
        // Without a token it is the machine that counts.
        if !self.can_sign_in {
            return self;
        }
        let signed_in = app.sessions.has(headers);
        Self {
            may_change: signed_in,
            signed_in,
            ..self
        }
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let signed_in = app.sessions.has(&parts.headers);
        let access = &app.web.access;
        // A token in the request counts for changes alone, where wrong ones are slowed down.
        let local = access.is_local_change(&RequestSender::of_parts(parts));
        Ok(Self {
            may_change: signed_in || local,
            signed_in,
            can_sign_in: access.has_token(),
        })
    }
}

/// What was rendered: no name and no failure of a target can change how the rest of the page looks.
pub(super) fn as_text(rendered: Markup) -> String {
    printable::lines(&rendered.into_string()).into_owned()
}

/// A page of the console.
pub(super) struct Page {
    /// Where it is, for the menu.
    pub(super) path: &'static str,
    pub(super) title: String,
    pub(super) main: Markup,
}

const MENU: [(&str, &str); 4] = [
    ("/", "Now"),
    ("/runs", "History"),
    ("/bursts/new", "New burst"),
    ("/configuration", "Configuration"),
];

impl Page {
    pub(super) fn answer(self, viewer: Viewer) -> Response {
        self.answer_with(StatusCode::OK, viewer)
    }

    /// The page, or what becomes one that says why there is none: those who read have followed a link.
    pub(super) fn answer_or_refusal(page: Result<Self, Refusal>, viewer: Viewer) -> Response {
        page.map_or_else(IntoResponse::into_response, |page| page.answer(viewer))
    }

    pub(super) fn answer_with(self, status: StatusCode, viewer: Viewer) -> Response {
        let headers = [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "same-origin"),
        ];
        let page = PreEscaped(as_text(self.render(viewer)));
        (status, headers, page).into_response()
    }

    fn render(&self, viewer: Viewer) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) " - chatprobe" }
                    link rel="icon" href="/console.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/console.css";
                    script src="/console.js" defer {}
                }
                body {
                    a.skip href="#main" { "To the content" }
                    header {
                        nav aria-label="Pages" {
                            strong { "chatprobe" }
                            @for (path, name) in MENU {
                                a href=(path) aria-current=[(path == self.path).then_some("page")] { (name) }
                            }
                        }
                        (sign_in(viewer))
                    }
                    main #main tabindex="-1" { (self.main) }
                    div.told {
                        p #reach role="status" {}
                        p #changed role="status" {}
                        p #said role="status" {}
                    }
                    footer {
                        "chatprobe " (env!("CARGO_PKG_VERSION")) ": "
                        a href="/metrics" { "metrics" } ", "
                        a href="/api/v1/openapi.json" { "admin API" } ", "
                        a href="/readyz" { "readiness" }
                    }
                }
            }
        }
    }
}

fn sign_in(viewer: Viewer) -> Markup {
    html! {
        @if viewer.signed_in {
            form method="post" action="/sign-out" { button { "Sign out" } }
        } @else if viewer.can_sign_in {
            a href=(SIGN_IN) { "Sign in" }
        } @else if viewer.may_change {
            span.quiet { "Changes from this machine are allowed" }
        }
    }
}
