//! A real Prometheus on loopback.

use super::{Folder, Program, eventually, free_address};

/// Under the configuration of the repository, but scrapes and evaluates every second.
pub struct Prometheus {
    pub url: String,
    _program: Program,
}

/// The time that the alerts take, in a hurry: the windows of the rules, and how long something has to
/// hold. The longest windows stay; they see all there is.
const HURRIED: [(&str, &str); 11] = [
    ("[5m]", "[10s]"),
    ("[15m]", "[30s]"),
    ("[30m]", "[60s]"),
    ("[1h]", "[120s]"),
    ("[2h]", "[240s]"),
    ("for: 5m", "for: 5s"),
    ("for: 2m", "for: 4s"),
    ("for: 1m", "for: 2s"),
    // How often groups are evaluated.
    ("interval: 30s", "interval: 1s"),
    ("interval: 1m", "interval: 1s"),
    ("interval: 2m", "interval: 1s"),
];

impl Prometheus {
    /// Scrapes this chatprobe under all rules, in a hurry, and sends alerts to nobody.
    pub async fn start(chatprobe: &str) -> Self {
        let folder = with_rules();
        folder.write("targets/alertmanager.yml", "[]");
        Self::start_in(folder, chatprobe).await
    }

    /// The same, and sends alerts to this Alertmanager.
    pub async fn watching(chatprobe: &str, alertmanager: &str) -> Self {
        let folder = with_rules();
        folder.write(
            "targets/alertmanager.yml",
            &format!("[{{ targets: ['{alertmanager}'] }}]"),
        );
        Self::start_in(folder, chatprobe).await
    }

    /// The same as others have it: under another name of the job, with the labels of a cluster, and alerts that reach
    /// nobody.
    pub async fn shared(chatprobe: &str) -> Self {
        Self::shared_beside(chatprobe, None).await
    }

    /// The same, with a node exporter at this address on the host of the target `centre`.
    pub async fn shared_beside(chatprobe: &str, node_exporter: Option<&str>) -> Self {
        let folder = with_rules();
        let nobody = free_address();
        folder.write(
            "targets/alertmanager.yml",
            &format!("[{{ targets: ['{nobody}'] }}]"),
        );
        let labels = "labels: { cluster: east, namespace: synthetic }";
        let target = format!("[{{ targets: ['{chatprobe}'], {labels} }}]");
        folder.write("targets/chatprobe.yml", &target);
        if let Some(address) = node_exporter {
            let labels = labels.replace('}', ", target: centre }");
            let target = format!("[{{ targets: ['{address}'], {labels} }}]");
            folder.write("targets/target-hosts.yml", &target);
        }
        let config = repository("prometheus/prometheus.yml");
        let renamed = config.replace("job_name: chatprobe", "job_name: monitored-pods");
        assert_ne!(config, renamed);
        Self::start_with(folder, &renamed).await
    }

    /// Scrapes nobody and has no rules.
    pub async fn receiving() -> Self {
        Self::start_with(Folder::new(), "global: { scrape_interval: 15s }\n").await
    }

    /// Where results are pushed to.
    pub fn receiver(&self) -> String {
        format!("{}/api/v1/write", self.url)
    }

    async fn start_in(folder: Folder, chatprobe: &str) -> Self {
        folder.write(
            "targets/chatprobe.yml",
            &format!("[{{ targets: ['{chatprobe}'] }}]"),
        );
        Self::start_with(folder, &repository("prometheus/prometheus.yml")).await
    }

    async fn start_with(folder: Folder, config: &str) -> Self {
        let listen = free_address().to_string();
        assert!(config.contains("scrape_interval: 15s"), "{config}");
        let config = config
            .replace("interval: 15s", "interval: 1s")
            .replace("localhost:9090", &listen);
        let file = folder.write("prometheus.yml", &config);
        let arguments = [
            format!("--config.file={file}"),
            format!("--storage.tsdb.path={}", folder.argument("data")),
            format!("--web.listen-address={listen}"),
            "--rules.alert.resend-delay=1s".to_owned(),
            "--web.enable-remote-write-receiver".to_owned(),
        ];
        let mut program = Program::start("prometheus", "prometheus", folder, &arguments);
        let url = format!("http://{listen}");
        program.answers(&format!("{url}/-/ready"), "is Ready").await;
        Self {
            url,
            _program: program,
        }
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

fn with_rules() -> Folder {
    let folder = Folder::new();
    let rules = format!("{}/prometheus/rules", env!("CARGO_MANIFEST_DIR"));
    for file in std::fs::read_dir(rules).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let mut rules = repository(&format!("prometheus/rules/{name}"));
        for (from, to) in HURRIED {
            rules = rules.replace(from, to);
        }
        folder.write(&format!("rules/{name}"), &rules);
    }
    folder
}

fn repository(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
