use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// The text of a body, read as browsers read it: a byte order mark tells the encoding and is not part of
/// the text; without one the `charset` of the content type does; without that it is UTF-8. What cannot be
/// decoded becomes U+FFFD.
pub fn decode<'a>(body: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    encoding(content_type).decode(body).0
}

/// The encoding that a content type names, if it is one that browsers know.
pub(super) fn encoding(content_type: Option<&str>) -> &'static Encoding {
    content_type
        .and_then(charset)
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .unwrap_or(UTF_8)
}

/// The `charset` of a content type such as `text/plain; charset="utf-8"`.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("charset");
        named.then(|| value.trim().trim_matches(['"', '\'']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_order_mark_tells_the_encoding_then_the_content_type() {
        let latin = Some("text/plain; Charset=\"ISO-8859-1\"");
        for (body, content_type, text) in [
            (&b"gr\xc3\xbcn"[..], None, "grün"),
            (b"gr\xfcn", latin, "grün"),
            (
                b"gr\xfcn",
                Some("text/plain; charset=nosuch"),
                "gr\u{fffd}n",
            ),
            (b"gr\xfcn", Some("text/plain; format=flowed"), "gr\u{fffd}n"),
            (b"\xef\xbb\xbfgr\xc3\xbcn", latin, "grün"),
            (b"\xff\xfeg\0\xfc\0", latin, "gü"),
            (b"\xfe\xff\0g\0\xfc", None, "gü"),
            (b"g\0\xfc\0", Some("text/plain;charset=utf-16le"), "gü"),
            (b"\x83\x65", Some("text/plain; charset=Shift_JIS"), "テ"),
            (b"\xe2\x82", None, "\u{fffd}"),
        ] {
            assert_eq!(decode(body, content_type), text, "{body:?}");
        }
    }
}
