use serde_json::json;

use super::{CHAT, PLAN, SECRET, Service, until};

#[tokio::test]
async fn scenarios_show_their_inputs_and_steps() {
    let service = Service::start().await;
    let scenarios = service.get("/api/v1/scenarios").await.json();
    assert_eq!(
        scenarios,
        json!([
            {
                "name": "contact-center-chat",
                "description": "A customer who only thinks.",
                "inputs": [
                    { "name": "reply_delay", "type": "duration", "default": "10ms", "description": "Before a reply." },
                    { "name": "name", "type": "text", "default": "Ada", "description": null },
                ],
                "steps": [],
            },
            {
                "name": "requests",
                "description": null,
                "inputs": [
                    { "name": "count", "type": "integer", "default": null, "description": null },
                ],
                "steps": [
                    { "name": "open", "part": "setup", "action": "http" },
                    { "name": "say", "part": "steps", "action": "http" },
                    { "name": "close", "part": "teardown", "action": "http" },
                ],
            },
        ])
    );
}

#[tokio::test]
async fn targets_show_the_names_of_secrets_and_never_their_values() {
    let service = Service::start().await;
    let answer = service.get("/api/v1/targets").await;
    assert_eq!(
        answer.json(),
        json!([{
            "name": "contact-center",
            "url": "http://127.0.0.1:9",
            "variables": ["tenant_id"],
            "secrets": ["api_key"],
        }])
    );
    assert!(!answer.text.contains(SECRET));
}

#[tokio::test]
async fn bursts_show_their_load_and_schedule() {
    let service = Service::start().await;
    let bursts = service.get("/api/v1/bursts").await.json();
    assert_eq!(bursts[0]["name"], "lunch-rush");
    assert_eq!(bursts[0]["load"], "{ rate: 2/s, for: 30s, max_active: 20 }");
    assert_eq!(bursts[0]["thresholds"], json!(["p95 <= 15 s"]));
    assert_eq!(
        bursts[0]["inputs"],
        json!({ "reply_delay": "100ms", "name": "Ada" })
    );
    assert_eq!(bursts[0]["schedule"], json!(null));
    assert_eq!(bursts[1]["schedule"]["cron"], "0 3 * * *");
    assert_eq!(bursts[1]["schedule"]["time_zone"], "Europe/Berlin");
    let next = bursts[1]["schedule"]["next_start"].as_str().unwrap();
    // Three in the morning in Berlin is one or two in the morning here.
    assert!(
        next.ends_with("T01:00:00Z") || next.ends_with("T02:00:00Z"),
        "{next}"
    );
}

#[tokio::test]
async fn a_reload_tells_what_changed_or_what_is_wrong() {
    let service = Service::start().await;
    let plan = service.folder.path().join("chatprobe.yaml");
    std::fs::write(&plan, PLAN.replace("every: 1h", "every: never")).unwrap();
    let (status, error, problems) = service.order("POST", "/api/v1/reload", "").await.refusal();
    assert_eq!(
        (status, error.as_str()),
        (
            422,
            "the configuration has problems; the old one stays in force"
        )
    );
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains("chatprobe.yaml:12:12: "),
        "{problems:?}"
    );
    assert_eq!(service.get("/api/v1/probes").await.json()[0]["every"], "1h");

    std::fs::write(&plan, PLAN.replace("morning-check", "evening-check")).unwrap();
    let answer = service.order("POST", "/api/v1/reload", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({ "kept": [], "started": ["evening-check"], "stopped": ["morning-check"], "needs_restart": [] })
    );

    let chat = service
        .folder
        .path()
        .join("scenarios/contact-center-chat.yaml");
    std::fs::write(&chat, CHAT.replace("steps:", "stepz:")).unwrap();
    let (status, _, problems) = service.order("POST", "/api/v1/reload", "").await.refusal();
    assert_eq!(status, 422);
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("did you mean `steps`?"))
    );
}

#[tokio::test]
async fn what_needs_a_restart_needs_it_until_it_is_as_at_the_start() {
    let service = Service::start().await;
    let plan = service.folder.path().join("chatprobe.yaml");
    let needs = async |text: &str| {
        std::fs::write(&plan, text).unwrap();
        let answer = service.order("POST", "/api/v1/reload", "").await;
        answer.json()["needs_restart"].clone()
    };
    let changed = format!("{PLAN}listen: {{ web: '127.0.0.1:1' }}\n");
    assert_eq!(needs(&changed).await, json!(["listen"]));
    assert_eq!(needs(&changed).await, json!(["listen"]));
    assert_eq!(needs(PLAN).await, json!([]));
}

#[tokio::test]
async fn reloads_leave_nothing_behind() {
    let service = Service::start().await;
    let mut bursts = Vec::new();
    for _ in 0..5 {
        let answer = service.order("POST", "/api/v1/reload", "").await;
        assert_eq!(answer.status, 200);
        let plan = service.web.scheduler.plan();
        bursts.extend(plan.bursts.iter().map(std::sync::Arc::downgrade));
    }
    let newest = bursts.split_off(bursts.len() - 2);
    until(|| bursts.iter().all(|burst| burst.upgrade().is_none())).await;
    assert!(newest.iter().all(|burst| burst.upgrade().is_some()));
}
