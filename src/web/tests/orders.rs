use serde_json::Value;
use tokio::time::timeout;

use super::{Answer, PATIENCE, Service, until};
use crate::runner::{RunHandle, RunState};

async fn order(service: &Service, run: &RunHandle, verb: &str, body: &str) -> Answer {
    let path = format!("/api/v1/runs/{}/{verb}", run.id());
    service.order("POST", &path, body).await
}

async fn change(service: &Service, run: &RunHandle, body: &str) -> Answer {
    let path = format!("/api/v1/runs/{}", run.id());
    service.order("PATCH", &path, body).await
}

async fn running(service: &Service, body: &str) -> RunHandle {
    let run = service.burst(body).await;
    until(|| run.report().state == RunState::Running).await;
    run
}

const SLOW: &str =
    "{ burst: lunch-rush, load: { customers: 2, for: 10m }, inputs: { reply_delay: 10m } }";

#[tokio::test]
async fn a_run_is_paused_and_goes_on() {
    let service = Service::start().await;
    let run = running(&service, "{ burst: lunch-rush }").await;
    // The answer has the run as the order left it.
    for (verb, state, rate) in [("pause", "paused", 0.0), ("resume", "running", 2.0)] {
        let answer = order(&service, &run, verb, "").await;
        let report = answer.json();
        assert_eq!((answer.status, &report["state"]), (202, &state.into()));
        assert_eq!(report["pace"]["rate"], rate);
    }
    let changed = change(&service, &run, "{ rate: 7/s }").await.json();
    assert_eq!(changed["pace"]["rate"], 7.0);
}

#[tokio::test]
async fn a_stop_changes_nothing_once_no_chat_is_due_unless_it_cuts_chats_short() {
    let service = Service::start().await;
    // On a busy machine both may be invalid.
    for (now, ended_by, other) in [(false, "load", "stopped"), (true, "operator", "passed")] {
        let body = "{ burst: lunch-rush, load: { chats: 2 }, inputs: { reply_delay: 2s } }";
        let run = service.burst(body).await;
        until(|| run.report().state == RunState::Finishing).await;
        let asked = order(&service, &run, "stop", &format!("{{ now: {now} }}")).await;
        let report = asked.json();
        assert_eq!((asked.status, &report["state"]), (202, &"finishing".into()));
        let ends_it = if now { "operator".into() } else { Value::Null };
        assert_eq!(report["ended_by"], ends_it);
        service.ended(&run).await;
        let path = format!("/api/v1/runs/{}", run.id());
        let report = service.get(&path).await.json();
        assert_ne!(report["verdict"], other);
        assert_eq!(report["ended_by"], ended_by);
    }
}

#[tokio::test]
async fn a_stopped_run_lets_its_chats_finish_unless_it_is_to_end_now() {
    let service = Service::start().await;
    let run = running(&service, SLOW).await;
    until(|| run.report().chats.in_progress == 2).await;
    let stopped = order(&service, &run, "stop", "").await;
    assert_eq!(stopped.status, 202);
    assert_eq!(stopped.json()["id"], run.id());
    assert_eq!(stopped.json()["state"], "finishing");
    for (verb, body) in [("pause", ""), ("resume", "")] {
        let refused = order(&service, &run, verb, body).await;
        assert_eq!(
            refused.error(),
            (
                409,
                "the run is finishing and starts no more chats".to_owned()
            )
        );
    }
    assert_eq!(order(&service, &run, "stop", "null").await.status, 202);
    assert_eq!(
        order(&service, &run, "stop", "{\"now\": false}")
            .await
            .status,
        202
    );
    assert_eq!(run.report().chats.in_progress, 2);
    assert_eq!(
        order(&service, &run, "stop", "{\"now\": true}")
            .await
            .status,
        202
    );
    service.ended(&run).await;
    assert_eq!(run.report().chats.stopped, 2);
    for verb in ["stop", "pause", "resume"] {
        let refused = order(&service, &run, verb, "").await;
        assert_eq!(refused.error(), (409, "the run has ended".to_owned()));
    }
    let refused = change(&service, &run, "{ rate: 1/s }").await;
    assert_eq!(refused.error(), (409, "the run has ended".to_owned()));
}

#[tokio::test]
async fn a_stop_that_says_something_else_stops_nothing() {
    let service = Service::start().await;
    let run = running(&service, "{ burst: lunch-rush }").await;
    let (status, _, problems) = order(&service, &run, "stop", "{ now: perhaps }")
        .await
        .refusal();
    assert_eq!(status, 422);
    assert!(problems[0].starts_with("request:1:8: "), "{problems:?}");
    let (status, _, problems) = order(&service, &run, "stop", "{ soon: true }")
        .await
        .refusal();
    assert_eq!(status, 422);
    assert!(
        problems[0].starts_with("request:1:3: unknown key `soon`; known here: `now`"),
        "{problems:?}"
    );
    assert_eq!(order(&service, &run, "stop", "{").await.status, 400);
    assert_eq!(run.report().state, RunState::Running);
}

#[tokio::test]
async fn the_rate_of_a_run_is_changed_within_the_caps() {
    let service = Service::start().await;
    let run = running(
        &service,
        "{ burst: lunch-rush, load: { rate: 1/h, for: 10h, max_active: 20 } }",
    )
    .await;
    let started = run.report().chats.started;
    let above = change(&service, &run, "{ rate: 51/s }").await;
    assert_eq!(
        above.error(),
        (
            422,
            "this load starts up to 51/s; `limits.max_rate` allows 50/s".to_owned()
        )
    );
    assert_eq!(change(&service, &run, "{ rate: 50/s }").await.status, 200);
    let changed = run.report().load_changed_to;
    assert_eq!(changed.as_deref(), Some("rate: 50/s"));
    until(|| run.report().chats.started > started + 5).await;
}

#[tokio::test]
async fn a_change_that_means_nothing_is_refused() {
    let service = Service::start().await;
    let run = running(&service, "{ burst: lunch-rush }").await;
    let refused = async |body: &str| change(&service, &run, body).await.error();
    let one = "exactly one of `rate` and `customers` is needed, such as `{ \"rate\": \"5/s\" }`";
    assert_eq!(refused("").await, (422, one.to_owned()));
    assert_eq!(
        refused("{ rate: 5/s, customers: 3 }").await,
        (422, one.to_owned())
    );
    assert_eq!(
        refused("{ rate: fast }").await,
        (
            422,
            "`fast` is not a rate; write for instance `500/s`, `30/m` or `10/h`".to_owned()
        )
    );
    let (status, _, problems) = change(&service, &run, "{ rate: 10 }").await.refusal();
    assert_eq!(status, 422);
    assert_eq!(
        problems,
        ["request:1:9: `10` is no rate; write for instance `10/s`"]
    );
    assert_eq!(refused("{ customers: -1 }").await.0, 422);
    assert_eq!(refused("{ rate: 5/s, customers: null }").await.0, 422);
    assert_eq!(refused("{ rate: null }").await.0, 422);
    assert_eq!(refused("]").await.0, 400);
    assert_eq!(
        refused("{ customers: 3 }").await,
        (
            422,
            "this run starts chats at a rate and has no number of customers; change `rate`"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn customers_are_changed_within_what_other_bursts_leave() {
    let service = Service::start().await;
    let first = running(
        &service,
        "{ burst: lunch-rush, load: { customers: 3, for: 20s }, inputs: { reply_delay: 20s } }",
    )
    .await;
    let _second = running(
        &service,
        "{ burst: lunch-rush, load: { customers: 60, for: 20s } }",
    )
    .await;
    assert_eq!(
        change(&service, &first, "{ customers: 101 }").await.error(),
        (
            422,
            "101 customers are too many; `limits.max_active_chats` allows 100".to_owned()
        )
    );
    assert_eq!(
        change(&service, &first, "{ customers: 41 }").await.error(),
        (409, "41 customers do not fit: the other bursts in progress may have 60 chats at once, and `limits.max_active_chats` is 100".to_owned())
    );
    assert_eq!(
        change(&service, &first, "{ customers: 40 }").await.status,
        200
    );
    until(|| first.report().chats.most_in_progress == 40).await;
    let third = "{ burst: lunch-rush, load: { customers: 1, for: 1s } }";
    assert_eq!(
        service.order("POST", "/api/v1/bursts", third).await.status,
        409
    );
}

#[tokio::test]
async fn once_chats_are_told_to_end_the_page_no_longer_offers_to_let_them_finish() {
    let service = Service::start().await;
    let path = service.folder.path().join("scenarios/patient.yaml");
    // A chat that is stopped performs its `always` steps before it ends.
    let patient = "{ scenario: patient, steps: [ { think: 1h } ], always: [ { think: 1h } ] }";
    std::fs::write(path, patient).unwrap();
    let reloaded = service.order("POST", "/api/v1/reload", "").await;
    assert_eq!(reloaded.status, 200, "{}", reloaded.text);
    let body = "{ scenario: patient, target: contact-center, load: { chats: 2 } }";
    let run = service.burst(body).await;
    until(|| run.report().state == RunState::Finishing).await;
    for (now, offered) in [(false, [true, true]), (true, [false, true])] {
        let stopped = order(&service, &run, "stop", &format!("{{ now: {now} }}")).await;
        assert_eq!(stopped.status, 202);
        let page = service.get(&format!("/runs/{}", run.id())).await.text;
        let offers = ["Stop; chats finish", "Stop now"].map(|order| page.contains(order));
        assert_eq!(offers, offered, "{now}: {page}");
    }
}

#[tokio::test]
async fn changes_that_were_not_followed_take_no_capacity() {
    let service = Service::start().await;
    let run = running(&service, "{ burst: lunch-rush }").await;
    let customers = async |wanted: u64| {
        let body = format!("{{ customers: {wanted} }}");
        change(&service, &run, &body).await.status
    };
    // The last answer comes to the one that asked when most was asked for already.
    let refused = tokio::join!(biased; customers(50), customers(90), customers(50), customers(60));
    assert_eq!(refused, (422, 422, 422, 422));
    // This one goes away before it has an answer.
    tokio::select! {
        biased;
        status = customers(90) => panic!("{status}"),
        () = std::future::ready(()) => {}
    }
    let rest = "{ burst: lunch-rush, load: { customers: 80, for: 1s } }";
    let start = async || service.order("POST", "/api/v1/bursts", rest).await.status;
    let started = async {
        while start().await != 202 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, started).await.unwrap();
}
