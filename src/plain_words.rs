//! What the system and libraries say of an error, in plain words: without numbers of errors, names of types and
//! speech of parsers. They fit behind a colon.

use std::io::{self, ErrorKind};

use nix::errno::Errno;

/// Kinds of errors of the system, and what they mean.
const KINDS: [(ErrorKind, &str); 26] = [
    (ErrorKind::NotFound, "there is no such file or folder"),
    (
        ErrorKind::PermissionDenied,
        "permission denied to this user",
    ),
    (ErrorKind::ConnectionRefused, "connection refused"),
    (
        ErrorKind::ConnectionReset,
        "connection reset by the other side",
    ),
    (ErrorKind::ConnectionAborted, "connection aborted"),
    (ErrorKind::HostUnreachable, "host unreachable"),
    (ErrorKind::NetworkUnreachable, "network unreachable"),
    (ErrorKind::NetworkDown, "the network is down"),
    (ErrorKind::AddrInUse, "the address is in use"),
    (
        ErrorKind::AddrNotAvailable,
        "this machine does not have that address, or has no free port there",
    ),
    (ErrorKind::BrokenPipe, "the other side has closed it"),
    (ErrorKind::AlreadyExists, "it exists already"),
    (ErrorKind::NotADirectory, "a part of the path is no folder"),
    (ErrorKind::IsADirectory, "it is a folder, not a file"),
    (ErrorKind::DirectoryNotEmpty, "the folder is not empty"),
    (
        ErrorKind::ReadOnlyFilesystem,
        "the file system is read-only",
    ),
    (
        ErrorKind::StaleNetworkFileHandle,
        "the network file system no longer has it",
    ),
    (ErrorKind::TimedOut, "no answer in time"),
    (ErrorKind::StorageFull, "no space left on the disk"),
    (
        ErrorKind::QuotaExceeded,
        "the disk quota of this user is used up",
    ),
    (ErrorKind::FileTooLarge, "the file is too large"),
    (ErrorKind::ResourceBusy, "something else uses it"),
    (ErrorKind::InvalidFilename, "the name is not valid"),
    (ErrorKind::UnexpectedEof, "it ended too early"),
    (ErrorKind::OutOfMemory, "out of memory"),
    (ErrorKind::InvalidData, "it is not text in UTF-8"),
];

/// Errors that have no kind of their own.
const NUMBERS: [(Errno, &str); 5] = [
    (
        Errno::EMFILE,
        "this process has as many files and connections open as it may; `ulimit -n` sets how many",
    ),
    (Errno::ENFILE, "this machine has too many files open"),
    (Errno::EIO, "the device failed"),
    (Errno::ELOOP, "its links lead in a circle"),
    (
        Errno::EAGAIN,
        "the system has no more of it; `ulimit -u` and the limits of the container set how many threads there may be",
    ),
];

/// An error of the system.
pub fn of_system(error: &io::Error) -> String {
    let number = error.raw_os_error().map(Errno::from_raw);
    let by_number = NUMBERS
        .iter()
        .find(|(known, _)| number == Some(*known))
        .map(|(_, words)| *words);
    // What did not come from the system has words of its own, except for the bare kind.
    let is_own = number.is_none() && error.get_ref().is_some();
    let by_kind = KINDS
        .iter()
        .find(|(kind, _)| !is_own && *kind == error.kind())
        .map(|(_, words)| *words);
    match by_number.or(by_kind) {
        Some(words) => words.to_owned(),
        None => without_number(&error.to_string()),
    }
}

/// `Text file busy (os error 26)` as `text file busy`.
fn without_number(text: &str) -> String {
    let text = text.split(" (os error ").next().unwrap_or(text);
    let mut characters = text.chars();
    let (first, second) = (characters.next(), characters.next());
    match first {
        // An abbreviation stays one.
        Some(first) if second.is_none_or(char::is_lowercase) => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// The address that a text is not.
pub fn of_url(error: url::ParseError) -> &'static str {
    use url::ParseError;
    match error {
        ParseError::RelativeUrlWithoutBase | ParseError::RelativeUrlWithCannotBeABaseBase => {
            "it does not begin with `http://` or `https://`"
        }
        ParseError::EmptyHost => "it has no host",
        ParseError::InvalidPort => "its port is not a number from 0 to 65535",
        ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address => {
            "its host is not a valid IP address"
        }
        ParseError::InvalidDomainCharacter | ParseError::IdnaError => {
            "its host has characters that no host name has"
        }
        ParseError::Overflow => "it is too long",
        _ => "it is not a valid address",
    }
}

/// JSON that cannot be read, or that lacks what was looked for.
pub fn of_json(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if error.is_eof() {
        return format!("it breaks off at {place}");
    }
    if error.is_syntax() {
        return format!("it is not JSON at {place}");
    }
    if error.is_io() {
        return "it cannot be read to its end".to_owned();
    }
    if let Some(field) = text.strip_prefix("missing field ") {
        return format!("{field} is missing in it");
    }
    format!("{} at {place}", values(text))
}

/// `invalid type: string "a", expected u64` as people say it.
fn values(text: &str) -> String {
    let unexpected = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|begin| text.strip_prefix(begin)?.split_once(", expected "));
    if let Some((found, _)) = unexpected {
        return format!("there is something else than there should be ({found})");
    }
    match text.strip_prefix("unknown variant ") {
        Some(rest) => {
            let word = rest.split(',').next().unwrap_or_default();
            format!("the word {word} is not known there")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_have_no_numbers() {
        let of = |number: Errno| of_system(&io::Error::from_raw_os_error(number as i32));
        assert_eq!(of(Errno::ENOENT), "there is no such file or folder");
        assert_eq!(of(Errno::ECONNREFUSED), "connection refused");
        assert!(of(Errno::EMFILE).contains("`ulimit -n`"));
        assert_eq!(of(Errno::EPROTONOSUPPORT), "protocol not supported");
        for number in 1..134 {
            let words = of_system(&io::Error::from_raw_os_error(number));
            assert!(!words.contains("os error"), "{words}");
            assert!(
                !words.starts_with(char::is_uppercase) || words.starts_with("RFS"),
                "{words}"
            );
        }
        assert_eq!(of_system(&ErrorKind::TimedOut.into()), "no answer in time");
        let own = io::Error::new(ErrorKind::NotFound, "no certificate");
        assert_eq!(of_system(&own), "no certificate");
    }

    #[test]
    fn errors_of_json_say_what_is_missing_and_where_it_breaks_off() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "read and not looked at")]
        struct Record {
            report: u8,
        }
        for (text, says) in [
            ("<!DOCTYPE html>", "it is not JSON at line 1, column 1"),
            ("{\"report\": 1", "it breaks off at line 1, column 12"),
            ("", "it breaks off at line 1, column 0"),
            ("{}", "`report` is missing in it"),
            (
                "{\"report\": \"x\"}",
                "there is something else than there should be (string \"x\") at line 1, column 14",
            ),
        ] {
            let error = serde_json::from_str::<Record>(text).unwrap_err();
            assert_eq!(of_json(&error), says, "{text}");
        }
    }
}
