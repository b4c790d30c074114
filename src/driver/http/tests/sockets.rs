//! What the streams of sockets have in common with those of requests.

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    proxies::{Manner, TestProxy},
    server::{OK, Server, answer_all},
    *,
};
use crate::driver::transport::TransportFailureKind;

fn begin() -> Progress {
    Progress::begin(Duration::from_secs(10))
}

#[tokio::test]
async fn a_socket_goes_through_a_tunnel_even_where_nothing_is_encrypted() {
    let server = Server::start(answer_all).await;
    let proxy = TestProxy::start(Manner::Tunnels).await;
    let client = proxy.client("");
    let url = format!("ws://127.0.0.1:{}/websocket", server.port);
    let sockets = client.socket_servers().server_of(&url).unwrap();
    let mut connected = sockets.open(&mut begin()).await.unwrap();
    assert!(connected.forwarded_by.is_none());
    let request = b"GET /websocket HTTP/1.1\r\n\r\n";
    connected.stream.write_all(request).await.unwrap();
    let mut answer = vec![0; OK.len()];
    connected.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, OK.as_bytes());
    let connect = format!("CONNECT 127.0.0.1:{} HTTP/1.1", server.port);
    assert_eq!(proxy.asked(), [connect]);
}

#[tokio::test]
async fn nothing_of_a_socket_is_sent_to_a_proxy_that_opens_no_tunnel() {
    let proxy = TestProxy::start(Manner::Refuses("405")).await;
    let client = proxy.client("");
    let sockets = client.socket_servers().server_of("ws://a.host/").unwrap();
    for _ in 0..2 {
        let refused = sockets.open(&mut begin()).await.err().unwrap();
        assert_eq!(refused.kind, TransportFailureKind::Connect);
        assert!(refused.detail.contains("405"), "{}", refused.detail);
    }
    let connect = "CONNECT a.host:80 HTTP/1.1";
    assert_eq!(proxy.asked(), [connect, connect]);
}

#[tokio::test]
async fn a_socket_waits_for_its_turn_to_be_opened_and_takes_no_connection_of_requests() {
    let server = Server::start(answer_all).await;
    driver();
    let endpoint = connected("{ most: 1, opening: 2 }");
    let client = HttpDriver::new().unwrap().client(&endpoint);
    let sockets = client.socket_servers().server_of(&server.url("/")).unwrap();
    let mut progress = begin();
    let first = sockets.opening(&mut progress).await;
    assert_eq!(progress.waited(), Duration::ZERO);
    let _second = sockets.opening(&mut begin()).await;
    let mut later = begin();
    {
        let mut third = Box::pin(sockets.opening(&mut later));
        assert!((&mut third).now_or_never().is_none());
        let opened = [(); 3].map(|()| sockets.open(&mut progress).now_or_never().is_some());
        assert_eq!(opened, [false; 3], "a connection takes a while");
        client.send(get(server.url("/request"))).await.unwrap();
        drop(first);
        let _third = third.await;
    }
    assert!(later.is_granted() && later.waited() > Duration::ZERO);
}

#[tokio::test]
async fn the_scheme_of_a_socket_says_whether_it_is_encrypted() {
    let client = driver();
    let sockets = client.socket_servers();
    for (url, server, host) in [
        ("ws://A.host/x", "http://a.host/", "a.host"),
        (
            "wss://a.host:8443/x?y",
            "https://a.host:8443/",
            "a.host:8443",
        ),
        ("wss://a.host:443", "https://a.host/", "a.host"),
        ("https://a.host", "https://a.host/", "a.host"),
    ] {
        let found = sockets.server_of(url).unwrap();
        let destination = &found.destination;
        assert_eq!(destination.server.to_string(), server, "{url}");
        assert_eq!(destination.host, host, "{url}");
        let again = sockets.server_of(url).unwrap();
        assert!(Arc::ptr_eq(&found, &again), "{url}");
    }
    for url in ["ftp://a.host/", "a.host", "ws:/"] {
        let refused = sockets.server_of(url).err().unwrap();
        assert_eq!(refused.kind, TransportFailureKind::BadRequest, "{url}");
    }
}
