use super::{Arrivals, Customers};

/// The two ways to say when chats start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Each chat has a moment at which it is due.
    Arrivals(Arrivals),
    /// A chat starts when a customer is free.
    Customers(Customers),
}
