//! The address of a server in a step, and where it may lead.
//!
//! A scenario's own text and the target decide where requests go. What comes from elsewhere (inputs, captures,
//! events, redirects) may name a path, and only a server that is allowed.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use url::Url;

use crate::{
    document::{Node, Problems},
    driver::{Origin, Origins, has_credentials},
    plain_words,
    scenario::{EvaluationError, Names, Scope, Template, template::Address},
};

/// The address of a server, which a scenario and a target decide.
#[derive(Debug)]
pub(super) struct ServerAddress(Template);

impl ServerAddress {
    /// Reads an address that begins with one of these schemes, such as `http://`. It has to be whole: there is no
    /// other one to put a path behind.
    pub(super) fn read(
        node: &Node,
        schemes: &[&str],
        names: &mut Names,
        problems: &Problems,
    ) -> Option<Self> {
        let url = Template::read(node, names, problems)?;
        let text = node.as_written().unwrap_or_default();
        written_addresses(text).for_each(|address| names.note_address(address));
        // What stands for an expression is plain and short.
        let Some(outline) = url.outline() else {
            return Some(Self(url));
        };
        let begin = url.as_plain().or_else(|| url.literal_begin());
        let whole = begin.is_none_or(|text| {
            let text = text.to_ascii_lowercase();
            schemes.iter().any(|scheme| text.starts_with(scheme))
        });
        if !whole {
            let schemes: Vec<_> = schemes.iter().map(|it| format!("`{it}`")).collect();
            let schemes = schemes.join(" or ");
            problems.add(
                &node.place,
                format!("an address begins with `{{{{ target.url }}}}`, {schemes}"),
            );
            return None;
        }
        if Url::parse(&outline).is_ok_and(|outline| has_credentials(&outline)) {
            problems.add(&node.place, AddressError::Credentials.to_string());
            return None;
        }
        Some(Self(url))
    }

    /// One that was given as a whole.
    pub(super) fn plain(url: &str) -> Self {
        Self(Template::plain(url))
    }

    /// The address in a scope.
    pub(super) fn render(&self, scope: &Arc<Scope>) -> Result<String, EvaluationError> {
        if let Some(url) = self.0.as_plain() {
            // It is in the scenario or the command line as a whole, so no value can change its server.
            return Ok(url.to_owned());
        }
        let address = self.0.render_address(scope)?;
        let checked = check(scope.origins(), &address.text, address.own);
        checked.map_err(|error| self.misled(&error))?;
        Ok(address.text)
    }

    /// Adds the server that the scenario and the configuration name, as in `https://{{ target.api_host }}/items`.
    pub(super) fn add_origin(&self, scope: &Arc<Scope>, origins: &mut Origins) {
        let own = self.0.render_own(scope).ok();
        if let Some(address) = own.filter(Address::names_server) {
            origins.add_address(&address.text);
        }
    }

    /// Finds out whether it leads where nothing is sent, as far as that is known before a run.
    pub(super) fn check(&self, scope: &Arc<Scope>) -> Result<(), EvaluationError> {
        let known = self.0.render_known(scope).ok();
        let Some(address) = known.filter(Address::names_server) else {
            return Ok(());
        };
        match check(scope.origins(), &address.text, address.own) {
            Err(error @ (AddressError::Credentials | AddressError::Elsewhere(_))) => {
                Err(self.misled(&error))
            }
            Ok(()) | Err(AddressError::Invalid(_)) => Ok(()),
        }
    }

    fn misled(&self, error: &AddressError) -> EvaluationError {
        EvaluationError {
            place: self.0.place().clone(),
            message: error.to_string(),
            exceeded: false,
        }
    }
}

/// Why no request is sent to an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum AddressError {
    /// It is no address of a server.
    #[error("the URL is not valid: {0}")]
    Invalid(String),
    /// It has a user or a password.
    #[error(
        "the address has a user or a password, which is what stands before an `@`; send credentials in a header, such as \
         `authorization: \"Basic {{{{ (target.user ~ ':' ~ target.password) | base64 }}}}\"`"
    )]
    Credentials,
    /// Something else than the scenario and the target chose a server that is not allowed.
    #[error(
        "the address leads to `{0}`, which neither the scenario nor the target names; to let inputs, captures and events \
         lead there, write in the target: `also: [\"{0}\"]`"
    )]
    Elsewhere(Origin),
}

/// Checks a rendered address, of which the first `own` bytes are text of the scenario and values of the
/// target. If the server ends within these bytes, the rest cannot change it.
fn check(origins: &Origins, address: &str, own: usize) -> Result<(), AddressError> {
    if end_of_server(address).is_some_and(|end| end <= own) {
        return Ok(());
    }
    let parsed = Url::parse(address)
        .map_err(|error| AddressError::Invalid(plain_words::of_url(error).to_owned()))?;
    if has_credentials(&parsed) {
        return Err(AddressError::Credentials);
    }
    let Some(origin) = Origin::of(&parsed) else {
        let why = "it begins with none of `http`, `https`, `ws` and `wss`";
        return Err(AddressError::Invalid(why.to_owned()));
    };
    let begin = address.get(..own).unwrap_or_default();
    let begin = Url::parse(begin).ok().as_ref().and_then(Origin::of);
    if begin.as_ref() == Some(&origin) || origins.admit(&parsed) {
        return Ok(());
    }
    Err(AddressError::Elsewhere(origin))
}

/// Scheme, host and port of every address in the text of a template. A host that is followed by an expression is
/// not complete.
fn written_addresses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("://").filter_map(|(at, mark)| {
        let scheme = ["https", "http", "wss", "ws"].into_iter().find(|scheme| {
            let begin = at.checked_sub(scheme.len());
            let written = begin.and_then(|begin| text.get(begin..at));
            written.is_some_and(|written| written.eq_ignore_ascii_case(scheme))
        })?;
        let host = &text[at + mark.len()..];
        let plain = |c: char| c.is_alphanumeric() || ".-_:[]".contains(c);
        let length = host.find(|c| !plain(c)).unwrap_or(host.len());
        let (host, rest) = host.split_at(length);
        let ends =
            rest.is_empty() || rest.starts_with(['/', '?', '#', '\'', '"']) || ends_branch(rest);
        let address = &text[at - scheme.len()..at + mark.len() + length];
        (ends && !host.is_empty()).then_some(address)
    })
}

/// Whether a text goes on with the end of a branch: `{% else %}`, `{% elif ... %}` or `{% endif %}`.
fn ends_branch(text: &str) -> bool {
    let statement = text.strip_prefix("{%").unwrap_or_default();
    let statement = statement.trim_start_matches(['-', '+']).trim_start();
    ["else", "elif", "endif"]
        .iter()
        .any(|word| statement.starts_with(word))
}

/// Where host and port of an address end, if they are of plain characters: then every parser finds the same
/// ones, without a user in front of them.
fn end_of_server(address: &str) -> Option<usize> {
    let schemes = ["https://", "http://", "wss://", "ws://"];
    let begin = schemes
        .iter()
        .find(|scheme| address.starts_with(**scheme))?;
    let rest = &address.as_bytes()[begin.len()..];
    let ends = |byte: &u8| b"/?#".contains(byte);
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    (length > 0 && rest[..length].iter().all(plain)).then_some(begin.len() + length)
}
