use std::io::Read as _;

use axum::body::{Body, to_bytes};
use flate2::read::GzDecoder;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{Service, local};
use crate::web::App;

#[tokio::test]
async fn metrics_come_in_the_text_format() {
    let service = Service::start().await;
    let answer = service.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let build = format!(
        "chatprobe_build_info{{revision=\"unknown\",version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    assert!(answer.text.lines().any(|line| line == build));
}

#[tokio::test]
async fn metrics_are_compressed_for_a_client_that_takes_gzip_and_for_no_other() {
    let service = Service::start().await;
    let get = async |accepted: &str| {
        let request = local("GET", "/metrics").header("accept-encoding", accepted);
        let answering = service
            .router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap());
        let (head, body) = answering.await.unwrap().into_parts();
        assert_eq!(head.headers["vary"], "accept-encoding", "{accepted}");
        let encoding = head.headers.get("content-encoding").cloned();
        (encoding, to_bytes(body, usize::MAX).await.unwrap())
    };
    for accepted in ["gzip", "deflate, GZIP;q=0.5", "zstd;q=1.0,gzip; q=0.8"] {
        let (encoding, body) = get(accepted).await;
        assert_eq!(encoding.unwrap(), "gzip", "{accepted}");
        let mut text = String::new();
        GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
        assert!(text.contains("\nchatprobe_build_info{"), "{text}");
        assert!(
            body.len() * 5 < text.len(),
            "{} of {}",
            body.len(),
            text.len()
        );
    }
    for accepted in ["identity", "gzip;q=0", "deflate, gzip; q=0.0", "xgzip"] {
        let (encoding, body) = get(accepted).await;
        assert_eq!(encoding, None, "{accepted}");
        assert!(body.starts_with(b"# HELP "), "{accepted}");
    }
}

#[tokio::test]
async fn readiness_follows_the_life_of_the_service_and_never_goes_back() {
    let service = Service::start().await;
    let fresh = crate::web::Web {
        ready: crate::web::Readiness::default(),
        ..service.web.clone()
    };
    let service = Service {
        router: App::new(&fresh, CancellationToken::new()).router(),
        web: fresh,
        ..service
    };
    let ready = async || {
        let answer = service.get("/readyz").await;
        (answer.status, answer.text)
    };
    assert_eq!(ready().await, (503, "starting\n".to_owned()));
    service.web.ready.ready();
    assert_eq!(ready().await, (200, "ready\n".to_owned()));
    service.web.ready.shutting_down();
    service.web.ready.ready();
    assert_eq!(ready().await, (503, "shutting down\n".to_owned()));
    let alive = service.get("/healthz").await;
    assert_eq!((alive.status, alive.text.as_str()), (200, "ok\n"));
}

#[tokio::test]
async fn a_service_that_is_ending_starts_nothing_but_can_be_stopped_sooner() {
    let service = Service::start().await;
    let run = service.burst("{ burst: lunch-rush }").await;
    service.web.ready.shutting_down();
    for path in [
        "/api/v1/bursts",
        "/api/v1/reload",
        "/api/v1/probes/morning-check/run",
    ] {
        let answer = service.order("POST", path, "{ burst: lunch-rush }").await;
        let error = "the service is shutting down and starts nothing any more";
        assert_eq!(answer.error(), (503, error.to_owned()), "{path}");
    }
    let stop = format!("/api/v1/runs/{}/stop", run.id());
    assert_eq!(
        service.order("POST", &stop, "{ now: true }").await.status,
        202
    );
    service.ended(&run).await;
}
