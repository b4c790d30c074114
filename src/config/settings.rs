use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    callbacks::CallbackLimits,
    document::{Mapping, Node, Problems, Value, settings, settings_besides},
    history::Storage,
    push::PushSettings,
    runner::HealthBudget,
    target::read_url,
    units::Rate,
};

/// Reads a section that configures a part of the program of which this module knows nothing. What it returns is
/// equal for equal settings.
pub type ReadSection = fn(&Node, &Problems) -> Option<serde_json::Value>;

/// Who reads such sections.
#[derive(Debug, Clone, Copy)]
pub struct Sections {
    /// Reads `simulator`.
    pub simulator: ReadSection,
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
    pub data: Storage,
    /// Where results of runs are pushed to, if anywhere.
    pub push: Option<PushSettings>,
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

impl Settings {
    /// The sections that differ and are read at the start only.
    pub fn changed_for_restart(&self, new: &Self) -> Vec<&'static str> {
        let sections = [
            ("listen", self.listen != new.listen),
            ("admin", self.admin != new.admin),
            ("health", self.health != new.health),
            ("data", self.data != new.data),
            ("push", self.push != new.push),
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

    /// Takes the plain sections out of the configuration; paths of secrets are relative to the folder.
    pub(super) fn read(
        map: &mut Mapping<'_>,
        directory: &Path,
        sections: Sections,
        problems: &Problems,
    ) -> Self {
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
        read.push =
            (map.get("push")).and_then(|node| PushSettings::read(node, directory, problems));
        read.simulator =
            (map.get("simulator")).and_then(|node| (sections.simulator)(node, problems));
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
