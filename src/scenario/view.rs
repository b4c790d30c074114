use minijinja::Value;

use super::Expression;

/// What expressions see at one moment besides variables, such as an answer or an event.
pub trait View: Send + Sync {
    /// The value of a name, if this has it.
    fn value_of(&self, name: &str) -> Option<Value>;

    /// What it is and what is in it, for the message of an expression that did not hold.
    fn describe(&self, expression: &Expression) -> String;

    /// What an expression needs of it that cannot be used, why, and what to do.
    fn why_unusable(&self, _: &Expression) -> Option<String> {
        None
    }
}
