//! Characters that change what the text around them looks like: they are escaped wherever people read.
//!
//! Text of targets, of callers and of scenarios goes into log lines, to terminals and onto pages. A control
//! character moves the cursor or starts an escape sequence there, a bidirectional override reverses the
//! order of what stands behind it, and a line separator makes one line look like two ("Trojan Source",
//! CVE-2021-42574). Documents for programs keep the text as it is.

use std::{borrow::Cow, fmt::Write as _};

/// Text of one line, such as a log line without its end: nothing in it can end the line.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |character| character == '\t')
}

/// Text of several lines, such as a page or a table: line ends and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |character| matches!(character, '\n' | '\t'))
}

/// The text with every character escaped that changes what others look like, but for those that `keeps`.
///
/// The escapes are those of JSON, such as `\u202e`: text that is JSON means the same afterwards.
pub fn escape(text: &str, keeps: impl Fn(char) -> bool) -> Cow<'_, str> {
    let deceives = |character| is_deceptive(character) && !keeps(character);
    if !text.contains(deceives) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if deceives(character) {
            push_escape(&mut escaped, character);
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether a character shows nothing of its own and changes how others are shown.
///
/// Joiners (U+200C, U+200D) and variation selectors are left alone: words and emoji are spelled with them.
pub fn is_deceptive(character: char) -> bool {
    matches!(character,
        // Controls: C0, delete and C1.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Marks, embeddings, overrides and isolates of bidirectional text.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Separators of lines and paragraphs.
        | '\u{2028}' | '\u{2029}'
        // What has no width, and formats that nobody uses any more.
        | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        // Tags: text that nobody sees.
        | '\u{e0000}'..='\u{e007f}')
}

fn push_escape(text: &mut String, character: char) {
    match character {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        other => {
            for unit in other.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECEPTIVE: [char; 22] = [
        '\0',
        '\u{7}',
        '\u{1b}',
        '\r',
        '\u{7f}',
        '\u{80}',
        '\u{85}',
        '\u{9b}',
        '\u{9f}',
        '\u{61c}',
        '\u{200b}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{206f}',
        '\u{feff}',
        '\u{e0041}',
    ];

    #[test]
    fn nothing_that_changes_how_others_are_shown_is_left() {
        for character in DECEPTIVE {
            let text = format!("a{character}b");
            for shown in [line(&text), lines(&text)] {
                assert!(!shown.contains(character), "{shown:?}");
                assert!(!shown.chars().any(is_deceptive), "{shown:?}");
                assert!(
                    shown.starts_with("a\\") && shown.ends_with('b'),
                    "{shown:?}"
                );
            }
        }
        assert_eq!(line("100\u{202e}%"), "100\\u202e%");
        assert_eq!(line("\u{e0041}"), "\\udb40\\udc41");
    }

    #[test]
    fn lines_end_only_where_there_may_be_several() {
        assert_eq!(line("one\ntwo\tthree\r"), "one\\ntwo\tthree\\r");
        assert_eq!(lines("one\ntwo\tthree\r"), "one\ntwo\tthree\\r");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "",
            "plain",
            "Grüße, José",
            "שלום עולם",
            "می\u{200c}خواهم",
            "👩\u{200d}🚒 ❤\u{fe0f}",
            "100\u{a0}%",
        ] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let text: String = DECEPTIVE.iter().collect();
        let json = serde_json::to_string_pretty(&serde_json::json!({ "detail": text })).unwrap();
        let read: serde_json::Value = serde_json::from_str(&lines(&json)).unwrap();
        assert_eq!(read["detail"], text);
    }
}
