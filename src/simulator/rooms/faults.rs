//! What goes wrong in the chat rooms on purpose, and how often.

use serde::{Deserialize, Deserializer, Serialize, de};

use super::protocol::ServerFrameKind;
use crate::{
    simulator::{AgentFaults, ErrorStatus, Probability, fault_shapes::TransitFaults},
    units::{BoundsSwapped, Distribution},
};

/// All that goes wrong in the chat rooms; nothing by default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomFaults {
    /// Handshakes that are answered with an error.
    pub refuse: Option<RefusedHandshakes>,
    /// Sockets that the server closes.
    pub close: Option<SocketCloses>,
    /// Sockets from which the server reads nothing any more.
    pub stop_reading: Option<ReadingStops>,
    /// What happens to frames on their way to a client, to each recipient by itself.
    pub frames: TransitFaults<ServerFrameKind>,
    /// What agents of the support desk do wrong.
    pub agents: AgentFaults,
    /// How long a subscription at Redis lasts until it is ended; absent: for ever.
    pub kill_subscription: Option<Distribution>,
}

/// See [`RoomFaults::refuse`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedHandshakes {
    /// The share of handshakes.
    pub probability: Probability,
    /// The status of the answer.
    pub status: ErrorStatus,
}

/// See [`RoomFaults::close`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketCloses {
    /// The share of sockets.
    pub probability: Probability,
    /// The code in the close frame.
    pub code: SentCode,
    /// How long after the handshake.
    pub after: Distribution,
}

/// See [`RoomFaults::stop_reading`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingStops {
    /// The share of sockets.
    pub probability: Probability,
    /// How long after the handshake.
    pub after: Distribution,
}

/// A close code that may stand in a close frame (RFC 6455, 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SentCode(u16);

impl From<SentCode> for u16 {
    fn from(code: SentCode) -> Self {
        code.0
    }
}

impl SentCode {
    /// The server goes away.
    pub(super) const AWAY: Self = Self(1001);
    /// The server has as much as it can take, or the client reads too slowly.
    pub(super) const TRY_AGAIN: Self = Self(1013);
}

impl<'de> Deserialize<'de> for SentCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let code = u16::deserialize(from)?;
        match code {
            1000..=1003 | 1007..=1013 | 3000..=4999 => Ok(Self(code)),
            _ => Err(de::Error::custom(format!(
                "close code {code} is never sent; use one from 1000 to 1003, 1007 to 1013 or 3000 to 4999"
            ))),
        }
    }
}

impl RoomFaults {
    /// Refuses what serde cannot see.
    pub fn validate(&self) -> Result<(), BoundsSwapped> {
        let close = self.close.as_ref().map(|close| &close.after);
        let stop = self.stop_reading.as_ref().map(|stop| &stop.after);
        let leave = self.agents.leave.as_ref().map(|leave| &leave.after);
        let kill = self.kill_subscription.as_ref();
        self.frames.validate()?;
        let mut all = [close, stop, leave, kill].into_iter().flatten();
        all.try_for_each(Distribution::validate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::fault_shapes::TransitFate;

    #[test]
    fn faults_of_rooms_come_back_the_same_through_json() {
        let yaml = "
            refuse: { probability: 0.1, status: 503 }
            close: { probability: 0.1, code: 4001, after: { uniform: [1s, 3s] } }
            stop_reading: { probability: 1, after: 5s }
            frames:
              drop: { probability: 0.1, only: [said] }
              delay: { probability: 0.1, by: 2s }
            agents: { never_come: 0.1 }
            kill_subscription: 30s
        ";
        let faults: RoomFaults = serde_yaml::from_str(yaml).unwrap();
        let json = serde_json::to_string(&faults).unwrap();
        assert_eq!(serde_json::from_str::<RoomFaults>(&json).unwrap(), faults);
    }

    #[test]
    fn a_close_code_that_no_close_frame_has_is_refused() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            let read = serde_json::from_value::<SentCode>(code.into());
            assert!(read.is_err(), "{code}");
        }
        let read = serde_json::from_value::<SentCode>(4001.into());
        assert_eq!(u16::from(read.unwrap()), 4001);
    }

    #[test]
    fn only_the_frames_named_are_concerned() {
        let yaml = "drop: { probability: 1, only: [joined] }";
        let faults: TransitFaults<ServerFrameKind> = serde_yaml::from_str(yaml).unwrap();
        let mut rng = fastrand::Rng::with_seed(1);
        let fate = |kind, rng: &mut _| faults.fate(&kind, rng);
        assert_eq!(
            fate(ServerFrameKind::Joined, &mut rng),
            TransitFate::Dropped
        );
        assert_eq!(fate(ServerFrameKind::Said, &mut rng), TransitFate::WELL);
    }
}
