//! What is stored, asked for and refused.

use serde_json::{Value, json};

use super::{Behaviours, ids};

#[tokio::test]
async fn what_was_stored_is_found_by_user_and_status_in_the_order_of_time() {
    let behaviours = Behaviours::start("{}").await;
    let late = behaviours
        .store("ann", "like", "2026-01-02T00:00:00Z")
        .await;
    let early = behaviours
        .store("ann", "like", "2026-01-01T01:00:00+01:00")
        .await;
    let same = behaviours
        .store("ann", "like", "2026-01-01T00:00:00Z")
        .await;
    behaviours.store("ann", "cry", "2026-01-01T12:00:00Z").await;
    behaviours
        .store("bob", "like", "2026-01-01T12:00:00Z")
        .await;
    assert_eq!(
        early,
        json!({ "id": 2, "user": "ann", "article": "a-1", "status": "like", "at": "2026-01-01T00:00:00Z" })
    );
    let found = behaviours.query("ann", "?status=like").await;
    assert_eq!(
        (&found["user"], &found["status"]),
        (&json!("ann"), &json!("like"))
    );
    assert_eq!(found["count"], 3);
    let expected = [&early, &same, &late].map(|record| record["id"].as_i64().unwrap());
    assert_eq!(ids(&found), expected);
    assert_eq!(
        found["records"][0],
        json!({ "id": 2, "article": "a-1", "status": "like", "at": "2026-01-01T00:00:00Z" })
    );
    let of_all = behaviours.query("ann", "").await;
    assert_eq!(
        (&of_all["count"], &of_all["status"]),
        (&json!(4), &Value::Null)
    );
    assert_eq!(ids(&of_all), [2, 3, 4, 1]);
    let of_nobody = behaviours.query("nobody", "?status=love").await;
    assert_eq!(
        of_nobody,
        json!({ "user": "nobody", "status": "love", "count": 0, "records": [] })
    );
    behaviours.finish().await;
}

#[tokio::test]
async fn a_behaviour_without_a_time_happens_when_it_is_stored() {
    let behaviours = Behaviours::start("{}").await;
    let before = jiff::Timestamp::now().as_millisecond();
    let body = json!({ "user": "ä b/ß", "article": "a", "status": "love", "other": 1 });
    let (code, record) = behaviours.ask("POST", "/user/status", &body).await;
    assert_eq!(code, 201, "{record}");
    let at: jiff::Timestamp = record["at"].as_str().unwrap().parse().unwrap();
    let after = jiff::Timestamp::now().as_millisecond();
    assert!((before..=after).contains(&at.as_millisecond()));
    let found = behaviours
        .query("%C3%A4%20b%2F%C3%9F", "?status=love")
        .await;
    assert_eq!(
        (&found["user"], &found["count"]),
        (&json!("ä b/ß"), &json!(1))
    );
    behaviours.finish().await;
}

#[tokio::test]
async fn invalid_payloads_are_refused_with_the_field() {
    let behaviours = Behaviours::start("{}").await;
    let good = json!({ "user": "ann", "article": "a-1", "status": "like" });
    for (field, wrong) in [
        ("user", Value::Null),
        ("user", json!("u".repeat(65))),
        ("article", json!(5)),
        ("article", json!("")),
        ("status", json!("dance")),
        ("at", json!("today")),
    ] {
        let mut body = good.clone();
        body[field] = wrong;
        let (code, answer) = behaviours.ask("POST", "/user/status", &body).await;
        assert_eq!((code, &answer["field"]), (400, &json!(field)), "{answer}");
        assert_eq!(answer["status"], 400);
    }
    let mut missing = good.clone();
    missing.as_object_mut().unwrap().remove("article");
    let (code, answer) = behaviours.ask("POST", "/user/status", &missing).await;
    assert_eq!((code, &answer["field"]), (400, &json!("article")));
    for body in ["", "{", "[]", "\"like\""] {
        let request = behaviours.client.post(behaviours.url("/user/status"));
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
    }
    let long = json!({ "user": "ann", "article": "a".repeat(70_000), "status": "like" });
    assert_eq!(behaviours.ask("POST", "/user/status", &long).await.0, 413);
    for (words, field) in [
        ("?status=dance", "status"),
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=many", "limit"),
        ("?after=x", "after"),
    ] {
        let path = format!("/ann/query{words}");
        let (code, answer) = behaviours.ask("GET", &path, &Value::Null).await;
        assert_eq!((code, &answer["field"]), (400, &json!(field)), "{answer}");
    }
    let path = format!("/{}/query", "u".repeat(65));
    let (code, answer) = behaviours.ask("GET", &path, &Value::Null).await;
    assert_eq!((code, &answer["field"]), (400, &json!("user")));
    assert_eq!(
        behaviours.ask("GET", "/user/status", &Value::Null).await.0,
        405
    );
    assert_eq!(behaviours.ask("GET", "/nowhere", &Value::Null).await.0, 404);
    let stats = behaviours.stats().await;
    assert_eq!(stats["requests"]["store"], json!({ "400": 11, "413": 1 }));
    assert_eq!(stats["requests"]["query"], json!({ "400": 6 }));
    assert_eq!(stats["requests"]["unknown"], json!({ "404": 1, "405": 1 }));
    assert_eq!(
        (&stats["stored"], &stats["now"]["records"]),
        (&json!(0), &json!(0))
    );
    behaviours.finish().await;
}

#[tokio::test]
async fn an_answer_is_limited_and_goes_on_behind_a_record() {
    let behaviours = Behaviours::start("limits: { answer: 3 }").await;
    for second in [5, 1, 1, 4, 2, 3, 1] {
        behaviours
            .store("ann", "wow", &format!("2026-01-01T00:00:0{second}Z"))
            .await;
    }
    let all = [2, 3, 7, 5, 6, 4, 1];
    for words in ["", "?status=wow"] {
        let join = if words.is_empty() { '?' } else { '&' };
        let mut found = behaviours.query("ann", words).await;
        let mut seen = ids(&found);
        assert_eq!(seen.len(), 3);
        while seen.len() < all.len() {
            let last = seen.last().unwrap();
            found = behaviours
                .query("ann", &format!("{words}{join}after={last}&limit=2"))
                .await;
            assert_eq!(found["count"], 7);
            let page = ids(&found);
            assert!((1..=2).contains(&page.len()), "{found}");
            seen.extend(page);
        }
        assert_eq!(seen, all);
    }
    assert!(ids(&behaviours.query("ann", "?after=99").await).is_empty());
    behaviours.finish().await;
}
