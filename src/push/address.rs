//! Where results are pushed to, and what is spoken there.

use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushFormat {
    /// Prometheus remote write, version 1: protobuf, compressed with snappy.
    RemoteWrite,
    /// Lines of `InfluxDB`, version 1 and 2.
    Influx,
}

/// The address of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PushReceiver {
    /// With its query.
    pub(super) url: String,
    pub(super) format: PushFormat,
}

/// The unit of time stamps in lines.
const PRECISION: &str = "ms";

impl FromStr for PushFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "remote_write" => Ok(Self::RemoteWrite),
            "influx" => Ok(Self::Influx),
            _ => Err(format!(
                "`{text}` is no format; write `remote_write` or `influx`"
            )),
        }
    }
}

impl PushFormat {
    /// The value of the header that proves who pushes.
    pub(super) fn authorization(self, token: &SecretString) -> SecretString {
        let scheme = match self {
            Self::RemoteWrite => "Bearer",
            Self::Influx => "Token",
        };
        format!("{scheme} {}", token.expose_secret()).into()
    }

    /// What paths of receivers that people use end in.
    fn of_path(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        let ends = |ends: &[&str]| ends.iter().any(|end| path.ends_with(end));
        if ends(&["/api/v1/write", "/api/v1/push", "/api/v1/receive"]) {
            Some(Self::RemoteWrite)
        } else if ends(&["/write"]) {
            Some(Self::Influx)
        } else {
            None
        }
    }
}

impl PushReceiver {
    /// Reads an address; without a format, its path says it.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(super) fn read(text: &str, format: Option<PushFormat>) -> Result<Self, String> {
        let url = Url::parse(text).ok();
        let url = url.filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
        let Some(mut url) = url else {
            return Err(format!(
                "`{text}` is not an address; write for instance `http://prometheus.example.com:9090/api/v1/write`"
            ));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "credentials do not belong in an address; use `basic` or `token`".to_owned(),
            );
        }
        if url.fragment().is_some() {
            return Err("an address to push to has no `#`".to_owned());
        }
        let format = format.or_else(|| PushFormat::of_path(url.path())).ok_or(
            "this path does not say what is spoken there: it ends neither in `/api/v1/write` (Prometheus) nor in \
             `/write` or `/api/v2/write` (InfluxDB); add `format: remote_write` or `format: influx`",
        )?;
        if format == PushFormat::Influx {
            complete_query(&mut url)?;
        }
        Ok(Self {
            url: url.into(),
            format,
        })
    }
}

/// Checks what `InfluxDB` needs to know, and says the unit of time stamps.
fn complete_query(url: &mut Url) -> Result<(), String> {
    let value = |url: &Url, name: &str| {
        let pairs = url.query_pairs();
        let mut named = pairs.filter(|(key, value)| key == name && !value.is_empty());
        named.next().map(|(_, value)| value.into_owned())
    };
    let path = url.path().trim_end_matches('/');
    if path.ends_with("/api/v2/write") {
        if value(url, "bucket").is_none() {
            return Err("the bucket is missing: `/api/v2/write?org=NAME&bucket=NAME`".to_owned());
        }
    } else if path.ends_with("/write") && value(url, "db").is_none() {
        return Err("the database is missing: `/write?db=NAME`".to_owned());
    }
    match value(url, "precision").as_deref() {
        Some(PRECISION) => {}
        Some(other) => {
            return Err(format!(
                "time stamps are written in milliseconds, so `precision` cannot be `{other}`; leave it out"
            ));
        }
        None => {
            url.query_pairs_mut().append_pair("precision", PRECISION);
        }
    }
    Ok(())
}
