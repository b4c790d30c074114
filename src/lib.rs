//! chatprobe talks to chat systems the way their customers do, all day as a synthetic probe and on
//! demand as a burst of many thousand chats, and tells what it felt like.
//!
//! # The map
//!
//! | module | contents | uses |
//! |---|---|---|
//! | [`arrival`] | when bytes arrived at this machine, as its kernel stamped them | nothing |
//! | [`body`] | the body of a received answer or event: decompressed, read as text, form and JSON; no I/O | nothing |
//! | [`cgroup`] | what the control groups of the process let it have | nothing |
//! | [`descriptors`] | how many files and sockets the process may have, and for what | `plain_words` |
//! | [`line_budget`] | how many lines of the log may tell of the same thing | nothing |
//! | [`lookups`] | addresses of names, looked up by the system on threads of their own | `plain_words` |
//! | [`plain_words`] | what the system and libraries say of an error, in plain words | nothing |
//! | [`printable`] | text as people may see it, without control and bidirectional characters | nothing |
//! | [`vitals`] | how the machine treats the process, seen from outside the runtime | descriptors |
//! | [`listener`] | connections from clients: accepted, bounded in number, time and bytes, ended | arrival, descriptors, `line_budget`, vitals |
//! | [`units`] | durations, rates, shares, distributions as people write them | nothing |
//! | [`document`] | YAML with the place of every value, and the list of problems | units |
//! | [`driver`] | a folder a protocol: carries requests over the wire, on streams of one transport | arrival, body, descriptors, lookups, `plain_words`, units |
//! | [`scenario`] | the language: steps, expressions, templates, and the actions of steps; no I/O but through drivers | body, document, driver, `plain_words`, units |
//! | [`target`] | a chat system: address, variables, secrets and their redaction, TLS and proxy | document, driver, `plain_words`, scenario |
//! | [`load`] | load profiles and thresholds, pure functions of time | document, units |
//! | [`preflight`] | a load set against what this machine has | cgroup, descriptors, driver, load, `plain_words`, scenario, units |
//! | [`event`] | what happened: the only thing that observers see | driver, listener, scenario, target, units, vitals |
//! | [`inbox`] | inbound events of one chat, of any source, and its waits | body, event, scenario |
//! | [`callbacks`] | inbound events over HTTP: receiver, keys, early buffer | arrival, body, descriptors, event, inbox, `line_budget`, listener, scenario, target, units |
//! | [`runner`] | one chat; one run of chats, from setup to verdict | callbacks, event, inbox, load, scenario, target, units, vitals |
//! | [`report`] | a run as HTML, CSV and JUnit XML, and runs side by side; no I/O | event, printable, runner, scenario, units |
//! | [`history`] | what runs did and why chats failed, in a file that outlives the process | event, `line_budget`, `plain_words`, runner, scenario, target, units |
//! | [`record`] | events to metrics and log | cgroup, descriptors, driver, event, `line_budget`, listener, scenario, vitals |
//! | [`push`] | seconds of runs to a time-series database | document, driver, event, `line_budget`, record, runner, scenario, target |
//! | [`config`] | files to a checked [`config::Plan`] | callbacks, document, event, history, load, `plain_words`, push, runner, scenario, target, units |
//! | [`scheduler`] | when: intervals, cron, on demand, overlap, drain | config, history, push, runner and all above |
//! | [`web`] | metrics, health, admin API, console | history, scheduler, record, report, `line_budget`, listener, `plain_words`, printable |
//! | [`simulator`] | a contact centre, chat rooms and a service with a database to practise on | descriptors, document, listener, lookups, `plain_words`, units |
//! | [`service`] | composition: build, start, shut down | everything |
//! | [`cli`] | one file a subcommand | everything |
//!
//! Arrows point up this table only; `tests/project/architecture.rs` keeps it so.
//!
//! # The way of one step
//!
//! A step is written in YAML, read by [`scenario::Step`] into a typed action whose expressions are
//! compiled, and held by a [`config::Plan`]. [`scheduler::Scheduler`] starts a run of it through
//! [`runner::Engine::start`]. The run's pacing says when the chat is due; the chat's track
//! lets the action perform in the chat's [`scenario::Scope`] with its [`scenario::Sessions`], or waits
//! at its [`inbox::Inbox`], checks, captures and claims, and emits exactly one
//! [`event::RunEvent::StepEnded`]. [`record::Metrics`] counts it, the run's [`runner::Tally`] keeps its
//! counters, and [`web`] shows both.

pub mod arrival;
pub mod body;
pub mod callbacks;
pub mod cgroup;
pub mod cli;
pub mod config;
pub mod descriptors;
pub mod document;
pub mod driver;
pub mod event;
#[cfg(test)]
#[path = "fuzz_tests.rs"]
mod fuzz;
pub mod history;
pub mod inbox;
pub mod line_budget;
pub mod listener;
pub mod load;
pub mod lookups;
pub mod plain_words;
pub mod preflight;
pub mod printable;
pub mod push;
pub mod record;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod scheduler;
pub mod service;
pub mod simulator;
pub mod target;
#[cfg(test)]
mod testing;
pub mod units;
pub mod vitals;
pub mod web;
