//! `chatprobe simulate` in a process of its own.

use serde_json::Value;

use super::{Folder, Process, eventually, get};

/// A simulated contact centre.
pub struct Centre {
    pub process: Process,
    pub url: String,
    _folder: Folder,
}

impl Centre {
    /// With fast agents, as many as it takes; `settings` in YAML come on top.
    pub async fn start(settings: &str) -> Self {
        Self::start_at("127.0.0.1:0", settings).await
    }

    pub async fn start_at(address: &str, settings: &str) -> Self {
        let folder = Folder::new();
        let mut all: serde_yaml::Value =
            serde_yaml::from_str("{ agents: unlimited, join: 50ms, answer: 20ms, typing: 20ms }")
                .unwrap();
        let extra: serde_yaml::Value = serde_yaml::from_str(settings).unwrap();
        all.as_mapping_mut()
            .unwrap()
            .extend(extra.as_mapping().unwrap().clone());
        let file = folder.write("centre.yaml", &serde_yaml::to_string(&all).unwrap());
        let mut process = Process::start(&["simulate", "--listen", address, "--settings", &file]);
        let line = process.line("the simulated contact centre is at").await;
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let url = url.unwrap().trim_end_matches(';').to_owned();
        Self {
            process,
            url,
            _folder: folder,
        }
    }

    pub async fn stats(&self) -> Value {
        let text = get(&format!("{}/stats", self.url)).await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The statistics once this holds of them.
    pub async fn stats_when(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || Some(self.stats().await).filter(&holds)).await
    }

    /// The statistics once no event is on its way any more.
    pub async fn settled(&self) -> Value {
        self.stats_when("all events are delivered", |stats| {
            stats["deliveries"] == serde_json::json!({ "queued": 0, "in_flight": 0 })
        })
        .await
    }
}

/// How often a request of this kind was answered so.
pub fn requests(stats: &Value, kind: &str, answer: &str) -> u64 {
    stats["requests"][kind][answer].as_u64().unwrap_or_default()
}

/// The sum of one count over all kinds of events.
pub fn events(stats: &Value, count: &str) -> u64 {
    let kinds = stats["events"].as_object().unwrap();
    kinds
        .values()
        .map(|counts| counts[count].as_u64().unwrap())
        .sum()
}
