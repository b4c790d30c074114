//! What becomes of a request: compressed and large answers, closed connections, redirects, lengths.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use crate::support::{Finished, Folder, Run, Script, answer};

/// One chat of these steps.
async fn run(server: &Script, steps: &str) -> Finished {
    let folder = Folder::new();
    let scenario = format!("scenario: exchange\nsteps:\n{steps}");
    let scenario = folder.write("exchange.yaml", &scenario);
    let run = Run::new(folder, &scenario, &server.url).load("{ chats: 1 }");
    run.finish(run.start()).await
}

fn step<'a>(finished: &'a Finished, name: &str) -> &'a Value {
    let steps = finished.report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap()
}

/// The reason and the detail of the only failure.
fn failure(finished: &Finished) -> (&str, &str) {
    assert_eq!(finished.code, 1, "{finished:?}");
    let failures = finished.report["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{failures:?}");
    let text = |key: &str| failures[0][key].as_str().unwrap();
    (text("reason"), text("detail"))
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

const TWO_POSTS: &str = "
  - step: first
    http: { post: '{{ target.url }}/first', json: {} }
  - step: second
    http: { post: '{{ target.url }}/second', json: {} }
";

#[tokio::test]
async fn a_request_that_is_sent_again_is_counted() {
    let server = Script::start(|mut line| async move {
        line.request().await;
        line.write(answer(200, "", "{}")).await;
        line.request().await;
        if line.number > 0 {
            line.write(answer(200, "", "{}")).await;
        }
    })
    .await;
    let finished = run(&server, TWO_POSTS).await;
    assert_eq!(finished.code, 0, "{finished:?}");
    assert_eq!(step(&finished, "first")["resent"], 0);
    assert_eq!(step(&finished, "second")["resent"], 1);
    assert!(
        finished.output.contains("sent again: 1 at second"),
        "{}",
        finished.output
    );
    assert_eq!(server.requests("/second").len(), 2);
}

#[tokio::test]
async fn a_request_that_the_server_took_before_it_closed_is_not_sent_again() {
    let server = Script::start(|mut line| async move {
        line.request().await;
        line.write(answer(200, "", "{}")).await;
        line.request().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        line.reset();
    })
    .await;
    let finished = run(&server, TWO_POSTS).await;
    let (reason, detail) = failure(&finished);
    assert_eq!(reason, "connect");
    assert!(detail.contains("POST is not sent twice"), "{detail}");
    assert_eq!(step(&finished, "second")["resent"], 0);
    assert_eq!(server.requests("/second").len(), 1);
}

#[tokio::test]
async fn an_answer_of_any_size_is_good_where_only_its_status_is_looked_at() {
    let server = Script::answering(|_| answer(200, "etag: large\r\n", vec![b'x'; 5 << 20])).await;
    let steps = "
  - step: large
    http: { get: '{{ target.url }}/' }
    expect: [status == 200, headers.etag == 'large']
  - step: again
    http: { get: '{{ target.url }}/' }
";
    let finished = run(&server, steps).await;
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[tokio::test]
async fn the_limit_of_a_body_that_is_looked_at_is_named_and_can_be_raised() {
    let body = format!("{{\"filler\":\"{}\",\"id\":7}}", "x".repeat(2 << 20));
    let server = Script::answering(move |path| match path {
        "/gzip" => answer(200, "content-encoding: gzip\r\n", gzip(body.as_bytes())),
        _ => answer(200, "", &body),
    })
    .await;
    for (path, limit, code) in [
        ("/plain", "", 1),
        ("/gzip", "", 1),
        ("/plain", "body_limit: 3MiB", 0),
        ("/gzip", "body_limit: 3MiB", 0),
    ] {
        let steps = format!(
            "
  - step: large
    http: {{ get: '{{{{ target.url }}}}{path}' }}
    {limit}
    capture: {{ id: body.id }}
"
        );
        let finished = run(&server, &steps).await;
        assert_eq!(finished.code, code, "{path} {limit}: {finished:?}");
        if code == 1 {
            let (reason, detail) = failure(&finished);
            assert_eq!(reason, "capture");
            assert!(detail.contains("more than 1048576 bytes"), "{detail}");
            assert!(detail.contains("`body_limit`"), "{detail}");
        }
    }
}

#[tokio::test]
async fn the_status_of_an_answer_is_judged_before_its_size() {
    let server = Script::answering(|_| answer(502, "", vec![b'x'; 2 << 20])).await;
    let steps = "
  - step: large
    http: { get: '{{ target.url }}/' }
    capture: { id: body.id }
";
    let finished = run(&server, steps).await;
    let (reason, detail) = failure(&finished);
    assert_eq!(reason, "status");
    assert!(detail.starts_with("answered 502: xxx"), "{detail}");
}

#[tokio::test]
async fn a_compressed_answer_is_read_and_a_damaged_one_says_so() {
    let server = Script::answering(|path| match path {
        "/damaged" => answer(200, "content-encoding: gzip\r\n", "{\"id\":7}"),
        _ => answer(200, "content-encoding: gzip\r\n", gzip(b"{\"id\":7}")),
    })
    .await;
    let steps = |path: &str| {
        format!(
            "
  - step: ask
    http: {{ get: '{{{{ target.url }}}}{path}' }}
    expect: body.id == 7
"
        )
    };
    let finished = run(&server, &steps("/")).await;
    assert_eq!(finished.code, 0, "{finished:?}");
    let finished = run(&server, &steps("/damaged")).await;
    let (reason, detail) = failure(&finished);
    assert_eq!(reason, "expectation");
    assert!(detail.contains("not valid gzip"), "{detail}");
}

#[tokio::test]
async fn a_redirect_is_told_and_followed_only_where_a_step_says_so() {
    let server = Script::answering(|path| match path {
        "/from" => answer(302, "location: /to?code=s3cret\r\n", "moved"),
        "/loop" => answer(302, "location: /loop\r\n", ""),
        _ => answer(200, "", "{\"here\":true}"),
    })
    .await;
    let steps = |path: &str, follow: &str, expect: &str| {
        format!(
            "
  - step: ask
    http: {{ get: '{{{{ target.url }}}}{path}' }}
    {follow}
    {expect}
"
        )
    };
    let follow = "follow: 5";
    let finished = run(&server, &steps("/from", "", "")).await;
    let (reason, detail) = failure(&finished);
    assert_eq!(reason, "status");
    assert!(
        detail.contains("302") && detail.contains("`/to?…`"),
        "{detail}"
    );
    assert!(detail.contains("`follow: 5`"), "{detail}");
    assert!(!format!("{finished:?}").contains("s3cret"));
    let finished = run(&server, &steps("/from", "", "expect: status == 200")).await;
    assert!(failure(&finished).1.contains("`/to?…`"));
    let finished = run(&server, &steps("/from", "", "expect: status == 302")).await;
    assert_eq!(finished.code, 0, "{finished:?}");

    let finished = run(&server, &steps("/from", follow, "expect: body.here")).await;
    assert_eq!(finished.code, 0, "{finished:?}");
    let finished = run(&server, &steps("/loop", follow, "expect: status == 302")).await;
    let (reason, detail) = failure(&finished);
    assert_eq!(reason, "status");
    assert!(detail.contains("more than 5 times"), "{detail}");
    assert_eq!(server.requests("/loop").len(), 6);
}

#[tokio::test]
async fn a_post_without_a_body_says_so() {
    let server = Script::answering(|_| answer(200, "", "")).await;
    let steps = "
  - step: post
    http: { post: '{{ target.url }}/' }
  - step: patch
    http: { patch: '{{ target.url }}/' }
";
    let finished = run(&server, steps).await;
    assert_eq!(finished.code, 0, "{finished:?}");
    for request in server.requests("/") {
        assert!(request.contains("\r\ncontent-length: 0\r\n"), "{request}");
    }
}
