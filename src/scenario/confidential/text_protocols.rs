//! What texts that are neither JSON nor forms have under confidential names: headers of text protocols such as STOMP,
//! and attributes and elements of XML; and [commands] with which one signs in.

mod commands;

use self::commands::note_command;
use super::{is_confidential, note_written};

/// Headers that are confidential with a space behind the colon too, as SIP and MIME have them.
const HEADERS: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
];

/// Elements of XML that hold an answer of SASL: RFC 6120, section 6.4, and XEP-0388.
const OF_SASL: [&str; 2] = ["initial-response", "response"];

/// Notes the values of lines `name:value` and of attributes and elements of XML that have a confidential name, and what
/// commands have that sign in.
pub(super) fn note_in_text_protocols(text: &str, values: &mut Vec<String>) {
    for line in text.lines() {
        note_line(line, values);
        note_command(line.trim_end_matches(['\0', '\r']), values);
    }
    note_attributes(text, values);
    note_elements(text, values);
}

/// A space behind the colon makes it prose: `token: not there`.
fn note_line(line: &str, values: &mut Vec<String>) {
    let Some((name, value)) = line.split_once(':') else {
        return;
    };
    let value = value.trim_end_matches(['\0', '\r']);
    let is_known = HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
    let value = if is_known { value.trim() } else { value };
    let is_header = !value.starts_with(char::is_whitespace) && name.chars().all(is_of_name);
    if !is_header || !is_confidential(name) {
        return;
    }
    // The credentials of `Bearer CREDENTIALS` are confidential on their own.
    if let Some((_, credentials)) = value.split_once(' ') {
        note_written(credentials.to_owned(), credentials, values);
    }
    note_written(value.to_owned(), value, values);
}

fn note_attributes(mut text: &str, values: &mut Vec<String>) {
    while let Some(at) = text.find(['\'', '"']) {
        let quote = &text[at..=at];
        let name = text[..at].strip_suffix('=').map_or("", name_at_end);
        text = &text[at + 1..];
        if is_confidential(name) {
            let (value, rest) = text.split_once(quote).unwrap_or((text, ""));
            note_written(value.to_owned(), value, values);
            text = rest;
        }
    }
}

fn note_elements(text: &str, values: &mut Vec<String>) {
    for begun in text.split('<').skip(1) {
        let Some((tag, content)) = begun.split_once('>') else {
            continue;
        };
        let ends = |c: char| c.is_whitespace() || c == '/';
        let name = tag.split(ends).next().unwrap_or_default();
        let has_content = name.starts_with(char::is_alphabetic) && !tag.ends_with('/');
        let is_of_sasl = OF_SASL.contains(&name) && text.contains("sasl");
        if has_content && (is_of_sasl || is_confidential(name)) {
            let content = content.trim();
            note_written(content.to_owned(), content, values);
        }
    }
}

fn name_at_end(text: &str) -> &str {
    let before = text.trim_end_matches(is_of_name);
    &text[before.len()..]
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || "-_.".contains(c)
}
