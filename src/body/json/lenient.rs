//! JSON as browsers take it, byte by byte.

use minijinja::Value;

use super::{Members, NotJson, ReadMembers};

/// How deep lists and objects may be nested: more than any API does, and little enough for everything that
/// goes through a value level by level.
const MOST_LEVELS: usize = 512;

pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    levels: usize,
}

impl<'a> Reader<'a> {
    /// Reads UTF-8, or what was meant to be.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            levels: 0,
        }
    }

    /// The one value that the text is.
    pub(super) fn read(mut self) -> Result<Value, NotJson> {
        let value = self.value()?;
        self.skip_space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.wrong("something follows the value")),
        }
    }

    fn value(&mut self) -> Result<Value, NotJson> {
        self.skip_space();
        match self.peek() {
            None if self.at == 0 => Err(self.wrong("it is empty")),
            None => Err(self.wrong("it ends too early")),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(self.string()?.into()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => {
                for (word, value) in [
                    ("true", Value::from(true)),
                    ("false", Value::from(false)),
                    ("null", Value::from(())),
                ] {
                    if self.text[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.wrong("no value begins like this"))
            }
        }
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, NotJson>,
    ) -> Result<Value, NotJson> {
        if self.levels == MOST_LEVELS {
            return Err(self.wrong("more than 512 levels"));
        }
        self.levels += 1;
        self.at += 1;
        let value = read(self)?;
        self.levels -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, NotJson> {
        let mut list = Vec::new();
        if self.next_is(b']') {
            return Ok(list.into());
        }
        loop {
            list.push(self.value()?);
            if self.next_is(b']') {
                return Ok(list.into());
            }
            self.need(b',', "`,` or `]` is missing")?;
        }
    }

    fn object(&mut self) -> Result<Value, NotJson> {
        let mut members = ReadMembers::new();
        if self.next_is(b'}') {
            return Ok(Members::default().into());
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("the name of a member is missing"));
            }
            let name = self.string()?;
            self.need(b':', "`:` is missing")?;
            let value = self.value()?;
            members.push((name.into(), value));
            if self.next_is(b'}') {
                return Ok(Members::from(members).into());
            }
            self.need(b',', "`,` or `}` is missing")?;
        }
    }

    /// From one quote to the other.
    fn string(&mut self) -> Result<String, NotJson> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let plain = rest.iter().position(special).unwrap_or(rest.len());
            text.push_str(&String::from_utf8_lossy(&rest[..plain]));
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.wrong("a control character inside a text")),
                None => return Err(self.wrong("it ends inside a text")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, NotJson> {
        let plain = match self.text.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.wrong("no escape is written like this")),
        };
        self.at += 2;
        Ok(plain)
    }

    /// `\u0041`, or `\ud83d\ude00` for one beyond the first 65,536.
    fn unicode(&mut self) -> Result<char, NotJson> {
        let unit = self
            .unit(self.at)
            .ok_or_else(|| self.wrong("`\\u` needs four hexadecimal digits"))?;
        self.at += 6;
        if let 0xd800..0xdc00 = unit
            && let Some(second) = self.unit(self.at)
            && let Some(Ok(pair)) = char::decode_utf16([unit, second]).next()
        {
            self.at += 6;
            return Ok(pair);
        }
        // Half of a pair is none.
        Ok(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let all = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| all)?;
        u16::from_str_radix(digits, 16).ok()
    }

    fn number(&mut self) -> Result<Value, NotJson> {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if leading_zero && whole.len() > 1 {
            self.at -= whole.len() - 1;
            return Err(self.wrong("a number begins with a zero too many"));
        }
        let mut fraction = "";
        if self.peek() == Some(b'.') {
            self.at += 1;
            fraction = self.digits()?;
        }
        let mut exponent = Some(0);
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            let minus = self.peek() == Some(b'-');
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            let digits = self.digits()?.parse::<i32>().ok();
            exponent = digits.map(|digits| if minus { -digits } else { digits });
        }
        // All of it was looked at and is ASCII.
        let text = std::str::from_utf8(&self.text[begin..self.at]).unwrap_or_default();
        let written_whole = text.len() == whole.len() + usize::from(text.starts_with('-'));
        if written_whole {
            return Ok(whole_number(text));
        }
        let double: f64 = text.parse().unwrap_or(f64::NAN);
        let exact = exponent.and_then(|exponent| without_point(whole, fraction, exponent));
        Ok(match exact {
            Some(digits) if double.abs() >= super::FIRST_INEXACT => {
                let sign = if text.starts_with('-') { "-" } else { "" };
                whole_number(&format!("{sign}{digits}"))
            }
            // Too large for any number, so only its text is what was sent.
            _ if double.is_infinite() => text.into(),
            _ => double.into(),
        })
    }

    fn digits(&mut self) -> Result<&'a str, NotJson> {
        let rest = &self.text[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.wrong("a digit is missing"));
        }
        self.at += count;
        Ok(std::str::from_utf8(&rest[..count]).unwrap_or_default())
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Whether this byte comes next, behind any white space; it is passed over if so.
    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, byte: u8, missing: &'static str) -> Result<(), NotJson> {
        if self.next_is(byte) {
            return Ok(());
        }
        Err(self.wrong(match self.peek() {
            None => "it ends too early",
            Some(_) => missing,
        }))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn wrong(&self, reason: &'static str) -> NotJson {
        NotJson {
            reason,
            at: self.at,
        }
    }
}

/// A whole number with all its digits: as text if it needs more than 128 bits.
fn whole_number(text: &str) -> Value {
    if let Ok(number) = text.parse::<u64>() {
        number.into()
    } else if let Ok(number) = text.parse::<i64>() {
        number.into()
    } else if let Ok(number) = text.parse::<i128>() {
        number.into()
    } else if let Ok(number) = text.parse::<u128>() {
        number.into()
    } else {
        text.into()
    }
}

/// The digits of a number such as `12.50e3`, if it is whole and fits 128 bits.
fn without_point(whole: &str, fraction: &str, exponent: i32) -> Option<String> {
    /// As many digits as every number of 127 bits may have.
    const MOST_DIGITS: usize = 38;
    let fraction = fraction.trim_end_matches('0');
    let zeros = usize::try_from(exponent)
        .ok()?
        .checked_sub(fraction.len())?;
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let fits = digits.len().checked_add(zeros)? <= MOST_DIGITS;
    fits.then(|| format!("{digits}{}", "0".repeat(zeros)))
}
