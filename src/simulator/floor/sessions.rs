//! Sessions of customers: opened, terminated, forgotten.

use tokio::time::Instant;

use super::Floor;
use crate::simulator::{
    agenda::{Key, after},
    due::Due,
    ids::{EngagementId, SessionId},
    requests::RequestRefusal,
    statistics::End,
};

#[derive(Debug)]
pub(super) struct CentreSession {
    pub chats: Vec<EngagementId>,
    pub touched: Instant,
    pub idle: Key,
}

impl Floor {
    pub fn open_session(&mut self, now: Instant) -> Result<SessionId, RequestRefusal> {
        if self.sessions.len() >= self.settings.limits.sessions.get() as usize {
            return Err(RequestRefusal::Full("sessions"));
        }
        let id = SessionId::take(&mut self.last_session);
        let idle = self
            .agenda
            .add(after(now, self.settings.session_idle), Due::SessionIdle(id));
        self.sessions.insert(
            id,
            CentreSession {
                chats: Vec::new(),
                touched: now,
                idle,
            },
        );
        Ok(id)
    }

    pub fn terminate(&mut self, id: &str, now: Instant) -> Result<(), RequestRefusal> {
        let session = SessionId::parse(id)
            .and_then(|id| self.sessions.remove(&id))
            .ok_or(RequestRefusal::NotFound("session"))?;
        self.agenda.strike(session.idle);
        for chat in session.chats {
            self.end(chat, End::Terminated, now);
        }
        Ok(())
    }

    /// Forgets a session that nobody has used for long.
    pub(super) fn session_idle(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if !session.chats.is_empty() {
            session.touched = now;
        }
        let until = after(session.touched, self.settings.session_idle);
        if until > now {
            session.idle = self.agenda.add(until, Due::SessionIdle(id));
        } else {
            self.sessions.remove(&id);
        }
    }

    /// Forgets the session of a customer who has no other chat.
    pub(super) fn close_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.agenda.strike(session.idle);
        }
    }
}
