use std::{cmp::Reverse, collections::BTreeMap, fmt};

use cookie_store::{Cookie, CookieStore};
use hyper::{HeaderMap, header::SET_COOKIE};
use url::Url;

/// Cookies that one chat keeps at the most; browsers keep as many of one server, or fewer.
const MOST_COOKIES: usize = 100;
/// Of a `Set-Cookie`, in bytes; browsers ignore longer ones too.
const MOST_BYTES: usize = 4096;

/// The cookies of a chat, kept and sent as browsers do:
/// [RFC 6265](https://www.rfc-editor.org/rfc/rfc6265), without the list of public suffixes. It does not
/// print itself: cookies are as good as passwords.
#[derive(Clone, Default)]
pub struct Cookies(CookieStore);

impl Cookies {
    /// Keeps what an answer from this address sets. What is too long or too many is ignored.
    pub fn keep(&mut self, url: &str, headers: &HeaderMap) {
        let mut set = headers.get_all(SET_COOKIE).iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let Ok(url) = Url::parse(url) else { return };
        for header in set.filter(|header| header.len() <= MOST_BYTES) {
            let text = String::from_utf8_lossy(header.as_bytes());
            let Ok(cookie) = Cookie::parse(&*text, &url) else {
                continue;
            };
            let cookie = cookie.into_owned();
            if !cookie.is_expired() && !self.has_space_for(&cookie) {
                tracing::debug!("a chat has {MOST_COOKIES} cookies: another one is ignored");
                continue;
            }
            // One that is not for this server, or tells of its own end, is not kept.
            let _ = self.0.insert(cookie, &url);
        }
    }

    /// What to send to this address as `Cookie`, if anything: longer paths first.
    pub fn header(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let mut cookies = self.0.matches(&url);
        if cookies.is_empty() {
            return None;
        }
        cookies.sort_by_key(|cookie| (Reverse(cookie.path.len()), cookie.name().to_owned()));
        let pairs = cookies.iter().map(|cookie| {
            let (name, value) = cookie.name_value();
            format!("{name}={value}")
        });
        Some(pairs.collect::<Vec<_>>().join("; "))
    }

    /// The values by name; of several with one name, that with the longest path.
    pub fn by_name(&self) -> BTreeMap<&str, &str> {
        let mut cookies: Vec<_> = self.0.iter_unexpired().collect();
        cookies.sort_by_key(|cookie| cookie.path.len());
        let cookies = cookies.into_iter();
        cookies.map(|cookie| cookie.name_value()).collect()
    }

    /// The values, which nobody may see.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter_any().map(|cookie| cookie.value())
    }

    /// Whether it replaces another or there are few.
    fn has_space_for(&mut self, cookie: &Cookie<'_>) -> bool {
        let known = |other: &&Cookie<'_>| {
            other.name() == cookie.name()
                && other.domain.as_cow() == cookie.domain.as_cow()
                && *other.path == *cookie.path
        };
        if self.0.iter_any().count() < MOST_COOKIES || self.0.iter_any().any(|other| known(&other))
        {
            return true;
        }
        let expired: Vec<_> = (self.0.iter_any())
            .filter(|cookie| cookie.is_expired())
            .filter_map(|cookie| {
                let domain = cookie.domain.as_cow()?.into_owned();
                Some((domain, cookie.path.to_string(), cookie.name().to_owned()))
            })
            .collect();
        for (domain, path, name) in &expired {
            self.0.remove(domain, path, name);
        }
        !expired.is_empty()
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter_any().map(|cookie| cookie.name()).collect();
        f.debug_tuple("Cookies").field(&names).finish()
    }
}

#[cfg(test)]
mod tests;
