use super::Redaction;
use crate::scenario::{Beginning, Excerpt};

/// What is shown of a body, a header, an event or a frame, in bytes.
const SHOWN: usize = 2 * 1024;

impl Redaction {
    /// The beginning of a text, without secrets.
    pub fn excerpt(&self, beginning: &Beginning) -> Excerpt {
        let mut text = String::from_utf8_lossy(&beginning.text).into_owned();
        if beginning.length > beginning.text.len() {
            self.drop_half(&mut text);
        }
        Excerpt {
            text: shorten(self.redact(text)),
            bytes: beginning.length,
        }
    }
}

fn shorten(mut text: String) -> String {
    if text.len() > SHOWN {
        text.truncate(text.floor_char_boundary(SHOWN));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::target::Target;

    #[test]
    fn half_of_a_value_at_the_end_of_what_was_kept_is_not_shown() {
        let target = Target::new("t", "http://127.0.0.1:9");
        let values = ["confidential-value".to_owned()];
        let redaction = target.redaction_besides(&values);
        let excerpt = |text: &str, length| {
            let text = text.to_owned().into();
            redaction.excerpt(&Beginning { text, length }).text
        };
        assert_eq!(excerpt("it is confidential-val", 1_000), "it is ");
        assert_eq!(excerpt("it is confidential-value", 24), "it is ***");
        assert_eq!(excerpt("it is public", 12), "it is public");
    }

    proptest! {
        #[test]
        fn what_is_shown_has_no_part_of_a_value(
            before in "[xyz]{0,3000}", value in "[a-w]{30,3000}", kept in 0_usize..4_096,
        ) {
            let target = Target::new("t", "http://127.0.0.1:9");
            let whole = format!("{before}{value}");
            let text = whole.as_bytes()[..kept.min(whole.len())].to_vec();
            let values = [value.clone()];
            let beginning = Beginning { text: text.into(), length: whole.len() };
            let shown = target.redaction_besides(&values).excerpt(&beginning);
            prop_assert!(shown.text.len() <= 2_048 + '…'.len_utf8());
            prop_assert!(!shown.text.contains(|c: char| c.is_ascii_lowercase() && c < 'x'), "{}", shown.text);
        }
    }
}
