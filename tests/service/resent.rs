//! Requests that were sent again are in the metrics and in the explanation of a failed chat.

use serde_json::json;

use crate::support::{Folder, Script, Service, answer, eventually};

const CHAT: &str = "
scenario: exchange
steps:
  - step: first
    http: { get: '{{ target.url }}/first' }
  - step: second
    http: { put: '{{ target.url }}/second', json: {} }
  - step: third
    http: { get: '{{ target.url }}/third' }
    follow: 1
    expect: body.id == 7
";

#[tokio::test]
async fn a_request_that_is_sent_again_is_counted_and_told() {
    let server = Script::start(|mut line| async move {
        while let Some(path) = line.request().await {
            match (path.as_str(), line.number) {
                // It takes the request and closes at once.
                ("/second", 0) => return,
                ("/third", _) => line.write(answer(302, "location: /fourth\r\n", "")).await,
                _ => line.write(answer(200, "", "{}")).await,
            }
        }
    })
    .await;
    let folder = Folder::new();
    folder.write("scenarios/exchange.yaml", CHAT);
    let configuration = format!(
        "targets: {{ desk: {{ url: '{}' }} }}\nscenarios: [scenarios]\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\ndata: {{ directory: data }}\n",
        server.url
    );
    let service = Service::start_in(folder, &configuration, &[], &[]).await;
    let body = "{ scenario: exchange, target: desk, load: { chats: 1 } }";
    let started = service.order("POST", "/api/v1/bursts", body).await;
    let path = format!("/api/v1/runs/{}", started.text("id"));
    let report = eventually("the end of the run", async || {
        let report = service.read(&path).await.body;
        Some(report).filter(|report| report["state"] == "ended")
    })
    .await;
    let resent: Vec<_> = (report["steps"].as_array().unwrap().iter())
        .map(|step| step["resent"].clone())
        .collect();
    assert_eq!(resent, [json!(0), json!(1), json!(0)]);

    let metrics = service.metrics().await;
    for (step, times) in [("first", 0), ("second", 1), ("third", 0)] {
        let labels = [("step", step), ("mode", "burst")];
        let name = "chatprobe_requests_resent_total";
        assert_eq!(metrics.count(name, &labels), times, "{step}");
    }

    let id = report["failures"][0]["id"].as_str().unwrap();
    let told = service.read(&format!("/api/v1/failures/{id}")).await.body;
    assert_eq!(told["steps"][1]["resent"], 1, "{told:#}");
    assert_eq!(told["steps"][2]["resent"], 0);
    let redirects = json!([format!("{}/fourth", server.url)]);
    assert_eq!(told["steps"][2]["answer"]["redirects"], redirects);
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("after 1 redirect, at"), "{detail}");
}
