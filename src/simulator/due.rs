use super::delivery::Notice;
use super::engagement::Timer;
use super::ids::{EngagementId, SessionId};

/// What may come due.
#[derive(Debug)]
pub(super) enum Due {
    Chat(EngagementId, Timer),
    Post(Notice),
    SessionIdle(SessionId),
}
