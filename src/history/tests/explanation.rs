use crate::history::FailureReport;

/// A failed chat as it is stored and answered, one key behind the other.
const STORED: &str = concat!(
    r#"{"id":"r1-4","run":"r1","name":"rush","scenario":"chat","target":"centre","mode":"burst","chat":4,"#,
    r#""failed_at":"2026-05-03T03:00:00Z","seconds":1.5,"step":"reply","reason":"reply_timeout","#,
    r#""detail":"no event","correlation":{"key":"k-1"},"whole":true,"steps":["#,
    r#"{"step":"open","began":0.0,"seconds":0.25,"reason":null,"detail":null,"#,
    r#""request":{"method":"POST","url":"http://h/","headers":[["a","b"]],"body":{"text":"{}","bytes":2}},"#,
    r#""resent":1,"phases":[{"phase":"first_byte","seconds":0.125,"finished":true}],"#,
    r#""answer":{"status":200,"seconds":0.25,"headers":[],"redirects":["http://h/b"],"#,
    r#""body":{"text":"","bytes":0}},"events":[]},"#,
    r#"{"step":"reply","began":0.25,"seconds":null,"reason":"reply_timeout","detail":"no event","#,
    r#""request":null,"resent":0,"phases":[],"answer":null,"#,
    r#""events":[{"arrived":1.0,"wanted":false,"event":{"text":"1","bytes":1}}]}]}"#,
);

#[test]
fn a_stored_failure_is_answered_as_it_was_stored() {
    let report: FailureReport = serde_json::from_str(STORED).unwrap();
    assert_eq!(report.steps[0].action.http.resent, 1);
    assert_eq!(report.steps[1].action.events.len(), 1);
    assert_eq!(serde_json::to_string(&report).unwrap(), STORED);
}

#[test]
fn what_earlier_versions_did_not_store_is_not_missed() {
    let earlier = STORED
        .replace(
            r#""resent":1,"phases":[{"phase":"first_byte","seconds":0.125,"finished":true}],"#,
            "",
        )
        .replace(r#","redirects":["http://h/b"]"#, "");
    assert!(earlier.len() < STORED.len() - 80);
    let report: FailureReport = serde_json::from_str(&earlier).unwrap();
    let http = &report.steps[0].action.http;
    assert_eq!((http.resent, http.phases.len()), (0, 0));
    assert_eq!(
        http.answer.as_ref().unwrap().redirects,
        Vec::<String>::new()
    );
}
