use axum::body::Body;

use super::{Answer, Service, TOKEN, local, request};

fn sign_in(token: &str, origin: &str) -> axum::extract::Request {
    let form = local("POST", "/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", origin);
    form.body(Body::from(format!("token={token}"))).unwrap()
}

fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie");
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_that_has_signed_in_may_change_something_until_it_signs_out() {
    let service = Service::with_token().await;
    let here = "http://localhost:8080";
    let order = |cookie: &str, origin: Option<&str>| {
        let mut order =
            request("POST", "/api/v1/bursts", "192.0.2.1:5000").header("cookie", cookie);
        if let Some(origin) = origin {
            order = order.header("origin", origin);
        }
        service.send(order.body(Body::from("{ burst: lunch-rush }")).unwrap())
    };
    assert!(!service.get("/").await.text.contains("data-post"));
    assert_eq!(service.send(sign_in("wrong", here)).await.status, 403);
    assert_eq!(
        service
            .send(sign_in(TOKEN, "http://evil.example"))
            .await
            .status,
        403
    );
    let signed_in = service.send(sign_in(TOKEN, here)).await;
    assert_eq!((signed_in.status, signed_in.header("location")), (303, "/"));
    let set = signed_in.header("set-cookie");
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict"),
        "{set}"
    );
    assert!(!set.contains(TOKEN));
    let cookie = cookie(&signed_in);

    assert_eq!(order(&cookie, Some(here)).await.status, 202);
    for origin in [None, Some("http://evil.example"), Some("null")] {
        assert_eq!(order(&cookie, origin).await.status, 401, "{origin:?}");
    }
    assert_eq!(
        order("chatprobe_session=made-up", Some(here)).await.status,
        401
    );
    let page = local("GET", "/")
        .header("cookie", &cookie)
        .body(Body::empty());
    assert!(service.send(page.unwrap()).await.text.contains("data-post"));

    let out = local("POST", "/sign-out")
        .header("cookie", &cookie)
        .header("origin", here);
    let out = service.send(out.body(Body::empty()).unwrap()).await;
    assert_eq!(out.status, 303);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(order(&cookie, Some(here)).await.status, 401);
}

#[tokio::test]
async fn signing_in_again_ends_the_session_of_that_browser() {
    let service = Service::with_token().await;
    let here = "http://localhost:8080";
    let first = cookie(&service.send(sign_in(TOKEN, here)).await);
    let mut again = sign_in(TOKEN, here);
    again.headers_mut().insert("cookie", first.parse().unwrap());
    let second = cookie(&service.send(again).await);
    for (cookie, may_change) in [(first, false), (second, true)] {
        let page = local("GET", "/").header("cookie", &cookie);
        let page = service.send(page.body(Body::empty()).unwrap()).await;
        assert_eq!(page.text.contains("data-post"), may_change, "{cookie}");
    }
}

#[tokio::test]
async fn whoever_was_signed_out_by_time_signs_out_all_the_same() {
    let service = Service::with_token().await;
    let out = |origin: &str| {
        let out = local("POST", "/sign-out")
            .header("cookie", "chatprobe_session=of-yesterday")
            .header("origin", origin);
        service.send(out.body(Body::empty()).unwrap())
    };
    let answer = out("http://localhost:8080").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(out("http://evil.example").await.status, 403);
}
