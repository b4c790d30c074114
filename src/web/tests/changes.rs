//! Who may change something, seen from outside.

use axum::body::Body;

use super::{Service, TOKEN, hosts::under, local, request};
use crate::{printable, web::gate::MOST_BYTES};

/// Whatever changes something.
pub(super) const CHANGES: [(&str, &str); 9] = [
    ("POST", "/api/v1/bursts"),
    ("POST", "/api/v1/runs/x/stop"),
    ("POST", "/api/v1/runs/x/pause"),
    ("POST", "/api/v1/runs/x/resume"),
    ("PATCH", "/api/v1/runs/x"),
    ("POST", "/api/v1/probes/x/run"),
    ("POST", "/api/v1/probes/x/pause"),
    ("POST", "/api/v1/probes/x/resume"),
    ("POST", "/api/v1/reload"),
];

// A wrong token is answered later each time.
#[tokio::test(start_paused = true)]
async fn with_a_token_set_every_change_needs_it() {
    let service = Service::with_token().await;
    for (method, path) in CHANGES {
        let bare = service.order(method, path, "").await;
        assert_eq!(
            bare.error(),
            (
                401,
                "this needs the admin token; send it as `Authorization: Bearer ...`".to_owned()
            )
        );
        assert_eq!(
            bare.header("www-authenticate"),
            "Bearer realm=\"chatprobe\""
        );
        let wrong = local(method, path).header("authorization", "Bearer wrong");
        let wrong = service.send(wrong.body(Body::empty()).unwrap()).await;
        assert_eq!(
            wrong.error(),
            (401, "this is not the admin token".to_owned())
        );
        assert_eq!(
            wrong.header("www-authenticate"),
            "Bearer realm=\"chatprobe\""
        );
        let right = request(method, path, "192.0.2.7:4000")
            .header("authorization", format!("Bearer {TOKEN}"));
        let right = service.send(right.body(Body::empty()).unwrap()).await;
        assert!(
            ![401, 403].contains(&right.status),
            "{method} {path}: {}",
            right.text
        );
    }
}

#[tokio::test]
async fn without_a_token_changes_come_from_this_machine_only() {
    let service = Service::start().await;
    for (method, path) in CHANGES {
        let far = request(method, path, "192.0.2.7:4000");
        let far = service.send(far.body(Body::empty()).unwrap()).await;
        assert_eq!(far.status, 403);
        assert!(
            far.text.contains("set CHATPROBE_ADMIN_TOKEN"),
            "{}",
            far.text
        );
        for (name, value) in [
            ("origin", "https://evil.example.com"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let page = local(method, path).header(name, value);
            let page = service.send(page.body(Body::empty()).unwrap()).await;
            assert_eq!(
                page.error(),
                (
                    403,
                    "without an admin token, changes are not accepted from pages of other sites"
                        .to_owned()
                )
            );
        }
        let near = service.order(method, path, "").await;
        assert!(
            ![401, 403].contains(&near.status),
            "{method} {path}: {}",
            near.text
        );
    }
}

#[tokio::test]
async fn a_name_in_the_path_that_is_no_utf8_is_not_found() {
    let service = Service::with_token().await;
    let document = service.get("/api/v1/openapi.json").await.json();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(begin) = path.find('{') else {
            continue;
        };
        let path: String = path
            .split('{')
            .map(|part| {
                part.split_once('}')
                    .map_or(part.to_owned(), |(_, rest)| format!("%ff{rest}"))
            })
            .collect();
        assert_eq!(path.find('%'), Some(begin));
        for (method, operation) in item.as_object().unwrap() {
            let Some(answers) = operation.get("responses") else {
                continue;
            };
            let request = local(&method.to_uppercase(), &path)
                .header("authorization", format!("Bearer {TOKEN}"))
                .body(Body::empty());
            let (status, error) = service.send(request.unwrap()).await.error();
            assert_eq!(status, 404, "{method} {path}: {error}");
            assert!(
                error.contains("%ff") && answers.get("404").is_some(),
                "{method} {path}"
            );
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
    for page in [
        "/runs/%ff",
        "/probes/%ff",
        "/failures/%ff",
        "/live/runs/%ff",
    ] {
        assert_eq!(service.get(page).await.status, 404, "{page}");
    }
}

#[tokio::test]
async fn what_an_error_quotes_cannot_change_how_it_looks() {
    let service = Service::start().await;
    for (path, shown) in [
        ("/api/v1/runs/%E2%80%AEkcatta", "\\u202ekcatta"),
        ("/runs/%C2%9B2J", "\\u009b2J"),
        ("/failures/%E2%81%A6x%E2%80%A8", "\\u2066x\\u2028"),
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        let text = match answer.header("content-type") {
            "application/json" => answer.error().1,
            _ => answer.text,
        };
        let deceives = |c: char| c != '\n' && printable::is_deceptive(c);
        assert!(!text.contains(deceives), "{text:?}");
        let shown = shown.replace("\\\\", "\\");
        assert!(text.contains(&shown), "{shown}: {text}");
    }
}

#[tokio::test]
async fn reading_is_open_to_everybody() {
    let service = Service::with_token().await;
    for path in [
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/v1/runs",
        "/api/v1/targets",
    ] {
        for method in ["GET", "HEAD"] {
            let far = request(method, path, "192.0.2.7:4000").body(Body::empty());
            let far = service.send(under("probe.example.com", far.unwrap())).await;
            assert_eq!(far.status, 200, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_the_same_shape() {
    let service = Service::start().await;
    assert_eq!(
        service.get("/api/v2/runs").await.error(),
        (
            404,
            "there is no `/api/v2/runs`; `/api/v1/openapi.json` lists what there is".to_owned()
        )
    );
    let method = service.order("DELETE", "/api/v1/runs/x", "").await;
    assert_eq!(
        method.error(),
        (
            405,
            "`/api/v1/runs/x` does not take DELETE; `/api/v1/openapi.json` lists what it takes"
                .to_owned()
        )
    );
    assert_eq!(method.header("allow"), "GET,HEAD,PATCH");
    assert_eq!(service.get("/api/v1/runs/%ff").await.error().0, 404);
}

#[tokio::test]
async fn no_route_takes_a_body_over_the_limit() {
    let service = Service::start().await;
    let fits = format!("{{ burst: lunch-rush }} #{}", "x".repeat(MOST_BYTES - 23));
    assert_eq!(fits.len(), MOST_BYTES);
    assert_eq!(
        service.order("POST", "/api/v1/bursts", &fits).await.status,
        202
    );
    let over = fits + "x";
    for (method, path) in CHANGES.into_iter().chain([("GET", "/api/v1/runs")]) {
        let answer = service.order(method, path, &over).await;
        assert_eq!(
            answer.error(),
            (
                413,
                "the body is too large; it may have 65536 bytes".to_owned()
            ),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn every_answer_is_marked() {
    let service = Service::start().await;
    for path in ["/", "/metrics", "/api/v1/runs", "/nowhere"] {
        let answer = service.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}
