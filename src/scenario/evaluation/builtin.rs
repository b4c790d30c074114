//! Filters and tests as they are listed.

use minijinja::Value;

/// A filter or test.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    pub(super) reads: Reads,
    pub(super) function: fn() -> Value,
}

/// What a filter or test goes through of what it is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Nothing, or it accounts for that itself.
    Nothing,
    /// Its length.
    Length,
    /// All of it, with texts among its arguments for each of its items.
    Items,
    /// The same, where a text's characters are items too.
    Characters,
    /// The same, and each item is compared with another one.
    Compared,
    /// The same, and the items are compared as often as it takes to sort them.
    Sorted,
}

/// A [`Builtin`] by the name of its function.
macro_rules! builtin {
    ($name:literal, $reads:ident, $function:expr) => {
        Builtin {
            name: $name,
            reads: $crate::scenario::evaluation::builtin::Reads::$reads,
            function: || Value::from_function($function),
        }
    };
}
pub(super) use builtin;
