//! What the tests of the real binary share: processes, folders, waiting, metrics, the simulator.
#![expect(
    dead_code,
    unused_imports,
    reason = "each test binary uses another part of it"
)]

mod alertmanager;
mod browser;
mod centre;
mod certificates;
mod folder;
mod group;
mod influx;
mod metrics;
mod node_exporter;
mod process;
mod program;
mod prometheus;
mod redis;
mod run;
mod script;
mod service;
mod slack;
mod sockets;
#[path = "../../src/testing.rs"]
mod testing;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use tokio::time::{Instant, sleep};

pub use alertmanager::{ALERTMANAGER, Alertmanager};
pub use browser::Browser;
pub use centre::{Centre, events, requests};
pub use certificates::{Authority, SecureServer};
pub use folder::{Folder, QUICK, SCENARIO, shipped, write_scenarios};
pub use group::Group;
pub use influx::Influx;
pub use metrics::Metrics;
pub use nix::sys::signal::Signal;
pub use node_exporter::NodeExporter;
pub use process::Process;
pub use program::Program;
pub use prometheus::Prometheus;
pub use redis::Redis;
pub use run::{Finished, Run};
pub use script::{Line, Script, answer};
pub use service::{Answer, PROBE, Service, plain};
pub use slack::{Message, Slack};
pub use sockets::{ServerSocket, SocketServer};

/// How long anything may take that is expected to happen; far more than it needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The `health` of a configuration with which a busy host makes no run `invalid`; a test that wants this says so.
pub const ANY_HEALTH: &str = "health: { start_lateness_p99: 1m, send_lateness_p99: 1m, scheduler_lag_p99: 1m, \
     read_delay_p99: 1m, stall: 1m, cpu_wait: 100% }";

/// How often a test repeats what it does at random moments, or how much it takes: `often` in `ci/long`, which sets `CHATPROBE_LONG_TESTS`.
pub fn rounds(usually: usize, often: usize) -> usize {
    if std::env::var_os("CHATPROBE_LONG_TESTS").is_some() {
        often
    } else {
        usually
    }
}

/// Looks until there is something to see.
///
/// # Panics
/// There was nothing in time.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// An address on loopback that was free a moment ago, for what has to know its port beforehand. Not
/// one of those that the system gives to whoever asks for any: the next to ask could get it.
pub fn free_address() -> SocketAddr {
    loop {
        let address = (Ipv4Addr::LOCALHOST, fastrand::u16(10_240..32_768));
        if TcpListener::bind(address).is_ok() {
            return address.into();
        }
    }
}

/// GETs a text.
pub async fn get(url: &str) -> Option<String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.ok()?;
    answer.text().await.ok()
}

/// The client's TLS needs a provider even where no TLS is spoken.
pub fn install_crypto() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
