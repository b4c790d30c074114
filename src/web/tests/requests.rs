//! The body that starts a burst.

use std::collections::BTreeSet;

use axum::body::Body;
use serde::Serialize;
use serde_json::{Value, json};

use super::{PLAN, Service, local};
use crate::web::{
    BurstRequest, CustomersRequest, LoadRequest, MemberRequest, SearchRequest, StageRequest,
    ThresholdRequest,
};

fn every_load() -> [LoadRequest; 6] {
    [
        LoadRequest::Rate {
            rate: "5/s".to_owned(),
            r#for: "10s".to_owned(),
            max_active: Some(7),
            arrivals: Some("poisson".to_owned()),
            graceful_stop: Some("2m".to_owned()),
        },
        LoadRequest::Stages {
            stages: vec![StageRequest {
                r#for: "10s".to_owned(),
                rate: "5/s".to_owned(),
                from: Some("1/s".to_owned()),
            }],
            max_active: Some(7),
            arrivals: Some("poisson".to_owned()),
            graceful_stop: Some("2m".to_owned()),
        },
        LoadRequest::Chats {
            chats: 3,
            ramp: Some("10s".to_owned()),
            graceful_stop: Some("2m".to_owned()),
        },
        LoadRequest::Customers {
            customers: 2,
            r#for: "10s".to_owned(),
            ramp: Some("1s".to_owned()),
            ramp_down: Some("1s".to_owned()),
            pace: Some("1s".to_owned()),
            graceful_stop: Some("2m".to_owned()),
        },
        LoadRequest::Search {
            search: SearchRequest::Rate {
                from: "5/s".to_owned(),
                to: "10/s".to_owned(),
                hold: "10s".to_owned(),
            },
            max_active: Some(7),
            arrivals: Some("poisson".to_owned()),
            graceful_stop: Some("2m".to_owned()),
        },
        LoadRequest::Search {
            search: SearchRequest::Customers {
                customers: CustomersRequest { from: 2, to: 4 },
                hold: "10s".to_owned(),
            },
            max_active: None,
            arrivals: None,
            graceful_stop: Some("2m".to_owned()),
        },
    ]
}

fn every_threshold() -> ThresholdRequest {
    ThresholdRequest {
        scenario: Some("contact-center-chat".to_owned()),
        step: Some("say".to_owned()),
        p50: Some("1s".to_owned()),
        p90: Some("1s".to_owned()),
        p95: Some("1s".to_owned()),
        p99: Some("1s".to_owned()),
        max: Some("1s".to_owned()),
        mean: Some("1s".to_owned()),
        failed: Some("1%".to_owned()),
        deliveries: true,
        lost: Some("1%".to_owned()),
        abort: true,
    }
}

fn whole(load: LoadRequest) -> BurstRequest {
    let inputs = json!({ "reply_delay": "1ms", "name": "Grace" });
    BurstRequest {
        burst: Some("lunch-rush".to_owned()),
        scenario: Some("contact-center-chat".to_owned()),
        target: Some("contact-center".to_owned()),
        mix: None,
        load: Some(load),
        thresholds: Some(vec![ThresholdRequest {
            failed: Some("1%".to_owned()),
            abort: true,
            ..ThresholdRequest::default()
        }]),
        inputs: inputs.as_object().cloned(),
        by: Some("Ada".to_owned()),
        seed: Some(7),
    }
}

fn keys(value: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(value).unwrap();
    value.as_object().unwrap().keys().cloned().collect()
}

/// The keys that the reader of requests knows where it met `unheard_of`.
async fn known_keys(service: &Service, body: Value) -> BTreeSet<String> {
    let answer = service
        .order("POST", "/api/v1/bursts", &body.to_string())
        .await;
    let (status, _, problems) = answer.refusal();
    assert_eq!(status, 422);
    let found = problems
        .iter()
        .find_map(|problem| problem.split_once("unknown key `unheard_of`; known here: "));
    let (_, known) = found.unwrap_or_else(|| panic!("{problems:?}"));
    known
        .split(", ")
        .map(|key| key.trim_matches('`').to_owned())
        .collect()
}

#[tokio::test]
async fn every_form_of_the_documented_body_starts_a_burst() {
    for load in every_load() {
        let service = Service::start().await;
        let body = serde_json::to_string(&whole(load)).unwrap();
        let run = service.burst(&body).await;
        let report = run.report();
        assert_eq!((report.name.as_str(), report.seed), ("lunch-rush", 7));
        assert_eq!(
            report.inputs,
            json!({ "reply_delay": "1ms", "name": "Grace" })
        );
        assert_eq!(report.thresholds.len(), 1);
    }
}

#[tokio::test]
async fn a_documented_mix_starts_a_burst_of_its_scenarios() {
    let service = Service::start().await;
    let member = MemberRequest {
        scenario: "contact-center-chat".to_owned(),
        target: Some("contact-center".to_owned()),
        weight: Some(3),
        inputs: json!({ "name": "Grace" }).as_object().cloned(),
    };
    let request = BurstRequest {
        mix: Some(vec![member.clone()]),
        load: Some(every_load()[2].clone()),
        ..BurstRequest::default()
    };
    let run = service
        .burst(&serde_json::to_string(&request).unwrap())
        .await;
    let report = run.report();
    assert_eq!(report.scenario, "mixed");
    assert_eq!(
        (&*report.members[0].scenario, report.members[0].weight),
        ("contact-center-chat", 3)
    );
    let mut body = serde_json::to_value(&request).unwrap();
    body["mix"][0]["unheard_of"] = 1.into();
    assert_eq!(known_keys(&service, body).await, keys(&member));
}

#[tokio::test]
async fn the_documented_body_has_the_keys_that_are_read_and_no_others() {
    let service = Service::start().await;
    let mut whole_keys = keys(&whole(every_load()[0].clone()));
    whole_keys.insert("mix".to_owned());
    assert_eq!(
        known_keys(&service, json!({ "unheard_of": 1 })).await,
        whole_keys
    );
    for load in every_load() {
        let mut body = serde_json::to_value(whole(load.clone())).unwrap();
        body["load"]["unheard_of"] = 1.into();
        let known = known_keys(&service, body).await;
        assert!(keys(&load).is_subset(&known), "{load:?}: {known:?}");
    }
    let all: BTreeSet<_> = every_load().iter().flat_map(keys).collect();
    let known = known_keys(&service, json!({ "load": { "unheard_of": 1 } })).await;
    assert_eq!(all, known);
    let body = json!({ "burst": "lunch-rush", "thresholds": [{ "unheard_of": 1 }] });
    assert_eq!(known_keys(&service, body).await, keys(&every_threshold()));
}

#[tokio::test]
async fn a_started_burst_is_answered_with_its_report_and_its_place() {
    let service = Service::start().await;
    let answer = service
        .order("POST", "/api/v1/bursts", "burst: lunch-rush\nseed: 5\n")
        .await;
    assert_eq!(answer.status, 202);
    let report = answer.json();
    let place = format!("/api/v1/runs/{}", report["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), place);
    assert_eq!(report["name"], "lunch-rush");
    assert_eq!(report["trigger"], "api");
    assert_eq!(report["seed"], 5);
    assert_eq!(service.get(&place).await.json()["id"], report["id"]);
}

#[tokio::test]
async fn requests_for_bursts_are_examined_one_at_a_time_and_others_are_answered_meanwhile() {
    let service = Service::start().await;
    let body = "{ burst: lunch-rush }";
    let turn = service.app.examinations.next().await.unwrap();
    tokio::time::pause();
    for path in ["/api/v1/bursts/preview", "/api/v1/bursts"] {
        let asked = tokio::time::Instant::now();
        let answer = service.order("POST", path, body).await;
        assert_eq!(answer.header("retry-after"), "5", "{path}");
        assert_eq!(asked.elapsed().as_secs(), 5, "{path}");
        let (status, error) = answer.error();
        assert_eq!(status, 503, "{path}");
        assert!(error.contains("one at a time"), "{error}");
    }
    drop(turn);
    let answer = service.order("POST", "/api/v1/bursts/preview", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_burst_goes_to_the_only_target_unless_it_names_one() {
    let service = Service::start().await;
    let body = r#"{ "scenario": "contact-center-chat", "load": { "chats": 1 } }"#;
    let run = service.burst(body).await;
    assert_eq!(run.report().target, "contact-center");
    let preview = service.order("POST", "/api/v1/bursts/preview", body).await;
    assert_eq!(preview.status, 200, "{}", preview.text);
    let other = "targets:\n  other: { url: 'http://127.0.0.1:9' }";
    let plan = PLAN.replacen("targets:", other, 1);
    std::fs::write(service.folder.path().join("chatprobe.yaml"), plan).unwrap();
    assert_eq!(
        service.order("POST", "/api/v1/reload", "").await.status,
        200
    );
    let refused = service.order("POST", "/api/v1/bursts", body).await;
    let (status, _, problems) = refused.refusal();
    assert_eq!(status, 422);
    assert!(problems[0].contains("`target` is missing"), "{problems:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_listed_with_its_place() {
    let service = Service::start().await;
    let start = async |body: &str| {
        service
            .order("POST", "/api/v1/bursts", body)
            .await
            .refusal()
    };
    assert_eq!(
        start("{ burst: lunch-rusk }").await,
        (
            422,
            "the request cannot be used".to_owned(),
            vec![
                "request:1:10: there is no burst named `lunch-rusk`; did you mean `lunch-rush`?"
                    .to_owned()
            ],
        )
    );
    let (status, _, problems) = start("{\"burst\": \"lunch-rush\",\n \"load\": { \"rate\": \"51/s\", \"for\": \"1s\" }, \"inputs\": { \"nam\": 1 }}").await;
    assert_eq!(status, 422);
    assert_eq!(
        problems,
        [
            "request:2:10: this load starts up to 51/s; `limits.max_rate` allows 50/s",
            "request:2:55: scenario `contact-center-chat` has no input `nam`; did you mean `name`?",
        ]
    );
    let (status, error, problems) = start("{ \"burst\": ").await;
    assert_eq!(
        (status, error.as_str()),
        (400, "the body is neither JSON nor YAML")
    );
    assert!(
        problems[0].starts_with("request:2:1: this is not YAML"),
        "{problems:?}"
    );
    assert_eq!(start("").await.0, 422);
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let service = Service::start().await;
    let send = async |media_type: &str, body: &'static [u8]| {
        let request = local("POST", "/api/v1/bursts").header("content-type", media_type);
        service.send(request.body(Body::from(body)).unwrap()).await
    };
    let body = b"{\"burst\": \"lunch-rush\"}";
    let form = send("application/x-www-form-urlencoded", body).await;
    assert_eq!(
        form.error(),
        (415, "a body of type `application/x-www-form-urlencoded` is not read here; send `application/json` or `application/yaml`".to_owned())
    );
    assert_eq!(send("text/plain", body).await.status, 415);
    assert_eq!(
        send("Application/JSON; charset=utf-8", body).await.status,
        202
    );
    assert_eq!(
        send("application/yaml", b"{burst: lunch-rush}")
            .await
            .status,
        202
    );
    assert_eq!(
        send("application/json", b"\xff").await.error(),
        (400, "the body is not UTF-8".to_owned())
    );
}

#[tokio::test]
async fn every_text_that_json_can_write_is_read() {
    let service = Service::start().await;
    let start = async |by: &str| {
        let body = format!(r#"{{"burst": "lunch-rush", "by": "{by}"}}"#);
        let request = local("POST", "/api/v1/bursts").header("content-type", "application/json");
        service.send(request.body(Body::from(body)).unwrap()).await
    };
    for (written, meant) in [
        (r"\ud83d\ude00", "😀"),
        (r"Ada \uD83D\uDE00\uD83D\uDE00, \u00e4", "Ada 😀😀, ä"),
        (r"\\ud83d\\ude00", r"\ud83d\ude00"),
        (r"\\\ud83d\ude00", r"\😀"),
    ] {
        let answer = start(written).await;
        assert_eq!(answer.status, 202, "{written}: {}", answer.text);
        assert_eq!(answer.json()["asked_by"], meant);
    }
    for half in [r"\ud83d", r"\ude00\ud83d", r"\ud83dx", r"\ud83d\u0041"] {
        assert_eq!(start(half).await.status, 400, "{half}");
    }
}

#[tokio::test]
async fn who_asks_is_told_as_text() {
    let service = Service::start().await;
    let (status, _, problems) = service
        .order("POST", "/api/v1/bursts", "{ burst: lunch-rush, by: 7 }")
        .await
        .refusal();
    assert_eq!(status, 422);
    assert_eq!(
        problems,
        ["request:1:26: expected who asks, in up to 100 characters, found a number"]
    );
}

#[tokio::test]
async fn bursts_that_do_not_fit_together_are_refused() {
    let service = Service::start().await;
    service
        .burst("{ burst: lunch-rush, load: { customers: 90, for: 20s } }")
        .await;
    let answer = service
        .order("POST", "/api/v1/bursts", "{ burst: lunch-rush }")
        .await;
    assert_eq!(
        answer.error(),
        (409, "20 chats at once do not fit: bursts in progress may have 90, and `limits.max_active_chats` is 100; set a lower `load.max_active`, or wait until a burst has ended".to_owned())
    );
}
