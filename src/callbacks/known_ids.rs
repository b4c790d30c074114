use crate::inbox::{IdSpread, Identity};

/// Ids of a scenario and a target that are remembered with the chat that they came for: 96 KiB. An id that identifies
/// nothing comes back for every chat, so the latest few thousand are enough to find it.
const KNOWN_IDS: usize = 4_096;

/// The latest ids of a scenario and a target and the chats that they came for, to find those that identify nothing.
#[derive(Debug, Default)]
pub(super) struct KnownIds(Box<[KnownId]>);

#[derive(Debug, Clone, Copy, Default)]
struct KnownId {
    id: u64,
    /// The number of the chat, from one; zero for an entry without an id.
    chat: u64,
    several: bool,
}

impl KnownIds {
    /// Notes that an id came for a chat.
    pub(super) fn note(&mut self, identity: &Identity, chat: u64) -> IdSpread {
        if self.0.is_empty() {
            self.0 = vec![KnownId::default(); KNOWN_IDS].into();
        }
        let id = identity.hash;
        // The remainder is below the number of slots.
        let at = usize::try_from(id % KNOWN_IDS as u64).unwrap_or_default();
        let known = &mut self.0[at];
        if known.chat == 0 || known.id != id {
            *known = KnownId {
                id,
                chat,
                several: false,
            };
        }
        known.several |= known.chat != chat;
        if known.several {
            IdSpread::SeveralChats
        } else {
            IdSpread::OneChat
        }
    }
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::*;

    #[test]
    fn an_id_that_comes_for_a_second_chat_is_known_even_among_many_others() {
        let identity = |id: &str| Identity::of(id.to_owned(), &Value::UNDEFINED, &[]);
        let mut ids = KnownIds::default();
        let useless = identity("useless");
        assert_eq!(ids.note(&useless, 1), IdSpread::OneChat);
        assert_eq!(ids.note(&useless, 1), IdSpread::OneChat);
        assert_eq!(ids.note(&useless, 2), IdSpread::SeveralChats);
        assert_eq!(ids.note(&useless, 1), IdSpread::SeveralChats);
        let mut found = 0;
        for chat in 3..20_003 {
            for message in 0..2 {
                let id = identity(&format!("{chat}-{message}"));
                assert_eq!(ids.note(&id, chat), IdSpread::OneChat);
            }
            found += usize::from(ids.note(&useless, chat) == IdSpread::SeveralChats);
        }
        assert!(found > 19_900, "{found}");
    }
}
