//! TLS: whom a client trusts, who it says it is, and when a server's certificate ends.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore,
    SignatureScheme, WantsVerifier,
    client::{
        Resumption, WantsClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
};
use rustls_platform_verifier::BuilderVerifierExt;
use x509_cert::{Certificate, der::Decode};

use super::words;

/// What the `tls` of a target says, files already read.
#[derive(Default)]
pub struct TlsSettings {
    /// PEM: the authorities that are trusted, in place of those of the system.
    pub authorities: Option<Vec<u8>>,
    /// PEM: the certificate of the client with its issuers, and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// The name that is asked for and has to be in the certificate, in place of the host of the address.
    pub server_name: Option<String>,
    /// Any certificate is taken.
    pub insecure: bool,
}

/// How TLS is spoken with one target.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    insecure: bool,
}

/// Settings that cannot be used, and which of them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authorities.
    #[error("{0}")]
    Authorities(String),
    /// The certificate of the client.
    #[error("{0}")]
    Certificate(String),
    /// The key of the client.
    #[error("{0}")]
    Key(String),
    /// The name of the server.
    #[error("`{0}` is neither a host name nor an IP address")]
    ServerName(String),
    /// The system's authorities, or what fits together in no way.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl Tls {
    /// Checks the settings and puts them together.
    pub fn new(settings: &TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = trusting(builder, settings, provider)?;
        let client = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate).map_err(TlsError::Certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| TlsError::Key(no_key(&error)))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| TlsError::Key(words::of_key(&error)))?
            }
        };
        let server_name = settings.server_name.as_deref().map(read_name).transpose()?;
        Ok(Self {
            client: Arc::new(client),
            server_name,
            insecure: settings.insecure,
        })
    }

    /// With the certificates that this says to trust.
    pub(super) fn of(client: ClientConfig) -> Self {
        Self {
            client: Arc::new(client),
            server_name: None,
            insecure: false,
        }
    }

    /// Whether any certificate is taken.
    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// The same without session resumption, so that every handshake checks the certificate.
    pub(in crate::driver) fn without_resumption(&self) -> Self {
        let mut client = ClientConfig::clone(&self.client);
        client.resumption = Resumption::disabled();
        Self {
            client: Arc::new(client),
            server_name: self.server_name.clone(),
            insecure: self.insecure,
        }
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        self.client.clone()
    }

    /// The name that the certificate of a host has to have.
    pub(super) fn name_of(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => read_name(host),
        }
    }
}

/// Every read of a configuration makes another one.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.client, &other.client) && self.server_name == other.server_name
    }
}

/// Without the key of the client.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Tls");
        debug
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

fn trusting(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    if settings.insecure {
        let verifier = Arc::new(NoVerification(provider));
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(verifier));
    }
    let Some(authorities) = &settings.authorities else {
        return Ok(builder.with_platform_verifier()?);
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities).map_err(TlsError::Authorities)? {
        roots.add(authority).map_err(|_| {
            TlsError::Authorities("it holds a certificate that cannot be read".to_owned())
        })?;
    }
    Ok(builder.with_root_certificates(roots))
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates =
        certificates.map_err(|_| "it is not a PEM file, or a damaged one".to_owned())?;
    if certificates.is_empty() {
        return Err(
            "it holds no certificate; one in PEM begins with `-----BEGIN CERTIFICATE-----`"
                .to_owned(),
        );
    }
    Ok(certificates)
}

fn no_key(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => {
            "it holds no key that can be read; one in PEM begins with `-----BEGIN PRIVATE KEY-----` and has no \
             passphrase"
                .to_owned()
        }
        _ => "it is not a PEM file, or a damaged one".to_owned(),
    }
}

fn read_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName(host.to_owned()))
}

/// When the certificate of the server ends; `None` if that cannot be read.
pub(super) fn expiry(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let not_after = certificate.tbs_certificate().validity().not_after;
    UNIX_EPOCH.checked_add(not_after.to_unix_duration())
}

/// When the certificate ended that a handshake failed over because of that.
pub(super) fn expired(error: &rustls::Error) -> Option<SystemTime> {
    let rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) =
        error
    else {
        return None;
    };
    UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
}

/// Takes the certificate of anybody who has its key.
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
