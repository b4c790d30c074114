//! `push` of the configuration and `--push` of the command line.

use std::{path::Path, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::{
    address::{PushFormat, PushReceiver},
    series::SeriesSettings,
};
use crate::{
    document::{Entry, Mapping, Node, Place, Problems, Value, canonical},
    driver::{Endpoint, shown_address},
    event::Mode,
    record::Boundaries,
    scenario::{fingerprint, is_confidential},
    target::{Redaction, Transport, read_proxy, read_secret, read_tls},
};

/// Labels besides those that every run has.
const MOST_LABELS: usize = 10;
/// The longest value of one, in bytes.
const LONGEST_LABEL: usize = 128;
/// Headers besides those that every request has.
const MOST_HEADERS: usize = 20;
/// How long a receiver may take for a batch.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What may be given instead.
const TIMEOUTS: [Duration; 2] = [Duration::from_millis(100), Duration::from_mins(5)];
/// Labels that series have already.
const TAKEN: [&str; 13] = [
    "run",
    "run_id",
    "scenario",
    "target",
    "mode",
    "step",
    "reason",
    "fate",
    "by",
    "direction",
    "le",
    "quantile",
    "verdict",
];
/// Headers that belong to the format, or that `basic` and `token` set.
const SET: [&str; 7] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
];

/// Where results of runs are pushed to, and what of them.
#[derive(Debug, Clone)]
pub struct PushSettings {
    pub(super) receiver: PushReceiver,
    /// Of every request, besides those of the format.
    headers: Vec<(String, SecretString)>,
    labels: Vec<(String, String)>,
    pub(super) timeout: Duration,
    pushed: PushedRuns,
    transport: Transport,
    /// Everything, hashed: equal for settings that are the same.
    fingerprint: u64,
}

/// Which runs are pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum PushedRuns {
    /// Those that are started by hand, by a schedule or on the command line.
    #[default]
    Bursts,
    /// Those of probes too.
    All,
}

impl PartialEq for PushSettings {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl PushSettings {
    /// Settings of which only the address is known.
    fn at(receiver: PushReceiver) -> Self {
        Self {
            fingerprint: fingerprint(&receiver.url),
            receiver,
            headers: Vec::new(),
            labels: Vec::new(),
            timeout: TIMEOUT,
            pushed: PushedRuns::default(),
            transport: Transport::default(),
        }
    }

    /// Reads `{ url: ..., format: influx, token: { env: NAME }, labels: {}, ... }`. Paths of secrets are relative to the
    /// folder.
    pub fn read(node: &Node, directory: &Path, problems: &Problems) -> Option<Self> {
        let before = problems.count();
        let mut map = Mapping::open(node, "where to push to, such as `{ url: ... }`", problems)?;
        let format = map
            .get("format")
            .and_then(|node| node.parsed("`remote_write` or `influx`", str::parse, problems));
        let receiver = map.need("url").and_then(|node| {
            let wanted = "an address such as `http://prometheus.example.com:9090/api/v1/write`";
            node.parsed(wanted, |text| PushReceiver::read(text, format), problems)
        });
        let mut revealed = String::new();
        let mut headers = map
            .get("headers")
            .map(|node| read_headers(node, directory, problems))
            .unwrap_or_default();
        let (basic, token) = (map.get("basic"), map.get("token"));
        let authorization = match (basic, token) {
            (None, None) => None,
            (Some(node), None) => read_basic(node, directory, problems),
            (None, Some(node)) => read_secret(node, directory, problems)
                .zip(receiver.as_ref())
                .map(|(token, receiver)| receiver.format.authorization(&token)),
            (Some(_), Some(token)) => {
                problems.add(
                    &token.place,
                    "`basic` is given already; keep one of the two",
                );
                None
            }
        };
        headers.extend(authorization.map(|value| (AUTHORIZATION.to_string(), value)));
        let labels = map.get("labels").map(|node| read_labels(node, problems));
        let timeout = map
            .get("timeout")
            .and_then(|node| read_timeout(node, problems));
        let pushed = map
            .get("runs")
            .and_then(|node| node.parsed("`bursts` or `all`", PushedRuns::read, problems));
        let transport = Transport {
            tls: (map.get("tls"))
                .and_then(|node| read_tls(node, directory, &mut revealed, problems)),
            proxy: (map.get("proxy"))
                .and_then(|node| read_proxy(node, directory, &mut revealed, problems))
                .unwrap_or_default(),
        };
        map.finish();
        (problems.count() == before).then_some(())?;
        revealed.extend(headers.iter().map(|(_, value)| value.expose_secret()));
        Some(Self {
            fingerprint: fingerprint(&(canonical(node) + &revealed)),
            headers,
            labels: labels.unwrap_or_default(),
            timeout: timeout.unwrap_or(TIMEOUT),
            pushed: pushed.unwrap_or_default(),
            transport,
            ..Self::at(receiver?)
        })
    }

    /// Reads `--push`: an address, or `none` to push nowhere. `configured` are the settings of the configuration: at their own
    /// address all of them hold, and at another one what is no secret. There `token` is sent instead, if there is one.
    pub fn of_option(
        text: &str,
        configured: Option<&Self>,
        token: Option<SecretString>,
        problems: &Problems,
    ) -> Option<Self> {
        if text == "none" {
            return None;
        }
        let known = configured.filter(|known| {
            PushReceiver::read(text, Some(known.receiver.format)).as_ref() == Ok(&known.receiver)
        });
        if let Some(known) = known {
            return Some(known.clone());
        }
        let receiver = PushReceiver::read(text, None)
            .map_err(|message| problems.add(&Place::whole("--push"), message))
            .ok()?;
        let mut read = Self::at(receiver);
        if let Some(configured) = configured {
            read.labels.clone_from(&configured.labels);
            read.timeout = configured.timeout;
        }
        let format = read.receiver.format;
        let authorization = token.map(|token| format.authorization(&token));
        read.headers = authorization
            .map(|value| (AUTHORIZATION.to_string(), value))
            .into_iter()
            .collect();
        Some(read)
    }

    /// The address without its query, for people.
    pub fn shown(&self) -> String {
        shown_address(&self.receiver.url)
    }

    /// Whether runs of this kind are pushed.
    pub(super) fn wants(&self, mode: Mode) -> bool {
        mode == Mode::Burst || self.pushed == PushedRuns::All
    }

    /// What the series of runs are made with.
    pub(super) fn of_series(&self, boundaries: &Boundaries) -> Arc<SeriesSettings> {
        let (format, labels) = (self.receiver.format, self.labels.clone());
        Arc::new(SeriesSettings::new(format, labels, boundaries))
    }

    /// Every header of a request.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let of_format: &[(&str, &str)] = match self.receiver.format {
            PushFormat::RemoteWrite => &[
                ("Content-Type", "application/x-protobuf"),
                ("Content-Encoding", "snappy"),
                ("X-Prometheus-Remote-Write-Version", "0.1.0"),
            ],
            PushFormat::Influx => &[("Content-Type", "text/plain; charset=utf-8")],
        };
        let of_format = of_format
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        of_format.chain(own).collect()
    }

    /// How the receiver is reached.
    pub(super) fn endpoint(&self) -> Endpoint {
        let url = url::Url::parse(&self.receiver.url).ok();
        Endpoint {
            host: url.and_then(|url| Some(url.host_str()?.to_owned())),
            tls: self.transport.tls.clone(),
            proxy: self.transport.proxy.clone(),
            ..Endpoint::default()
        }
    }

    /// Takes the secrets out of texts.
    pub(super) fn redaction(&self) -> Redaction {
        let values = self.headers.iter().map(|(_, value)| value.expose_secret());
        // An answer may repeat the token without the word before it.
        let parts = values
            .clone()
            .filter_map(|value| Some(value.split_once(' ')?.1));
        Redaction::new(values.chain(parts), &[])
    }
}

impl PushedRuns {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "bursts" => Ok(Self::Bursts),
            "all" => Ok(Self::All),
            _ => Err(format!("`{text}` are no runs; write `bursts` or `all`")),
        }
    }
}

fn read_basic(node: &Node, directory: &Path, problems: &Problems) -> Option<SecretString> {
    let mut map = Mapping::open(
        node,
        "a user and a password: `{ user: NAME, password: { env: NAME } }`",
        problems,
    )?;
    let user = map
        .need("user")
        .and_then(|node| node.scalar_text("a name", problems));
    let password = map
        .need("password")
        .and_then(|node| read_secret(node, directory, problems));
    map.finish();
    let password = password?;
    let both = format!("{}:{}", user?, password.expose_secret());
    Some(format!("Basic {}", STANDARD.encode(both)).into())
}

fn read_headers(node: &Node, directory: &Path, problems: &Problems) -> Vec<(String, SecretString)> {
    let entries = node.entries("a mapping of names and values", problems);
    if entries.len() > MOST_HEADERS {
        problems.add(&node.place, format!("more than {MOST_HEADERS} headers"));
    }
    let read = |entry: &Entry| read_header(entry, directory, problems);
    entries.iter().filter_map(read).collect()
}

fn read_header(
    entry: &Entry,
    directory: &Path,
    problems: &Problems,
) -> Option<(String, SecretString)> {
    let name = &entry.key;
    let refuse = |message: String| {
        problems.add(&entry.place, message);
        None
    };
    if HeaderName::try_from(name).is_err() {
        return refuse(format!("`{name}` cannot be the name of a header"));
    }
    if SET.contains(&name.to_ascii_lowercase().as_str()) {
        return refuse(format!(
            "`{name}` is set already; credentials are `basic` or `token`"
        ));
    }
    let value = match &entry.node.value {
        Value::Map(_) => read_secret(&entry.node, directory, problems)?,
        _ if is_confidential(name) => {
            return refuse(format!(
                "`{name}` is the name of a secret, which does not belong in the configuration; write `{{ env: NAME }}` or \
                 `{{ file: PATH }}`"
            ));
        }
        _ => entry.node.scalar_text("a text", problems)?.into(),
    };
    if HeaderValue::try_from(value.expose_secret()).is_err() {
        return refuse(format!("the value of `{name}` cannot be sent in a header"));
    }
    Some((name.clone(), value))
}

fn read_labels(node: &Node, problems: &Problems) -> Vec<(String, String)> {
    let entries = node.entries("a mapping of names and values", problems);
    if entries.len() > MOST_LABELS {
        problems.add(&node.place, format!("more than {MOST_LABELS} labels"));
    }
    let read = |entry: &Entry| {
        let name = &entry.key;
        if !is_label(name) {
            problems.add(
                &entry.place,
                format!("`{name}` cannot be the name of a label; use letters, digits and `_`"),
            );
        } else if TAKEN.contains(&name.as_str()) {
            problems.add(
                &entry.place,
                format!("series have a label `{name}` of their own; use another name"),
            );
        }
        let value = entry.node.scalar_text("a text", problems)?;
        let fits = !value.is_empty()
            && value.len() <= LONGEST_LABEL
            && !value.contains(|c: char| c.is_control() || c == '\\');
        if !fits {
            problems.add(
                &entry.node.place,
                format!(
                    "the value of a label is not empty, has at most {LONGEST_LABEL} bytes, and neither backslashes nor line breaks"
                ),
            );
        }
        Some((name.clone(), value))
    };
    entries.iter().filter_map(read).collect()
}

/// Whether Prometheus takes it as the name of a label, and has no use of its own for it.
fn is_label(name: &str) -> bool {
    !name.starts_with("__")
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn read_timeout(node: &Node, problems: &Problems) -> Option<Duration> {
    let timeout = node.duration(problems)?;
    let [least, most] = TIMEOUTS;
    if !(least..=most).contains(&timeout) {
        problems.add(&node.place, "a receiver gets from `100ms` to `5m`");
        return None;
    }
    Some(timeout)
}
