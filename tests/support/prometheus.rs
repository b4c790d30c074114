//! A real Prometheus on loopback.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
};

use super::{Folder, eventually, free_address, get, install_crypto};

/// A Prometheus that scrapes and evaluates every second; killed with the end of the test.
pub struct Prometheus {
    pub url: String,
    child: Child,
    folder: Folder,
}

impl Prometheus {
    /// Scrapes this address as the job `chatprobe`, under the recording rules of the repository.
    pub async fn start(address: &str) -> Self {
        install_crypto();
        let folder = Folder::new();
        let rules = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/prometheus/rules/chatprobe.rules.yml"
        );
        assert!(std::path::Path::new(rules).exists(), "no {rules}");
        let file = folder.write(
            "prometheus.yml",
            &format!(
                "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
                 rule_files: ['{rules}']\n\
                 scrape_configs: [{{ job_name: chatprobe, static_configs: [{{ targets: ['{address}'] }}] }}]\n"
            ),
        );
        let listen = free_address();
        let child = Command::new("prometheus")
            .args([
                &format!("--config.file={file}"),
                &format!("--storage.tsdb.path={}", folder.argument("data")),
                &format!("--web.listen-address={listen}"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start prometheus: {error}; \
                     apt-get install -y --no-install-recommends prometheus"
                )
            });
        let mut prometheus = Self {
            url: format!("http://{listen}"),
            child,
            folder,
        };
        let ready = format!("{}/-/ready", prometheus.url);
        eventually("Prometheus is ready", async || {
            let ended = prometheus.child.try_wait().unwrap();
            assert!(ended.is_none(), "Prometheus ended, {ended:?}");
            get(&ready)
                .await
                .filter(|answer| answer.contains("is Ready"))
        })
        .await;
        prometheus
    }

    /// The value of a query once it has one, and this holds of it.
    pub async fn when(&self, query: &str, holds: impl Fn(f64) -> bool) -> f64 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        eventually(query, async || {
            let request = client.get(format!("{}/api/v1/query", self.url));
            let answer = request.query(&[("query", query)]).send().await.ok()?;
            let answer: serde_json::Value = answer.json().await.ok()?;
            let value = answer["data"]["result"][0]["value"][1].as_str()?;
            value.parse::<f64>().ok().filter(|&value| holds(value))
        })
        .await
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path("log")).unwrap_or_default();
            eprintln!("--- log of Prometheus:\n{log}");
        }
    }
}
