//! What sessions, chats and those who take part are called.

use serde::Serialize;

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Party {
    Customer,
    Agent,
}

/// Names a chat. Ids grow in the order of creation, also over restarts, and stay below 2^53, so
/// that they survive as JSON numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EngagementId(u64);

/// Names a session, likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionId(u64);

impl EngagementId {
    /// The id that follows in order of creation.
    pub fn take(next: &mut u64) -> Self {
        *next += 1;
        Self(*next)
    }

    pub fn number(self) -> u64 {
        self.0
    }

    /// As it is written in answers; `numeric`: digits only.
    pub fn text(self, numeric: bool) -> String {
        if numeric {
            self.0.to_string()
        } else {
            format!("en-{}", self.0)
        }
    }

    /// Reads what [`EngagementId::text`] has written.
    pub fn parse(text: &str, numeric: bool) -> Option<Self> {
        let digits = if numeric {
            text
        } else {
            text.strip_prefix("en-")?
        };
        digits.parse().ok().map(Self)
    }

    pub fn dialog(self) -> String {
        format!("di-{}", self.0)
    }

    pub fn correlation(self) -> String {
        format!("co-{}", self.0)
    }

    pub fn message(self, number: u32) -> String {
        format!("me-{}-{number}", self.0)
    }

    pub fn participant(self, party: Party) -> String {
        format!("pa-{}-{}", self.0, initial(party))
    }

    pub fn connection(self, party: Party) -> String {
        format!("cn-{}-{}", self.0, initial(party))
    }

    #[cfg(test)]
    pub fn for_test(number: u64) -> Self {
        Self(number)
    }
}

fn initial(party: Party) -> char {
    match party {
        Party::Customer => 'c',
        Party::Agent => 'a',
    }
}

impl SessionId {
    /// The id that follows in order of creation.
    pub fn take(next: &mut u64) -> Self {
        *next += 1;
        Self(*next)
    }

    pub fn text(self) -> String {
        format!("se-{}", self.0)
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix("se-")?.parse().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = EngagementId::take(&mut 6);
        for numeric in [false, true] {
            assert_eq!(EngagementId::parse(&id.text(numeric), numeric), Some(id));
        }
        assert_eq!(id.text(true), "7");
        assert_eq!(EngagementId::parse("7", false), None);
        let session = SessionId::take(&mut 8);
        assert_eq!(SessionId::parse(&session.text()), Some(session));
    }
}
