use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use reqwest::Url;

type ParseError = <Url as std::str::FromStr>::Err;

/// Origins that are remembered; a configuration has a handful.
const MOST: usize = 64;

/// Parses URLs, nearly all of which begin with the origin of a target. Reading a host name costs more
/// than the rest of a small request's preparation, so each is read once.
#[derive(Debug, Default)]
pub(super) struct Addresses(RwLock<HashMap<Box<str>, Url>>);

impl Addresses {
    /// The same as [`Url::parse`].
    pub(super) fn parse(&self, text: &str) -> Result<Url, ParseError> {
        let Some((origin, path)) = split(text) else {
            return Url::parse(text);
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = known.get(origin) {
            return base.join(path);
        }
        drop(known);
        let url = Url::parse(text)?;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST
            && let Ok(base) = Url::parse(origin)
        {
            known.insert(origin.into(), base);
        }
        Ok(url)
    }
}

/// `http://host:1/a?b` into `http://host:1` and `/a?b`; only where the second, read on its own, cannot
/// mean another host: `//a` and `/\a` would.
fn split(text: &str) -> Option<(&str, &str)> {
    let after_scheme = text.find("://")? + 3;
    let slash = after_scheme + text[after_scheme..].find('/')?;
    let (origin, path) = text.split_at(slash);
    let first = path.as_bytes().get(1)?;
    let plain = first.is_ascii_alphanumeric() && !origin.contains(['?', '#', '\\']);
    plain.then_some((origin, path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_url_is_the_same_whether_its_origin_is_known_or_not(
            origin in "(http|https|HTTP|ftp|x)://(a@)?([a-z.]{1,5}|[ ä]|127.0.0.1|\\[::1\\])(:[0-9]{1,5})?",
            paths in prop::collection::vec("[/\\\\?#%a-z0-9 .\\t:@é&=]{0,12}", 1..5),
        ) {
            let addresses = Addresses::default();
            for path in paths {
                for text in [format!("{origin}{path}"), format!("{origin}/{path}")] {
                    prop_assert_eq!(addresses.parse(&text).ok(), Url::parse(&text).ok(), "{}", text);
                }
            }
        }
    }

    #[test]
    fn no_more_origins_are_remembered_than_a_configuration_has() {
        let addresses = Addresses::default();
        for number in 0..1_000 {
            addresses.parse(&format!("http://host-{number}/a")).unwrap();
        }
        assert_eq!(addresses.0.read().unwrap().len(), MOST);
    }
}
