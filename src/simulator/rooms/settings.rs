//! What the simulated chat rooms are like.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use super::{faults::RoomFaults, outgoing::QueueLimits};
use crate::{
    simulator::{Agents, Error, Staffing, settings::count},
    units::{Distribution, duration},
};

/// The simulated chat rooms. The default is in good health, by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomsSettings {
    /// Where they listen.
    pub listen: SocketAddr,
    /// Where all randomness comes from.
    pub seed: u64,
    /// The Redis that they share with other backends, as a URL; absent: they share nothing.
    pub redis: Option<String>,
    /// What becomes of a client that takes its frames more slowly than they come.
    pub slow_clients: SlowClients,
    /// A socket from which nothing came for so long, not even the answer to a ping, is cut off.
    #[serde(with = "duration")]
    pub silence: Duration,
    /// The support desk.
    pub support: SupportSettings,
    /// What bounds the memory.
    pub limits: RoomLimits,
    /// What goes wrong; can be replaced while the rooms are served.
    pub faults: RoomFaults,
}

/// What becomes of a client whose queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowClients {
    /// Its socket is closed, with code 1013.
    #[default]
    Disconnect,
    /// It does not get the frame.
    Drop,
}

/// The agents of the support desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupportSettings {
    /// Whether agents act by themselves.
    pub floor: Staffing,
    /// Who picks up chats; by hand, how many clients may be agents.
    pub agents: Agents,
    /// From the moment a free agent picks up a chat to the moment he joins it.
    pub join: Distribution,
    /// How long an agent thinks about a message before he types.
    pub answer: Distribution,
    /// How long an agent types a message.
    pub typing: Distribution,
    /// How long after having joined an agent ends the chat himself; absent: never.
    pub handling: Option<Distribution>,
    /// A chat whose customer was silent for so long is ended, waiting or not.
    #[serde(with = "duration")]
    pub silence: Duration,
}

/// What bounds the memory. What a client wants beyond a bound is refused, and counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomLimits {
    /// Open sockets; a handshake beyond is answered 503.
    pub sockets: NonZeroU32,
    /// Rooms with a member.
    pub rooms: NonZeroU32,
    /// Members of a room.
    pub members: NonZeroU32,
    /// Rooms that a socket is a member of.
    pub memberships: NonZeroU32,
    /// Messages that a room remembers, up to 64 KiB together.
    pub history: u32,
    /// Chats of the support desk.
    pub support_chats: NonZeroU32,
    /// Bytes of a frame from a client; a longer one ends its socket with code 1009.
    pub frame_bytes: NonZeroU32,
    /// Frames that wait for one client.
    pub queue: NonZeroU32,
    /// Bytes of the frames that wait for one client. Clients that wait for the same message share its bytes.
    pub queue_bytes: NonZeroU32,
}

impl Default for RoomsSettings {
    fn default() -> Self {
        Self {
            listen: Self::DEFAULT_LISTEN,
            seed: 1,
            redis: None,
            slow_clients: SlowClients::default(),
            silence: Duration::from_mins(2),
            support: SupportSettings::default(),
            limits: RoomLimits::default(),
            faults: RoomFaults::default(),
        }
    }
}

impl Default for SupportSettings {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self {
            floor: Staffing::default(),
            agents: Agents::Limited(count(20)),
            join: Distribution::Uniform(millis(1_000), millis(3_000)),
            answer: Distribution::Uniform(millis(500), millis(1_500)),
            typing: Distribution::Uniform(millis(500), millis(1_500)),
            handling: None,
            silence: Duration::from_mins(5),
        }
    }
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            sockets: count(20_000),
            rooms: count(1_000),
            members: count(20_000),
            memberships: count(16),
            history: 100,
            support_chats: count(10_000),
            frame_bytes: count(16 * 1024),
            queue: count(256),
            queue_bytes: count(1024 * 1024),
        }
    }
}

impl RoomLimits {
    /// What may wait for one client.
    pub(super) fn of_queue(&self) -> QueueLimits {
        QueueLimits {
            frames: self.queue.get() as usize,
            bytes: self.queue_bytes.get() as usize,
        }
    }
}

impl RoomsSettings {
    /// Where the rooms listen that do not say so themselves.
    pub const DEFAULT_LISTEN: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 14_222);

    /// Refuses what single fields cannot see.
    pub fn validate(&self) -> Result<(), Error> {
        let invalid = |what: &str, reason: String| Error::Settings {
            what: what.to_owned(),
            reason,
        };
        let support = &self.support;
        let times = [
            ("support.join", &support.join),
            ("support.answer", &support.answer),
            ("support.typing", &support.typing),
        ];
        let handling = (support.handling.iter()).map(|handling| ("support.handling", handling));
        for (name, distribution) in times.into_iter().chain(handling) {
            distribution
                .validate()
                .map_err(|error| invalid(name, error.to_string()))?;
        }
        self.faults
            .validate()
            .map_err(|error| invalid("faults", error.to_string()))?;
        let positive = [
            ("silence", self.silence),
            ("support.silence", support.silence),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, duration)| duration.is_zero()) {
            return Err(invalid(name, "must be longer than zero".to_owned()));
        }
        self.redis_client().map(drop)
    }

    /// The client of the Redis, if there is one. Nothing is connected yet.
    pub(super) fn redis_client(&self) -> Result<Option<redis::Client>, Error> {
        let client = self.redis.as_deref().map(redis::Client::open).transpose();
        client.map_err(|error| Error::Settings {
            what: "redis".to_owned(),
            // The words of the error may have the URL in them, and that a password.
            reason: format!(
                "no URL of a Redis, {:?}; write for instance `redis://127.0.0.1:6379`",
                error.kind()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<RoomsSettings, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn rooms_without_settings_have_the_default_ones_which_are_valid() {
        let settings = read("{}").unwrap();
        assert_eq!(settings, RoomsSettings::default());
        assert_eq!(settings.listen.port(), 14_222);
        settings.validate().unwrap();
    }

    #[test]
    fn settings_of_rooms_come_back_the_same_through_json() {
        let yaml = "{ listen: '127.0.0.1:0', redis: 'redis://127.0.0.1:1', slow_clients: drop, silence: 5s, \
                    support: { agents: unlimited, handling: 30s }, limits: { queue: 2 } }";
        let settings = read(yaml).unwrap();
        settings.validate().unwrap();
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<RoomsSettings>(&json).unwrap(),
            settings
        );
    }

    #[test]
    fn mistakes_in_the_settings_of_rooms_are_refused_by_their_name() {
        for (yaml, what) in [
            ("silence: 0s", "silence"),
            ("support: { silence: 0s }", "support.silence"),
            ("support: { join: { uniform: [2s, 1s] } }", "swap the two"),
            ("redis: 'http://:secret@127.0.0.1:6379'", "redis"),
            ("limits: { sockets: 0 }", "nonzero"),
            ("room: 1", "unknown field"),
        ] {
            let error = read(yaml)
                .and_then(|settings| settings.validate().map_err(|error| error.to_string()));
            let error = error.expect_err(yaml);
            assert!(
                error.contains(what) && !error.contains("secret"),
                "{yaml}: {error}"
            );
        }
    }
}
