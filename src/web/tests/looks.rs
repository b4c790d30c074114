//! Looks at runs in progress, which take turns on threads where no chat waits for them.

use tokio::{join, time::Instant};

use super::{Events, Service};

const LONG: &str = "{ burst: lunch-rush, load: { rate: 1/s, for: 10m, max_active: 5 } }";

#[tokio::test]
async fn runs_in_progress_are_looked_at_one_at_a_time_and_orders_wait_for_nobody() {
    let service = Service::start().await;
    let run = service.burst(LONG).await;
    let path = format!("/api/v1/runs/{}", run.id());
    let turn = service.app.looks.next().await.unwrap();
    tokio::time::pause();
    let document = format!("{path}/report.json");
    for path in [&*path, &document, "/api/v1/runs?mode=burst"] {
        let asked = Instant::now();
        let answer = service.get(path).await;
        assert_eq!(answer.header("retry-after"), "5", "{path}");
        assert_eq!(asked.elapsed().as_secs(), 5, "{path}");
        assert_eq!(answer.error().0, 503, "{path}");
    }
    for page in ["/".to_owned(), format!("/runs/{}", run.id())] {
        assert_eq!(service.get(&page).await.status, 503, "{page}");
    }
    let asked = Instant::now();
    let stopped = service.order("POST", &format!("{path}/stop"), "").await;
    assert_eq!(stopped.status, 202, "{}", stopped.text);
    assert!(asked.elapsed().as_secs() < 5);
    drop(turn);
    assert_eq!(service.get(&document).await.status, 200);
}

async fn first_report(mut events: Events) -> String {
    events.next().await.unwrap().data
}

#[tokio::test]
async fn all_who_follow_a_run_at_once_get_one_report_that_is_made_once() {
    let service = Service::start().await;
    let run = service.burst(LONG).await;
    let path = format!("/api/v1/runs/{}/events", run.id());
    let (one, two) = join!(service.follow(&path), service.follow(&path));
    let (one, two) = join!(first_report(one), first_report(two));
    // How long the run has taken so far is in it.
    assert_eq!(one, two);
}

#[tokio::test]
async fn a_stream_that_could_not_be_made_in_time_goes_on_and_tells_the_end() {
    let service = Service::start().await;
    let run = service
        .burst("{ burst: lunch-rush, load: { chats: 1 }, inputs: { reply_delay: 10ms } }")
        .await;
    let events = service
        .follow(&format!("/api/v1/runs/{}/events", run.id()))
        .await;
    let turn = service.app.looks.next().await.unwrap();
    run.ended().await;
    tokio::time::pause();
    let telling = first_report(events);
    let leaving = async {
        tokio::time::sleep(std::time::Duration::from_secs(12)).await;
        drop(turn);
    };
    let (told, ()) = join!(telling, leaving);
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["state"], "ended");
}
