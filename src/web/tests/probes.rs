use super::{Service, until};

#[tokio::test]
async fn a_probe_shows_its_latest_result() {
    let service = Service::start().await;
    let latest = async || service.get("/api/v1/probes").await.json()[0].clone();
    let waiting = async {
        while latest().await["latest_result"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, waiting)
        .await
        .unwrap();
    let probe = latest().await;
    assert_eq!(probe["name"], "morning-check");
    assert_eq!(probe["every"], "1h");
    assert_eq!(probe["paused"], false);
    assert_eq!(probe["latest_result"]["verdict"], "passed");
    assert_eq!(probe["latest_result"]["failure"], serde_json::Value::Null);
    assert_eq!(probe["latest_result"]["run"], probe["latest_run"]);
}

#[tokio::test]
async fn a_probe_can_be_paused_resumed_and_asked_for_a_run() {
    let service = Service::start().await;
    let first = || service.web.scheduler.probes()[0].clone();
    until(|| first().latest_run.is_some() && !first().running).await;
    let before = first().latest_run;
    let order = async |verb: &str| {
        let path = format!("/api/v1/probes/morning-check/{verb}");
        service.order("POST", &path, "").await
    };
    let paused = order("pause").await;
    assert_eq!(
        (paused.status, &paused.json()["paused"]),
        (200, &true.into())
    );
    assert_eq!(order("run").await.status, 202);
    until(|| first().latest_run != before).await;
    let resumed = order("resume").await;
    assert_eq!(
        (resumed.status, &resumed.json()["paused"]),
        (200, &false.into())
    );
}

#[tokio::test]
async fn a_probe_that_does_not_exist_is_said_with_what_is_like_it() {
    let service = Service::start().await;
    for verb in ["run", "pause", "resume"] {
        let path = format!("/api/v1/probes/morning-chek/{verb}");
        let error = "there is no probe named `morning-chek`; did you mean `morning-check`?";
        assert_eq!(
            service.order("POST", &path, "").await.error(),
            (404, error.to_owned())
        );
    }
    let other = service.order("POST", "/api/v1/probes/x/run", "").await;
    assert_eq!(
        other.error(),
        (
            404,
            "there is no probe named `x`; `/api/v1/probes` lists those there are".to_owned()
        )
    );
}
