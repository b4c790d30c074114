use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{
    HandshakeKind, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
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

pub(in crate::driver) fn trusting() -> HttpClient {
    driver();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(AUTHORITY)).unwrap();
    let trust = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    HttpDriver::with(
        trust,
        EnvironmentProxies::default(),
        Resolver::System(Lookups::of_system()),
    )
    .client(&Endpoint::default())
}

/// A server whose certificate is trusted, at `localhost`.
pub(super) fn server_config() -> Arc<ServerConfig> {
    driver();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(CERTIFICATE)],
            PrivateKeyDer::try_from(KEY).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

fn acceptor() -> TlsAcceptor {
    TlsAcceptor::from(server_config())
}

pub(in crate::driver) async fn tls_server<F: Future<Output = ()> + Send + 'static>(
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

/// Certificates that an authority of their own has signed.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: Vec<u8>,
}

/// A certificate and its key.
struct Signed {
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

/// In seconds since 1970: a time in the future.
const FAR: i64 = 4_000_000_000;

fn at(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap())
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wanted = rcgen::CertificateParams::new(Vec::new()).unwrap();
        wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = wanted.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem().into_bytes(),
            issuer: rcgen::Issuer::new(wanted, key),
        }
    }

    /// For a name, up to a time.
    fn sign(&self, name: &str, expires: i64) -> Signed {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wanted = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        wanted.not_after = at(expires).into();
        let certificate = wanted.signed_by(&key, &self.issuer).unwrap();
        Signed { certificate, key }
    }

    fn trusted(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(&self.pem).unwrap())
            .unwrap();
        roots
    }

    /// What a target says that trusts it.
    fn settings(&self) -> TlsSettings {
        TlsSettings {
            authorities: Some(self.pem.clone()),
            ..TlsSettings::default()
        }
    }
}

impl Signed {
    fn identity(&self) -> (Vec<u8>, Vec<u8>) {
        let key = self.key.serialize_pem();
        (self.certificate.pem().into_bytes(), key.into_bytes())
    }

    /// A server that shows it, and wants a certificate of clients if it is to trust somebody.
    fn server(&self, trusts: Option<RootCertStore>) -> ServerConfig {
        driver();
        let builder = match trusts {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
                ServerConfig::builder().with_client_cert_verifier(verifier.unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let chain = vec![self.certificate.der().clone()];
        builder.with_single_cert(chain, key).unwrap()
    }
}

/// Answers all requests; the second counts the handshakes that resumed an earlier session.
async fn serving(config: ServerConfig) -> (Server, Arc<AtomicUsize>) {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let resumed = Arc::new(AtomicUsize::new(0));
    let counted = resumed.clone();
    let server = Server::start(move |peer| {
        let (acceptor, resumed) = (acceptor.clone(), counted.clone());
        async move {
            let Some(mut peer) = peer.secured(acceptor).await else {
                return;
            };
            let kind = peer.stream.get_ref().1.handshake_kind();
            if kind == Some(HandshakeKind::Resumed) {
                resumed.fetch_add(1, Ordering::SeqCst);
            }
            peer.answer(usize::MAX).await;
        }
    })
    .await;
    (server, resumed)
}

/// The endpoint of a target at `localhost`.
fn endpoint(settings: &TlsSettings) -> Endpoint {
    Endpoint {
        host: Some("localhost".to_owned()),
        tls: Some(Tls::new(settings).unwrap()),
        ..Endpoint::default()
    }
}

async fn ask(settings: &TlsSettings, server: &Server) -> Result<Answered, HttpFailure> {
    driver();
    let client = HttpDriver::new().unwrap().client(&endpoint(settings));
    client.send(https(server, "/")).await
}

#[tokio::test]
async fn the_authorities_of_a_target_are_trusted_for_its_host_alone() {
    let authority = Authority::new();
    let signed = authority.sign("localhost", FAR);
    let (server, _) = serving(signed.server(None)).await;
    assert_eq!(
        ask(&authority.settings(), &server).await.unwrap().status,
        200
    );
    let client = HttpDriver::new().unwrap().client(&Endpoint {
        host: Some("another.host".to_owned()),
        ..endpoint(&authority.settings())
    });
    let failure = client.send(https(&server, "/")).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Tls);
    // Those of the system are not trusted besides.
    let other = ask(&Authority::new().settings(), &server)
        .await
        .unwrap_err();
    assert_eq!(other.kind, HttpFailureKind::Tls);
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_that_of_the_target() {
    let authority = Authority::new();
    let signed = authority.sign("localhost", FAR);
    let (server, _) = serving(signed.server(Some(authority.trusted()))).await;
    let mut settings = authority.settings();
    let failure = ask(&settings, &server).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Tls, "{failure}");
    settings.identity = Some(authority.sign("client", FAR).identity());
    assert_eq!(ask(&settings, &server).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_name_in_the_certificate_may_be_another_than_that_of_the_host() {
    let authority = Authority::new();
    let (server, _) = serving(authority.sign("chat.internal", FAR).server(None)).await;
    let mut settings = authority.settings();
    let failure = ask(&settings, &server).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Tls);
    assert!(failure.detail.contains("chat.internal"), "{failure}");
    settings.server_name = Some("chat.internal".to_owned());
    assert_eq!(ask(&settings, &server).await.unwrap().status, 200);
}

#[tokio::test]
async fn insecure_takes_any_certificate_and_still_sees_when_it_ends() {
    let (server, _) = serving(Authority::new().sign("a.b", 1_000_000_000).server(None)).await;
    let settings = TlsSettings {
        insecure: true,
        ..TlsSettings::default()
    };
    let answer = ask(&settings, &server).await.unwrap();
    assert_eq!(answer.certificate_expires, Some(at(1_000_000_000)));
}

#[tokio::test]
async fn the_end_of_a_certificate_is_known_with_the_connection_and_if_it_is_over() {
    let authority = Authority::new();
    let settings = authority.settings();
    let (server, _) = serving(authority.sign("localhost", FAR).server(None)).await;
    let client = HttpDriver::new().unwrap().client(&endpoint(&settings));
    let first = client.send(https(&server, "/1")).await.unwrap();
    assert_eq!(first.certificate_expires, Some(at(FAR)));
    let second = client.send(https(&server, "/2")).await.unwrap();
    assert_eq!(second.certificate_expires, None);
    let (server, _) = serving(authority.sign("localhost", 1_000_000_000).server(None)).await;
    let failure = ask(&settings, &server).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Tls);
    assert!(failure.detail.contains("expired"), "{failure}");
    assert_eq!(failure.certificate_expires, Some(at(1_000_000_000)));
}

#[tokio::test]
async fn a_fresh_client_checks_the_certificate_on_each_connection() {
    let authority = Authority::new();
    let signed = authority.sign("localhost", FAR);
    for (fresh, expected) in [(false, 1), (true, 0)] {
        let (server, resumed) = serving(signed.server(None)).await;
        let mut endpoint = endpoint(&authority.settings());
        endpoint.connections.sharing = Sharing::PerCustomer;
        let driver = HttpDriver::new().unwrap();
        let client = if fresh {
            driver.fresh_client(&endpoint)
        } else {
            driver.client(&endpoint)
        };
        for path in ["/1", "/2"] {
            client.send(https(&server, path)).await.unwrap();
        }
        assert_eq!(resumed.load(Ordering::SeqCst), expected);
    }
}

#[test]
fn settings_that_cannot_be_used_say_which() {
    let signed = Authority::new().sign("client", FAR);
    let (certificate, key) = signed.identity();
    let (_, other) = Authority::new().sign("client", FAR).identity();
    let with = |identity| TlsSettings {
        identity: Some(identity),
        ..TlsSettings::default()
    };
    let refused = |settings: &TlsSettings| Tls::new(settings).unwrap_err();
    let nothing = TlsSettings {
        authorities: Some(b"nothing".to_vec()),
        ..TlsSettings::default()
    };
    assert!(matches!(refused(&nothing), TlsError::Authorities(_)));
    let swapped = with((key.clone(), certificate.clone()));
    assert!(matches!(refused(&swapped), TlsError::Certificate(_)));
    let without_key = with((certificate.clone(), certificate.clone()));
    assert!(matches!(refused(&without_key), TlsError::Key(_)));
    let of_another = with((certificate, other));
    assert!(matches!(refused(&of_another), TlsError::Key(_)));
    let name = TlsSettings {
        server_name: Some("not a name".to_owned()),
        ..TlsSettings::default()
    };
    assert!(matches!(refused(&name), TlsError::ServerName(_)));
}
