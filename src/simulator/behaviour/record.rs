//! What is stored: a behaviour of a user on an article at a time; read from requests, field by field.

use std::borrow::Cow;

use jiff::{Timestamp, TimestampRound, Unit};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{plain_words, simulator::requests::RequestRefusal};

/// In characters.
const LONGEST_USER: usize = 64;
const LONGEST_ARTICLE: usize = 128;

/// What a user did with an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BehaviourStatus {
    /// Liked it.
    Like,
    /// Loved it.
    Love,
    /// Laughed at it.
    Laugh,
    /// Was astonished at it.
    Wow,
    /// Cried over it.
    Cry,
    /// Was angry about it.
    Angry,
}

impl BehaviourStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Like,
        Self::Love,
        Self::Laugh,
        Self::Wow,
        Self::Cry,
        Self::Angry,
    ];

    /// The word in requests, answers and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Like => "like",
            Self::Love => "love",
            Self::Laugh => "laugh",
            Self::Wow => "wow",
            Self::Cry => "cry",
            Self::Angry => "angry",
        }
    }

    /// The status of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// What a request asks to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewBehaviour {
    pub user: String,
    pub article: String,
    pub status: BehaviourStatus,
    /// To the millisecond.
    pub at: Timestamp,
}

/// What is stored, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct BehaviourRecord {
    /// Grows with every record that is stored, whatever its time.
    pub id: i64,
    /// Absent where all records are of the same user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    pub article: String,
    pub status: BehaviourStatus,
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
}

fn as_text<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

impl NewBehaviour {
    /// Reads the body of `POST /user/status`; without `at` it is `now`.
    pub fn read(body: &[u8], now: Timestamp) -> Result<Self, RequestRefusal> {
        let fields: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| RequestRefusal::Malformed(plain_words::of_json(&error)))?;
        let status = text(&fields, "status")?;
        Ok(Self {
            user: checked_user(text(&fields, "user")?)?.to_owned(),
            article: limited("article", text(&fields, "article")?, LONGEST_ARTICLE)?.to_owned(),
            status: read_status(status)?,
            at: to_the_millisecond(match fields.get("at") {
                None | Some(Value::Null) => now,
                Some(_) => read_time(text(&fields, "at")?)?,
            }),
        })
    }
}

/// The refusal of one field.
pub(super) fn refused(
    field: &'static str,
    problem: impl Into<Cow<'static, str>>,
) -> RequestRefusal {
    RequestRefusal::Field {
        field,
        problem: problem.into(),
    }
}

/// The status of a word, or the refusal of the field `status`.
pub(super) fn read_status(word: &str) -> Result<BehaviourStatus, RequestRefusal> {
    BehaviourStatus::named(word).ok_or_else(|| {
        let known = BehaviourStatus::ALL.map(BehaviourStatus::as_str);
        refused("status", format!("is not one of {}", known.join(", ")))
    })
}

/// A name that a user may have.
pub(super) fn checked_user(user: &str) -> Result<&str, RequestRefusal> {
    limited("user", user, LONGEST_USER)
}

fn text<'a>(
    fields: &'a Map<String, Value>,
    field: &'static str,
) -> Result<&'a str, RequestRefusal> {
    match fields.get(field) {
        None => Err(refused(field, "is missing")),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(refused(field, "is not a text")),
    }
}

fn limited<'a>(
    field: &'static str,
    text: &'a str,
    longest: usize,
) -> Result<&'a str, RequestRefusal> {
    match text.chars().take(longest + 1).count() {
        0 => Err(refused(field, "is empty")),
        characters if characters > longest => Err(refused(
            field,
            format!("is longer than {longest} characters"),
        )),
        _ => Ok(text),
    }
}

fn read_time(text: &str) -> Result<Timestamp, RequestRefusal> {
    text.parse()
        .map_err(|_| refused("at", "is no time such as 2026-01-31T12:00:00Z"))
}

/// What the database keeps of a time.
fn to_the_millisecond(time: Timestamp) -> Timestamp {
    let round = TimestampRound::new()
        .smallest(Unit::Millisecond)
        .mode(jiff::RoundMode::Floor);
    // Only times within a millisecond of the last one that there is cannot be rounded.
    time.round(round).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<NewBehaviour, RequestRefusal> {
        NewBehaviour::read(body.to_string().as_bytes(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn each_field_that_cannot_be_used_is_named() {
        let good = json!({ "user": "ann", "article": "a-1", "status": "like" });
        assert_eq!(read(&good).unwrap().at, Timestamp::UNIX_EPOCH);
        for (field, wrong) in [
            ("user", Value::Null),
            ("user", json!(7)),
            ("user", json!("")),
            ("user", json!("ä".repeat(65))),
            ("article", json!(["a"])),
            ("article", json!("a".repeat(129))),
            ("status", json!("dance")),
            ("status", json!("Like")),
            ("at", json!("yesterday")),
            ("at", json!("2026-01-31T12:00:00")),
            ("at", json!(1_767_225_600)),
        ] {
            let mut body = good.clone();
            body[field] = wrong;
            let refusal = read(&body).expect_err(field);
            assert!(
                matches!(refusal, RequestRefusal::Field { field: named, .. } if named == field),
                "{body}: {refusal:?}"
            );
        }
        for field in ["user", "article", "status"] {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(field);
            let refusal = read(&body).expect_err(field);
            assert!(refusal.to_string().contains(field), "{refusal}");
        }
        assert!(matches!(
            read(&json!([])),
            Err(RequestRefusal::Malformed(_))
        ));
    }

    #[test]
    fn a_time_is_kept_to_the_millisecond_whatever_its_offset() {
        let body = json!({ "user": "ann", "article": "a", "status": "cry", "at": "2026-01-31T13:00:00.1239+01:00" });
        let at = read(&body).unwrap().at;
        assert_eq!(at.to_string(), "2026-01-31T12:00:00.123Z");
        assert_eq!(
            read(&json!({ "user": "ä".repeat(64), "article": "a", "status": "cry", "at": null }))
                .unwrap()
                .at,
            Timestamp::UNIX_EPOCH
        );
    }
}
