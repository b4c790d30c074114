//! Drives the console in a real browser.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod pages;
#[path = "../support/mod.rs"]
mod support;
