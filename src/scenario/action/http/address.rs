//! Where the address of a request may lead.
//!
//! A scenario's own text and the target decide where requests go. What comes from elsewhere (inputs, captures,
//! events, redirects) may name a path, and only a server that is allowed.

#[cfg(test)]
mod tests;

use url::Url;

use crate::{
    driver::{Origin, Origins, has_credentials},
    plain_words,
};

/// Why no request is sent to an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
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
pub(super) fn check(origins: &Origins, address: &str, own: usize) -> Result<(), AddressError> {
    if end_of_server(address).is_some_and(|end| end <= own) {
        return Ok(());
    }
    let parsed = Url::parse(address)
        .map_err(|error| AddressError::Invalid(plain_words::of_url(error).to_owned()))?;
    if has_credentials(&parsed) {
        return Err(AddressError::Credentials);
    }
    let Some(origin) = Origin::of(&parsed) else {
        let why = "it begins with neither `http` nor `https`";
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
pub(super) fn written_addresses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("://").filter_map(|(at, mark)| {
        let scheme = ["https", "http"].into_iter().find(|scheme| {
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
    let schemes = ["https://", "http://"];
    let begin = schemes
        .iter()
        .find(|scheme| address.starts_with(**scheme))?;
    let rest = &address.as_bytes()[begin.len()..];
    let ends = |byte: &u8| b"/?#".contains(byte);
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    (length > 0 && rest[..length].iter().all(plain)).then_some(begin.len() + length)
}
