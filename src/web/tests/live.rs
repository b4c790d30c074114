//! Pages as they are followed.

use std::time::Duration;

use tokio::time::timeout;

use super::{PATIENCE, Service, console::with_a_run, until};
use crate::scheduler::RunEntry;

/// The parts of a page, as they stand in it.
fn parts(html: &str) -> Vec<&str> {
    let begin = |tag: &str| {
        html.match_indices(tag)
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    let mut begins = [begin("<div id=\""), begin("<nav id=\"")].concat();
    begins.sort_unstable();
    let ends = begins.iter().skip(1).copied().chain([html.len()]);
    let parts = begins
        .iter()
        .zip(ends)
        .map(|(begin, end)| &html[*begin..end]);
    parts.filter(|part| part.contains(" data-part")).collect()
}

/// The page that is opened now has every part as it was sent.
async fn assert_as_opened(service: &Service, path: &str, sent: &str) {
    let page = service.get(path).await.text;
    let parts = parts(sent);
    assert!(!parts.is_empty(), "{sent}");
    for part in parts {
        assert!(page.contains(part), "{path}: {part}\n\nis not in\n\n{page}");
    }
}

#[tokio::test]
async fn a_page_of_a_run_becomes_that_of_an_ended_one_and_has_every_sample_once() {
    let service = Service::start().await;
    let run = service
        .burst("{ burst: lunch-rush, load: { customers: 1, for: 2s }, inputs: { reply_delay: 2200ms } }")
        .await;
    let mut events = service.follow(&format!("/live/runs/{}", run.id())).await;
    let events = events.up_to("over").await;
    let of = |kind: &'static str| events.iter().filter(move |event| event.kind == kind);
    let samples: Vec<serde_json::Value> = of("samples")
        .flat_map(|event| serde_json::from_str::<Vec<_>>(&event.data).unwrap())
        .collect();
    let (expected, _) = run.samples(0);
    assert_eq!(samples.len(), expected.len());
    assert!(samples.len() >= 3);
    let passed = samples
        .iter()
        .map(|sample| sample["passed"].as_u64().unwrap());
    assert_eq!(passed.sum::<u64>(), 1);
    let pages: Vec<_> = of("page").map(|event| &*event.data).collect();
    let path = format!("/runs/{}", run.id());
    for (words, active) in [
        ("standing active", true),
        ("data-order=\"run pause\"", true),
        ("So far", true),
        ("data-baseline=", false),
        ("started on average", false),
    ] {
        assert_eq!(pages[0].contains(words), active, "{words} in {}", pages[0]);
        let last = pages.last().unwrap();
        assert!(
            words == "started on average" || last.contains(words) != active,
            "{words} in {last}"
        );
    }
    assert_as_opened(&service, &path, pages.last().unwrap()).await;
}

#[tokio::test]
async fn open_pages_are_as_if_they_were_opened_now_and_tell_of_a_new_configuration() {
    let (service, run) = with_a_run().await;
    let probes = || service.web.scheduler.probes();
    until(|| !probes()[0].running).await;
    let mut open = Vec::new();
    for path in [
        "/",
        "/runs?mode=probe",
        "/probes/morning-check",
        "/configuration",
    ] {
        let live = match path {
            "/" => "/live/now".to_owned(),
            path => format!("/live{path}"),
        };
        let mut events = service.follow(&live).await;
        let first = events.next().await.unwrap();
        let in_force = format!("data-configuration=\"{}\"", first.data);
        assert_eq!(first.kind, "configuration");
        assert!(service.get(path).await.text.contains(&in_force), "{path}");
        events.up_to("page").await;
        open.push((path, first.data, events));
    }
    let stop = format!("/api/v1/runs/{run}/stop");
    service.order("POST", &stop, "{ now: true }").await;
    until(|| matches!(service.web.scheduler.run(&run), Some(RunEntry::Ended(_)))).await;
    let file = service.folder.path().join("chatprobe.yaml");
    let plan = std::fs::read_to_string(&file).unwrap();
    let plan = plan
        .replace("every: 1h", "every: 2h")
        .replace("rate: 2/s", "rate: 3/s");
    std::fs::write(&file, plan).unwrap();
    assert_eq!(
        service.order("POST", "/api/v1/reload", "").await.status,
        200
    );
    until(|| probes()[0].every == Duration::from_hours(2) && probes()[0].latest_run.is_some())
        .await;
    until(|| !probes()[0].running).await;
    for (path, before, mut events) in open {
        let told = events.up_to("configuration").await.pop().unwrap().data;
        assert_ne!(told, before, "{path}");
        // What was rendered a moment before the change may come first.
        let as_opened = async {
            loop {
                let sent = events.up_to("page").await.pop().unwrap().data;
                let page = service.get(path).await.text;
                if parts(&sent).iter().all(|part| page.contains(part)) {
                    break;
                }
            }
        };
        timeout(PATIENCE, as_opened).await.expect(path);
    }
}
