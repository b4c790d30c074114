//! A request and its answer in the explanation of a failed chat.

use std::{sync::Arc, time::Duration};

use hyper::{Method, header::HeaderName};

use super::{Answer, without_spare};
use crate::{
    driver::{HttpRequest, Phases},
    scenario::{
        action::{
            performed::Kept,
            shown::{ActionTrace, AnswerTrace, HttpTrace, PhaseTrace, RequestTrace},
            traced::{Beginning, Presenter, TracedAction, Tracer},
        },
        is_confidential, note_confidential,
    },
};

/// Headers of a request or an answer.
const MOST_HEADERS: usize = 40;
/// Of a header besides its text, in bytes.
const BESIDES: usize = 100;

/// A request and its answer, until the step is over.
pub(super) struct KeptHttp {
    pub(super) request: Box<HttpRequest>,
    pub(super) resent: u32,
    /// See [`HttpTrace::polled`].
    pub(super) polled: u32,
    pub(super) phases: Phases,
    pub(super) answer: Option<Arc<Answer>>,
}

/// A request and its answer.
struct TracedHttp {
    request: TracedRequest,
    resent: u32,
    polled: u32,
    phases: Phases,
    answer: Option<TracedAnswer>,
}

/// A request as it was sent.
struct TracedRequest {
    method: Method,
    /// The address with its query.
    url: Beginning,
    headers: Box<[(String, Beginning)]>,
    body: Option<Beginning>,
}

/// An answer as it came.
struct TracedAnswer {
    status: u16,
    elapsed: Duration,
    headers: Box<[(HeaderName, Beginning)]>,
    /// The addresses that redirects led to, the last of which gave this answer.
    redirects: Box<[Beginning]>,
    body: Beginning,
}

impl Kept for KeptHttp {
    fn traced(self: Box<Self>, tracer: &Tracer<'_>) -> Box<dyn TracedAction> {
        Box::new(TracedHttp {
            answer: (self.answer.as_deref()).map(|answer| traced_answer(answer, tracer)),
            request: traced_request(*self.request, tracer),
            resent: self.resent,
            polled: self.polled,
            phases: self.phases,
        })
    }
}

/// Takes over what was sent: most requests are forgotten with their chat, and a copy of each costs time.
fn traced_request(request: HttpRequest, tracer: &Tracer<'_>) -> TracedRequest {
    let whole = |query| url::Url::parse_with_params(&request.url, query).ok();
    let with_query = Some(&request.query).filter(|query| !query.is_empty());
    let with_query = with_query.and_then(whole);
    let url = with_query.map_or(request.url, String::from);
    let headers = request.headers.into_iter().take(MOST_HEADERS);
    TracedRequest {
        method: request.method,
        url: tracer.beginning_of(without_spare(url)),
        headers: headers
            .map(|(name, value)| (name, tracer.beginning_of(without_spare(value))))
            .collect(),
        body: (request.body).map(|body| tracer.beginning_of(body.bytes().clone())),
    }
}

fn traced_answer(answer: &Answer, tracer: &Tracer<'_>) -> TracedAnswer {
    let headers = answer.raw_headers().iter().take(MOST_HEADERS);
    let redirects = answer.redirects().iter();
    let mut body = tracer.beginning(answer.text().as_bytes());
    if let Some(length) = answer.length_of_part() {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        body.length = body.length.max(length);
    }
    TracedAnswer {
        status: answer.status,
        elapsed: answer.elapsed,
        headers: headers
            .map(|(name, value)| (name.clone(), tracer.beginning(value.as_bytes())))
            .collect(),
        redirects: redirects
            .map(|address| tracer.beginning(address.as_bytes()))
            .collect(),
        body,
    }
}

impl TracedAction for TracedHttp {
    fn bytes(&self) -> usize {
        fn headers<N: AsRef<[u8]>>(headers: &[(N, Beginning)]) -> usize {
            let sizes = headers.iter();
            sizes
                .map(|(name, value)| BESIDES + name.as_ref().len() + value.text.len())
                .sum()
        }
        let request = &self.request;
        let body = request.body.as_ref().map_or(0, |body| body.text.len());
        let request = request.url.text.len() + headers(&request.headers) + body;
        let answer = self.answer.as_ref().map_or(0, |answer| {
            let redirects: usize = (answer.redirects.iter())
                .map(|address| BESIDES + address.text.len())
                .sum();
            headers(&answer.headers) + redirects + answer.body.text.len()
        });
        request + answer
    }

    /// What stands under a confidential name in addresses, headers and bodies.
    fn note_confidential(&self, values: &mut Vec<String>) {
        let mut note = |text: &Beginning| {
            note_confidential(&String::from_utf8_lossy(&text.text), values);
        };
        let (request, answer) = (&self.request, self.answer.as_ref());
        request.headers.iter().for_each(|(_, value)| note(value));
        note(&request.url);
        request.body.iter().for_each(&mut note);
        if let Some(answer) = answer {
            answer.headers.iter().for_each(|(_, value)| note(value));
            note(&answer.body);
            answer.redirects.iter().for_each(&mut note);
        }
    }

    fn present(&self, presenter: &Presenter<'_>) -> ActionTrace {
        let answer = self.answer.as_ref();
        let http = HttpTrace {
            request: Some(RequestTrace::of(&self.request, presenter)),
            resent: self.resent,
            polled: self.polled,
            phases: PhaseTrace::of(&self.phases),
            answer: answer.map(|answer| AnswerTrace::of(answer, presenter)),
        };
        ActionTrace {
            http,
            events: Vec::new(),
        }
    }
}

impl RequestTrace {
    fn of(request: &TracedRequest, presenter: &Presenter<'_>) -> Self {
        Self {
            method: request.method.to_string(),
            url: without_password((presenter.excerpt)(&request.url).text, presenter.mask),
            headers: headers(&request.headers, presenter),
            body: request.body.as_ref().map(presenter.excerpt),
        }
    }
}

impl PhaseTrace {
    fn of(phases: &Phases) -> Vec<Self> {
        let finished = phases.finished().map(|phase| (phase, true));
        let unfinished = phases.unfinished().map(|phase| (phase, false));
        let all = finished.chain(unfinished);
        all.map(|((phase, took), finished)| Self {
            phase: phase.as_str().to_owned(),
            seconds: took.as_secs_f64(),
            finished,
        })
        .collect()
    }
}

impl AnswerTrace {
    fn of(answer: &TracedAnswer, presenter: &Presenter<'_>) -> Self {
        Self {
            status: answer.status,
            seconds: answer.elapsed.as_secs_f64(),
            headers: headers(&answer.headers, presenter),
            redirects: (answer.redirects.iter())
                .map(|address| without_password((presenter.excerpt)(address).text, presenter.mask))
                .collect(),
            body: (presenter.excerpt)(&answer.body),
        }
    }
}

fn headers<N: AsRef<str>>(
    headers: &[(N, Beginning)],
    presenter: &Presenter<'_>,
) -> Vec<(String, String)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| {
            let name = name.as_ref();
            let shown = if is_confidential(name) {
                presenter.mask.to_owned()
            } else {
                (presenter.excerpt)(value).text
            };
            ((presenter.redact)(name.to_owned()), shown)
        })
        .collect()
}

/// A user and a password in an address are sent as credentials.
fn without_password(text: String, mask: &str) -> String {
    match url::Url::parse(&text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            let mut url = url;
            let masked = url.set_username(mask).and_then(|()| url.set_password(None));
            masked.map_or_else(|()| mask.to_owned(), |()| url.to_string())
        }
        _ => text,
    }
}
