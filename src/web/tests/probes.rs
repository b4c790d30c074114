use super::{PLAN, Service, until};

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
    let ran = order("run").await;
    assert_eq!(ran.status, 202);
    let run = first().latest_run;
    assert!(run.is_some() && run != before);
    assert_eq!(ran.json()["latest_run"], run.clone().unwrap());
    assert_eq!(
        ran.header("location"),
        format!("/api/v1/runs/{}", run.unwrap())
    );
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

/// With a probe whose chats last until somebody stops them, started every so often.
async fn with_a_lasting_probe(service: &Service, every: &str) {
    let plan = PLAN.replace("reply_delay: 1ms", "reply_delay: 1h");
    let plan = plan.replace("every: 1h", &format!("every: {every}"));
    std::fs::write(service.folder.path().join("chatprobe.yaml"), plan).unwrap();
    assert_eq!(
        service.order("POST", "/api/v1/reload", "").await.status,
        200
    );
}

#[tokio::test]
async fn a_probe_that_runs_already_is_not_started_once_more_and_says_which_run_goes_on() {
    let service = Service::start().await;
    let probe = || service.web.scheduler.probes()[0].clone();
    until(|| probe().latest_run.is_some() && !probe().running).await;
    with_a_lasting_probe(&service, "1h").await;
    until(|| probe().running).await;
    let run = probe().latest_run.unwrap();
    let ask = async || {
        service
            .order("POST", "/api/v1/probes/morning-check/run", "")
            .await
    };
    let refused = async || {
        let (status, error) = ask().await.error();
        assert_eq!(status, 409);
        assert!(error.contains(&run), "{error}");
        assert_eq!(probe().latest_run.as_ref(), Some(&run));
    };
    refused().await;
    // After a reload the probe waits for that run, and says so.
    with_a_lasting_probe(&service, "2h").await;
    refused().await;
    let runs = service.get("/api/v1/runs?mode=probe").await.json();
    let runs = runs["runs"].as_array().unwrap().iter();
    let in_progress: Vec<_> = runs.filter(|run| run["state"] != "ended").collect();
    assert!(
        in_progress.len() == 1 && in_progress[0]["id"] == run,
        "{in_progress:?}"
    );
}

#[tokio::test]
async fn a_run_that_was_asked_for_has_begun_when_the_answer_comes() {
    let service = Service::start().await;
    let probe = || service.web.scheduler.probes()[0].clone();
    until(|| probe().latest_run.is_some() && !probe().running).await;
    for _ in 0..20 {
        let before = probe().latest_run;
        let answer = service
            .order("POST", "/api/v1/probes/morning-check/run", "")
            .await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let run = answer.json()["latest_run"].as_str().unwrap().to_owned();
        assert_ne!(Some(&run), before.as_ref());
        let report = service.get(&format!("/api/v1/runs/{run}")).await.json();
        assert_eq!(report["trigger"], "api");
        until(|| !probe().running).await;
    }
}
