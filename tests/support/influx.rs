//! A real `InfluxDB` on loopback.

use serde_json::Value;

use super::{Folder, Program, eventually, free_address};

/// One with a database that is called `runs`.
pub struct Influx {
    pub url: String,
    _program: Program,
}

impl Influx {
    pub async fn start() -> Self {
        let folder = Folder::new();
        let (http, backups) = (free_address(), free_address());
        let [meta, data, wal] = ["meta", "data", "wal"].map(|name| folder.argument(name));
        let configuration = format!(
            "reporting-disabled = true\nbind-address = \"{backups}\"\n\
             [meta]\ndir = \"{meta}\"\n[data]\ndir = \"{data}\"\nwal-dir = \"{wal}\"\n\
             [monitor]\nstore-enabled = false\n[http]\nbind-address = \"{http}\"\n"
        );
        let file = folder.write("influxdb.conf", &configuration);
        let arguments = ["-config".to_owned(), file];
        let program = Program::start("influxd", "influxdb", folder, &arguments);
        let influx = Self {
            url: format!("http://{http}"),
            _program: program,
        };
        eventually("InfluxDB makes a database", async || {
            influx.ask("CREATE DATABASE runs").await
        })
        .await;
        influx
    }

    /// Where lines are written to.
    pub fn receiver(&self) -> String {
        format!("{}/write?db=runs", self.url)
    }

    /// The first number of the first row of an answer, behind its time.
    pub async fn number(&self, query: &str) -> Option<f64> {
        let answer = self.ask(query).await?;
        answer["results"][0]["series"][0]["values"][0][1].as_f64()
    }

    async fn ask(&self, query: &str) -> Option<Value> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/query", self.url));
        let request = request.query(&[("db", "runs"), ("q", query)]);
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        assert!(answer["error"].is_null(), "{query}: {answer}");
        Some(answer)
    }
}
