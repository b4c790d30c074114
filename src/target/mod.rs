//! A chat system: its address, its variables and secrets, and how it is reached. Its secrets are taken out of
//! every text about it here.

mod address;
mod excerpt;
mod redaction;
mod secret;
#[cfg(test)]
mod tests;
mod transport;
mod variables;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
};

use minijinja::Value as Variable;
use secrecy::{ExposeSecret, SecretString};

use self::{address::read_also, secret::read_secrets, variables::read_variables};
pub use self::{
    address::{check_url, read_url},
    redaction::{MASK, Redaction},
    secret::read_secret,
    transport::{Transport, read_proxy, read_tls},
};
use crate::{
    document::{Entry, Mapping, Place, Problems, canonical, settings},
    driver::{ConnectionSettings, Endpoint, Origins},
    scenario::{Parameter, Parameters, SessionValues, check_label, fingerprint},
};

/// A chat system under watch.
#[derive(Debug)]
pub struct Target {
    /// Its name; a metric label.
    pub name: Arc<str>,
    /// The address that scenarios put their paths behind, without a slash at the end.
    pub url: String,
    /// What scenarios find as `target.name` besides.
    variables: BTreeMap<String, Parameter>,
    secrets: BTreeMap<String, SecretString>,
    /// Of the secrets alone, as soon as there is a text to take them out of.
    redaction: OnceLock<Redaction>,
    /// Servers besides its own that inputs, captures, events and answers may lead to.
    pub also: Origins,
    /// How its customers are connected to it.
    pub connections: ConnectionSettings,
    /// The values of sessions that its customers keep, by the names in [`SessionValues::NAMES`].
    keeps: Vec<&'static str>,
    /// TLS and the proxy in between.
    pub transport: Transport,
    /// Where it is declared.
    pub place: Place,
    /// Everything about it, hashed: equal for targets that are the same.
    pub fingerprint: u64,
}

impl Target {
    /// A target of which only the address is known.
    pub fn new(name: impl Into<Arc<str>>, url: &str) -> Self {
        let name = name.into();
        Self {
            place: Place::whole(name.clone()),
            name,
            url: url.trim_end_matches('/').to_owned(),
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            redaction: OnceLock::new(),
            also: Origins::default(),
            connections: ConnectionSettings::default(),
            keeps: Vec::new(),
            transport: Transport::default(),
            fingerprint: fingerprint(url),
        }
    }

    /// A target of which only the address is known, under the name of its host and port.
    pub fn at(url: &str) -> Self {
        let parsed = url::Url::parse(url).ok();
        let name = parsed.and_then(|url| {
            let (host, port) = (url.host_str()?, url.port_or_known_default()?);
            Some(format!("{host}:{port}"))
        });
        Self::new(name.as_deref().unwrap_or(url), url)
    }

    /// The variables of this target at another address, with the same connections through the same
    /// proxy. Its secrets and TLS settings stay behind: they are for the address that the configuration
    /// gives.
    #[must_use]
    pub fn moved_to(&self, url: &str) -> Self {
        Self {
            variables: self.variables.clone(),
            also: self.also.clone(),
            connections: self.connections.clone(),
            keeps: self.keeps.clone(),
            transport: Transport {
                tls: None,
                ..self.transport.clone()
            },
            ..Self::at(url)
        }
    }

    /// The same target with these variables besides or instead.
    #[must_use]
    pub fn with(&self, variables: &[Entry], problems: &Problems) -> Self {
        let mut changed = self.variables.clone();
        // A secret is text, and so is what replaces text.
        let is_text = |name: &str| {
            self.secrets.contains_key(name)
                || self.variables.get(name).is_some_and(Parameter::is_text)
        };
        let read = |entry: &Entry| match entry.node.as_written() {
            Some(text) if is_text(&entry.key) => Some(Parameter::text(text)),
            _ => Parameter::of_argument(&entry.node),
        };
        changed.extend(read_variables(variables, read, problems));
        let mut secrets = self.secrets.clone();
        secrets.retain(|name, _| !changed.contains_key(name));
        Self {
            name: self.name.clone(),
            url: self.url.clone(),
            variables: changed,
            secrets,
            redaction: OnceLock::new(),
            also: self.also.clone(),
            connections: self.connections.clone(),
            keeps: self.keeps.clone(),
            transport: self.transport.clone(),
            place: self.place.clone(),
            fingerprint: self.fingerprint,
        }
    }

    /// The same target with these servers besides that anything may lead to.
    #[must_use]
    pub fn leading_to(mut self, also: &Origins) -> Self {
        self.also.add_all(also);
        self
    }

    /// Reads `NAME: { url: ..., variables: {}, secrets: {} }`. Secrets are read now, so that a
    /// missing one is an error of the load and not of the first chat.
    pub fn read(entry: &Entry, directory: &Path, problems: &Problems) -> Option<Self> {
        let before = problems.count();
        check_label(&entry.key, &entry.place, problems);
        let mut map = Mapping::open(&entry.node, "a target such as `{ url: ... }`", problems)?;
        let url = map.need("url").and_then(|node| read_url(node, problems));
        let variables = map
            .get("variables")
            .map(|node| {
                let entries = node.entries("a mapping of names and values", problems);
                read_variables(entries, |entry| Parameter::of(&entry.node), problems)
            })
            .unwrap_or_default();
        let secrets = (map.get("secrets"))
            .map(|node| read_secrets(node, &variables, directory, problems))
            .unwrap_or_default();
        let also = map.get("also").map(|node| read_also(node, problems));
        let connections = map.get("connections").map(|node| settings(node, problems));
        let mut keeps = SessionValues::NAMES.to_vec();
        keeps.retain(|name| {
            let kept = map.get(name).and_then(|node| node.boolean(problems));
            kept.unwrap_or_default()
        });
        // What it comes to belongs to the fingerprint: a certificate may have been renewed in its place.
        let mut revealed = String::new();
        let transport = Transport {
            tls: (map.get("tls"))
                .and_then(|node| read_tls(node, directory, &mut revealed, problems)),
            proxy: (map.get("proxy"))
                .and_then(|node| read_proxy(node, directory, &mut revealed, problems))
                .unwrap_or_default(),
        };
        map.finish();
        (problems.count() == before).then_some(())?;
        revealed.extend(secrets.values().map(ExposeSecret::expose_secret));
        Some(Self {
            fingerprint: fingerprint(&(canonical(&entry.node) + &revealed)),
            name: entry.key.as_str().into(),
            url: url?,
            variables,
            secrets,
            redaction: OnceLock::new(),
            also: also.unwrap_or_default(),
            connections: connections.flatten().unwrap_or_default(),
            keeps,
            transport,
            place: entry.place.clone(),
        })
    }

    /// How a client reaches it.
    pub fn endpoint(&self) -> Endpoint {
        let url = url::Url::parse(&self.url).ok();
        Endpoint {
            host: url.and_then(|url| Some(url.host_str()?.to_owned())),
            connections: self.connections.clone(),
            tls: self.transport.tls.clone(),
            proxy: self.transport.proxy.clone(),
        }
    }

    /// The servers that anything may lead requests to: its own, those that its variables and secrets name, and
    /// those in `also`.
    pub fn origins(&self) -> Origins {
        let mut origins = self.also.clone();
        origins.add_address(&self.url);
        for variable in self.variables.values() {
            origins.add_address(&variable.sent());
        }
        for secret in self.secrets.values() {
            origins.add_address(secret.expose_secret());
        }
        origins
    }

    /// Whether its customers keep the values of sessions that go by this name.
    pub fn keeps(&self, name: &str) -> bool {
        self.keeps.contains(&name)
    }

    /// Whether scenarios find something under `target.variable`.
    pub fn has(&self, variable: &str) -> bool {
        Self::OF_ALL.contains(&variable)
            || self.variables.contains_key(variable)
            || self.secrets.contains_key(variable)
    }

    /// What expressions know of every target.
    pub const OF_ALL: [&str; 2] = ["name", "url"];

    /// The names of its variables.
    pub fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The names of its secrets; their values are not shown to anybody.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secrets.keys().map(String::as_str)
    }

    /// The names of its variables and secrets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variable_names().chain(self.secret_names())
    }

    /// `target` as expressions see it.
    pub fn variable(&self) -> Variable {
        let own = [("name", &*self.name), ("url", &*self.url)];
        let secrets = self.secrets.iter();
        let secrets = secrets.map(|(name, secret)| (name.as_str(), secret.expose_secret()));
        let texts = own
            .into_iter()
            .chain(secrets)
            .map(|(name, text)| (name.to_owned(), Parameter::text(text)));
        let variables = self.variables.clone().into_iter();
        variables.chain(texts).collect::<Parameters>().into()
    }

    /// The text without the target's secrets, in whatever form they are usually written.
    pub fn redact(&self, text: String) -> String {
        let redaction = self.redaction.get_or_init(|| self.redaction_besides(&[]));
        redaction.redact(text)
    }

    /// The text without them and these values from its answers.
    pub fn redact_besides(&self, text: String, values: &[String]) -> String {
        if !values.is_empty() && Redaction::may_concern(&text, values) {
            self.redaction_besides(values).redact(text)
        } else {
            self.redact(text)
        }
    }

    /// Takes the target's secrets and these values from its answers out of texts.
    pub fn redaction_besides(&self, values: &[String]) -> Redaction {
        let secrets = self.secrets.values().map(ExposeSecret::expose_secret);
        Redaction::new(secrets.chain(self.transport.secrets()), values)
    }

    /// The same target with one more secret.
    #[cfg(test)]
    pub(crate) fn with_secret(mut self, name: &str, value: &str) -> Self {
        self.secrets
            .insert(name.to_owned(), SecretString::from(value));
        self.redaction = OnceLock::new();
        self
    }
}
