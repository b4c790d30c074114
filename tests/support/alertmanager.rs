//! A real Alertmanager on loopback.

use super::{Folder, Program, free_address};

/// In a hurry.
pub struct Alertmanager {
    /// Without a scheme.
    pub address: String,
    _program: Program,
}

/// Where it believes people reach it.
pub const ALERTMANAGER: &str = "http://alertmanager.example";

impl Alertmanager {
    /// Under the configuration of the repository; sends to this Slack.
    pub async fn start(slack: &str) -> Self {
        let path = format!("{}/alerting/alertmanager.yml", env!("CARGO_MANIFEST_DIR"));
        Self::start_with(std::fs::read_to_string(path).unwrap(), slack).await
    }

    /// Under this configuration, which was made with other parameters.
    pub async fn start_with(mut config: String, slack: &str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let folder = Folder::new();
        let secret = folder.write("slack_url", slack);
        for (from, to) in [
            ("/run/secrets/slack_url", &*secret),
            (
                "- templates/*.tmpl",
                &format!("- {root}/alerting/templates/*.tmpl"),
            ),
            ("group_wait: 30s", "group_wait: 5s"),
            ("group_interval: 5m", "group_interval: 1s"),
            // Those of the watchdog, one as much shorter as the other.
            ("group_interval: 1m", "group_interval: 4s"),
            ("repeat_interval: 50s", "repeat_interval: 3333ms"),
        ] {
            assert!(config.contains(from), "alertmanager.yml has no `{from}`");
            config = config.replace(from, to);
        }
        let file = folder.write("alertmanager.yml", &config);
        let address = free_address().to_string();
        let arguments = [
            format!("--config.file={file}"),
            format!("--storage.path={}", folder.argument("data")),
            format!("--web.listen-address={address}"),
            format!("--web.external-url={ALERTMANAGER}"),
            "--web.route-prefix=/".to_owned(),
            // Alone.
            "--cluster.listen-address=".to_owned(),
        ];
        let mut program = Program::start(
            "prometheus-alertmanager",
            "prometheus-alertmanager",
            folder,
            &arguments,
        );
        program
            .answers(&format!("http://{address}/-/ready"), "OK")
            .await;
        Self {
            address,
            _program: program,
        }
    }
}
