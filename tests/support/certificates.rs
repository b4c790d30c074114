//! Certificates, and servers that show them.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// An authority that nobody trusts of its own accord.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut wanted = CertificateParams::new(Vec::new()).unwrap();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            certificate: wanted.self_signed(&key).unwrap(),
            issuer: Issuer::new(wanted, key),
        }
    }

    /// A certificate for a name up to a time in seconds since 1970, and its key.
    fn sign(&self, name: &str, expires: u64) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut wanted = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let expires: SystemTime = UNIX_EPOCH + Duration::from_secs(expires);
        wanted.not_after = expires.into();
        (wanted.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Writes what `tls` of a target may name: `certificates/ca.pem`, `client.pem` and `client-key.pem`.
    pub fn write_to(&self, folder: &Path) {
        let folder = folder.join("certificates");
        fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = self.sign("client", 4_000_000_000);
        for (name, pem) in [
            ("ca.pem", self.certificate.pem()),
            ("client.pem", certificate.pem()),
            ("client-key.pem", key.serialize_pem()),
        ] {
            fs::write(folder.join(name), pem).unwrap();
        }
    }
}

/// A server of `https://localhost` that answers 200 to every request without a body.
pub struct SecureServer {
    pub url: String,
    config: Arc<Mutex<Arc<ServerConfig>>>,
}

impl SecureServer {
    /// Shows a certificate that expires then, in seconds since 1970.
    pub async fn start(authority: &Authority, expires: u64) -> Self {
        super::install_crypto();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let config = Arc::new(Mutex::new(showing(authority, expires)));
        let shown = config.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = TlsAcceptor::from(shown.lock().unwrap().clone());
                tokio::spawn(answer(acceptor, stream));
            }
        });
        Self { url, config }
    }

    /// From the next connection on shows another one.
    pub fn show(&self, authority: &Authority, expires: u64) {
        *self.config.lock().unwrap() = showing(authority, expires);
    }
}

/// Until the client closes.
async fn answer(acceptor: TlsAcceptor, stream: TcpStream) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.ok()?;
    }
}

fn showing(authority: &Authority, expires: u64) -> Arc<ServerConfig> {
    let (certificate, key) = authority.sign("localhost", expires);
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder().with_no_client_auth();
    let chain = vec![certificate.der().clone()];
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}
