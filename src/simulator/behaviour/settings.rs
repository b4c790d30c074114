//! What the simulated behaviour service is like.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::faults::BehaviourFaults;
use crate::{
    simulator::{Error, settings::count},
    units::duration,
};

/// The longest queue of orders or questions.
const LONGEST_QUEUE: u32 = 1_000_000;

/// The simulated behaviour service. The default is in good health, and forgets everything with its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BehaviourSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where all randomness comes from.
    pub seed: u64,
    /// The SQLite file that keeps the records; absent: a temporary one.
    pub database: Option<PathBuf>,
    /// What bounds memory and disk.
    pub limits: BehaviourLimits,
    /// What goes wrong; can be replaced while the service runs.
    pub faults: BehaviourFaults,
}

/// What bounds memory and disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BehaviourLimits {
    /// Records that are kept; beyond, the oldest are deleted.
    pub records: NonZeroU32,
    /// How long a record is kept.
    #[serde(with = "duration")]
    pub keep: Duration,
    /// Records of one answer.
    pub answer: NonZeroU32,
    /// Requests that wait for the database, those that write and those that read apart; a request beyond is answered 503.
    pub queue: NonZeroU32,
    /// Connections from clients at once.
    pub connections: NonZeroU32,
}

impl Default for BehaviourSettings {
    fn default() -> Self {
        Self {
            listen: Self::DEFAULT_LISTEN,
            seed: 1,
            database: None,
            limits: BehaviourLimits::default(),
            faults: BehaviourFaults::default(),
        }
    }
}

impl Default for BehaviourLimits {
    fn default() -> Self {
        Self {
            records: count(1_000_000),
            keep: Duration::from_hours(24),
            answer: count(1_000),
            queue: count(1_024),
            connections: count(4_096),
        }
    }
}

impl BehaviourSettings {
    /// Where the service listens that does not say so itself.
    pub const DEFAULT_LISTEN: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);

    /// Refuses what single fields cannot see.
    pub fn validate(&self) -> Result<(), Error> {
        let invalid = |what: &str, reason: String| Error::Settings {
            what: what.to_owned(),
            reason,
        };
        self.faults
            .validate()
            .map_err(|error| invalid("faults", error.to_string()))?;
        if self.limits.keep.is_zero() {
            return Err(invalid(
                "limits.keep",
                "must be longer than zero".to_owned(),
            ));
        }
        if self.limits.queue.get() > LONGEST_QUEUE {
            let reason = format!("must be at most {LONGEST_QUEUE}: all of it is taken at once");
            return Err(invalid("limits.queue", reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<BehaviourSettings, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn a_behaviour_service_without_settings_has_the_default_ones_which_are_valid() {
        let settings = read("{}").unwrap();
        assert_eq!(settings, BehaviourSettings::default());
        assert_eq!(settings.listen.port(), 8000);
        settings.validate().unwrap();
    }

    #[test]
    fn settings_of_the_behaviour_service_come_back_the_same_through_json() {
        let yaml = "{ listen: '127.0.0.1:0', database: /tmp/b.sqlite, limits: { keep: 5s, records: 2 }, \
                    faults: { lose: 0.5, stale: { probability: 1, by: 2s } } }";
        let settings = read(yaml).unwrap();
        settings.validate().unwrap();
        let json = serde_json::to_string(&settings).unwrap();
        let back = serde_json::from_str::<BehaviourSettings>(&json).unwrap();
        assert_eq!(back, settings);
    }

    #[test]
    fn mistakes_in_the_settings_of_the_behaviour_service_are_refused_by_their_name() {
        for (yaml, what) in [
            ("limits: { keep: 0s }", "limits.keep"),
            ("limits: { records: 0 }", "nonzero"),
            (
                "faults: { slow: [{ probability: 1, by: { uniform: [2s, 1s] } }] }",
                "swap the two",
            ),
            (
                "faults: { stale: { probability: 1, by: { uniform: [2s, 1s] } } }",
                "swap the two",
            ),
            (
                "faults: { errors: [{ probability: 1, status: 503, only: [send_chat] }] }",
                "unknown variant",
            ),
            ("file: a", "unknown field"),
        ] {
            let error = read(yaml)
                .and_then(|settings| settings.validate().map_err(|error| error.to_string()));
            let error = error.expect_err(yaml);
            assert!(error.contains(what), "{yaml}: {error}");
        }
    }
}
