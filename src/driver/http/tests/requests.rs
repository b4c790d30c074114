use super::{server::Server, *};

async fn answering(answer: &'static str) -> Server {
    Server::start(move |mut peer| async move {
        while peer.request().await.is_some() {
            peer.write(answer).await;
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_holds_status_headers_body_and_time() {
    let server = answering(
        "HTTP/1.1 503 Busy\r\nretry-after: 7\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\
         transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    )
    .await;
    let before = Instant::now();
    let answer = driver().send(get(server.url("/a?b=c"))).await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "7");
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.body, "hello");
    assert_eq!(answer.resent, 0);
    assert!(answer.sent_at >= before);
    assert!(answer.elapsed > Duration::ZERO && answer.elapsed <= before.elapsed());
    let request = server.first_request();
    assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{request}");
    let agent = concat!("user-agent: chatprobe/", env!("CARGO_PKG_VERSION"), "\r\n");
    assert!(request.contains(agent), "{request}");
}

#[tokio::test]
async fn cookies_are_not_kept_and_redirects_not_followed() {
    let server = answering(
        "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: a=1\r\n\
         content-length: 0\r\n\r\n",
    )
    .await;
    let driver = driver();
    for _ in 0..2 {
        let answer = driver.send(get(server.url("/"))).await.unwrap();
        assert_eq!(answer.status, 302);
        assert_eq!(answer.headers["location"], "/elsewhere");
    }
    let seen = server.arrivals();
    assert_eq!(seen, [(0, "/".to_owned()), (0, "/".to_owned())]);
    assert!(!server.first_request().contains("cookie"));
}

#[tokio::test]
async fn head_and_custom_methods_are_sent() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 5000000000\r\n\r\n").await;
    let mut request = get(server.url("/"));
    request.method = Method::HEAD;
    let answer = driver().send(request).await.unwrap();
    assert!(answer.body.is_empty());
    assert_eq!(answer.headers["content-length"], "5000000000");
    assert!(server.first_request().starts_with("HEAD / HTTP/1.1\r\n"));

    let server = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let mut request = get(server.url("/"));
    request.method = Method::from_bytes(b"PURGE").unwrap();
    assert_eq!(driver().send(request).await.unwrap().status, 204);
    assert!(server.first_request().starts_with("PURGE / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn the_query_is_appended_to_the_one_of_the_url() {
    let server = answering(server::OK).await;
    let mut request = get(server.url("/a?x=1"));
    request.query = vec![pair("y", "2 & 3"), pair("x", "ü")];
    driver().send(request).await.unwrap();
    assert_eq!(server.arrivals()[0].1, "/a?x=1&y=2+%26+3&x=%C3%BC");
}

#[tokio::test]
async fn a_user_in_the_url_is_sent_as_basic_authentication() {
    let server = answering(server::OK).await;
    let url = server.url("/").replace("//", "//user:pa%20ss@");
    driver().send(get(url)).await.unwrap();
    let request = server.first_request();
    let expected = "authorization: Basic dXNlcjpwYSBzcw==\r\n";
    assert!(request.contains(expected), "{request}");
}

#[tokio::test]
async fn headers_are_sent_as_often_as_given() {
    let server = answering(server::OK).await;
    let mut request = get(server.url("/"));
    request.headers = vec![
        pair("X-Tag", "one"),
        pair("x-tag", "two"),
        pair("Host", "else"),
    ];
    driver().send(request).await.unwrap();
    let request = server.first_request();
    assert!(
        request.contains("x-tag: one\r\nx-tag: two\r\n"),
        "{request}"
    );
    assert!(request.contains("host: else\r\n"), "{request}");
    assert!(!request.contains("host: 127"), "{request}");
}

#[tokio::test]
async fn json_has_its_content_type_unless_a_header_says_otherwise() {
    let json = || HttpBody::Json("{}".into());
    let form = || vec![pair("CONTENT-TYPE", "application/x-www-form-urlencoded")];
    let text = HttpBody::Text("{}".into());
    let cases = [
        (json(), vec![], vec!["content-type: application/json"]),
        (
            json(),
            form(),
            vec!["content-type: application/x-www-form-urlencoded"],
        ),
        (text, vec![], vec![]),
    ];
    for (body, headers, expected) in cases {
        let server = answering(server::OK).await;
        let mut request = post(server.url("/"), body);
        request.headers = headers;
        driver().send(request).await.unwrap();
        let request = server.first_request();
        let types: Vec<&str> = request
            .lines()
            .filter(|line| line.starts_with("content-type"))
            .collect();
        assert_eq!(types, expected);
        assert!(request.ends_with("\r\n\r\n{}"), "{request}");
    }
}

#[tokio::test]
async fn a_method_that_has_a_body_says_so_where_it_has_none() {
    for (method, body, says) in [
        ("POST", None, true),
        ("PUT", None, true),
        ("PATCH", None, true),
        ("POST", Some(""), true),
        ("POST", Some("x"), false),
        ("GET", None, false),
        ("DELETE", None, false),
        ("HEAD", None, false),
        ("OPTIONS", None, false),
    ] {
        let server = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
        let mut request = get(server.url("/"));
        request.method = method.parse().unwrap();
        request.body = body.map(|text| HttpBody::Text(text.into()));
        let driver = driver();
        driver.send(request.clone()).await.unwrap();
        let sent = server.first_request();
        assert_eq!(
            sent.matches("content-length: 0\r\n").count(),
            usize::from(says),
            "{sent}"
        );
        assert!(!sent.contains("transfer-encoding"), "{sent}");
        // The connection is in order.
        driver.send(request).await.unwrap();
        assert_eq!(server.arrivals()[1].0, 0);
    }
}

#[tokio::test]
async fn hundreds_of_headers_are_taken() {
    for count in [101, 500, 1000] {
        let server = Server::start(move |mut peer| async move {
            while peer.request().await.is_some() {
                let headers: Vec<_> = (1..count).map(|n| format!("x-{n}: {n}\r\n")).collect();
                let headers = headers.concat();
                peer.write(format!(
                    "HTTP/1.1 200 OK\r\n{headers}content-length: 2\r\n\r\nok"
                ))
                .await;
            }
        })
        .await;
        let answer = driver().send(get(server.url("/"))).await.unwrap();
        assert_eq!(answer.headers.len(), count);
        assert_eq!(answer.body, "ok");
    }
}

#[tokio::test]
async fn a_body_may_be_as_long_as_the_limit() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.write(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {MAX_BODY}\r\n\r\n"
        ))
        .await;
        peer.write(vec![b'x'; MAX_BODY]).await;
    })
    .await;
    let answer = driver().send(get(server.url("/"))).await.unwrap();
    assert_eq!(answer.body.len(), MAX_BODY);
}

#[tokio::test]
async fn many_requests_at_once_share_one_driver() {
    let server = answering(server::OK).await;
    let driver = driver();
    for _ in 0..2 {
        let mut sends = tokio::task::JoinSet::new();
        for n in 0..200 {
            let (driver, url) = (driver.clone(), server.url(&format!("/{n}")));
            sends.spawn(async move { driver.send(get(url)).await.unwrap() });
        }
        let answers = sends.join_all().await;
        assert!(answers.iter().all(|a| a.body == "ok" && a.resent == 0));
    }
    let arrivals = server.arrivals();
    assert_eq!(arrivals.len(), 400);
    let connections = arrivals.iter().map(|(n, _)| n).max().unwrap() + 1;
    assert!(connections < 400, "the second round shared none");
}
