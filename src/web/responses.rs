//! How requests can be refused, as the document of the API says it.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder},
};

/// How every request that changes something can be refused.
pub(super) struct Changes;

impl IntoResponses for Changes {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("401", "The admin token is missing or wrong"),
            (
                "403",
                "There is no admin token set, and the request does not come from this machine or not under its name",
            ),
            ("413", "The body is too large"),
            (
                "429",
                "Too many wrong admin tokens came before, and this one was not compared; `Retry-After` says when to send it again",
            ),
            ("503", "The service is shutting down, or took too long"),
        ])
    }
}

/// How every request that describes a burst can be refused besides.
pub(super) struct Examined;

impl IntoResponses for Examined {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut refused = Changes::responses();
        refused.extend(refusals([(
            "503",
            "The service is shutting down, or others are examined before this one and it took too long; `Retry-After` says when to ask again",
        )]));
        refused
    }
}

/// How every request for what is kept of a run can be refused.
pub(super) struct OfRun;

impl IntoResponses for OfRun {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut refused = OfHistory::responses();
        refused.extend(refusals([("404", "No such run")]));
        refused
    }
}

/// How every request for something that is kept can be refused.
pub(super) struct OfHistory;

impl IntoResponses for OfHistory {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("500", "The history cannot be read"),
            (
                "503",
                "The disk did not answer in time, or too many look at runs in progress; `Retry-After` says when to ask again",
            ),
        ])
    }
}

/// How every request for a document can be refused, too.
pub(super) struct Made;

impl IntoResponses for Made {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([(
            "503",
            "Too many documents are asked for, or the disk did not answer in time; `Retry-After` says when to ask again",
        )])
    }
}

/// An answer with the error for each status, by what it means.
pub(super) fn refusals<const N: usize>(
    refused: [(&str, &str); N],
) -> BTreeMap<String, RefOr<Response>> {
    let answer = |text: &str| {
        let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
        let response = ResponseBuilder::new().description(text);
        response.content("application/json", body).build().into()
    };
    let answers = refused.map(|(status, text)| (status.to_owned(), answer(text)));
    answers.into()
}
