use std::{path::Path, sync::Arc};

use secrecy::ExposeSecret;

use super::secret::read_secret;
use crate::{
    document::{Mapping, Node, Problems, Value},
    driver::{Proxy, ProxyChoice, Tls, TlsError, TlsSettings},
    plain_words,
};

/// What lies between chatprobe and a target.
#[derive(Debug, Clone, Default)]
pub struct Transport {
    /// TLS with the target; as the system does it, if there is nothing else to it.
    pub tls: Option<Tls>,
    /// The proxy.
    pub proxy: ProxyChoice,
}

impl Transport {
    /// What nobody may see of it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let proxy = match &self.proxy {
            ProxyChoice::Through(proxy) => Some(proxy),
            ProxyChoice::Environment | ProxyChoice::Direct => None,
        };
        proxy.into_iter().flat_map(|proxy| proxy.secrets())
    }
}

/// Reads `{ ca: FILE, cert: FILE, key: FILE, server_name: NAME, insecure: true }`. `read` takes what stands
/// in the files.
pub fn read_tls(
    node: &Node,
    directory: &Path,
    read: &mut String,
    problems: &Problems,
) -> Option<Tls> {
    let before = problems.count();
    let mut map = Mapping::open(node, "TLS settings such as `{ ca: FILE }`", problems)?;
    let (ca, cert, key) = (map.get("ca"), map.get("cert"), map.get("key"));
    let (server_name, insecure) = (map.get("server_name"), map.get("insecure"));
    let place = map.place;
    map.finish();
    let mut file = |node: &Node| {
        let text = read_file(node, directory, problems)?;
        read.push_str(&String::from_utf8_lossy(&text));
        Some(text)
    };
    let authorities = ca.and_then(&mut file);
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => file(cert).zip(file(key)),
        (None, None) => None,
        (Some(cert), None) => {
            problems.add(&cert.place, "`cert` needs the `key` that belongs to it");
            None
        }
        (None, Some(key)) => {
            problems.add(&key.place, "`key` needs the `cert` that it belongs to");
            None
        }
    };
    let name = server_name.and_then(|node| node.text("the name of a host", problems));
    let any = insecure
        .and_then(|node| node.boolean(problems))
        .unwrap_or_default();
    if let Some(ca) = ca.filter(|_| any) {
        problems.add(
            &ca.place,
            "`ca` says whom to trust, and `insecure` to take any certificate; keep one of them",
        );
    }
    (problems.count() == before).then_some(())?;
    let settings = TlsSettings {
        authorities,
        identity,
        server_name: name.map(str::to_owned),
        insecure: any,
    };
    let refused = |error: TlsError| {
        let wrong = match &error {
            TlsError::Authorities(_) => ca,
            TlsError::Certificate(_) => cert,
            TlsError::Key(_) => key,
            TlsError::ServerName(_) => server_name,
            TlsError::Setup(_) => None,
        };
        let place = wrong.map_or(place, |node| &node.place);
        problems.add(place, error.to_string());
    };
    Tls::new(&settings).map_err(refused).ok()
}

fn read_file(node: &Node, directory: &Path, problems: &Problems) -> Option<Vec<u8>> {
    let path = directory.join(node.text("the path of a PEM file", problems)?);
    std::fs::read(&path)
        .map_err(|error| {
            problems.add(
                &node.place,
                format!(
                    "cannot read `{}`: {}",
                    path.display(),
                    plain_words::of_system(&error)
                ),
            );
        })
        .ok()
}

/// Reads `ADDRESS`, `none`, `{ env: NAME }` or `{ file: PATH }`. `read` takes the address of the last two.
pub fn read_proxy(
    node: &Node,
    directory: &Path,
    read: &mut String,
    problems: &Problems,
) -> Option<ProxyChoice> {
    let refused = |message: String| problems.add(&node.place, message);
    let proxy = match &node.value {
        Value::Text(text) if text == "none" => return Some(ProxyChoice::Direct),
        Value::Text(text) => {
            let proxy = Proxy::read(text).map_err(refused).ok()?;
            if proxy.has_credentials() {
                refused(
                    "credentials do not belong in an address; put the whole address with its user and password into a \
                     variable of the environment or a file, and write `{ env: NAME }` or `{ file: PATH }`"
                        .to_owned(),
                );
                return None;
            }
            proxy
        }
        Value::Map(_) => {
            let address = read_secret(node, directory, problems)?;
            read.push_str(address.expose_secret());
            Proxy::read(address.expose_secret()).map_err(refused).ok()?
        }
        _ => {
            node.expected(
                "the address of a proxy such as `http://proxy.example.com:3128`, `none`, `{ env: NAME }` or `{ file: PATH }`",
                problems,
            );
            return None;
        }
    };
    Some(ProxyChoice::Through(Arc::new(proxy)))
}
