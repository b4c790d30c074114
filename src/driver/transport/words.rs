//! What the libraries below say of a failed request, in words for whoever reads why a chat failed.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::plain_words;

/// Parts of what the HTTP library says, and what to say instead; the first that fits counts.
const HTTP: [(&str, &str); 11] = [
    (
        "invalid HTTP version",
        "what came back is not HTTP/1.1: is this the right port, and is it `https://`?",
    ),
    ("invalid HTTP header", "a header of the answer is not valid"),
    (
        "invalid HTTP status-code",
        "the status of the answer is not valid",
    ),
    (
        "connection closed before message completed",
        "the server closed the connection before the answer was complete",
    ),
    ("error reading a body", "the body of the answer broke off"),
    (
        "before message length",
        "it is shorter than its `content-length` says",
    ),
    ("chunk", "its chunks are not valid"),
    ("connection error", "the connection broke"),
    ("connection closed", "the connection was closed"),
    (
        "error writing a body",
        "the body could not be sent to its end",
    ),
    (
        "operation was canceled",
        "the connection was closed before the request was sent",
    ),
];

/// One error of a chain, without those behind it.
pub(super) fn of(error: &(dyn Error + 'static)) -> String {
    let text = match error.downcast_ref::<io::Error>() {
        Some(error) => plain_words::of_system(error),
        None => error.to_string(),
    };
    replaced(&HTTP, &text).unwrap_or(text)
}

/// A connection that cannot be made secure.
pub(super) fn of_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what came back is not TLS: is this the right port, and is it `http://`?".to_owned()
        }
        rustls::Error::AlertReceived(alert) => of_alert(*alert),
        rustls::Error::PeerIncompatible(_) => {
            "the server has no version or cipher of TLS in common with chatprobe".to_owned()
        }
        error => error.to_string(),
    }
}

/// A key of the client that cannot be used.
pub(super) fn of_key(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "the key is not that of the certificate".to_owned(),
        error => format!("the key cannot be used: {error}"),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    let words = match error {
        CertificateError::UnknownIssuer => {
            "the certificate of the server is signed by no authority that is trusted here; `tls: { ca: ... }` of \
             the target names one"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate of the server has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate of the server is not valid yet: do the clocks agree?"
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            // Each is written like `DnsName("chat.example.com")`.
            let names = presented
                .iter()
                .map(|name| name.split('"').nth(1).unwrap_or(name));
            return format!(
                "the certificate of the server is for {} and not for {}; `tls: {{ server_name: ... }}` of the target \
                 names another",
                names.collect::<Vec<_>>().join(", "),
                expected.to_str()
            );
        }
        CertificateError::NotValidForName => {
            "the certificate of the server is for another name; `tls: { server_name: ... }` of the target says which"
        }
        CertificateError::Revoked => "the certificate of the server was revoked",
        error if error.to_string().contains("CaUsedAsEndEntity") => {
            "the certificate of the server is that of an authority"
        }
        error => return format!("the certificate of the server is not valid: {error}"),
    };
    words.to_owned()
}

fn of_alert(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "the server asks for a certificate of the client; `tls` of the target names one"
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate => {
            "the server does not accept the certificate of the client"
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            "the server has no version or cipher of TLS in common with chatprobe"
        }
        AlertDescription::UnrecognisedName => {
            "the server does not know the name that it was asked for"
        }
        alert => return format!("the server ended the TLS handshake: {alert:?}"),
    };
    words.to_owned()
}

fn replaced(meanings: &[(&str, &str)], text: &str) -> Option<String> {
    let found = meanings.iter().find(|(part, _)| text.contains(part));
    found.map(|(_, meaning)| (*meaning).to_owned())
}
