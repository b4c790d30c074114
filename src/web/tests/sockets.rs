//! Over real sockets.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, Service};

#[tokio::test]
async fn clients_are_served_until_the_shutdown_which_waits_for_no_open_connection() {
    let service = Service::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(service.web.clone().serve(listener, shutdown.clone()));
    let client = reqwest::Client::new();
    let url = |path: &str| format!("http://{address}{path}");

    let started = client
        .post(url("/api/v1/bursts"))
        .body("{ burst: lunch-rush }");
    let started = started.send().await.unwrap();
    assert_eq!(started.status(), 202);
    let place = started.headers()["location"].to_str().unwrap().to_owned();
    drop(started.bytes().await.unwrap());
    let mut events = client
        .get(url(&format!("{place}/events")))
        .send()
        .await
        .unwrap();
    assert!(
        events
            .chunk()
            .await
            .unwrap()
            .unwrap()
            .starts_with(b"event: report\n")
    );
    // One connection that never says anything, and one that is idle after its first answer.
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 15];
    idle.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");

    shutdown.cancel();
    // Less than what requests in flight would get.
    let served = timeout(Duration::from_millis(1500), serving).await;
    served
        .expect("open connections hold it up")
        .unwrap()
        .unwrap();
    while events.chunk().await.unwrap().is_some() {}
    let mut rest = Vec::new();
    timeout(PATIENCE, silent.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.is_empty());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_listener_that_others_can_reach_is_not_served_without_a_token() {
    let bind = || TcpListener::bind("0.0.0.0:0");
    let open = Service::start().await.web;
    let refused = open
        .serve(bind().await.unwrap(), CancellationToken::new())
        .await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert!(
        error.to_string().contains("there is no admin token"),
        "{error}"
    );
    let ended = CancellationToken::new();
    ended.cancel();
    let guarded = Service::with_token().await.web;
    assert!(guarded.serve(bind().await.unwrap(), ended).await.is_ok());
}
