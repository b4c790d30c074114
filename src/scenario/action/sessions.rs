use std::sync::Arc;

use minijinja::Value;

use crate::driver::Cookies;

/// What the sessions of a chat at the drivers keep that expressions may use.
#[derive(Debug, Clone, Default)]
pub struct SessionValues {
    /// The cookies, if they are kept.
    pub cookies: Option<Arc<Cookies>>,
}

impl SessionValues {
    /// The names by which expressions know them. Each is kept only by a target that says so under this name.
    pub const NAMES: [&'static str; 1] = ["cookies"];

    /// The value of a name, if it is kept.
    pub(in crate::scenario) fn value_of(&self, name: &str) -> Option<Value> {
        match name {
            "cookies" => {
                let cookies = self.cookies.as_ref()?.by_name().into_iter();
                Some(
                    cookies
                        .map(|(name, value)| (name, Value::from(value)))
                        .collect(),
                )
            }
            _ => None,
        }
    }
}
