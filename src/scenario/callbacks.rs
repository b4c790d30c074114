use std::sync::Arc;

use hyper::http::HeaderValue;

use super::{
    EvaluationError, Expression, Names, Scope, Template,
    action::EVENT,
    is_name,
    look::{Keeps, VisibleName, VisibleNames},
};
use crate::document::{Mapping, Node, Problems, Value};

/// A field within an event: the names on the way to it.
pub type FieldPath = Box<[Box<str>]>;

/// How requests on the callback path are read; expressions over `event` and the request.
#[derive(Debug)]
pub struct Callbacks {
    /// Which chat an event belongs to.
    pub key: Expression,
    /// What two deliveries of one event have in common and no two events do. Without one, or where
    /// it is undefined, no event counts as a duplicate.
    pub id: Option<Expression>,
    /// Fields in which two deliveries of one event may differ.
    pub volatile: Vec<FieldPath>,
    /// Holds for an event that says that the other side left: a wait fails on it at once.
    pub disconnected: Option<Expression>,
    /// The list of events in a delivery that brings several.
    pub events: Option<Expression>,
    /// Holds for a delivery that is not refused.
    pub accept: Option<Expression>,
    /// Requests that only ask whether this is the right receiver; the first that holds counts.
    pub verify: Vec<Verification>,
    /// Whether an expression looks at more of the request than the event.
    keeps_delivery: bool,
    /// Whether one looks at `delivery`.
    keeps_whole: bool,
    raw_body: bool,
}

/// A kind of request that only asks whether this is the right receiver.
#[derive(Debug)]
pub struct Verification {
    /// Holds for such a request.
    pub when: Expression,
    status: u16,
    content_type: Arc<str>,
    headers: Vec<(String, Template)>,
    answer: Option<Template>,
}

/// What such a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationAnswer {
    /// The status code.
    pub status: u16,
    /// The content type of the body.
    pub content_type: Arc<str>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

impl Default for VerificationAnswer {
    fn default() -> Self {
        Self {
            status: 200,
            content_type: PLAIN_TEXT.into(),
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

const OF_CALLBACKS: &str = "it is known in `callbacks`";

/// What expressions look at that see a request on a callback path, before its events are taken.
pub(super) const DELIVERY: VisibleNames = VisibleNames {
    names: &[
        VisibleName::new("event", OF_CALLBACKS),
        VisibleName::new("headers", OF_CALLBACKS),
        VisibleName::new("query", OF_CALLBACKS),
        VisibleName::new("method", OF_CALLBACKS),
        VisibleName::new("delivery", OF_CALLBACKS),
        VisibleName::new(
            "raw_body",
            "it is known in `accept` and `verify` of `callbacks`",
        )
        .keeping(Keeps::RawBody),
        VisibleName::new("elapsed", OF_CALLBACKS),
    ],
    of_chat: false,
};

impl Callbacks {
    pub(super) fn read(node: &Node, names: &mut Names, problems: &Problems) -> Option<Self> {
        let mut map = Mapping::open(node, "a mapping such as `{ key: event.id }`", problems)?;
        names.look_at(&[&EVENT]);
        let read =
            |node: Option<&Node>| node.and_then(|node| Expression::read(node, names, problems));
        let key = read(map.need("key"));
        let id = map.get("id");
        let has_id = id.is_some();
        let id = read(id);
        let disconnected = read(map.get("disconnected"));
        let events = read(map.get("events"));
        let volatile = map.get("volatile").map(|node| {
            if !has_id {
                problems.add(&node.place, "`volatile` needs an `id` beside it");
            }
            read_fields(node, problems)
        });
        names.look_at(&[&DELIVERY]);
        let accept = map
            .get("accept")
            .and_then(|node| Expression::read(node, names, problems));
        let verify = map
            .get("verify")
            .map(|node| Verification::read_all(node, names, problems))
            .unwrap_or_default();
        names.look_at(&[]);
        map.finish();
        Some(Self {
            key: key?,
            id,
            volatile: volatile.unwrap_or_default(),
            disconnected,
            events,
            accept,
            verify,
            keeps_delivery: false,
            keeps_whole: false,
            raw_body: names.look_at_raw_body(),
        })
    }

    /// Notes what the whole scenario looks at.
    pub(super) fn note_looks(&mut self, names: &Names) {
        self.keeps_delivery = names.look_at_request();
        self.keeps_whole = names.look_at_delivery();
    }

    /// Whether an expression looks at more of a request than its event.
    pub fn looks_at_delivery(&self) -> bool {
        self.keeps_delivery || self.accept.is_some() || !self.verify.is_empty()
    }

    /// Whether one does so that stands in a step, or where an event is told apart.
    pub fn keeps_delivery(&self) -> bool {
        self.keeps_delivery
    }

    /// Whether one of them looks at `delivery`, and not only at the method, the query or the headers.
    pub fn keeps_whole(&self) -> bool {
        self.keeps_whole
    }

    /// Whether an expression looks at the body as it came.
    pub fn looks_at_raw_body(&self) -> bool {
        self.raw_body
    }
}

impl Verification {
    /// Reads one, or a list of them.
    fn read_all(node: &Node, names: &Names, problems: &Problems) -> Vec<Self> {
        let nodes = match &node.value {
            Value::List(nodes) => &nodes[..],
            _ => std::slice::from_ref(node),
        };
        nodes
            .iter()
            .filter_map(|node| Self::read(node, names, problems))
            .collect()
    }

    fn read(node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        let wanted =
            "a mapping such as `{ when: method == \"GET\", answer: \"{{ query.challenge }}\" }`";
        let mut map = Mapping::open(node, wanted, problems)?;
        let when = map
            .need("when")
            .and_then(|node| Expression::read(node, names, problems));
        let answer = map
            .get("answer")
            .and_then(|node| Template::read(node, names, problems));
        let status = map
            .get("status")
            .map(|node| node.whole_number_in(200..=599, problems));
        let content_type = map.get("content_type").map(|node| {
            let text = node.text("a content type such as `application/json`", problems)?;
            if HeaderValue::from_str(text).is_err() {
                problems.add(&node.place, format!("`{text}` cannot be a content type"));
            }
            Some(text.into())
        });
        let headers = map
            .get("headers")
            .map(|node| super::action::read_headers(node, names, problems))
            .unwrap_or_default();
        map.finish();
        Some(Self {
            when: when?,
            // At most 599.
            status: u16::try_from(status.unwrap_or(Some(200))?).ok()?,
            content_type: content_type.unwrap_or_else(|| Some(PLAIN_TEXT.into()))?,
            headers,
            answer,
        })
    }

    /// The answer to such a request.
    pub fn answer(&self, scope: &Arc<Scope>) -> Result<VerificationAnswer, EvaluationError> {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| Ok((name.clone(), value.render(scope)?)));
        Ok(VerificationAnswer {
            status: self.status,
            content_type: self.content_type.clone(),
            headers: headers.collect::<Result<_, EvaluationError>>()?,
            body: match &self.answer {
                Some(answer) => answer.render(scope)?,
                None => String::new(),
            },
        })
    }
}

/// Reads `event.a.b`, or a list of such fields.
fn read_fields(node: &Node, problems: &Problems) -> Vec<FieldPath> {
    let nodes = match &node.value {
        Value::List(nodes) => &nodes[..],
        _ => std::slice::from_ref(node),
    };
    let field = |text: &str| {
        let names: Option<FieldPath> = text
            .strip_prefix("event.")
            .unwrap_or_default()
            .split('.')
            .map(|name| is_name(name.trim_start_matches('_')).then(|| name.into()))
            .collect();
        names.ok_or_else(|| {
            format!("`{text}` is no field of an event; write for instance `event.attempt`")
        })
    };
    nodes
        .iter()
        .filter_map(|node| node.parsed("a field such as `event.attempt`", field, problems))
        .collect()
}
