//! Where a request goes: the part of its URL that names a server.

use std::fmt::Display;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::{Uri, header::HeaderValue};
use percent_encoding::percent_decode_str;
use url::{Position, Url};

use super::failure::TransportFailure;

/// A server as URLs name it, read once for all requests to it. Not `Debug`: it may hold a password.
pub(in crate::driver) struct Destination {
    base: Url,
    /// What to connect to: scheme, host and port.
    pub(in crate::driver) server: Uri,
    /// What a request says in its `Host` header.
    pub(in crate::driver) host: HeaderValue,
    /// What it says in its `Authorization`, where the URL holds a user and no header is given.
    pub(in crate::driver) authorization: Option<HeaderValue>,
}

/// `why` must not quote the URL.
pub(in crate::driver) fn unusable(why: impl Display) -> TransportFailure {
    TransportFailure::bad_request(format!("the URL is not valid: {why}"))
}

/// The server of a URL as people may see it: host and port. The rest of the URL may hold what is nobody's business.
pub(in crate::driver) fn shown_server(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(format!(
        "{}:{}",
        url.host_str()?,
        url.port_or_known_default()?
    ))
}

impl Destination {
    /// Of a whole URL, or of its beginning.
    pub(in crate::driver) fn read(text: &str) -> Result<Self, TransportFailure> {
        let base = Url::parse(text).map_err(unusable)?;
        if !["http", "https"].contains(&base.scheme()) {
            return Err(unusable("it begins with neither `http` nor `https`"));
        }
        Self::of(base)
    }

    /// The same for a socket: `ws` is read as `http`, and `wss` as `https`.
    pub(super) fn of_socket(text: &str) -> Result<Self, TransportFailure> {
        let mut base = Url::parse(text).map_err(unusable)?;
        let scheme = match base.scheme() {
            "ws" | "http" => "http",
            "wss" | "https" => "https",
            _ => {
                return Err(unusable(
                    "it begins with none of `ws`, `wss`, `http` and `https`",
                ));
            }
        };
        // Between schemes of the web it always can be changed.
        if base.set_scheme(scheme).is_err() {
            return Err(unusable("its scheme is not that of a socket"));
        }
        Self::of(base)
    }

    fn of(mut base: Url) -> Result<Self, TransportFailure> {
        let authorization = authorization(&base);
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        let host = &base[Position::BeforeHost..Position::AfterPort];
        let server = Uri::builder()
            .scheme(base.scheme())
            .authority(host)
            .path_and_query("/")
            .build();
        Ok(Self {
            server: server.map_err(unusable)?,
            host: HeaderValue::try_from(host).map_err(unusable)?,
            authorization,
            base,
        })
    }

    /// What the first line of a request asks for: path and query. `path` begins with a slash, or is a whole URL.
    pub(in crate::driver) fn ask(
        &self,
        path: &str,
        query: &[(String, String)],
    ) -> Result<Uri, TransportFailure> {
        // A whole URL is not read as relative to the base: `http:host/a` has another path then.
        let url = if path.starts_with('/') {
            self.base.join(path)
        } else {
            Url::parse(path)
        };
        let mut url = url.map_err(unusable)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let asked = &url[Position::BeforePath..Position::AfterQuery];
        Uri::try_from(asked).map_err(unusable)
    }
}

/// `http://host:1/a?b` into `http://host:1` and `/a?b`. The second, read on its own, must not mean
/// another host, as `//a` and `/\a` would, nor the first a host that the whole has not: such a URL, and one
/// without a path or with another scheme, is `None`.
pub(in crate::driver) fn split(text: &str) -> Option<(&str, &str)> {
    let (scheme, _) = text.split_once("://")?;
    let of_web = ["http", "https"].iter();
    { of_web }.find(|known| known.eq_ignore_ascii_case(scheme))?;
    let after_scheme = scheme.len() + "://".len();
    let slash = after_scheme + text[after_scheme..].find('/')?;
    let (origin, path) = text.split_at(slash);
    let first = path.as_bytes().get(1)?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\\".contains(&byte);
    (first.is_ascii_alphanumeric() && origin.bytes().all(plain)).then_some((origin, path))
}

/// The user and password of a URL as a header: [RFC 7617](https://www.rfc-editor.org/rfc/rfc7617), section 2.
pub(super) fn authorization(url: &Url) -> Option<HeaderValue> {
    let password = url.password();
    if url.username().is_empty() && password.is_none() {
        return None;
    }
    let decoded = |text| percent_decode_str(text).collect::<Vec<u8>>();
    let mut credentials = decoded(url.username());
    credentials.push(b':');
    credentials.extend(decoded(password.unwrap_or_default()));
    let encoded = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    let mut value = HeaderValue::try_from(encoded).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str) -> Option<String> {
        let (origin, path) = split(text).unwrap_or((text, text));
        let origin = Destination::read(origin).ok()?;
        Some(origin.ask(path, &[]).ok()?.to_string())
    }

    proptest! {
        #[test]
        fn a_url_asks_for_the_same_whether_it_is_read_in_two_parts_or_whole(
            origin in "(http|https|HTTP)://(a@)?([a-z.]{1,5}|[ ä]|127.0.0.1|\\[::1\\])(:[0-9]{1,5})?",
            path in "[/\\\\?#%a-z0-9 .\\t:@é&=]{0,12}",
        ) {
            for text in [format!("{origin}{path}"), format!("{origin}/{path}")] {
                let whole = Destination::read(&text).and_then(|origin| origin.ask(&text, &[]));
                prop_assert_eq!(asked(&text), whole.ok().map(|uri| uri.to_string()), "{}", text);
                if let Some((origin, _)) = split(&text) && let Ok(whole) = Url::parse(&text) {
                    let part = Url::parse(origin).unwrap();
                    prop_assert_eq!(part.origin(), whole.origin(), "{}", text);
                }
            }
        }
    }

    #[test]
    fn a_url_without_slashes_behind_its_scheme_is_read_whole() {
        for (text, path) in [
            ("http:host/a://b/c", "/a://b/c"),
            ("http:/host/a://b/c", "/a://b/c"),
            ("HTTP://host/a://b/c", "/a://b/c"),
        ] {
            assert_eq!(asked(text).as_deref(), Some(path), "{text}");
        }
        assert_eq!(split("http:host/a://b/c"), None);
        assert_eq!(split("HTTPS://host/a"), Some(("HTTPS://host", "/a")));
    }

    #[test]
    fn a_server_is_named_with_its_port_where_that_is_not_the_usual_one() {
        for (text, server, host) in [
            ("http://A:80/x", "http://a/", "a"),
            ("https://a:8443", "https://a:8443/", "a:8443"),
            ("http://[::1]:80/", "http://[::1]/", "[::1]"),
        ] {
            let origin = Destination::read(text).unwrap();
            assert_eq!(
                (
                    origin.server.to_string().as_str(),
                    origin.host.to_str().unwrap()
                ),
                (server, host)
            );
        }
    }
}
