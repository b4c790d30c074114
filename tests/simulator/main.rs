//! Drives the simulator over real sockets, with a receiver for its events.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test needs and does not get has failed it"
)]

mod behaviour;
mod by_hand;
mod command;
mod faults;
mod polling;
mod practice;
mod protocol;
mod rooms;
#[path = "../support/mod.rs"]
mod support;
