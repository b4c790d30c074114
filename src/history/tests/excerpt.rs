use proptest::prelude::*;

use crate::{history::excerpt::excerpt, scenario::Beginning, target::Target};

#[test]
fn half_of_a_value_at_the_end_of_what_was_kept_is_not_shown() {
    let target = Target::new("t", "http://127.0.0.1:9");
    let values = ["confidential-value".to_owned()];
    let redaction = target.redaction_besides(&values);
    let excerpt = |text: &str, length| {
        let text = text.to_owned().into();
        excerpt(&Beginning { text, length }, &redaction).text
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
        let shown = excerpt(&beginning, &target.redaction_besides(&values));
        prop_assert!(shown.text.len() <= 2_048 + '…'.len_utf8());
        prop_assert!(!shown.text.contains(|c: char| c.is_ascii_lowercase() && c < 'x'), "{}", shown.text);
    }
}
