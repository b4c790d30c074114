use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;

use crate::{
    document::{Mapping, Node, Problems, Value, settings, settings_besides},
    target::read_url,
    units::{Rate, Share},
};

/// Reads a section that configures a part of the program of which this module knows nothing. What it returns is
/// equal for equal settings.
pub type ReadSection = fn(&Node, &Problems) -> Option<serde_json::Value>;

/// Who reads such sections. One that has no reader is not read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sections {
    /// Reads `simulator`.
    pub simulator: Option<ReadSection>,
}

/// The plain settings of the service.
#[derive(Debug, Default)]
pub struct Settings {
    /// Where it listens.
    pub listen: Listen,
    /// How targets reach the callback listener, if not at its own address.
    pub callback_url: Option<String>,
    /// How inbound events are kept.
    pub callbacks: CallbackLimits,
    /// Who may change something.
    pub admin: Admin,
    /// How it ends.
    pub shutdown: Shutdown,
    /// What bursts cannot exceed.
    pub caps: Caps,
    /// When a run is invalid.
    pub health: HealthBudget,
    /// What is kept on disk.
    pub data: Data,
    /// The simulator beside the service, if there is one, as [`Sections::simulator`] returned it.
    pub simulator: Option<serde_json::Value>,
}

/// Where the service listens; port 0 takes any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Metrics, health, admin API, console.
    pub web: SocketAddr,
    /// Inbound events of targets.
    pub callbacks: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            web: (Ipv4Addr::LOCALHOST, 8080).into(),
            callbacks: (Ipv4Addr::LOCALHOST, 8001).into(),
        }
    }
}

/// Who may change something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// A file with the admin token; `CHATPROBE_ADMIN_TOKEN` goes before it.
    pub token_file: Option<PathBuf>,
    /// Whether the service makes a token and writes it to that file, if there is none.
    pub create_token: bool,
    /// Names under which the web listener answers without a token, besides `localhost` and addresses.
    pub hosts: Vec<HostName>,
}

/// The name of a host, without a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostName(String);

impl HostName {
    /// As requests name it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(&text);
        match url::Host::parse(name) {
            Ok(url::Host::Domain(name)) if !name.contains(['*', '/']) => Ok(Self(name)),
            Ok(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => {
                Err(format!("`{text}` is an address; those need not be listed"))
            }
            Ok(_) | Err(_) => Err(format!(
                "`{text}` is not a host name; write it without `http://`, port and path"
            )),
        }
    }
}

/// How the service ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long chats in progress may go on.
    #[serde(with = "crate::units::duration")]
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(20),
        }
    }
}

/// What bursts cannot exceed.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// Chats at once, of all bursts together.
    pub max_active_chats: u64,
    /// Starts, of one burst.
    pub max_rate: Rate,
}

impl Default for Caps {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "1000 is finite and not negative")]
        let max_rate = Rate::per_second(1000.0).expect("a rate");
        Self {
            max_active_chats: 20_000,
            max_rate,
        }
    }
}

/// How much is kept of what nobody has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackLimits {
    /// The largest body of an event, in bytes; a larger one is answered with 413.
    pub max_body_bytes: usize,
    /// How long an event waits for its key to be claimed.
    #[serde(with = "crate::units::duration")]
    pub early_for: Duration,
    /// How many events wait so, per scenario and target; the oldest goes first.
    pub early_events: usize,
    /// How many bytes they may take in memory together, with their keys, ids and what is kept of their requests.
    pub early_bytes: usize,
    /// How long the keys of ended chats and the paths of ended runs are remembered, to tell a late
    /// event from an unknown one.
    #[serde(with = "crate::units::duration")]
    pub remember_for: Duration,
    /// How many of these keys are remembered, per scenario and target.
    pub remember_keys: usize,
}

impl Default for CallbackLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 * 1024,
            early_for: Duration::from_secs(30),
            early_events: 10_000,
            early_bytes: 32 * 1024 * 1024,
            remember_for: Duration::from_mins(5),
            remember_keys: 100_000,
        }
    }
}

/// How late the generator may be before its figures say more about itself than about the target.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthBudget {
    /// The 99th percentile of how late chats start.
    #[serde(with = "crate::units::duration")]
    pub start_lateness_p99: Duration,
    /// The 99th percentile of how late requests are sent.
    #[serde(with = "crate::units::duration")]
    pub send_lateness_p99: Duration,
    /// The 99th percentile of how late a run's heartbeat comes.
    #[serde(with = "crate::units::duration")]
    pub scheduler_lag_p99: Duration,
    /// How long a thread that does nothing but sleep may once sleep too long.
    #[serde(with = "crate::units::duration")]
    pub stall: Duration,
    /// CPU wait: of the CPU time that the process wanted over the whole run, the share that it may wait for.
    pub cpu_wait: Share,
}

impl Default for HealthBudget {
    fn default() -> Self {
        Self {
            start_lateness_p99: Duration::from_millis(500),
            send_lateness_p99: Duration::from_millis(500),
            scheduler_lag_p99: Duration::from_millis(500),
            stall: Duration::from_secs(1),
            cpu_wait: Share::percent(60),
        }
    }
}

/// What is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// Where; without it nothing is.
    pub directory: Option<PathBuf>,
    /// How long runs and failures are kept.
    #[serde(with = "crate::units::duration")]
    pub keep: Duration,
    /// What the file may grow to, in bytes; its log comes on top.
    pub max_bytes: u64,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            directory: None,
            keep: Duration::from_hours(30 * 24),
            max_bytes: 1_000_000_000,
        }
    }
}

impl Settings {
    /// The sections that differ and are read at the start only.
    pub fn changed_for_restart(&self, new: &Self) -> Vec<&'static str> {
        let sections = [
            ("listen", self.listen != new.listen),
            ("admin", self.admin != new.admin),
            ("health", self.health != new.health),
            ("data", self.data != new.data),
            ("simulator", self.simulator != new.simulator),
            (
                "callbacks",
                self.callbacks != new.callbacks || self.callback_url != new.callback_url,
            ),
        ];
        sections
            .into_iter()
            .filter_map(|(name, changed)| changed.then_some(name))
            .collect()
    }

    /// Takes the plain sections out of the configuration.
    pub(super) fn read(map: &mut Mapping<'_>, sections: Sections, problems: &Problems) -> Self {
        let mut read = Self {
            listen: section(map.get("listen"), problems),
            admin: section(map.get("admin"), problems),
            shutdown: section(map.get("shutdown"), problems),
            caps: section(map.get("limits"), problems),
            health: section(map.get("health"), problems),
            data: section(map.get("data"), problems),
            ..Self::default()
        };
        if let Some(node) = map.get("callbacks") {
            read.read_callbacks(node, problems);
        }
        read.simulator = (map.get("simulator"))
            .and_then(|node| sections.simulator.and_then(|read| read(node, problems)));
        read
    }

    fn read_callbacks(&mut self, node: &Node, problems: &Problems) {
        let mut node = node.clone();
        if let Value::Map(entries) = &mut node.value
            && let Some(at) = entries.iter().position(|entry| entry.key == "url")
        {
            let entry = entries.remove(at);
            self.callback_url = read_url(&entry.node, problems);
        }
        self.callbacks = settings_besides(&node, &["url"], problems).unwrap_or_default();
    }
}

fn section<T: serde::de::DeserializeOwned + Default>(
    node: Option<&Node>,
    problems: &Problems,
) -> T {
    node.and_then(|node| settings(node, problems))
        .unwrap_or_default()
}
