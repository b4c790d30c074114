//! Who has signed in: a browser that was given the admin token once and has a cookie since.
//!
//! The cookie is not the token, no script can read it, and other sites cannot have it sent.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::{
    HeaderMap,
    header::{COOKIE, HOST, ORIGIN},
    uri::Authority,
};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use uuid::Uuid;

/// A working day.
const LASTS: Duration = Duration::from_hours(12);
/// Sessions at a time; the oldest ends for another.
const MOST: usize = 100;
const NAME: &str = "chatprobe_session";

/// The sessions that are open.
#[derive(Debug, Default)]
pub(super) struct ConsoleSessions(Mutex<VecDeque<Session>>);

struct Session {
    key: String,
    opened: Instant,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl ConsoleSessions {
    /// Opens one; what the browser is to keep. `secure`: it came over HTTPS, and so it is to come back.
    pub(super) fn open(&self, secure: bool) -> String {
        // 122 random bits of the system's generator.
        let key = Uuid::new_v4().simple().to_string();
        let cookie = format!(
            "{NAME}={key}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}",
            LASTS.as_secs(),
            if secure { "; Secure" } else { "" }
        );
        let mut sessions = self.sessions();
        if sessions.len() >= MOST {
            sessions.pop_front();
        }
        sessions.push_back(Session {
            key,
            opened: Instant::now(),
        });
        cookie
    }

    /// Ends the one that these headers name; what makes the browser forget it.
    pub(super) fn close(&self, headers: &HeaderMap) -> String {
        if let Some(key) = key(headers) {
            self.sessions().retain(|session| !session.is(key));
        }
        format!("{NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    /// Whether these headers name one that is open.
    pub(super) fn has(&self, headers: &HeaderMap) -> bool {
        let mut sessions = self.sessions();
        sessions.retain(|session| session.opened.elapsed() < LASTS);
        key(headers).is_some_and(|key| sessions.iter().any(|session| session.is(key)))
    }

    fn sessions(&self) -> MutexGuard<'_, VecDeque<Session>> {
        // A list that is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is(&self, key: &str) -> bool {
        self.key.as_bytes().ct_eq(key.as_bytes()).into()
    }
}

fn key(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, key)| (name == NAME).then_some(key))
}

/// Whether a page of ours sends this: browsers name the site of the page in every request that changes
/// something.
pub(super) fn is_from_here(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let mut origins = headers.get_all(ORIGIN).iter();
    let (Some(host), None, Some(origin), None) =
        (hosts.next(), hosts.next(), origins.next(), origins.next())
    else {
        return false;
    };
    let origin = origin.to_str().unwrap_or_default();
    let site = origin.split_once("://").map(|(_, site)| site);
    let host = Authority::try_from(host.as_bytes()).ok();
    host.zip(site)
        .is_some_and(|(host, site)| host.as_str().eq_ignore_ascii_case(site))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    fn cookie(set: &str) -> HeaderMap {
        let pair = set.split(';').next().unwrap();
        headers(&[("cookie", &format!("theme=dark; {pair}"))])
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_lasts_until_it_is_closed_or_a_day_is_over() {
        let sessions = ConsoleSessions::default();
        let (one, two) = (sessions.open(false), sessions.open(true));
        assert!(one.contains("HttpOnly") && one.contains("SameSite=Strict"));
        assert!(!one.contains("Secure") && two.contains("Secure"));
        assert!(sessions.has(&cookie(&one)) && sessions.has(&cookie(&two)));
        let forgotten = sessions.close(&cookie(&one));
        assert!(forgotten.contains("Max-Age=0"));
        assert!(!sessions.has(&cookie(&one)) && sessions.has(&cookie(&two)));
        tokio::time::advance(LASTS).await;
        assert!(!sessions.has(&cookie(&two)));
    }

    #[tokio::test]
    async fn there_are_only_so_many() {
        let sessions = ConsoleSessions::default();
        let first = sessions.open(false);
        let rest: Vec<_> = (0..MOST).map(|_| sessions.open(false)).collect();
        assert!(!sessions.has(&cookie(&first)));
        assert!(rest.iter().all(|session| sessions.has(&cookie(session))));
    }

    #[test]
    fn nothing_and_what_was_made_up_is_no_session() {
        let sessions = ConsoleSessions::default();
        sessions.open(false);
        for made_up in ["", "chatprobe_session=", "chatprobe_session=x", "other=1"] {
            assert!(!sessions.has(&headers(&[("cookie", made_up)])), "{made_up}");
        }
        assert!(!sessions.has(&HeaderMap::new()));
    }

    #[test]
    fn a_page_of_another_site_is_told_by_its_origin() {
        let from = |origin| headers(&[("host", "probe.example:8080"), ("origin", origin)]);
        assert!(is_from_here(&from("http://probe.example:8080")));
        assert!(is_from_here(&from("https://PROBE.example:8080")));
        for other in [
            "http://evil.example",
            "http://probe.example",
            "null",
            "probe.example:8080",
        ] {
            assert!(!is_from_here(&from(other)), "{other}");
        }
        assert!(!is_from_here(&headers(&[("host", "probe.example:8080")])));
    }
}
