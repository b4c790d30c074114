use std::sync::Arc;

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    server::{Peer, Server},
    *,
};

// Valid for 100 years; the authority's key is gone.
const AUTHORITY: &[u8] = include_bytes!("tls/ca.der");
const CERTIFICATE: &[u8] = include_bytes!("tls/localhost.der");
const KEY: &[u8] = include_bytes!("tls/localhost.key.der");

fn trusting() -> HttpClient {
    driver();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(AUTHORITY)).unwrap();
    let trust = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    HttpDriver::with(trust, EnvironmentProxies::default(), Resolver::System)
        .client(&Endpoint::default())
}

fn acceptor() -> TlsAcceptor {
    driver();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(CERTIFICATE)],
            PrivateKeyDer::try_from(KEY).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn tls_server<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(Peer<TlsStream<TcpStream>>) -> F + Copy + Send + Sync + 'static,
) -> Server {
    let acceptor = acceptor();
    Server::start(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            if let Some(peer) = peer.secured(acceptor).await {
                serve(peer).await;
            }
        }
    })
    .await
}

fn https(server: &Server, path: &str) -> HttpRequest {
    get(format!("https://localhost:{}{path}", server.port))
}

#[tokio::test]
async fn a_trusted_server_is_answered() {
    let server = tls_server(|mut peer| async move { peer.answer(1).await }).await;
    let answer = trusting().send(https(&server, "/")).await.unwrap();
    assert_eq!(answer.body, "ok");
}

#[tokio::test]
async fn an_unknown_certificate_is_a_tls_failure() {
    let server = tls_server(|mut peer| async move { peer.answer(1).await }).await;
    let failure = driver().send(https(&server, "/")).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Tls);
    assert!(failure.detail.contains("certificate"), "{failure}");
    assert!(failure.detail.starts_with("localhost:"), "{failure}");
    assert!(server.arrivals().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_failure() {
    let server = Server::start(|mut peer| async move {
        peer.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await;
        peer.request().await;
    })
    .await;
    let failure = driver().send(https(&server, "/")).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Tls);
}

#[tokio::test]
async fn a_close_in_the_handshake_is_a_connect_failure() {
    let server = Server::start(|peer| async { peer.reset() }).await;
    let failure = driver().send(https(&server, "/")).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
}

#[tokio::test]
async fn a_tls_connection_closed_without_goodbye_is_an_idle_close_too() {
    let server = tls_server(|mut peer| async move {
        if peer.connection == 0 {
            peer.answer(1).await;
            peer.request().await;
            // Drops the TCP connection alone, so no close_notify goes out.
            drop(peer.stream.into_inner());
        } else {
            peer.answer(1).await;
        }
    })
    .await;
    let driver = trusting();
    assert_eq!(driver.send(https(&server, "/1")).await.unwrap().resent, 0);
    assert_eq!(driver.send(https(&server, "/2")).await.unwrap().resent, 1);
    let expected = [(0, "/1"), (0, "/2"), (1, "/2")].map(|(n, t)| (n, t.to_owned()));
    assert_eq!(server.arrivals(), expected);
}
