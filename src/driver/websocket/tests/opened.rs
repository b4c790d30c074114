//! The opening of a socket: what is sent, and what is taken for an answer.

use super::{
    server::{FIN, TEXT, close, frame, header, say, switching},
    *,
};
use crate::driver::{
    Cookies, WebSocketClient,
    http::tests::{
        connected,
        proxies::{Manner, TestProxy},
        tls::{tls_server, trusting},
    },
};

#[tokio::test]
async fn the_request_is_that_of_the_standard_with_headers_cookies_and_subprotocols() {
    let server = Server::start(|mut peer| async move {
        let request = peer.request().await.unwrap();
        let more = "Sec-WebSocket-Protocol: v11.stomp\r\nSet-Cookie: seen=yes; Path=/\r\n";
        peer.write(switching(&request, more)).await;
        peer.echo().await;
    })
    .await;
    let mut cookies = Cookies::default();
    let mut set = hyper::HeaderMap::new();
    set.append("set-cookie", "token=1234; Path=/".parse().unwrap());
    cookies.keep(&server.url("/"), &set);
    let opening = Opening {
        url: format!("ws://user:pass@127.0.0.1:{}/chat?a=b", server.port),
        headers: vec![("Origin".to_owned(), "https://shop.example".to_owned())],
        cookies: Some(Arc::new(cookies)),
        protocols: vec!["v12.stomp".to_owned(), "v11.stomp".to_owned()],
        ..opening("")
    };
    let notes = Notes::default();
    let on_wire = OnWire::default();
    let opened = client()
        .open(&opening, Box::new(notes.handler()), &on_wire)
        .await;
    let opened = opened.unwrap();
    assert!(on_wire.is_set());
    let request = server.first_request();
    assert!(
        request.starts_with("GET /chat?a=b HTTP/1.1\r\n"),
        "{request}"
    );
    for (name, value) in [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "v12.stomp, v11.stomp"),
        ("origin", "https://shop.example"),
        ("cookie", "token=1234"),
        ("authorization", "Basic dXNlcjpwYXNz"),
        ("host", &format!("127.0.0.1:{}", server.port)),
    ] {
        assert_eq!(header(&request, name), Some(value), "{name}");
    }
    assert_eq!(header(&request, "sec-websocket-key").unwrap().len(), 24);
    assert_eq!(header(&request, "sec-websocket-extensions"), None);
    assert_eq!(opened.answer.status, 101);
    assert_eq!(opened.answer.protocol.as_deref(), Some("v11.stomp"));
    let kept = opened.answer.cookies.unwrap();
    assert_eq!(kept.by_name()["seen"], "yes");
    assert_eq!(kept.by_name()["token"], "1234");
    assert!(opened.elapsed <= opened.sent_at.elapsed());
    assert_eq!(notes.all(), [Told::Opened(101)]);
    let took = opened.socket.send(text("hello")).await.unwrap();
    assert!(took <= opened.sent_at.elapsed());
    assert_eq!(notes.until_received(1).await, [text("hello")]);
}

#[tokio::test]
async fn frames_in_the_segment_of_the_answer_are_taken() {
    for cut in 0..3 {
        let server = Server::start(move |mut peer| async move {
            let request = peer.request().await.unwrap();
            let mut all = switching(&request, "").into_bytes();
            all.extend(say("one"));
            all.extend(say("two"));
            // The last frame is whole, lacks its last byte, or has its first one only.
            let cut = [all.len(), all.len() - 1, all.len() - 4][cut];
            peer.write(&all[..cut]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            peer.write(&all[cut..]).await;
            peer.until_gone().await;
        })
        .await;
        let (_opened, notes) = open(&server).await;
        assert_eq!(notes.until_received(2).await, [text("one"), text("two")]);
        assert_eq!(notes.all()[0], Told::Opened(101));
    }
}

#[tokio::test]
async fn an_answer_and_a_frame_may_come_byte_by_byte() {
    let server = Server::start(|mut peer| async move {
        let request = peer.request().await.unwrap();
        let mut all = switching(&request, "X-Filler: abc\r\n").into_bytes();
        all.extend(say("slowly"));
        peer.trickle(&all).await;
        peer.until_gone().await;
    })
    .await;
    let (_opened, notes) = open(&server).await;
    assert_eq!(notes.until_received(1).await, [text("slowly")]);
}

#[tokio::test]
async fn an_answer_without_a_subprotocol_is_valid_though_one_was_offered() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let asked = Opening {
        protocols: vec!["chat".to_owned()],
        ..opening(ws(&server))
    };
    let opened = open_with(&asked, Notes::default().handler()).await;
    assert_eq!(opened.answer.protocol, None);
}

#[tokio::test]
async fn a_socket_is_opened_over_tls_and_its_certificate_is_checked() {
    let server = tls_server(|mut peer| async move {
        if super::switch(&mut peer, "").await {
            peer.echo().await;
        }
    })
    .await;
    let asked = opening(format!("wss://localhost:{}/chat", server.port));
    let notes = Notes::default();
    let trusting = WebSocketClient::beside(&trusting());
    let on_wire = OnWire::default();
    let opened = trusting
        .open(&asked, Box::new(notes.handler()), &on_wire)
        .await;
    let opened = opened.unwrap();
    opened.socket.send(text("secret")).await.unwrap();
    assert_eq!(notes.until_received(1).await, [text("secret")]);
    opened.socket.close(1000, "", PATIENCE).await.unwrap();
    let handler = Box::new(Notes::default().handler());
    let failure = client().open(&asked, handler, &OnWire::default()).await;
    let failure = failure.unwrap_err();
    assert!(matches!(failure.kind, SocketFailureKind::Tls), "{failure}");
}

#[tokio::test]
async fn a_socket_goes_through_the_tunnel_of_a_proxy() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let proxy = TestProxy::start(Manner::Tunnels).await;
    let through = WebSocketClient::beside(&proxy.client(""));
    let notes = Notes::default();
    let asked = opening(ws(&server));
    let on_wire = OnWire::default();
    let opened = through
        .open(&asked, Box::new(notes.handler()), &on_wire)
        .await;
    let opened = opened.unwrap();
    opened.socket.send(text("through")).await.unwrap();
    assert_eq!(notes.until_received(1).await, [text("through")]);
    assert_eq!(
        proxy.asked(),
        [format!("CONNECT 127.0.0.1:{} HTTP/1.1", server.port)]
    );
}

#[tokio::test]
async fn sockets_do_not_take_the_connections_of_requests_and_open_in_turn() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    driver();
    let http = crate::driver::HttpDriver::new().unwrap();
    let client = WebSocketClient::beside(&http.client(&connected("{ most: 1, opening: 1 }")));
    let asked = opening(ws(&server));
    let mut opened = Vec::new();
    for _ in 0..5 {
        let handler = Box::new(Notes::default().handler());
        opened.push(client.open(&asked, handler, &OnWire::default()).await);
    }
    assert!(opened.iter().all(Result::is_ok));
    // Openings that come together, of which one at a time is done.
    let together = (0..20).map(|_| async {
        let handler = Box::new(Notes::default().handler());
        client.open(&asked, handler, &OnWire::default()).await
    });
    let together = futures_util::future::join_all(together).await;
    let waited = |opened: &OpenedSocket| opened.waited > Duration::ZERO;
    assert!(
        together
            .iter()
            .any(|opened| opened.as_ref().is_ok_and(waited))
    );
    assert!(together.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_101_and_then_nothing_is_a_socket_that_the_network_ended() {
    let server = socket_server(|peer| async move { drop(peer) }).await;
    let (opened, notes) = open(&server).await;
    let closed = notes.until_closed().await;
    assert_eq!(closed.by, ClosedBy::Network);
    assert_eq!(closed.why, ClosedWhy::EndOfFile);
    assert_eq!(closed.code, None);
    assert_eq!(opened.socket.closed(), Some(closed));
}

#[tokio::test]
async fn a_close_in_the_segment_of_the_answer_is_taken() {
    let server = Server::start(|mut peer| async move {
        let request = peer.request().await.unwrap();
        let mut all = switching(&request, "").into_bytes();
        all.extend(frame(FIN | TEXT, b"bye"));
        all.extend(close(4001, "full"));
        peer.write(all).await;
        peer.until_gone().await;
    })
    .await;
    let (_opened, notes) = open(&server).await;
    let closed = notes.until_closed().await;
    assert_eq!((closed.by, closed.code), (ClosedBy::Target, Some(4001)));
    assert_eq!(notes.received(), [text("bye")]);
}
