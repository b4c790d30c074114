use crate::history::FailureReport;

/// A failed chat as it is stored and answered, one key behind the other.
const STORED: &str = concat!(
    r#"{"id":"r1-4","run":"r1","name":"rush","scenario":"chat","target":"centre","mode":"burst","chat":4,"#,
    r#""failed_at":"2026-05-03T03:00:00Z","seconds":1.5,"step":"reply","reason":"reply_timeout","#,
    r#""detail":"no event","correlation":{"key":"k-1"},"whole":true,"steps":["#,
    r#"{"step":"open","branches":[{"number":2,"of":3}],"attempt":{"number":1,"of":4},"track":null,"began":0.0,"seconds":0.25,"stopped":false,"reason":null,"detail":null,"#,
    r#""request":{"method":"POST","url":"http://h/","headers":[["a","b"]],"body":{"text":"{}","bytes":2}},"#,
    r#""resent":1,"polled":0,"phases":[{"phase":"first_byte","seconds":0.125,"finished":true}],"#,
    r#""answer":{"status":200,"seconds":0.25,"headers":[],"redirects":["http://h/b"],"#,
    r#""body":{"text":"","bytes":0}},"events":[]},"#,
    r#"{"step":"reply","branches":[],"attempt":null,"track":null,"began":0.25,"seconds":null,"stopped":false,"reason":"reply_timeout","detail":"no event","#,
    r#""request":null,"resent":0,"polled":0,"phases":[],"answer":null,"#,
    r#""events":[{"arrived":1.0,"wanted":false,"event":{"text":"1","bytes":1}}]}]"#,
    r#","frames":[{"connection":1,"socket":"","at":0.5,"passage":"received","kind":"text","content":{"text":"a","bytes":1}},"#,
    r#"{"connection":1,"socket":"","at":null,"passage":"ended","kind":null,"content":{"text":"it broke","bytes":8}}],"#,
    r#""frames_dropped":3}"#,
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
            r#""resent":1,"polled":0,"phases":[{"phase":"first_byte","seconds":0.125,"finished":true}],"#,
            "",
        )
        .replace(r#","redirects":["http://h/b"]"#, "");
    let without_frames = earlier.find(r#","frames""#).unwrap();
    let earlier = earlier[..without_frames].to_owned() + "}";
    assert!(earlier.len() < STORED.len() - 80);
    let report: FailureReport = serde_json::from_str(&earlier).unwrap();
    assert_eq!((report.frames.len(), report.frames_dropped), (0, 0));
    let http = &report.steps[0].action.http;
    assert_eq!((http.resent, http.phases.len()), (0, 0));
    assert_eq!(
        http.answer.as_ref().unwrap().redirects,
        Vec::<String>::new()
    );
}
