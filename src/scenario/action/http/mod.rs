//! A request over HTTP and its answer.

mod answer;
mod failure;
mod headers;
mod limits;
mod performing;
mod plain;
mod polling;
mod reading;
mod signature;
mod streaming;
mod traced;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::Method;
use url::form_urlencoded;

pub(in crate::scenario) use self::headers::read_headers;
use self::{
    answer::ANSWER,
    failure::explain_failure,
    headers::check_header_names,
    limits::AnswerLimits,
    polling::Poll,
    reading::{SCHEMES, read_address, read_fields, read_templates},
    signature::{REQUEST, RequestView},
    streaming::EventStream,
};
pub use self::{
    answer::Answer,
    plain::{PlainRequest, PlainRequestError},
};
use super::{
    ActionReading, Looks, Performed, Task,
    address::ServerAddress,
    kind::{ActionKind, StepKey},
    payload::Payload,
};
use crate::{
    document::{Mapping, Node, Problems},
    driver::{HttpBody, HttpRequest, Origins, Redirects},
    scenario::{
        EvaluationError, Expression, Names, Observation, Reason, Scope, Sessions, Setting,
        Template, look::VisibleNames, note_confidential,
    },
};

/// `http: { post: URL, headers: {}, query: {}, json: ... }`, or `form:` for fields, or `body:` for text
/// of any kind.
#[derive(Debug)]
pub struct HttpAction {
    method: Method,
    url: ServerAddress,
    headers: Vec<(String, Template)>,
    /// Whether a header depends on the rest of the request, as a signature does.
    signed: bool,
    query: Vec<(String, Template)>,
    body: Option<Body>,
    limits: AnswerLimits,
    /// Until when it is sent again.
    poll: Option<Poll>,
    /// What its answer is if it is an event stream, which is read while it comes.
    stream: Option<Box<EventStream>>,
    /// Whether an expectation of its step looks at the status; if none does, it has to be 2xx.
    expects_status: bool,
    /// Whether an expression of its step looks at the answer.
    is_looked_at: bool,
}

#[derive(Debug)]
enum Body {
    Json(Payload),
    Form(Vec<(String, Template)>),
    Text(Template),
    /// Sent as it is.
    Plain(Bytes),
}

impl ActionKind for HttpAction {
    const KEY: &'static str = "http";
    const STEP_KEYS: &'static [StepKey] = &[
        StepKey {
            name: "follow",
            misplaced: Some("`follow` belongs to an `http`: it is about its answer"),
        },
        StepKey {
            name: "body_limit",
            misplaced: Some("`body_limit` belongs to an `http`: it is about its answer"),
        },
        StepKey {
            name: "poll",
            misplaced: Some("`poll` belongs to an `http`: it sends the request again"),
        },
    ];
    const LOOK: VisibleNames = ANSWER;
    const OWN_LOOKS: &'static [&'static VisibleNames] = &[&REQUEST];
    const OBSERVABLE: Option<&'static str> = Some("an `http` with `poll`");

    fn read(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<Self> {
        let limits = AnswerLimits::read(reading.map, reading.problems);
        let poll = reading.map.get("poll");
        let poll = poll.map(|node| Poll::read(node, reading.names, reading.problems));
        let action = Self::read_request(node, reading.names, reading.problems)?;
        let stream = match node.find("stream") {
            Some(node) => {
                let most = limits.as_ref().and_then(|limits| limits.body)?;
                Some(Box::new(EventStream::read(node, most, reading)?))
            }
            None => None,
        };
        let poll = match poll {
            Some(poll) => Some(poll?),
            None => None,
        };
        if poll.is_some() && stream.is_some() {
            let message = "`poll` and `stream` exclude each other; keep one of them";
            reading.problems.add(&node.place, message);
        }
        Some(Self {
            poll,
            stream,
            ..action.with(limits?)
        })
    }

    fn check_step_keys(reading: &mut ActionReading<'_, '_>) {
        AnswerLimits::read(reading.map, reading.problems);
    }

    fn know_looks(&mut self, looks: &Looks<'_>) {
        if let Some(poll) = &mut self.poll {
            poll.know_observation(looks.observe);
        }
        let polls_for = |name: &str| self.poll.as_ref().is_some_and(|poll| poll.mentions(name));
        let expects = |look: &Expression| look.mentions("status");
        self.expects_status = looks.expect.iter().any(expects) || polls_for("status");
        self.is_looked_at =
            !looks.expect.is_empty() || !looks.captures.is_empty() || self.poll.is_some();
        if !looks.mention("body") && !polls_for("body") {
            // It may be of any size.
            self.limits.body = None;
        }
    }

    fn reasons(&self, _: Option<Observation>) -> Vec<Reason> {
        let of_request = [
            Reason::Dns,
            Reason::Connect,
            Reason::Tls,
            Reason::Timeout,
            Reason::Status,
        ];
        let of_poll = self.poll.iter().flat_map(Poll::reasons);
        of_request.into_iter().chain(of_poll).collect()
    }

    fn is_observable(&self) -> bool {
        self.poll.is_some()
    }

    fn reason_unmet(&self, expectation: &Expression) -> Reason {
        if expectation.mentions("status") {
            Reason::Status
        } else {
            Reason::Expectation
        }
    }

    fn requests(&self) -> u64 {
        1
    }

    fn connects(&self) -> Option<&Arc<str>> {
        self.stream.as_ref().map(|stream| &stream.step)
    }

    fn polls_every(&self) -> Option<&Setting<Duration>> {
        self.poll.as_ref().map(|poll| &poll.every)
    }

    async fn perform(
        &self,
        sessions: &mut Sessions,
        task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        if let Some(stream) = &self.stream {
            return Box::pin(self.send_for_stream(stream, sessions, task)).await;
        }
        match &self.poll {
            // In a box of its own: few requests are polled, and each would need the room.
            Some(poll) => Box::pin(self.send_until(poll, &mut sessions.http, task)).await,
            None => self.send(&mut sessions.http, task).await,
        }
    }

    fn add_origin(&self, scope: &Arc<Scope>, origins: &mut Origins) {
        self.url.add_origin(scope, origins);
    }

    fn check_address(&self, scope: &Arc<Scope>) -> Result<(), EvaluationError> {
        self.url.check(scope)
    }
}

impl HttpAction {
    fn read_request(node: &Node, names: &mut Names, problems: &Problems) -> Option<Self> {
        let mut map = Mapping::open(node, "a request such as `{ get: URL }`", problems)?;
        let address = read_address(&mut map, problems);
        let url = address
            .as_ref()
            .and_then(|(_, node)| ServerAddress::read(node, &SCHEMES, names, problems));
        let headers = map.get("headers");
        if let Some(node) = headers {
            check_header_names(node, problems);
        }
        names.look_at(&[&REQUEST]);
        let headers = headers.map(|node| read_templates(node, names, problems));
        names.look_at(&[]);
        let headers = headers.unwrap_or_default();
        let query = map.get("query");
        let query = query.map(|node| read_templates(node, names, problems));
        let bodies: Vec<_> = ["json", "form", "body"]
            .into_iter()
            .filter_map(|key| Some((key, map.get(key)?)))
            .collect();
        if let [(first, _), (second, node), ..] = &bodies[..] {
            problems.add(
                &node.place,
                format!("`{first}` and `{second}` exclude each other; keep one of them"),
            );
        }
        // It is about the step.
        map.get("stream");
        map.finish();
        let body = match bodies.first() {
            Some((key, node)) => Some(Body::read(key, node, names, problems)?),
            None => None,
        };
        Some(Self {
            method: address?.0,
            url: url?,
            signed: (headers.iter()).any(|(_, header)| header.mentions("request")),
            headers,
            query: query.unwrap_or_default(),
            body,
            limits: AnswerLimits::default(),
            poll: None,
            stream: None,
            expects_status: false,
            is_looked_at: false,
        })
    }

    /// The same action with these limits of its answers.
    fn with(self, limits: AnswerLimits) -> Self {
        Self { limits, ..self }
    }

    fn plain(request: PlainRequest) -> Self {
        let headers = request.headers.into_iter();
        Self {
            method: request.method,
            url: ServerAddress::plain(&request.url),
            headers: headers
                .map(|(name, value)| (name, Template::plain(&value)))
                .collect(),
            query: Vec::new(),
            body: request.body.map(Body::Plain),
            signed: false,
            limits: AnswerLimits {
                body: None,
                redirects: 0,
            },
            poll: None,
            stream: None,
            expects_status: false,
            is_looked_at: false,
        }
    }

    /// Whether an answer with this status is what the step wants, as far as the status goes.
    pub fn takes_status(&self, status: u16) -> bool {
        self.expects_status || (200..300).contains(&status)
    }

    /// The request in a scope.
    pub fn render(
        &self,
        scope: &Arc<Scope>,
        timeout: Duration,
    ) -> Result<HttpRequest, EvaluationError> {
        let body = self.body.as_ref().map(|body| body.render(scope));
        let mut request = HttpRequest {
            method: self.method.clone(),
            url: self.url.render(scope)?,
            headers: Vec::new(),
            query: render_all(&self.query, scope)?,
            body: body.transpose()?,
            timeout,
            body_limit: self.limits.body,
            redirects: (self.limits.redirects > 0).then(|| Redirects {
                most: self.limits.redirects,
                allowed: scope.origins().clone(),
                is_confidential,
            }),
            streams_events: self.stream.is_some(),
        };
        request.headers = if self.signed {
            let mut scope = (**scope).clone();
            scope.look_at_meanwhile(Arc::new(RequestView::of(&request)));
            render_all(&self.headers, &Arc::new(scope))?
        } else {
            render_all(&self.headers, scope)?
        };
        Ok(request)
    }
}

impl Body {
    fn read(key: &str, node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        Some(match key {
            "json" => Self::Json(Payload::read(node, names, problems)?),
            "form" => Self::Form(read_fields(node, names, problems)),
            _ => Self::Text(Template::read(node, names, problems)?),
        })
    }

    fn render(&self, scope: &Arc<Scope>) -> Result<HttpBody, EvaluationError> {
        Ok(match self {
            Self::Json(payload) => HttpBody::Json(without_spare(payload.render(scope)?)),
            Self::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, template) in fields {
                    form.append_pair(name, &template.render(scope)?);
                }
                HttpBody::Form(without_spare(form.finish()))
            }
            Self::Text(template) => HttpBody::Text(without_spare(template.render(scope)?)),
            Self::Plain(bytes) => HttpBody::Text(bytes.clone()),
        })
    }
}

fn render_all(
    templates: &[(String, Template)],
    scope: &Arc<Scope>,
) -> Result<Vec<(String, String)>, EvaluationError> {
    templates
        .iter()
        .map(|(name, template)| Ok((name.clone(), template.render(scope)?)))
        .collect()
}

/// Whether a body names a value as confidential.
fn is_confidential(body: &[u8]) -> bool {
    let mut values = Vec::new();
    note_confidential(&String::from_utf8_lossy(body), &mut values);
    !values.is_empty()
}

/// A text in no more memory than it needs: what is kept of a request counts by its length.
fn without_spare(text: String) -> Bytes {
    text.into_boxed_str().into_boxed_bytes().into()
}

#[cfg(test)]
mod tests;
