use minijinja::Value;

/// What expressions see at one moment besides variables, such as an answer or an event.
pub trait View: Send + Sync {
    /// The value of a name, if this has it.
    fn value_of(&self, name: &str) -> Option<Value>;

    /// What it is and what is in it, for the message of an expression that did not hold, given which names the
    /// expression mentions.
    fn describe(&self, mentions: &dyn Fn(&str) -> bool) -> String;

    /// What an expression that mentions these names needs of it that cannot be used, why, and what to do.
    fn why_unusable(&self, _: &dyn Fn(&str) -> bool) -> Option<String> {
        None
    }
}
