mod address;
mod failure;
mod signature;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Method, header::HeaderName};
use url::{Url, form_urlencoded};

pub use self::failure::explain_failure;
use self::{
    address::{AddressError, check, written_addresses},
    signature::described,
};
use super::{Payload, PlainRequest};
use crate::{
    document::{Mapping, Node, Problems, Value},
    driver::{HttpBody, HttpRequest, Origins, Redirects, has_credentials},
    scenario::{
        EvaluationError, Names, Scope, Template, names::Look, note_confidential, template::Address,
    },
    units::{Size, UnitError},
};

/// The longest body of an answer that expressions can look at, in bytes, unless a step says otherwise.
const BODY_LIMIT: usize = 1 << 20;

/// The highest limit for it: it is in memory as a whole, and more than once while it is read.
const HIGHEST_BODY_LIMIT: Size = Size::from_bytes(1 << 30);

/// Redirects that a step may follow at most: as many as browsers do.
const MOST_REDIRECTS: u64 = 20;

/// `http: { post: URL, headers: {}, query: {}, json: ... }`, or `form:` for fields, or `body:` for text
/// of any kind.
#[derive(Debug)]
pub struct HttpAction {
    method: Method,
    url: Template,
    headers: Vec<(String, Template)>,
    /// Whether a header depends on the rest of the request, as a signature does.
    signed: bool,
    query: Vec<(String, Template)>,
    body: Option<Body>,
    limits: AnswerLimits,
}

/// What is taken of an answer.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) struct AnswerLimits {
    /// The longest body, in bytes.
    body: Option<usize>,
    redirects: usize,
}

#[derive(Debug)]
enum Body {
    Json(Payload),
    Form(Vec<(String, Template)>),
    Text(Template),
    /// Sent as it is.
    Plain(Bytes),
}

/// Headers that say where a message ends. With a wrong one the server waits for more, or takes the rest for
/// another request.
const OF_MESSAGE: [&str; 2] = ["content-length", "transfer-encoding"];

/// Methods that can be written as the key of the address.
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

impl HttpAction {
    pub(in crate::scenario) fn read(
        node: &Node,
        names: &mut Names,
        problems: &Problems,
    ) -> Option<Self> {
        let mut map = Mapping::open(node, "a request such as `{ get: URL }`", problems)?;
        let address = read_address(&mut map, problems);
        let url = address
            .as_ref()
            .and_then(|(_, node)| read_url(node, names, problems));
        let headers = map.get("headers");
        if let Some(node) = headers {
            check_header_names(node, problems);
        }
        names.look_at(Look::Request);
        let headers = headers.map(|node| read_templates(node, names, problems));
        names.look_at(Look::Nothing);
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
        })
    }

    /// The same action with these limits of its answers.
    pub(in crate::scenario) fn with(self, limits: AnswerLimits) -> Self {
        Self { limits, ..self }
    }

    /// From now on the body of an answer may be of any size: no expression looks at it.
    pub(in crate::scenario) fn ignore_body(&mut self) {
        self.limits.body = None;
    }

    pub(in crate::scenario) fn plain(request: PlainRequest) -> Self {
        let headers = request.headers.into_iter();
        Self {
            method: request.method,
            url: Template::plain(&request.url),
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
        }
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
            url: self.render_url(scope)?,
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
        };
        request.headers = if self.signed {
            let mut scope = (**scope).clone();
            scope.look_at_request(described(&request));
            render_all(&self.headers, &Arc::new(scope))?
        } else {
            render_all(&self.headers, scope)?
        };
        Ok(request)
    }

    fn render_url(&self, scope: &Arc<Scope>) -> Result<String, EvaluationError> {
        if let Some(url) = self.url.as_plain() {
            // It is in the scenario or the command line as a whole, so no value can change its server.
            return Ok(url.to_owned());
        }
        let address = self.url.render_address(scope)?;
        let checked = check(scope.origins(), &address.text, address.own);
        checked.map_err(|error| self.misled(&error))?;
        Ok(address.text)
    }

    /// Adds the server that the scenario and the configuration name at the beginning of the address, as in
    /// `https://{{ target.api_host }}/items`.
    pub(in crate::scenario) fn add_origin(&self, scope: &Arc<Scope>, origins: &mut Origins) {
        let own = self.url.render_own(scope).ok();
        if let Some(address) = own.filter(Address::names_server) {
            origins.add_address(&address.text);
        }
    }

    /// Finds out whether every request would be refused because of where its address leads, as far as that is
    /// known before a run.
    pub fn check_address(&self, scope: &Arc<Scope>) -> Result<(), EvaluationError> {
        let known = self.url.render_known(scope).ok();
        let Some(address) = known.filter(Address::names_server) else {
            return Ok(());
        };
        match check(scope.origins(), &address.text, address.own) {
            Err(error @ (AddressError::Credentials | AddressError::Elsewhere(_))) => {
                Err(self.misled(&error))
            }
            Ok(()) | Err(AddressError::Invalid(_)) => Ok(()),
        }
    }

    fn misled(&self, error: &AddressError) -> EvaluationError {
        EvaluationError {
            place: self.url.place().clone(),
            message: error.to_string(),
            exceeded: false,
        }
    }
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self {
            body: Some(BODY_LIMIT),
            redirects: 0,
        }
    }
}

impl AnswerLimits {
    /// The keys of a step that set them.
    pub(in crate::scenario) const KEYS: [&'static str; 2] = ["follow", "body_limit"];

    /// Reads `follow: 5` and `body_limit: 4MiB` of a step.
    pub(in crate::scenario) fn read(map: &mut Mapping<'_>, problems: &Problems) -> Option<Self> {
        let [follow, body_limit] = Self::KEYS.map(|key| map.get(key));
        let redirects = match follow {
            Some(node) => node.whole_number_in(0..=MOST_REDIRECTS, problems),
            None => Some(0),
        };
        let body = match body_limit {
            Some(node) => node.parsed("a size such as `4MiB`", read_body_limit, problems),
            None => Some(BODY_LIMIT),
        };
        Some(Self {
            body: Some(body?),
            redirects: usize::try_from(redirects?).ok()?,
        })
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
            Self::Json(payload) => HttpBody::Json(payload.render(scope)?.into()),
            Self::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, template) in fields {
                    form.append_pair(name, &template.render(scope)?);
                }
                HttpBody::Form(form.finish().into())
            }
            Self::Text(template) => HttpBody::Text(template.render(scope)?.into()),
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

/// Fields of a form; a list makes several of one name.
fn read_fields(node: &Node, names: &Names, problems: &Problems) -> Vec<(String, Template)> {
    let mut fields = Vec::new();
    for entry in node.entries("a mapping of names and texts", problems) {
        let values = match &entry.node.value {
            Value::List(list) => list.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        for value in values {
            let template = Template::read(value, names, problems);
            fields.extend(template.map(|template| (entry.key.clone(), template)));
        }
    }
    fields
}

/// `post: URL`, or `method: PURGE` with `url: URL` for a method that has no key of its own.
fn read_address<'a>(map: &mut Mapping<'a>, problems: &Problems) -> Option<(Method, &'a Node)> {
    if let Some(node) = map.get("method") {
        let url = map.need("url");
        let method = node.parsed("a method such as `PURGE`", read_method, problems)?;
        return Some((method, url?));
    }
    if map.get("url").is_some() {
        map.need("method");
        return None;
    }
    let (method, node) = map.one_of(&METHODS)?;
    Some((read_method(method).ok()?, node))
}

/// Reads the address, which has to be whole: there is no other one to put a path behind.
fn read_url(node: &Node, names: &mut Names, problems: &Problems) -> Option<Template> {
    let url = Template::read(node, names, problems)?;
    let text = node.as_written().unwrap_or_default();
    written_addresses(text).for_each(|address| names.note_address(address));
    // What stands for an expression is plain and short.
    let Some(outline) = url.outline() else {
        return Some(url);
    };
    let begin = url.as_plain().or_else(|| url.literal_begin());
    let whole = begin.is_none_or(|text| {
        let text = text.to_ascii_lowercase();
        ["http://", "https://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
    });
    if !whole {
        problems.add(
            &node.place,
            "an address begins with `{{ target.url }}`, `http://` or `https://`",
        );
        return None;
    }
    if Url::parse(&outline).is_ok_and(|outline| has_credentials(&outline)) {
        problems.add(&node.place, AddressError::Credentials.to_string());
        return None;
    }
    Some(url)
}

/// Reads names of headers and what they say.
pub(in crate::scenario) fn read_headers(
    node: &Node,
    names: &Names,
    problems: &Problems,
) -> Vec<(String, Template)> {
    check_header_names(node, problems);
    read_templates(node, names, problems)
}

fn check_header_names(node: &Node, problems: &Problems) {
    let Value::Map(entries) = &node.value else {
        return;
    };
    for entry in entries {
        let name = &entry.key;
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            problems.add(
                &entry.place,
                format!("`{name}` cannot be the name of a header; write for instance `x-api-key`"),
            );
        } else if (OF_MESSAGE.iter()).any(|of_message| of_message.eq_ignore_ascii_case(name)) {
            problems.add(
                &entry.place,
                format!("`{name}` is set by chatprobe from the body that it sends; leave it out"),
            );
        }
    }
}

/// Whether a body names a value as confidential.
fn is_confidential(body: &[u8]) -> bool {
    let mut values = Vec::new();
    note_confidential(&String::from_utf8_lossy(body), &mut values);
    !values.is_empty()
}

fn read_body_limit(text: &str) -> Result<usize, String> {
    let size: Size = text.parse().map_err(|error: UnitError| error.to_string())?;
    if size > HIGHEST_BODY_LIMIT {
        return Err(format!(
            "the limit may be at most {HIGHEST_BODY_LIMIT}, and not {size}"
        ));
    }
    usize::try_from(size.as_bytes()).map_err(|error| error.to_string())
}

pub(super) fn read_method(text: &str) -> Result<Method, String> {
    Method::from_bytes(text.to_ascii_uppercase().as_bytes())
        .map_err(|_| format!("`{text}` is not a method; write letters only, such as `PURGE`"))
}

fn read_templates(node: &Node, names: &Names, problems: &Problems) -> Vec<(String, Template)> {
    node.entries("a mapping of names and texts", problems)
        .iter()
        .filter_map(|entry| {
            Template::read(&entry.node, names, problems)
                .map(|template| (entry.key.clone(), template))
        })
        .collect()
}

#[cfg(test)]
mod tests;
