//! Drives what watches chatprobe: a real Prometheus, a real Alertmanager, rules, alerts and boards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alerting;
mod alertmanager;
mod dashboards;
mod pushed;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
