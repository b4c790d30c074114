use super::{
    connections::at_most,
    server::{OK, Server},
    *,
};
use crate::driver::{Origin, Origins};

/// A server that answers `/to?STATUS&LOCATION` with this redirect and anything else with [`OK`].
async fn redirecting() -> Server {
    Server::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let target = request.split(' ').nth(1).unwrap();
            let answer = match target.strip_prefix("/to?").and_then(|to| to.split_once('&')) {
                Some((status, location)) => format!(
                    "HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 3\r\n\r\nold"
                ),
                None => OK.to_owned(),
            };
            peer.write(answer).await;
        }
    })
    .await
}

/// So many redirects, besides to the server itself to these.
fn redirects(most: usize, servers: &[&str]) -> Redirects {
    let mut allowed = Origins::default();
    for server in servers {
        allowed.add_address(server);
    }
    Redirects {
        most,
        allowed: Arc::new(allowed),
        is_confidential: |body| body.windows(6).any(|word| word == b"secret"),
    }
}

fn following(mut request: HttpRequest) -> HttpRequest {
    request.redirects = Some(redirects(3, &[]));
    request
}

/// The same, also to this server.
fn following_to(server: &Server, request: HttpRequest) -> HttpRequest {
    HttpRequest {
        redirects: Some(redirects(3, &[&server.url("")])),
        ..request
    }
}

fn paths(server: &Server) -> Vec<String> {
    let arrivals = server.arrivals();
    arrivals.into_iter().map(|(_, path)| path).collect()
}

#[tokio::test]
async fn a_redirect_is_followed_as_often_as_it_says_and_no_more() {
    let server = redirecting().await;
    for (hops, followed) in [(1, true), (3, true), (4, false)] {
        let location = (1..hops).fold("/end".to_owned(), |to, _| format!("/to?302&{to}"));
        let request = following(get(server.url(&format!("/to?302&{location}"))));
        let result = driver().send(request).await;
        if followed {
            let answer = result.unwrap();
            assert_eq!((answer.status, &*answer.body), (200, &b"ok"[..]));
            assert_eq!(answer.redirects.len(), hops);
            assert_eq!(answer.redirects.last(), Some(&server.url("/end")));
        } else {
            let failure = result.unwrap_err();
            assert_eq!(failure.kind, HttpFailureKind::Redirect);
            assert!(failure.detail.contains("3 times"), "{failure}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_where_none_is_followed() {
    let server = redirecting().await;
    let answer = driver()
        .send(get(server.url("/to?302&/end")))
        .await
        .unwrap();
    assert_eq!((answer.status, &*answer.body), (302, &b"old"[..]));
    assert_eq!(paths(&server), ["/to?302&/end"]);
}

#[tokio::test]
async fn a_location_may_be_relative() {
    let server = redirecting().await;
    for (location, path) in [
        ("/a/b?c=d#e", "/a/b?c=d"),
        ("b", "/b"),
        ("?x", "/to?x"),
        ("//HOST/y", "/y"),
        ("http://HOST/z", "/z"),
        ("/ü", "/%C3%BC"),
    ] {
        let host = format!("127.0.0.1:{}", server.port);
        let location = location.replace("HOST", &host);
        // The path as it is: a URL would encode some of it.
        let redirect = Server::start(move |mut peer| {
            let location = location.clone();
            async move {
                peer.request().await;
                peer.write(format!(
                    "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
                ))
                .await;
                peer.answer(usize::MAX).await;
            }
        })
        .await;
        driver()
            .send(following_to(&server, get(redirect.url("/to"))))
            .await
            .unwrap();
        let there = if path == "/y" || path == "/z" {
            &server
        } else {
            &redirect
        };
        assert_eq!(paths(there).last().unwrap(), path);
    }
}

#[tokio::test]
async fn the_method_and_the_body_stay_or_go_as_in_browsers() {
    let server = redirecting().await;
    for (status, method, then) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "PUT", "PUT"),
        (301, "PATCH", "PATCH"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (308, "GET", "GET"),
    ] {
        let has_body = !["GET", "HEAD"].contains(&method);
        let body = has_body.then(|| HttpBody::Json("{}".into()));
        let mut request = following(get(server.url(&format!("/to?{status}&/end"))));
        request.method = method.parse().unwrap();
        request.body = body;
        request.headers = vec![pair("x-mine", "1"), pair("Content-Language", "de")];
        driver().session().send(&request).await.unwrap();
        let sent = server.last_request();
        assert!(
            sent.starts_with(&format!("{then} /end ")),
            "{status} {method}: {sent}"
        );
        let kept = has_body && then == method;
        assert_eq!(sent.ends_with("{}"), kept, "{status} {method}: {sent}");
        assert_eq!(sent.contains("content-type: application/json"), kept);
        assert!(
            kept || !sent.contains("content-language") || !has_body,
            "{sent}"
        );
        assert!(sent.contains("x-mine: 1"), "{sent}");
    }
}

#[tokio::test]
async fn credentials_stay_with_the_server_that_they_are_for() {
    let (one, other) = (redirecting().await, redirecting().await);
    let headers = [
        pair("Authorization", "Bearer s3cret"),
        pair("cookie", "id=s3cret"),
        pair("X-API-Key", "s3cret"),
        pair("x-tenant", "s3cret"),
        pair("host", "one.example"),
        pair("accept", "text/plain"),
    ];
    let mut request = following_to(&other, get(one.url("/to?307&/end")));
    request.headers = headers.to_vec();
    driver().send(request.clone()).await.unwrap();
    assert_eq!(one.last_request().matches("s3cret").count(), 4);
    assert!(one.last_request().contains("host: one.example"));

    request.url = one.url(&format!("/to?307&{}", other.url("/end")));
    driver().send(request.clone()).await.unwrap();
    let sent = other.last_request();
    assert!(
        !sent.contains("s3cret") && !sent.contains("one.example"),
        "{sent}"
    );
    assert!(sent.contains("accept: text/plain"), "{sent}");

    let url = one.url("/to?307&/end").replace("//", "//user:pa@");
    driver().send(following(get(url))).await.unwrap();
    assert!(
        one.last_request()
            .contains("authorization: Basic dXNlcjpwYQ==")
    );
    let url = one.url(&format!("/to?307&{}", other.url("/end")));
    let url = url.replacen("//", "//user:pa@", 1);
    driver().send(following_to(&other, get(url))).await.unwrap();
    assert!(!other.last_request().contains("authorization"));
}

#[tokio::test]
async fn a_confidential_body_does_not_go_to_another_server() {
    let (one, other) = (redirecting().await, redirecting().await);
    for (body, goes) in [
        (r#"{"client_secret":"s3cret-value"}"#, false),
        ("grant_type=x&client_secret=s3cret-value", false),
        (r#"{"text":"hello"}"#, true),
    ] {
        let url = one.url(&format!("/to?307&{}", other.url("/end?token=s3cret-value")));
        let request = following_to(&other, post(url, HttpBody::Text(body.into())));
        let result = driver().send(request).await;
        if goes {
            assert!(other.last_request().ends_with(body));
            assert_eq!(result.unwrap().status, 200);
        } else {
            let failure = result.unwrap_err();
            assert_eq!(failure.kind, HttpFailureKind::Redirect);
            assert!(!failure.detail.contains("s3cret"), "{failure}");
            assert!(other.arrivals().is_empty());
        }
    }
}

#[tokio::test]
async fn a_redirect_to_a_server_that_is_not_allowed_is_not_followed() {
    let (one, other) = (redirecting().await, redirecting().await);
    let request = following(get(
        one.url(&format!("/to?302&{}", other.url("/end?a=s3cret")))
    ));
    let failure = driver().send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Redirect);
    let server = Origin::read(&other.url("")).unwrap();
    assert_eq!(
        failure.remedy.as_deref(),
        Some(&Remedy::AllowServer(server))
    );
    assert!(!failure.detail.contains("s3cret"), "{failure}");
    assert!(other.arrivals().is_empty());
    // Another server may be allowed, and is not this one.
    let third = redirecting().await;
    let url = one.url(&format!("/to?302&{}", other.url("/end")));
    let failure = driver().send(following_to(&third, get(url))).await;
    assert_eq!(failure.unwrap_err().kind, HttpFailureKind::Redirect);
    assert!(other.arrivals().is_empty());
}

#[tokio::test]
async fn a_redirect_to_an_address_with_a_user_is_not_followed() {
    let server = redirecting().await;
    let there = server.url("/end").replace("//", "//user:s3cret@");
    let request = following_to(&server, get(server.url(&format!("/to?302&{there}"))));
    let failure = driver().send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Redirect);
    assert!(!failure.detail.contains("s3cret"), "{failure}");
    assert_eq!(server.arrivals().len(), 1);
}

#[tokio::test]
async fn only_http_and_https_are_followed() {
    let server = redirecting().await;
    for location in ["ftp://h/x", "file:///etc/passwd", "javascript:1", "http://"] {
        let url = server.url(&format!("/to?302&{location}"));
        let failure = driver().send(following(get(url))).await.unwrap_err();
        assert_eq!(failure.kind, HttpFailureKind::Redirect, "{location}");
    }
}

#[tokio::test]
async fn a_failure_behind_a_redirect_names_the_server_that_failed() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let server = redirecting().await;
    let url = server.url(&format!("/to?302&http://127.0.0.1:{port}/"));
    let mut request = get(url);
    request.redirects = Some(redirects(3, &[&format!("http://127.0.0.1:{port}")]));
    let failure = driver().send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert!(
        failure.detail.starts_with(&format!("127.0.0.1:{port}: ")),
        "{failure}"
    );
}

#[tokio::test]
async fn the_timeout_covers_all_redirects() {
    let server = Server::start(|mut peer| async move {
        while peer.request().await.is_some() {
            tokio::time::sleep(Duration::from_millis(60)).await;
            peer.write("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    let mut request = get(server.url("/"));
    request.redirects = Some(redirects(20, &[]));
    request.timeout = Duration::from_millis(150);
    let failure = driver().send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Timeout);
    assert!(server.arrivals().len() < 4);
}

#[tokio::test]
async fn a_redirect_without_a_location_is_an_answer() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n")
            .await;
    })
    .await;
    let answer = driver()
        .send(following(get(server.url("/"))))
        .await
        .unwrap();
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn a_wait_for_a_connection_behind_a_redirect_is_no_missing_answer() {
    let first = redirecting().await;
    // It answers nothing, so that its only connection stays in use.
    let second = Server::start(|mut peer| async move {
        peer.request().await;
        std::future::pending::<()>().await;
    })
    .await;
    let client = at_most(1);
    let (other, url) = (client.clone(), second.url("/busy"));
    let busy = tokio::spawn(async move { other.send(get(url)).await });
    while second.arrivals().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let url = first.url(&format!("/to?302&{}", second.url("/end")));
    let mut request = following_to(&second, get(url));
    request.timeout = Duration::from_millis(300);
    let failure = client.send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert!(failure.detail.contains("no connection"), "{failure}");
    busy.abort();
}
