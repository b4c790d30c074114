use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a socket was closed, with a limited number of values. Codes 1000 to 1014 are those that may
/// be sent of RFC 6455, section 7.4, and of the registry that it sets up at IANA.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
pub enum CloseCode {
    /// It has served its purpose.
    #[serde(rename = "1000")]
    Normal,
    /// The other side goes away, as a server does that is shut down.
    #[serde(rename = "1001")]
    GoingAway,
    /// A frame was illegal.
    #[serde(rename = "1002")]
    Protocol,
    /// A kind of data is not accepted.
    #[serde(rename = "1003")]
    Unsupported,
    /// Data did not have the form that its kind requires.
    #[serde(rename = "1007")]
    Invalid,
    /// A rule of the other side was broken.
    #[serde(rename = "1008")]
    Policy,
    /// A message was too large.
    #[serde(rename = "1009")]
    TooLarge,
    /// The server did not agree to an extension.
    #[serde(rename = "1010")]
    Extension,
    /// The server failed.
    #[serde(rename = "1011")]
    Internal,
    /// The service restarts.
    #[serde(rename = "1012")]
    Restart,
    /// The service is overloaded.
    #[serde(rename = "1013")]
    TryLater,
    /// A server in between got an invalid answer from the one behind it.
    #[serde(rename = "1014")]
    BadGateway,
    /// One of 3000 to 4999, whose meaning belongs to the application.
    #[serde(rename = "app")]
    Application,
    /// No code was given.
    #[serde(rename = "none")]
    None,
    /// Any other, which nobody should send.
    #[serde(rename = "other")]
    Other,
}

impl CloseCode {
    /// Every code.
    pub const ALL: [Self; 15] = [
        Self::Normal,
        Self::GoingAway,
        Self::Protocol,
        Self::Unsupported,
        Self::Invalid,
        Self::Policy,
        Self::TooLarge,
        Self::Extension,
        Self::Internal,
        Self::Restart,
        Self::TryLater,
        Self::BadGateway,
        Self::Application,
        Self::None,
        Self::Other,
    ];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "1000",
            Self::GoingAway => "1001",
            Self::Protocol => "1002",
            Self::Unsupported => "1003",
            Self::Invalid => "1007",
            Self::Policy => "1008",
            Self::TooLarge => "1009",
            Self::Extension => "1010",
            Self::Internal => "1011",
            Self::Restart => "1012",
            Self::TryLater => "1013",
            Self::BadGateway => "1014",
            Self::Application => "app",
            Self::None => "none",
            Self::Other => "other",
        }
    }
}

/// The code as it was sent, if one was.
impl From<Option<u16>> for CloseCode {
    fn from(code: Option<u16>) -> Self {
        match code {
            None => Self::None,
            Some(1000) => Self::Normal,
            Some(1001) => Self::GoingAway,
            Some(1002) => Self::Protocol,
            Some(1003) => Self::Unsupported,
            Some(1007) => Self::Invalid,
            Some(1008) => Self::Policy,
            Some(1009) => Self::TooLarge,
            Some(1010) => Self::Extension,
            Some(1011) => Self::Internal,
            Some(1012) => Self::Restart,
            Some(1013) => Self::TryLater,
            Some(1014) => Self::BadGateway,
            Some(3000..=4999) => Self::Application,
            Some(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn whatever_number_a_server_sends_there_are_no_more_labels_than_these() {
        let codes = (0..=u16::MAX).map(Some).chain([None]);
        let labels: BTreeSet<_> = codes.map(|code| CloseCode::from(code).as_str()).collect();
        assert_eq!(labels, CloseCode::ALL.map(CloseCode::as_str).into());
        for (code, label) in [
            (1013, "1013"),
            (1014, "1014"),
            (1005, "other"),
            (3000, "app"),
            (5000, "other"),
        ] {
            assert_eq!(CloseCode::from(Some(code)).as_str(), label);
        }
        for code in CloseCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
