//! Forms: `name=value&name=value`, as browsers send them and as they stand in a query.

use url::form_urlencoded;

/// The fields in their order, decoded. What is not UTF-8 is read with U+FFFD.
pub fn form_fields(form: &[u8]) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(form.trim_ascii())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_keep_their_order() {
        let form = b"b=1&a=two+words&c=%7B%22x%22%3A1%7D&a=&empty&=x&%ff=y\r\n";
        let fields: Vec<_> = form_fields(form).collect();
        let expected = [
            ("b", "1"),
            ("a", "two words"),
            ("c", r#"{"x":1}"#),
            ("a", ""),
            ("empty", ""),
            ("", "x"),
            ("\u{fffd}", "y"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields, expected);
    }
}
