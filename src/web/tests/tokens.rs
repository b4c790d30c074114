//! Wrong admin tokens, seen from outside.

use std::time::Duration;

use axum::body::Body;
use tokio::time::{Instant, timeout};

use super::{Service, TOKEN, local, request};

#[tokio::test(start_paused = true)]
async fn wrong_tokens_are_answered_ever_later_and_the_right_one_at_once() {
    let service = Service::with_token().await;
    let send = async |token: &str| {
        let reload = local("POST", "/api/v1/reload")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty());
        let began = Instant::now();
        let status = service.send(reload.unwrap()).await.status;
        (status, began.elapsed().as_millis())
    };
    let sign_in = async |token: &str| {
        let form = local("POST", "/sign-in")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", "http://localhost:8080")
            .body(Body::from(format!("token={token}")));
        let began = Instant::now();
        let status = service.send(form.unwrap()).await.status;
        (status, began.elapsed().as_millis())
    };
    for delay in [0, 0, 0, 250, 500] {
        assert_eq!(send("wrong-token-of-somebody").await, (401, delay));
    }
    assert_eq!(sign_in("wrong").await, (403, 1_000));
    // A guess on a page is none: no token is looked at there.
    let page = local("GET", "/").header("authorization", format!("Bearer {TOKEN}"));
    let page = service.send(page.body(Body::empty()).unwrap()).await;
    assert!(!page.text.contains("data-post"));
    assert_eq!(send(TOKEN).await, (200, 0));
    assert_eq!(send("wrong-token-of-somebody").await, (401, 0));
    assert_eq!(sign_in(TOKEN).await, (303, 0));
    let metrics = service.web.metrics.render().unwrap();
    let denied = "chatprobe_web_requests_denied_total{reason=\"wrong_token\"} 7\n";
    assert!(metrics.contains(denied), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_with_too_many_wrong_tokens_is_told_to_come_later_and_others_are_heard() {
    let service = Service::with_token().await;
    let send = |from: &str, token: &str| {
        let reload = request("POST", "/api/v1/reload", from)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty());
        service.send(reload.unwrap())
    };
    for _ in 0..3 {
        assert_eq!(send("192.0.2.7:1", "wrong").await.status, 401);
    }
    // Clients that do not wait for the answer.
    for port in 1..=8 {
        let guess = send("192.0.2.7:1", "wrong");
        let gave_up = timeout(Duration::from_millis(1), guess).await;
        assert!(gave_up.is_err(), "{port}");
    }
    for token in ["wrong", TOKEN] {
        let began = Instant::now();
        let answer = send("192.0.2.7:9", token).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
        let says = "too many wrong admin tokens came before, so this token was not compared";
        assert!(answer.error().1.starts_with(says), "{}", answer.text);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
    let form = request("POST", "/sign-in", "192.0.2.7:9")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "http://localhost:8080")
        .header("accept", "text/html")
        .body(Body::from(format!("token={TOKEN}")));
    let form = service.send(form.unwrap()).await;
    assert_eq!((form.status, form.header("retry-after")), (429, "1"));
    assert!(form.text.contains("was not compared"), "{}", form.text);
    let no_token = request("POST", "/api/v1/reload", "192.0.2.7:9").body(Body::empty());
    assert_eq!(service.send(no_token.unwrap()).await.status, 401);
    assert_eq!(send("192.0.2.8:1", TOKEN).await.status, 200);
    tokio::time::advance(Duration::from_millis(250)).await;
    assert_eq!(send("192.0.2.7:9", TOKEN).await.status, 200);
    let metrics = service.web.metrics.render().unwrap();
    for (reason, count) in [("throttled", 3), ("wrong_token", 11), ("no_token", 1)] {
        let line = format!("chatprobe_web_requests_denied_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
}
