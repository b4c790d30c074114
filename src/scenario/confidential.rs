//! What nobody may see because of its name: captures, headers, fields of JSON and parameters alike.

#[cfg(test)]
mod tests;
mod text_protocols;

use std::{iter::Peekable, sync::LazyLock};

use aho_corasick::AhoCorasick;
use url::form_urlencoded;

use self::text_protocols::note_in_text_protocols;
use super::readings;

/// A word with one of these in it is confidential: nothing else is called so.
const ANYWHERE: [&str; 14] = [
    "accesskey",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "jsessionid",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "phpsessid",
    "privatekey",
    "secret",
    "token",
];
/// A word that is one of these. Many others have it in them, such as `author`.
const WHOLE: [&str; 4] = ["auth", "jwt", "oauth", "pwd"];
/// Like those, behind another word only: `key` alone is what a chat or an attribute goes by.
const BEHIND_ANOTHER: [&str; 2] = ["key", "keys"];
/// As the last word they say something about a secret that is none: `token_type`, `authUrl`.
const ABOUT: [&str; 12] = [
    "at", "count", "endpoint", "expires", "expiry", "in", "length", "size", "type", "uri", "url",
    "valid",
];
/// Of a value, in characters. Shorter ones can be guessed, and are part of many a word.
const SHORTEST: usize = 4;

/// What the token of a callback address begins with, so that it is known wherever it is shown. 32 hexadecimal
/// digits follow.
pub const TOKEN_BEGIN: &str = "cb-";
const TOKEN_DIGITS: usize = 32;

/// JSON in texts of JSON that is read.
const MOST_LEVELS: usize = 3;

/// What every confidential name has somewhere: few others have, so that most names are told by one look.
static SUSPECT: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let parts = ANYWHERE.iter().chain(&WHOLE).chain(&BEHIND_ANOTHER);
    #[expect(
        clippy::expect_used,
        reason = "words known when this is compiled, far below the limits of an automaton"
    )]
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(parts)
        .expect("an automaton of a few words")
});

/// Whether what has this name is shown to nobody. Names are read by their words, be they written
/// `access_token`, `X-Access-Token` or `accessToken`.
pub fn is_confidential(name: &str) -> bool {
    // Letters beyond ASCII have their own ideas of lower case.
    let suspect = !name.is_ascii() || SUSPECT.is_match(name);
    suspect && has_confidential_word(name)
}

fn has_confidential_word(name: &str) -> bool {
    let words = words(name);
    let about = words.last().is_some_and(|last| ABOUT.contains(&&**last));
    let confidential = |(place, word): (usize, &String)| {
        WHOLE.contains(&&**word)
            || ANYWHERE.iter().any(|part| word.contains(part))
            || (place > 0 && BEHIND_ANOTHER.contains(&&**word))
    };
    !about && words.iter().enumerate().any(confidential)
}

/// In lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        // `accessToken` and `APIKey` have two words.
        let begins = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || letters.peek().is_some_and(|next| next.is_lowercase())
            });
        if begins || !letter.is_alphanumeric() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        before = Some(letter);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Notes what a text has under confidential names: all texts and numbers beneath them in what is JSON,
/// begins like it or has pieces of it, the parameters of an address or a form, lines `name:value` as of STOMP, and
/// attributes and elements of XML. Values of fewer than
/// four characters are left out. The same where all of that is encoded, as JSON is in HTML or in a text of other
/// JSON. Tokens of callback addresses are noted wherever they stand.
pub fn note_confidential(text: &str, values: &mut Vec<String>) {
    note_fields(text, MOST_LEVELS, values);
    note_plain(text, values);
    note_callback_tokens(text, values);
    for reading in readings(text) {
        note_fields(&reading.text, MOST_LEVELS, values);
        note_plain(&reading.text, values);
    }
}

/// Notes what a text has that is no JSON.
fn note_plain(text: &str, values: &mut Vec<String>) {
    note_parameters(text, values);
    note_in_text_protocols(text, values);
}

/// Whoever knows such an address can send events to its run, be that one of this process or of another.
fn note_callback_tokens(text: &str, values: &mut Vec<String>) {
    for (at, _) in text.match_indices(TOKEN_BEGIN) {
        let token = text.get(at..at + TOKEN_BEGIN.len() + TOKEN_DIGITS);
        let is_hexadecimal = |token: &&str| {
            let digits = token.bytes().skip(TOKEN_BEGIN.len());
            { digits }.all(|byte| byte.is_ascii_hexdigit())
        };
        values.extend(token.filter(is_hexadecimal).map(str::to_owned));
    }
}

/// What was cut off cannot be read as a whole, so it is read word by word. So many `levels` of JSON in texts of
/// JSON are read.
fn note_fields(text: &str, levels: usize, values: &mut Vec<String>) {
    let mut tokens = Tokens(text).peekable();
    let mut depth = 0_usize;
    // What stands deeper than this is confidential, whatever its own name.
    let mut beneath = None;
    let mut named = false;
    while let Some(token) = tokens.next() {
        let name = is_name(&token, &mut tokens);
        match token {
            Token::Open => {
                if named {
                    beneath.get_or_insert(depth);
                }
                depth += 1;
            }
            Token::Close => {
                depth = depth.saturating_sub(1);
                beneath = beneath.filter(|above| *above < depth);
            }
            Token::Text(_) if name => {}
            Token::Text(quoted) if named || beneath.is_some() => note_quoted(quoted, values),
            Token::Text(quoted) => {
                let text = unquoted(quoted);
                note_plain(&text, values);
                if levels > 0 && text.contains('"') {
                    note_fields(&text, levels - 1, values);
                }
            }
            Token::Bare(word) if named || beneath.is_some() => note_number(word, values),
            Token::Bare(_) | Token::Colon | Token::Comma => {}
        }
        named = match token {
            Token::Text(quoted) => name && is_confidential(&unquoted(quoted)),
            Token::Colon => named,
            _ => false,
        };
    }
}

fn is_name(token: &Token<'_>, rest: &mut Peekable<Tokens<'_>>) -> bool {
    matches!(token, Token::Text(_)) && matches!(rest.peek(), Some(Token::Colon))
}

fn note_quoted(quoted: &str, values: &mut Vec<String>) {
    note_written(unquoted(quoted), quoted, values);
}

/// Notes a value, and how it is written where that is not what it is.
fn note_written(value: String, written: &str, values: &mut Vec<String>) {
    if value.chars().nth(SHORTEST - 1).is_some() {
        if value != written {
            values.push(written.to_owned());
        }
        values.push(value);
    }
}

fn note_number(word: &str, values: &mut Vec<String>) {
    if word.len() >= SHORTEST && word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        values.push(word.to_owned());
    }
}

/// What stands between quotes, as it is meant; as it is, if that cannot be told.
fn unquoted(quoted: &str) -> String {
    serde_json::from_str(&format!("\"{quoted}\"")).unwrap_or_else(|_| quoted.to_owned())
}

/// Of an address, with its fragment, or of a form. Either is encoded, so that other texts can be told.
fn note_parameters(parameters: &str, values: &mut Vec<String>) {
    let is_other = |c: char| c.is_whitespace() || "{}<>\"".contains(c);
    if !parameters.contains('=') || parameters.contains(is_other) {
        return;
    }
    for parameter in parameters.split(['&', ';', '?', '#']) {
        let written = parameter.split_once('=').map_or("", |(_, value)| value);
        let Some((name, value)) = form_urlencoded::parse(parameter.as_bytes()).next() else {
            continue;
        };
        // Here a bare `key` is that of the caller.
        if is_confidential(&name) || name.eq_ignore_ascii_case("key") {
            note_written(value.into_owned(), written, values);
        }
    }
}

/// The words of JSON; what is none of them is passed over.
struct Tokens<'a>(&'a str);

#[derive(Clone, Copy)]
enum Token<'a> {
    Open,
    Close,
    Colon,
    Comma,
    /// What stands between quotes, up to the end of the text if the second one is missing.
    Text(&'a str),
    /// A number, a boolean or null.
    Bare(&'a str),
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.0 = self.0.trim_start();
        let (token, length) = match self.0.chars().next()? {
            '{' | '[' => (Token::Open, 1),
            '}' | ']' => (Token::Close, 1),
            ':' => (Token::Colon, 1),
            ',' => (Token::Comma, 1),
            '"' => {
                let quoted = &self.0[1..];
                let end = end_of_quoted(quoted);
                (Token::Text(&quoted[..end]), (end + 2).min(self.0.len()))
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "{}[]:,\"".contains(c);
                let end = self.0.find(ends).unwrap_or(self.0.len());
                (Token::Bare(&self.0[..end]), end)
            }
        };
        self.0 = &self.0[length..];
        Some(token)
    }
}

fn end_of_quoted(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}
