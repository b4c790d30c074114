use std::{collections::BTreeMap, sync::Arc};

use minijinja::Value;

use crate::driver::Cookies;

/// What the sessions of a chat at the drivers keep that expressions may use.
#[derive(Debug, Clone, Default)]
pub struct SessionValues {
    /// The cookies, if they are kept.
    pub(super) cookies: Option<Arc<Cookies>>,
}

impl SessionValues {
    /// The names by which expressions know them. Each is kept only by a target that says so under this name.
    pub const NAMES: [&'static str; 1] = ["cookies"];

    /// What is kept at the beginning by somebody who keeps the values with these names.
    pub fn kept(keeps: impl Fn(&str) -> bool) -> Self {
        Self {
            cookies: keeps("cookies").then(Arc::default),
        }
    }

    /// The values, which nobody may see.
    pub fn confidential(&self) -> impl Iterator<Item = &str> {
        self.cookies.iter().flat_map(|cookies| cookies.values())
    }

    /// The value of a name, if it is kept.
    pub(in crate::scenario) fn value_of(&self, name: &str) -> Option<Value> {
        match name {
            "cookies" => {
                let cookies = self.cookies.as_ref()?.by_name().into_iter();
                let owned = cookies.map(|(name, value)| (name.to_owned(), value.to_owned()));
                Some(owned.collect::<BTreeMap<_, _>>().into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::{HeaderMap, header::SET_COOKIE};

    use super::*;

    #[test]
    fn expressions_find_cookies_by_their_names_where_they_are_kept() {
        let mut values = SessionValues::kept(|name| name == "cookies");
        let mut set = HeaderMap::new();
        set.append(SET_COOKIE, "a=5; Path=/".parse().unwrap());
        set.append(SET_COOKIE, "a=6; Path=/deep".parse().unwrap());
        let cookies = values.cookies.as_mut().unwrap();
        Arc::make_mut(cookies).keep("http://h/", &set);
        let cookies = serde_json::to_value(values.value_of("cookies")).unwrap();
        assert_eq!(cookies, serde_json::json!({ "a": "6" }));
        assert!(values.confidential().eq(["5", "6"]) || values.confidential().eq(["6", "5"]));
        assert_eq!(SessionValues::kept(|_| false).value_of("cookies"), None);
    }
}
