//! Drives the console in a real browser.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod expected;
mod figures;
mod focus;
mod interrupted;
mod keyboard;
mod layout;
mod leftovers;
mod live;
mod orders;
mod pages;
mod rates;
mod reading;
mod restarts;
mod sockets;
mod states;
#[path = "../support/mod.rs"]
mod support;
mod thresholds;

/// A probe that does nothing while a test looks at something else.
const PROBE: &str =
    "probes: { watch: { scenario: contact-center-chat, target: centre, every: 1h } }";
