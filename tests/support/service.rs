//! `chatprobe serve`, and what it says on `/metrics`.

use serde_json::Value;

use super::{ANY_HEALTH, Folder, Metrics, Process, SCENARIO, Signal, eventually, get, shipped};

/// A service that runs.
pub struct Service {
    pub process: Process,
    pub folder: Folder,
    /// Sent with every request.
    pub token: Option<String>,
    /// Where its web listens, without a path.
    pub web: String,
}

/// What the admin API answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Null where it is no JSON.
    pub body: Value,
}

impl Answer {
    pub fn text(&self, key: &str) -> String {
        self.body[key].as_str().unwrap().to_owned()
    }
}

/// The labels of the only probe of [`plain`].
pub const PROBE: [(&str, &str); 3] = [
    ("scenario", SCENARIO),
    ("target", "centre"),
    ("mode", "probe"),
];

/// A configuration with free ports, one target, no simulator, and `more`.
pub fn plain(target: &str, more: &str) -> String {
    format!(
        "targets: {{ centre: {{ url: '{target}', variables: {{ tenant_id: t, channel_provider_id: p }} }} }}\n\
         scenarios: ['{}']\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n\
         {ANY_HEALTH}\n\
         {more}\n",
        shipped("scenarios").display()
    )
}

impl Service {
    /// Starts the service with this configuration.
    pub async fn start(configuration: &str) -> Self {
        Self::start_in(Folder::new(), configuration, &[], &[]).await
    }

    pub async fn start_in(
        folder: Folder,
        configuration: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let file = folder.write("chatprobe.yaml", configuration);
        let arguments = [&["serve", "--config", &file], arguments].concat();
        let process = Process::start_in(&arguments, environment);
        Self::of(process, folder).await
    }

    /// With what `ulimit` takes, for instance `-n 64`.
    pub async fn start_limited(limits: &str, configuration: &str) -> Self {
        let folder = Folder::new();
        let file = folder.write("chatprobe.yaml", configuration);
        let process = Process::start_limited(limits, &["serve", "--config", &file]);
        Self::of(process, folder).await
    }

    /// One that has been started.
    pub async fn of(mut process: Process, folder: Folder) -> Self {
        let line = process.line("/metrics").await;
        let from = line.find("http://").unwrap();
        let metrics = line[from..].split('"').next().unwrap().trim();
        Self {
            web: metrics.strip_suffix("/metrics").unwrap().to_owned(),
            process,
            folder,
            token: None,
        }
    }

    pub async fn metrics(&self) -> Metrics {
        let text = get(&format!("{}/metrics", self.web)).await;
        Metrics {
            text: text.unwrap(),
        }
    }

    /// Reads something of the admin API.
    pub async fn read(&self, path: &str) -> Answer {
        self.request("GET", path, String::new()).await
    }

    /// Changes something; the body in YAML.
    pub async fn order(&self, method: &str, path: &str, body: &str) -> Answer {
        self.request(method, path, body.to_owned()).await
    }

    /// Starts a burst of the shipped scenario, `more` being further fields of it; its id.
    pub async fn burst(&self, load: &str, inputs: &str, more: &str) -> String {
        let body = format!(
            "{{ scenario: {SCENARIO}, target: centre, load: {load}, inputs: {inputs}, seed: 1{more} }}"
        );
        let answer = self.order("POST", "/api/v1/bursts", &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.text("id")
    }

    async fn request(&self, method: &str, path: &str, body: String) -> Answer {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("{}{path}", self.web));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if !body.is_empty() {
            request = request
                .header("content-type", "application/yaml")
                .body(body);
        }
        let answer = request.send().await.unwrap();
        Answer {
            status: answer.status().as_u16(),
            body: answer.json().await.unwrap_or_default(),
        }
    }

    /// The metrics once this holds of them.
    pub async fn when(&self, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        eventually(what, async || Some(self.metrics().await).filter(&holds)).await
    }

    /// The metrics once so many probe chats have passed.
    pub async fn passed(&self, count: u64) -> Metrics {
        self.when(&format!("{count} passed probe chats"), |metrics| {
            metrics.count("chatprobe_chats_passed_total", &PROBE) >= count
        })
        .await
    }

    /// Changes the configuration and has it read.
    pub fn reload(&self, configuration: &str) {
        self.folder.write("chatprobe.yaml", configuration);
        self.process.signal(Signal::SIGHUP);
    }
}
