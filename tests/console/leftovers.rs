//! What a run left at its target, on its page, on the pages of later runs and on Now.

use serde_json::Value;

use crate::{
    states::ended,
    support::{Browser, Centre, QUICK, Service, get, plain},
};

#[tokio::test]
async fn a_callback_that_a_failed_teardown_left_and_the_events_through_it_are_told() {
    let faults =
        "{ faults: { errors: [{ probability: 1, status: 500, only: [webhook_delete] }] } }";
    let centre = Centre::start(faults).await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let first = service.burst("{ chats: 2 }", QUICK, "").await;
    let left = ended(&service, &first).await["teardown_failed"].clone();
    assert_eq!(
        (&left["step"], &left["reason"]),
        (&"webhook_delete".into(), &"status".into())
    );
    let browser = Browser::start(1280, 900).await;
    let open = async |path: &str| browser.open(&format!("{}{path}", service.web)).await;
    open(&format!("/runs/{first}")).await;
    let failed = "the teardown failed at `webhook_delete`: status";
    browser.shows("#standing .failed", failed).await;
    open("/").await;
    browser.shows("#left", failed).await;
    browser
        .shows(&format!("#left a[href='/runs/{first}']"), "ad-hoc")
        .await;

    // Its chats wait, so that it is in progress and its events have come.
    let endless = QUICK.replace("first_message_delay: 10ms", "first_message_delay: 1h");
    let second = service.burst("{ chats: 3 }", &endless, "").await;
    open("/").await;
    browser
        .shows(&format!("#left a[href='/runs/{second}']"), "ad-hoc")
        .await;
    browser
        .shows("#left", "came through the callbacks of other runs")
        .await;
    open(&format!("/runs/{second}")).await;
    browser
        .shows("#events .note", "came through the callbacks of other runs")
        .await;
    let stop = format!("/api/v1/runs/{second}/stop");
    service.order("POST", &stop, "{ now: true }").await;
    let report = ended(&service, &second).await;
    let events = &report["events"];
    let through = events["through_other_callbacks"].as_u64().unwrap();
    assert!(
        through > 0 && through < events["received"].as_u64().unwrap(),
        "{events}"
    );
    let callbacks = events["other_callbacks"].as_array().unwrap();
    assert_eq!(callbacks.len(), 1, "{events}");
    let callback = &callbacks[0];
    assert_eq!(
        (&callback["run"], &callback["name"]),
        (&first.as_str().into(), &"ad-hoc".into())
    );
    assert_eq!(callback["events"], through);
    let copies = events["by_fate"]["other_callback"].as_u64().unwrap();
    assert!(copies > 0 && copies <= through, "{events}");
    assert_eq!(events["by_fate"]["duplicate"], Value::Null, "{events}");
    open(&format!("/runs/{second}")).await;
    browser
        .shows("#events .note strong", &through.to_string())
        .await;
    browser
        .shows("[data-count='events other callback']", &copies.to_string())
        .await;
    browser
        .shows(&format!("#events .note a[href='/runs/{first}']"), "ad-hoc")
        .await;
    for document in ["report.html", "junit.xml"] {
        let path = format!("{}/api/v1/runs/{second}/{document}", service.web);
        let text = get(&path).await.unwrap();
        for told in [failed, "came through the callbacks of other runs"] {
            assert!(text.contains(told), "{document}: {text}");
        }
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
