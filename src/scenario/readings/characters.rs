//! Characters in another form, at the beginning of a text: which one, and how many bytes stand for it.

/// The longest name of a character, in bytes.
const LONGEST_NAME: usize = 20;

/// Names that browsers understand without the semicolon too.
const WITHOUT_SEMICOLON: [&str; 8] = ["amp", "AMP", "gt", "GT", "lt", "LT", "quot", "QUOT"];

/// The ASCII characters that HTML has names for.
const NAMES: [(&str, char); 45] = [
    ("AMP", '&'),
    ("DiacriticalGrave", '`'),
    ("GT", '>'),
    ("Hat", '^'),
    ("LT", '<'),
    ("NewLine", '\n'),
    ("QUOT", '"'),
    ("Tab", '\t'),
    ("UnderBar", '_'),
    ("VerticalLine", '|'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("midast", '*'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("sol", '/'),
    ("verbar", '|'),
    ("vert", '|'),
];

/// The names of the characters from U+00A0 on.
const LATIN: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf",
    "laquo", "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro",
    "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest",
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute",
    "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute",
    "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute",
    "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
    "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];

/// `&amp;`, `&#38;` or `&#x26;`. Browsers understand the numbers and some names without the semicolon too.
pub(super) fn referred(text: &str) -> Option<(char, usize)> {
    let reference = text.strip_prefix('&')?;
    let Some(number) = reference.strip_prefix('#') else {
        let head = &reference.as_bytes()[..reference.len().min(LONGEST_NAME)];
        let length = head.iter().position(|&byte| byte == b';');
        let whole = length.and_then(|length| Some((named(&reference[..length])?, 1 + length + 1)));
        return whole.or_else(|| {
            let mut names = WITHOUT_SEMICOLON.iter();
            let name = names.find(|name| reference.starts_with(**name))?;
            Some((named(name)?, 1 + name.len()))
        });
    };
    let (digits, radix, before) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16, 3),
        None => (number, 10, 2),
    };
    let (character, length) = numbered(digits, radix)?;
    let semicolon = usize::from(digits[length..].starts_with(';'));
    Some((character, before + length + semicolon))
}

fn named(name: &str) -> Option<char> {
    if let Some((_, character)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*character);
    }
    let at = LATIN.iter().position(|known| *known == name)?;
    char::from_u32(0xa0 + u32::try_from(at).ok()?)
}

/// `\n`, `\"`, `\u0026`, `\x26` or `\u{26}`.
pub(super) fn escaped(text: &str) -> Option<(char, usize)> {
    let escape = text.strip_prefix('\\')?;
    let first = escape.chars().next()?;
    let digits = &escape[first.len_utf8()..];
    let character = match first {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'x' => return Some((fixed(digits, 2).and_then(char::from_u32)?, 4)),
        'u' => return unicode_escaped(digits),
        other if other.is_ascii_punctuation() => other,
        _ => return None,
    };
    Some((character, 2))
}

/// What stands behind `\u`.
fn unicode_escaped(digits: &str) -> Option<(char, usize)> {
    if let Some(braced) = digits.strip_prefix('{') {
        let (character, length) = numbered(braced, 16)?;
        let closed = braced[length..].starts_with('}');
        return closed.then_some((character, 3 + length + 1));
    }
    let unit = fixed(digits, 4)?;
    if let Some(character) = char::from_u32(unit) {
        return Some((character, 6));
    }
    // A character beyond U+FFFF is two of them.
    let low = digits[4..]
        .strip_prefix("\\u")
        .and_then(|low| fixed(low, 4))?;
    let pair = [u16::try_from(unit).ok()?, u16::try_from(low).ok()?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((character, 12))
}

/// `%26`, and as many more as belong to the same character.
pub(super) fn percent_encoded(text: &str) -> Option<(char, usize)> {
    let mut bytes = Vec::with_capacity(4);
    while bytes.len() < 4 {
        let digits = text[3 * bytes.len()..].strip_prefix('%')?;
        bytes.push(u8::try_from(fixed(digits, 2)?).ok()?);
        if let Ok(character) = std::str::from_utf8(&bytes) {
            return Some((character.chars().next()?, 3 * bytes.len()));
        }
    }
    None
}

/// A number of so many hexadecimal digits.
fn fixed(text: &str, digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// The character of a number of any length, and how many digits that has.
fn numbered(text: &str, radix: u32) -> Option<(char, usize)> {
    let length = text
        .bytes()
        .take_while(|byte| char::from(*byte).is_digit(radix))
        .count();
    let number = u32::from_str_radix(&text[..length], radix).ok()?;
    Some((char::from_u32(number)?, length))
}
