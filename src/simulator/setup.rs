//! Where the simulators listen, and what they are like.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{BehaviourSettings, CentreSettings, Error, RoomsSettings};
use crate::document::{Node, Problems, Value, settings, settings_besides};

/// A simulated contact centre, where it listens, and what is simulated beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What the centre is like.
    pub centre: CentreSettings,
    /// What the chat rooms are like, if there are any.
    pub rooms: Option<RoomsSettings>,
    /// What the behaviour service is like, if there is one.
    pub behaviour: Option<BehaviourSettings>,
}

impl Setup {
    /// Where a simulator listens that does not say so itself.
    pub const DEFAULT_LISTEN: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);

    /// Reads `{ listen: ..., agents: ..., rooms: { ... }, behaviour: { ... }, ... }`, which is the section `simulator` of a
    /// configuration and the file of `chatprobe simulate`.
    pub fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let before = problems.count();
        let mut node = node.clone();
        let mut listen = Self::DEFAULT_LISTEN;
        let mut rooms = None;
        let mut behaviour = None;
        if let Value::Map(entries) = &mut node.value {
            let mut take = |key: &str| {
                let at = entries.iter().position(|entry| entry.key == key)?;
                Some(entries.remove(at).node)
            };
            if let Some(node) = take("listen") {
                listen = read_address(&node, problems).unwrap_or(listen);
            }
            if let Some(node) = take("rooms") {
                rooms = Self::read_rooms(&node, problems);
            }
            if let Some(node) = take("behaviour") {
                behaviour = Self::read_behaviour(&node, problems);
            }
        }
        let centre: CentreSettings =
            settings_besides(&node, &["listen", "rooms", "behaviour"], problems)?;
        report(centre.validate(), &node, problems);
        (problems.count() == before).then_some(Self {
            listen,
            centre,
            rooms,
            behaviour,
        })
    }

    /// Reads `{ listen: ..., redis: ..., ... }`, which is `rooms` in the above and the file of `chatprobe simulate rooms`.
    pub fn read_rooms(node: &Node, problems: &Problems) -> Option<RoomsSettings> {
        let rooms: RoomsSettings = settings(node, problems)?;
        report(rooms.validate(), node, problems);
        Some(rooms)
    }

    /// Reads `{ listen: ..., database: ..., ... }`, which is `behaviour` in the above and the file of
    /// `chatprobe simulate behaviour`.
    pub fn read_behaviour(node: &Node, problems: &Problems) -> Option<BehaviourSettings> {
        let behaviour: BehaviourSettings = settings(node, problems)?;
        report(behaviour.validate(), node, problems);
        Some(behaviour)
    }

    /// [`Self::read`] for a configuration, which keeps it without knowing what it means.
    pub fn read_section(node: &Node, problems: &Problems) -> Option<serde_json::Value> {
        serde_json::to_value(Self::read(node, problems)?)
            .map_err(|error| problems.add(&node.place, error.to_string()))
            .ok()
    }

    /// Takes it back from the configuration.
    ///
    /// # Errors
    /// It is not what [`Self::read_section`] returned.
    pub fn of_section(section: &serde_json::Value) -> Result<Self, Error> {
        Self::deserialize(section).map_err(Error::Section)
    }
}

/// Adds what contradicts itself to the problems, at its place.
fn report(validated: Result<(), Error>, node: &Node, problems: &Problems) {
    match validated {
        Ok(()) => {}
        Err(Error::Settings { what, reason }) => {
            let named = what
                .split('.')
                .try_fold(node, |node, key| node.find(key))
                .unwrap_or(node);
            problems.add(&named.place, format!("`{what}`: {reason}"));
        }
        Err(error) => problems.add(&node.place, error.to_string()),
    }
}

fn read_address(node: &Node, problems: &Problems) -> Option<SocketAddr> {
    node.parsed(
        "an address such as `127.0.0.1:4000`",
        |text| {
            text.parse()
                .map_err(|_| format!("`{text}` is no address; write for instance `127.0.0.1:4000`"))
        },
        problems,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    #[test]
    fn a_configuration_gives_back_what_it_has_kept() {
        let problems = Problems::default();
        let read = |text: &str| parse("simulator", text).unwrap();
        let text = "{ listen: '127.0.0.1:4001', agents: unlimited, join: 1.5ms, quirks: reference, \
                    idle_close: 250ms, faults: { agents: { never_come: 0.25 } }, \
                    rooms: { listen: '127.0.0.1:4002', silence: 5s }, \
                    behaviour: { listen: '127.0.0.1:4003', limits: { keep: 5s } } }";
        let setup = Setup::read(&read(text), &problems).unwrap();
        let section = Setup::read_section(&read(text), &problems).unwrap();
        assert_eq!(problems.count(), 0);
        assert_eq!(Setup::of_section(&section).unwrap(), setup);
        assert_eq!(setup.listen.port(), 4001);
        assert_eq!(setup.rooms.unwrap().listen.port(), 4002);
        assert_eq!(setup.behaviour.unwrap().listen.port(), 4003);
        let default = Setup::read_section(&read(""), &problems).unwrap();
        assert_eq!(
            Setup::read_section(&read("{ agents: 20 }"), &problems),
            Some(default)
        );
        assert!(Setup::of_section(&serde_json::json!({ "listen": 5 })).is_err());
    }

    #[test]
    fn a_mistake_is_told_at_its_place() {
        let problems = Problems::default();
        let node = parse(
            "simulator",
            "agents: 2\nlisten: here\nsilence: 0s\nrooms:\n  support: { silence: 0s }\nbehaviour:\n  limits: { keep: 0s }",
        )
        .unwrap();
        assert!(Setup::read_section(&node, &problems).is_none());
        let problems = problems.into_result().unwrap_err();
        let lines: Vec<_> = problems.iter().map(|problem| problem.place.line).collect();
        assert_eq!(lines, [2, 3, 5, 7]);
    }
}
