//! What a text says where it is encoded, and which part of the text says it.
//!
//! A server echoes what it was sent in HTML, JSON or addresses, and there are more ways to write a character than
//! can be listed: `&quot;`, `&#34;`, `&#x22;`, `\"`, `\u0022`, `%22`. So the text is decoded.

mod characters;
#[cfg(test)]
mod tests;

use characters::{escaped, percent_encoded, referred};

/// Of a text, in bytes; what is shown of a longer one is its beginning.
const MOST_READ: usize = 64 * 1024;

/// A text with one encoding undone, or two of which one is within the other.
#[derive(Debug)]
pub struct Reading {
    /// What it says.
    pub text: String,
    /// For each byte of that, and for its end, where in the encoded text what stands for it begins.
    origins: Vec<usize>,
}

/// A way to write characters by others.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    /// `&amp;`, `&#38;`, `&#x26;`.
    Html,
    /// `\"`, `\n`, `\u0026`, `\x26`, `\u{26}`: JSON, JavaScript and logs.
    Backslash,
    /// `%26`: addresses and forms.
    Percent,
}

/// All that the first 64 KB of the text may say where it is encoded; nothing, if it has no character in another
/// form.
pub fn readings(text: &str) -> Vec<Reading> {
    let text = &text[..text.floor_char_boundary(MOST_READ)];
    let undo = |text, origins| {
        let encodings = Encoding::ALL.into_iter();
        encodings.filter_map(move |encoding| encoding.undo(text, origins))
    };
    let outer: Vec<_> = undo(text, None).collect();
    let inner: Vec<_> = outer
        .iter()
        .flat_map(|outer| undo(&outer.text, Some(&outer.origins[..])))
        .collect();
    outer.into_iter().chain(inner).collect()
}

impl Reading {
    /// The part of the encoded text that a part of this one comes from.
    pub fn origin(&self, start: usize, end: usize) -> (usize, usize) {
        let end_of_text = self.origins.last().copied().unwrap_or_default();
        let origin = |at: usize| self.origins.get(at).copied().unwrap_or(end_of_text);
        (origin(start), origin(end))
    }
}

impl Encoding {
    const ALL: [Self; 3] = [Self::Html, Self::Backslash, Self::Percent];

    /// What every character in another form begins with.
    fn mark(self) -> char {
        match self {
            Self::Html => '&',
            Self::Backslash => '\\',
            Self::Percent => '%',
        }
    }

    /// The character that a text begins with in another form, and how many bytes stand for it.
    fn first_character(self, text: &str) -> Option<(char, usize)> {
        match self {
            Self::Html => referred(text),
            Self::Backslash => escaped(text),
            Self::Percent => percent_encoded(text),
        }
    }

    /// The text without this encoding, if it has it. `origins` are those of the text, if it is a reading itself.
    fn undo(self, text: &str, origins: Option<&[usize]>) -> Option<Reading> {
        let origin = |at: usize| origins.map_or(at, |origins| origins[at]);
        let mut reading = Reading {
            text: String::new(),
            origins: Vec::new(),
        };
        let mut copied = 0;
        let mut at = 0;
        while let Some(found) = text[at..].find(self.mark()) {
            let mark = at + found;
            let Some((character, length)) = self.first_character(&text[mark..]) else {
                at = mark + 1;
                continue;
            };
            reading.text.push_str(&text[copied..mark]);
            reading.origins.extend((copied..mark).map(origin));
            reading.text.push(character);
            let bytes = character.len_utf8();
            reading
                .origins
                .extend(std::iter::repeat_n(origin(mark), bytes));
            at = mark + length;
            copied = at;
        }
        if copied == 0 {
            return None;
        }
        reading.text.push_str(&text[copied..]);
        reading.origins.extend((copied..=text.len()).map(origin));
        Some(reading)
    }
}
