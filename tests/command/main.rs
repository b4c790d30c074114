//! Drives the commands of `chatprobe` other than `serve`, against real servers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod as_written;
mod capacity_search;
mod check;
mod connections;
mod cookies;
mod credentials;
mod deliveries;
mod endings;
mod event_streams;
mod exchange;
mod fidelity;
mod interrupted;
mod mistaken;
mod one_round;
mod other_api;
mod output;
mod plain_words;
mod preflight;
mod progress;
mod proxies;
mod pushing;
mod received_json;
mod reference_servers;
mod repeatability;
mod reports;
mod rows;
mod run;
mod run_input;
mod saturated;
mod second_signal;
mod socket_protocols;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
mod tracks;
mod url;
mod webhooks;
