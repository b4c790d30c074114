use axum::body::Body;
use serde_json::Value;
use tower::ServiceExt;

use super::{Service, local};
use crate::web::MOST_STREAMS;

/// The ids and reports of a stream.
fn events(text: &str) -> Vec<(String, Value)> {
    let field = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
    };
    text.split("\n\n")
        .filter_map(|event| {
            let data = field(event, "data:")?;
            assert_eq!(field(event, "event:").as_deref(), Some("report"));
            Some((
                field(event, "id:").unwrap(),
                serde_json::from_str(&data).unwrap(),
            ))
        })
        .collect()
}

#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    let service = Service::start().await;
    let run = service
        .burst("{ burst: lunch-rush, load: { chats: 1 }, inputs: { reply_delay: 1100ms } }")
        .await;
    let answer = service
        .get(&format!("/api/v1/runs/{}/events", run.id()))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let events = events(&answer.text);
    let ids: Vec<_> = events.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "end"]);
    assert!(events.iter().all(|(_, report)| report["id"] == run.id()));
    assert_eq!(events[0].1["verdict"], Value::Null);
    let state = |report: &Value| report["thresholds"][0]["state"].clone();
    let states: Vec<_> = events.iter().map(|(_, report)| state(report)).collect();
    assert_eq!(states, ["pending", "pending", "held"]);
    let last = &events[2].1;
    assert_eq!(
        (&last["state"], &last["chats"]["passed"]),
        (&"ended".into(), &1.into())
    );
}

#[tokio::test]
async fn a_run_that_has_ended_is_told_once_and_a_client_that_knows_comes_no_more() {
    let service = Service::start().await;
    let run = service
        .burst("{ burst: lunch-rush, load: { chats: 1 } }")
        .await;
    service.ended(&run).await;
    let path = format!("/api/v1/runs/{}/events", run.id());
    let told = events(&service.get(&path).await.text);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].0.as_str(), &told[0].1["state"]),
        ("end", &"ended".into())
    );
    let again = local("GET", &path).header("last-event-id", "end");
    let again = service.send(again.body(Body::empty()).unwrap()).await;
    assert_eq!((again.status, again.text.as_str()), (204, ""));
}

/// Opens a stream that nobody reads.
async fn open(service: &Service, path: &str) -> axum::response::Response {
    let request = local("GET", path).body(Body::empty()).unwrap();
    service.router.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn only_so_many_clients_follow_at_once_and_pages_have_places_of_their_own() {
    let service = Service::start().await;
    let run = service.burst("{ burst: lunch-rush }").await;
    let followed = format!("/api/v1/runs/{}/events", run.id());
    let page = format!("/live/runs/{}", run.id());
    let mut open_ones = Vec::new();
    for (path, full) in [
        (&followed, "192 clients follow runs already"),
        (&page, "192 pages are open already"),
    ] {
        for _ in 0..MOST_STREAMS {
            let response = open(&service, path).await;
            assert_eq!(response.status(), 200);
            open_ones.push(response);
        }
        let refused = service.get(path).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, "10"));
        assert!(refused.text.contains(full), "{}", refused.text);
        open_ones.pop();
        let response = open(&service, path).await;
        assert_eq!(response.status(), 200);
        open_ones.push(response);
    }
    assert_eq!(service.get("/live/now").await.status, 503);
}
