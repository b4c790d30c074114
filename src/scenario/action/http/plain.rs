use bytes::Bytes;
use hyper::{
    Method, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING},
};
use url::Url;

use super::{HttpAction, reading::read_method};
use crate::scenario::Scenario;

/// A request that is sent as it is: no part of it is a template. It is not `Debug`: headers and body may hold
/// credentials.
pub struct PlainRequest {
    /// Any method, standard or not.
    pub method: Method,
    /// An absolute `http` or `https` URL without a fragment.
    pub url: String,
    /// Repeated names included.
    pub headers: Vec<(String, String)>,
    /// What is sent after the headers.
    pub body: Option<Bytes>,
}

/// Why a request cannot be sent. Values of headers are not quoted: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlainRequestError {
    /// The URL is none, or not of a web server.
    #[error("{0}")]
    Url(String),
    /// The method is none.
    #[error("{0}")]
    Method(String),
    /// The header is none.
    #[error("{0}")]
    Header(String),
}

impl PlainRequest {
    /// Reads the parts as they are written on a command line, headers as `NAME: VALUE`. The method is GET, or
    /// POST where there is a body. A body without a `content-type` gets one: JSON where it is a JSON object or
    /// list, else plain text, or bytes where it is no text.
    pub fn read(
        url: &str,
        method: Option<&str>,
        headers: &[String],
        body: Option<Bytes>,
    ) -> Result<Self, PlainRequestError> {
        let method = match (method, &body) {
            (Some(method), _) => read_method(method).map_err(PlainRequestError::Method)?,
            (None, Some(_)) => Method::POST,
            (None, None) => Method::GET,
        };
        let url = read_url(url).map_err(PlainRequestError::Url)?;
        let headers = headers.iter().enumerate();
        let headers = headers.map(|(at, header)| read_header(at + 1, header));
        let mut headers: Vec<_> = headers
            .collect::<Result<_, _>>()
            .map_err(PlainRequestError::Header)?;
        let content_type = CONTENT_TYPE.as_str();
        let typed = (headers.iter()).any(|(name, _)| name.eq_ignore_ascii_case(content_type));
        if let Some(body) = &body
            && !typed
        {
            headers.push((content_type.to_owned(), type_of(body).to_owned()));
        }
        Ok(Self {
            method,
            url,
            headers,
            body,
        })
    }

    /// A scenario of which each chat sends this request as it is and expects a 2xx status.
    pub fn into_scenario(self) -> Scenario {
        let written = format!("{} {}", self.method, self.url);
        Scenario::single(HttpAction::plain(self).into(), "--url", &written)
    }
}

fn read_url(text: &str) -> Result<String, String> {
    let no_url = || {
        let text = without_credentials(text);
        format!("`{text}` is not an address; write for instance `http://127.0.0.1:8080/health`")
    };
    let whole = match Url::parse(text) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => url,
        _ if !text.contains("://") && Url::parse(&format!("http://{text}")).is_ok() => {
            let hint = without_credentials(text);
            return Err(format!("{}; did you mean `http://{hint}`?", no_url()));
        }
        _ => return Err(no_url()),
    };
    let written = text.split_once('#').map_or(text, |(before, _)| before);
    // What cannot be sent as it is written, such as a space, is encoded.
    Ok(if written.parse::<Uri>().is_ok() {
        written.to_owned()
    } else {
        let mut encoded = whole;
        encoded.set_fragment(None);
        encoded.into()
    })
}

/// The text without what may be a password, if it has one.
fn without_credentials(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

fn read_header(number: usize, text: &str) -> Result<(String, String), String> {
    let wrong = |what: &str| {
        format!("header {number}: {what}; write for instance `accept: application/json`")
    };
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| wrong("there is no `:` behind the name"))?;
    let name = HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| wrong("what stands before the `:` cannot be the name of a header"))?;
    if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
        return Err(format!(
            "header {number}: `{name}` follows from the body and cannot be set"
        ));
    }
    let value = value.trim();
    HeaderValue::from_str(value)
        .map_err(|_| wrong("the value has characters that no header can have"))?;
    Ok((name.as_str().to_owned(), value.to_owned()))
}

fn type_of(body: &[u8]) -> &'static str {
    match serde_json::from_slice(body) {
        Ok(serde_json::Value::Object(_) | serde_json::Value::Array(_)) => "application/json",
        _ if std::str::from_utf8(body).is_ok() => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        url: &str,
        method: Option<&str>,
        headers: &[&str],
        body: Option<&'static [u8]>,
    ) -> Result<PlainRequest, String> {
        let headers: Vec<_> = headers.iter().map(|&text| text.to_owned()).collect();
        PlainRequest::read(url, method, &headers, body.map(Bytes::from_static))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_request_is_kept_as_it_is_written() {
        let request = read(
            "http://h:1/a{{ x }}?b={{c}}#part",
            Some("purge"),
            &["X-Key:  {{ k }} ", "x-key: 2", "X-Empty:"],
            Some(b"{{ body }}"),
        );
        let request = request.unwrap();
        assert_eq!(request.method.as_str(), "PURGE");
        assert_eq!(request.url, "http://h:1/a%7B%7B%20x%20%7D%7D?b={{c}}");
        let pairs = [
            ("x-key", "{{ k }}"),
            ("x-key", "2"),
            ("x-empty", ""),
            ("content-type", "text/plain; charset=utf-8"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(request.headers, pairs);
        assert_eq!(request.body.unwrap(), "{{ body }}");
    }

    #[test]
    fn the_method_and_the_content_type_follow_from_the_body() {
        for (body, content_type) in [
            (&b"{\"a\": 1}"[..], "application/json"),
            (b"[]", "application/json"),
            (b"7", "text/plain; charset=utf-8"),
            (b"a=b", "text/plain; charset=utf-8"),
            (b"\xff\x00", "application/octet-stream"),
        ] {
            let request = read("http://h/", None, &[], Some(body)).unwrap();
            assert_eq!(request.method, Method::POST);
            assert_eq!(request.headers[0].1, content_type);
            let typed = read("http://h/", None, &["Content-Type: x/y"], Some(body)).unwrap();
            assert_eq!(typed.headers.len(), 1);
        }
        let request = read("http://h/", None, &[], None).unwrap();
        assert_eq!((request.method, request.headers.len()), (Method::GET, 0));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_and_secrets_are_not_quoted() {
        let refused = |url: &str, method, headers: &[&str]| {
            let request = read(url, method, headers, None);
            request.err().unwrap_or_else(|| panic!("{url} is taken"))
        };
        for url in ["", "nonsense url", "ftp://h/", "http://", "unix:/a"] {
            refused(url, None, &[]);
        }
        let hint = refused("localhost:8080/x", None, &[]);
        assert!(hint.contains("http://localhost:8080/x"), "{hint}");
        let hint = refused("me:s3cret@h:80/x", None, &[]);
        assert!(!hint.contains("s3cret"), "{hint}");
        refused("http://h/", Some("G ET"), &[]);
        for header in [
            "s3cret",
            "a b: s3cret",
            "x: s3cret\u{7}",
            "Content-Length: 3",
        ] {
            let message = refused("http://h/", None, &["a: b", header]);
            assert!(message.contains("header 2"), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }
}
