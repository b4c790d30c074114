//! A real Alertmanager on loopback.

use super::{Folder, Program, free_address};

/// Under the configuration of the repository, in a hurry.
pub struct Alertmanager {
    /// Without a scheme.
    pub address: String,
    _program: Program,
}

/// Where it believes people reach it.
pub const ALERTMANAGER: &str = "http://alertmanager.example";

impl Alertmanager {
    /// Sends to this Slack.
    pub async fn start(slack: &str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let folder = Folder::new();
        let secret = folder.write("slack_url", slack);
        let mut config =
            std::fs::read_to_string(format!("{root}/alerting/alertmanager.yml")).unwrap();
        for (from, to) in [
            ("/run/secrets/slack_url", &*secret),
            (
                "- templates/*.tmpl",
                &format!("- {root}/alerting/templates/*.tmpl"),
            ),
            ("group_wait: 30s", "group_wait: 5s"),
            ("group_interval: 5m", "group_interval: 1s"),
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
