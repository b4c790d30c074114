//! Lines of text protocols with which one signs in: IRC and its services, SMTP, IMAP and POP3.

use crate::scenario::confidential::note_written;

/// Mechanisms of SASL, which are no secrets: its registry at IANA, as far as they are in use, and those that mail has
/// besides.
const MECHANISMS: [&str; 12] = [
    "ANONYMOUS",
    "CRAM-MD5",
    "DIGEST-MD5",
    "ECDSA-NIST256P-CHALLENGE",
    "EXTERNAL",
    "GSSAPI",
    "LOGIN",
    "NTLM",
    "OAUTHBEARER",
    "PLAIN",
    "XOAUTH2",
    "XTOKEN",
];
/// One for each hash, with or without a binding to the channel.
const SCRAM: &str = "SCRAM-";

/// What services of IRC are called in commands of their own.
const SERVICES: [&str; 4] = ["CHANSERV", "CS", "NICKSERV", "NS"];

/// Notes what is secret in a line, if it is such a command.
pub(super) fn note_command(line: &str, values: &mut Vec<String>) {
    let (command, parameters) = read(line);
    let parameters = &parameters[..];
    match (&*command.to_ascii_uppercase(), parameters) {
        ("PASS" | "WEBIRC", [secret]) | ("OPER", [_, secret]) | ("WEBIRC", [secret, ..]) => {
            note(secret, values);
        }
        ("AUTHENTICATE", [secret]) if !is_mechanism(secret) => note(secret, values),
        ("AUTH" | "AUTHENTICATE", [mechanism, secret]) if is_mechanism(mechanism) => {
            note(secret, values);
        }
        ("JOIN", [channel, keys]) if is_channel(channel) => {
            for key in keys.split(',') {
                note(key, values);
            }
        }
        ("PRIVMSG" | "NOTICE" | "SQUERY", [receiver, text]) if is_service(receiver) => {
            note_order(text, values);
        }
        (service, _) if SERVICES.contains(&service) => note_order(&parameters.join(" "), values),
        // In IMAP a tag comes first, and names and passwords may be quoted.
        (_, [login, _, secret]) if login.eq_ignore_ascii_case("LOGIN") => {
            note(secret.trim_matches('"'), values);
        }
        (_, [authenticate, mechanism, secret])
            if authenticate.eq_ignore_ascii_case("AUTHENTICATE") && is_mechanism(mechanism) =>
        {
            note(secret, values);
        }
        _ => {}
    }
}

/// Notes what is secret in an order to a service of IRC.
fn note_order(order: &str, values: &mut Vec<String>) {
    let words: Vec<_> = order.split_whitespace().collect();
    let Some((order, parameters)) = words.split_first() else {
        return;
    };
    match (&*order.to_ascii_uppercase(), parameters) {
        ("IDENTIFY" | "ID" | "LOGIN" | "AUTH", [.., secret])
        | ("GHOST" | "RECOVER" | "REGAIN" | "RELEASE", [_, secret]) => note(secret, values),
        ("SET", [what, secret]) if is_password(what) => note(secret, values),
        ("SET", [_, what, secret]) if is_password(what) => note(secret, values),
        // With an address for mail or the name of a channel.
        ("REGISTER", parameters) => {
            let is_other = |word: &str| is_channel(word) || word.contains('@');
            for secret in parameters.iter().filter(|word| !is_other(word)) {
                note(secret, values);
            }
        }
        _ => {}
    }
}

/// The command and the parameters of a line: RFC 1459, section 2.3.1, with the tags of `IRCv3`.
fn read(line: &str) -> (&str, Vec<&str>) {
    let mut line = line.trim_start();
    for prefix in ['@', ':'] {
        if line.starts_with(prefix) {
            line = line
                .split_once(' ')
                .map_or("", |(_, rest)| rest)
                .trim_start();
        }
    }
    let (words, trailing) = match line.split_once(" :") {
        Some((words, trailing)) => (words, Some(trailing)),
        None => (line, None),
    };
    let mut words = words.split_whitespace();
    let command = words.next().unwrap_or_default();
    (command, words.chain(trailing).collect())
}

fn is_mechanism(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    word.starts_with(SCRAM) || MECHANISMS.contains(&&*word)
}

fn is_channel(word: &str) -> bool {
    word.starts_with(['#', '&', '+', '!'])
}

/// `NickServ`, or `NickServ@services.example.com`.
fn is_service(receiver: &str) -> bool {
    let name = receiver.split('@').next().unwrap_or_default();
    let is_one_letter = receiver.contains('@') && matches!(name, "Q" | "X");
    is_one_letter || name.to_ascii_lowercase().ends_with("serv")
}

fn is_password(word: &str) -> bool {
    ["PASS", "PASSWD", "PASSWORD"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
}

fn note(secret: &str, values: &mut Vec<String>) {
    note_written(secret.to_owned(), secret, values);
}
