//! Bursts whose chats are of several scenarios.

use serde_json::{Value, json};

use crate::support::{Folder, Script, Service, answer, eventually};

const STORE: &str = "
scenario: store
steps: [ { step: call, http: { post: '{{ target.url }}/store' } } ]
";
const QUERY: &str = "
scenario: query
inputs: { of: nobody }
steps: [ { step: call, http: { get: '{{ target.url }}/query/{{ inputs.of }}' } } ]
";

async fn ended(service: &Service, id: &str) -> Value {
    let path = format!("/api/v1/runs/{id}");
    eventually("the end of the run", async || {
        let report = service.read(&path).await.body;
        Some(report).filter(|report| report["state"] == "ended")
    })
    .await
}

#[tokio::test]
async fn a_mixed_burst_is_one_run_whose_chats_count_under_their_own_scenarios() {
    let server = Script::answering(|path| {
        let status = if path == "/query/nobody" { 404 } else { 200 };
        answer(status, "", "{}")
    })
    .await;
    let folder = Folder::new();
    folder.write("scenarios/store.yaml", STORE);
    folder.write("scenarios/query.yaml", QUERY);
    let configuration = format!(
        "targets: {{ desk: {{ url: '{}' }} }}\nscenarios: [scenarios]\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\ndata: {{ directory: data }}\n\
         bursts:\n  evening:\n    target: desk\n    load: {{ chats: 30 }}\n\
         \x20   mix: [ {{ scenario: store }}, {{ scenario: query, weight: 2, inputs: {{ of: ann }} }} ]\n\
         \x20   thresholds: [ {{ scenario: query, step: call, failed: 0% }}, {{ scenario: store, failed: 0% }} ]\n",
        server.url
    );
    let service = Service::start_in(folder, &configuration, &[], &[]).await;
    let before = service.metrics().await;
    let burst = [
        ("burst", "evening"),
        ("scenario", "mixed"),
        ("verdict", "passed"),
    ];
    assert_eq!(before.count("chatprobe_bursts_total", &burst), 0);

    let started = service
        .order("POST", "/api/v1/bursts", "{ burst: evening }")
        .await;
    let report = ended(&service, &started.text("id")).await;
    assert_eq!(report["verdict"], "passed", "{report:#}");
    assert_eq!(
        (&report["scenario"], &report["target"]),
        (&json!("mixed"), &json!("desk"))
    );
    assert_eq!(report["inputs"]["query"], json!({ "of": "ann" }));
    let members: Vec<_> = (report["members"].as_array().unwrap().iter())
        .map(|member| (member["scenario"].clone(), member["passed"].clone()))
        .collect();
    assert_eq!(
        members,
        [(json!("store"), json!(10)), (json!("query"), json!(20))]
    );
    let steps: Vec<_> = (report["steps"].as_array().unwrap().iter())
        .map(|step| step["step"].clone())
        .collect();
    assert_eq!(steps, [json!("store/call"), json!("query/call")]);
    assert_eq!(server.requests("/store").len(), 10);
    assert_eq!(server.requests("/query/ann").len(), 20);

    let metrics = service.metrics().await;
    assert_eq!(metrics.count("chatprobe_bursts_total", &burst), 1);
    for (scenario, chats) in [("store", 10), ("query", 20)] {
        let labels = [("scenario", scenario), ("mode", "burst")];
        assert_eq!(
            metrics.count("chatprobe_chats_passed_total", &labels),
            chats,
            "{scenario}"
        );
        assert_eq!(
            metrics.count("chatprobe_steps_passed_total", &labels),
            chats,
            "{scenario}"
        );
        let active = [("burst", "evening"), ("scenario", scenario)];
        assert_eq!(
            metrics.count("chatprobe_burst_active", &active),
            0,
            "{scenario}"
        );
    }

    // What a request gives takes the place of what the burst says, and one of several scenarios may break.
    let request =
        "{ mix: [ { scenario: store, weight: 3 }, { scenario: query } ], load: { chats: 4 } }";
    let started = service.order("POST", "/api/v1/bursts", request).await;
    let report = ended(&service, &started.text("id")).await;
    assert_eq!(report["verdict"], "failed");
    assert_eq!(report["members"][0]["passed"], 3);
    assert_eq!(
        report["members"][1]["failed_by_reason"],
        json!({ "status": 1 })
    );
    let id = report["failures"][0]["id"].as_str().unwrap();
    let failure = service.read(&format!("/api/v1/failures/{id}")).await.body;
    assert_eq!(failure["scenario"], "query");
    let page = service
        .read(&format!("/runs/{}", report["id"].as_str().unwrap()))
        .await;
    assert_eq!(page.status, 200);
}
