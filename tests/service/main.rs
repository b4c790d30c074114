//! Drives `chatprobe serve` over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod admin;
mod baselines;
mod callbacks;
mod clock;
mod connections;
mod crowds;
mod failures;
mod health;
mod history;
mod mixes;
mod percentiles;
mod polling;
mod reload;
mod resent;
mod secrets;
mod serve;
mod shutdown;
mod socket_failures;
#[path = "../support/mod.rs"]
mod support;
