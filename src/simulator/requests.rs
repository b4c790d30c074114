//! What clients ask for: the kinds of requests, their bodies, and why one is refused.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::plain_words;

/// The text with which a customer says goodbye.
pub(super) const BYE: &str = "###BYE###";
/// Characters of the name of an agent.
const LONGEST_AGENT: usize = 64;

/// The kinds of requests, by the names of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// Registers a callback URL.
    WebhookCreate,
    /// Removes one.
    WebhookDelete,
    /// Opens a session.
    SessionCreate,
    /// Ends a session and its chats.
    SessionTerminate,
    /// Opens a chat.
    EngagementCreate,
    /// Asks who takes part in a chat.
    ParticipantGet,
    /// A customer's message.
    SendChat,
    /// A customer's goodbye.
    InteractEnd,
    /// A customer leaves without a goodbye.
    EngagementDisconnect,
    /// Nothing that the contract knows.
    Unknown,
    /// Opens a chat without events.
    ChatOpen,
    /// Asks where such a chat stands.
    ChatState,
    /// The message of its customer.
    ChatSay,
    /// Asks what was said in a chat.
    ChatLines,
    /// Ends such a chat.
    ChatEnd,
    /// Logs an agent in.
    AgentLogin,
    /// Logs one out.
    AgentLogout,
    /// Asks which chats wait for an agent.
    AgentWaiting,
    /// An agent takes a chat.
    AgentAccept,
    /// The message of an agent.
    AgentSay,
    /// An agent ends a chat.
    AgentEnd,
}

impl std::fmt::Display for RequestKind {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::WebhookCreate => "webhook_create",
            Self::WebhookDelete => "webhook_delete",
            Self::SessionCreate => "session_create",
            Self::SessionTerminate => "session_terminate",
            Self::EngagementCreate => "engagement_create",
            Self::ParticipantGet => "participant_get",
            Self::SendChat => "send_chat",
            Self::InteractEnd => "interact_end",
            Self::EngagementDisconnect => "engagement_disconnect",
            Self::Unknown => "unknown",
            Self::ChatOpen => "chat_open",
            Self::ChatState => "chat_state",
            Self::ChatSay => "chat_say",
            Self::ChatLines => "chat_lines",
            Self::ChatEnd => "chat_end",
            Self::AgentLogin => "agent_login",
            Self::AgentLogout => "agent_logout",
            Self::AgentWaiting => "agent_waiting",
            Self::AgentAccept => "agent_accept",
            Self::AgentSay => "agent_say",
            Self::AgentEnd => "agent_end",
        })
    }
}

/// The body of `webhook_create` is an array with one of these.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewWebhook {
    pub callback_url: String,
    pub event_types: Vec<String>,
}

/// The mandatory part of the body of `session_create`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSession {
    #[serde(rename = "tenantId")]
    _tenant: String,
    #[serde(rename = "customerIdentifier")]
    _customer: String,
    #[serde(rename = "channelProviderId")]
    _provider: String,
}

/// The body of `session_terminate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Termination {
    #[serde(rename = "channelProviderId")]
    _provider: String,
}

/// The body of `engagement_create`, without what nothing here depends on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewEngagement {
    pub session_id: String,
    pub tenant_id: String,
    pub customer_identifier: String,
    pub channel_provider_id: String,
    #[serde(rename = "mediaType")]
    _media: Media,
    pub conversation: Option<String>,
    /// The customer gets no events, and asks instead.
    #[serde(skip)]
    pub polled: bool,
}

/// The body of `chat_open`.
#[derive(Debug, Deserialize)]
pub(super) struct NewChat {
    customer: String,
    conversation: Option<String>,
}

impl NewEngagement {
    /// That of a customer who gets no events, in a session of its own.
    pub fn polled(session: String, new: NewChat) -> Self {
        Self {
            session_id: session,
            tenant_id: String::new(),
            customer_identifier: new.customer,
            channel_provider_id: String::new(),
            _media: Media::Chat,
            conversation: new.conversation,
            polled: true,
        }
    }
}

/// The body of `chat_say`.
#[derive(Debug, Deserialize)]
pub(super) struct ChatText {
    pub text: String,
}

/// The body of `agent_login` and `agent_logout`.
#[derive(Debug, Deserialize)]
pub(super) struct AgentName {
    pub agent: String,
}

/// The body of `agent_accept` and `agent_end`.
#[derive(Debug, Deserialize)]
pub(super) struct AgentChat {
    pub agent: String,
    pub chat: Option<String>,
}

/// The body of `agent_say`.
#[derive(Debug, Deserialize)]
pub(super) struct AgentText {
    pub agent: String,
    pub chat: String,
    pub text: String,
}

impl AgentName {
    /// Refuses what is no name.
    pub fn checked(self) -> Result<Self, RequestRefusal> {
        let fits =
            (1..=LONGEST_AGENT).contains(&self.agent.chars().take(LONGEST_AGENT + 1).count());
        fits.then_some(self).ok_or(RequestRefusal::Field {
            field: "agent",
            problem: Cow::Borrowed("is no name of 1 to 64 characters"),
        })
    }
}

#[derive(Debug, Deserialize)]
enum Media {
    #[serde(rename = "CHAT")]
    Chat,
}

/// The body of `send_chat` and `interact_end`. The ids that a sparse server leaves out of its
/// answers are not asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub session_id: String,
    #[serde(rename = "senderType")]
    _sender: Sender,
    body: Element,
}

#[derive(Debug, Deserialize)]
enum Sender {
    #[serde(rename = "CUSTOMER")]
    Customer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    element_text: Text,
}

#[derive(Debug, Deserialize)]
struct Text {
    text: String,
}

impl Message {
    pub fn is_bye(&self) -> bool {
        self.text() == BYE
    }

    pub fn text(&self) -> &str {
        &self.body.element_text.text
    }
}

/// The body of `engagement_disconnect`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Disconnection {
    pub session_id: String,
}

/// Reads a JSON body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestRefusal> {
    serde_json::from_slice(body)
        .map_err(|error| RequestRefusal::Malformed(plain_words::of_json(&error)))
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestRefusal {
    #[error("the body cannot be used: {0}")]
    Malformed(String),
    #[error("`{field}` {problem}")]
    Field {
        field: &'static str,
        problem: Cow<'static, str>,
    },
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("the engagement has ended")]
    Ended,
    #[error("{0}")]
    Conflict(&'static str),
    #[error("no agent of that name has logged in: log in first")]
    LoggedOut,
    #[error("too many open {0}; try again later")]
    Full(&'static str),
    #[error("the method is not allowed here")]
    Method,
    #[error("{0}")]
    Failed(String),
    #[error("a simulated fault")]
    Fault(StatusCode),
}

impl RequestRefusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Field { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Ended | Self::Conflict(_) => StatusCode::CONFLICT,
            Self::LoggedOut => StatusCode::FORBIDDEN,
            Self::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Fault(status) => *status,
        }
    }
}

impl IntoResponse for RequestRefusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut body = json!({ "status": status.as_u16(), "error": self.to_string() });
        if let Self::Field { field, .. } = self {
            body["field"] = json!(field);
        }
        (status, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_mandatory_field_is_named() {
        let error =
            read::<NewSession>(br#"{"tenantId":"t","customerIdentifier":"c"}"#).unwrap_err();
        assert!(error.to_string().contains("channelProviderId"), "{error}");
    }

    #[test]
    fn only_the_exact_text_is_a_bye() {
        let message = |text: &str| {
            let body = json!({ "sessionId": "s", "senderType": "CUSTOMER",
                "body": { "elementType": "Text", "elementText": { "text": text, "textFormat": "PLAINTEXT" } } });
            read::<Message>(body.to_string().as_bytes()).unwrap()
        };
        assert!(message(BYE).is_bye());
        assert!(!message("BYE").is_bye());
    }

    #[test]
    fn a_kind_is_displayed_as_it_is_written() {
        for kind in [
            RequestKind::WebhookCreate,
            RequestKind::InteractEnd,
            RequestKind::Unknown,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.to_string()));
        }
    }
}
