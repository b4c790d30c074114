//! A socket that a chat opens.

mod performing;

use std::{sync::Arc, time::Duration};

use super::{
    handshake::HANDSHAKE,
    room_entry::{MEMBER_OF, read_room},
};
use crate::{
    document::{Mapping, Node, Place, Problems, Value},
    driver::Origins,
    scenario::{
        EvaluationError, Expression, Names, Observation, Reason, Scope, Sessions, Setting,
        Template,
        action::{
            ActionReading, Looks, Performed, SocketRules, Task,
            address::ServerAddress,
            chat_sockets::UNNAMED,
            http::read_headers,
            kind::{ActionKind, StepKey},
        },
        is_name,
        look::VisibleNames,
    },
    units::{Size, UnitError},
};

/// `connect: URL`, or `{ url, as, headers, protocols, ping: { every, within } }`, with `member_of: ROOM` for a chat that
/// has to receive what is said in a room.
#[derive(Debug)]
pub struct ConnectAction {
    /// The name of the socket.
    name: Arc<str>,
    url: ServerAddress,
    headers: Vec<(String, Template)>,
    /// Subprotocols, the preferred one first.
    protocols: Vec<Template>,
    ping: Option<PingSetting>,
    /// The longest message that the target or the chat may send, in bytes, if it says so.
    max_message: Option<usize>,
    member_of: Option<Template>,
    rules: Arc<SocketRules>,
    /// Whether an expectation of its step looks at the status; if none does, it has to be 101.
    expects_status: bool,
    place: Place,
}

/// `{ every: DURATION, within: DURATION }`.
#[derive(Debug)]
struct PingSetting {
    every: Setting<Duration>,
    within: Setting<Duration>,
}

/// How long a ping may take that does not say so itself.
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// With what an address begins that does not begin with an expression.
const SCHEMES: [&str; 4] = ["ws://", "wss://", "http://", "https://"];

/// The highest limit of a message: all sockets of a run may have one of this length in memory at a time.
const HIGHEST_MESSAGE_LIMIT: Size = Size::from_bytes(64 << 20);

/// Headers by which both sides agree to speak frames.
const OF_HANDSHAKE: [&str; 7] = [
    "connection",
    "upgrade",
    "host",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];

impl ActionKind for ConnectAction {
    const KEY: &'static str = "connect";
    const STEP_KEYS: &'static [StepKey] = &[
        MEMBER_OF,
        StepKey {
            name: "as",
            misplaced: Some("`as` belongs into a `connect`: `connect: { url: ..., as: NAME }`"),
        },
        StepKey {
            name: "ping",
            misplaced: Some(
                "`ping` belongs into a `connect`: `connect: { url: ..., ping: { every: 20s } }`",
            ),
        },
    ];
    const LOOK: VisibleNames = HANDSHAKE;

    fn read(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<Self> {
        for (key, hint) in [
            (
                "as",
                "`as` stands inside of `connect`: write `connect: { url: ..., as: NAME }`",
            ),
            (
                "ping",
                "`ping` stands inside of `connect`: write `connect: { url: ..., ping: { every: 20s } }`",
            ),
        ] {
            if let Some(node) = reading.map.get(key) {
                reading.problems.add(&node.place, hint);
            }
        }
        if !reading.names.part().is_chat() {
            let message = "a `connect` belongs to a chat; it cannot stand in `setup` or `teardown`";
            reading.problems.add(&node.place, message);
        }
        let member_of = reading.map.get(MEMBER_OF.name);
        let member_of = member_of.map(|node| read_room(node, reading));
        let connect = read_connect(node, reading);
        // To name a socket whose `connect` has a problem is no second problem.
        let name = match &connect {
            Some(connect) => connect.name.clone(),
            None => name_in(node),
        };
        if !reading.sockets.contains(&name) {
            reading.sockets.push(name);
        }
        Some(Self {
            member_of: match member_of {
                Some(room) => Some(room?),
                None => None,
            },
            ..connect?
        })
    }

    fn know_looks(&mut self, looks: &Looks<'_>) {
        self.expects_status = (looks.expect.iter()).any(|look| look.mentions("status"));
    }

    fn reasons(&self, _: Option<Observation>) -> Vec<Reason> {
        vec![
            Reason::Dns,
            Reason::Connect,
            Reason::Tls,
            Reason::Timeout,
            Reason::Status,
            Reason::Handshake,
        ]
    }

    fn reason_unmet(&self, expectation: &Expression) -> Reason {
        if expectation.mentions("status") {
            Reason::Status
        } else {
            Reason::Expectation
        }
    }

    fn requests(&self) -> u64 {
        1
    }

    fn connects(&self) -> Option<&Arc<str>> {
        Some(&self.name)
    }

    async fn perform(
        &self,
        sessions: &mut Sessions,
        task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        self.connect(sessions, task).await
    }

    fn add_origin(&self, scope: &Arc<Scope>, origins: &mut Origins) {
        self.url.add_origin(scope, origins);
    }

    fn check_address(&self, scope: &Arc<Scope>) -> Result<(), EvaluationError> {
        self.url.check(scope)
    }
}

/// Reads all but the keys of the step beside it.
fn read_connect(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<ConnectAction> {
    let rules = reading.rules.clone();
    let (names, problems) = (&mut *reading.names, reading.problems);
    let connect = |name, url| ConnectAction {
        name,
        url,
        headers: Vec::new(),
        protocols: Vec::new(),
        ping: None,
        max_message: None,
        member_of: None,
        rules,
        expects_status: false,
        place: node.place.clone(),
    };
    if matches!(node.value, Value::Text(_)) {
        let url = ServerAddress::read(node, &SCHEMES, names, problems)?;
        return Some(connect(UNNAMED.into(), url));
    }
    let wanted = "an address, or a mapping such as `{ url: \"{{ target.url }}/socket\" }`";
    let mut map = Mapping::open(node, wanted, problems)?;
    let url = map.need("url");
    let [name, headers, protocols, ping, max_message] =
        ["as", "headers", "protocols", "ping", "max_message"].map(|key| map.get(key));
    map.finish();
    let url = url.and_then(|node| ServerAddress::read(node, &SCHEMES, names, problems));
    let name = name.map_or_else(|| Some(UNNAMED.into()), |node| read_name(node, problems));
    let headers = headers.map(|node| {
        refuse_handshake_headers(node, problems);
        read_headers(node, names, problems)
    });
    let protocols = protocols.map(|node| read_protocols(node, names, problems));
    let ping = ping.map(|node| PingSetting::read(node, names, problems));
    let max_message =
        max_message.map(|node| node.parsed("a size such as `4MiB`", read_message_limit, problems));
    Some(ConnectAction {
        max_message: match max_message {
            Some(limit) => Some(limit?),
            None => None,
        },
        headers: headers.unwrap_or_default(),
        protocols: protocols.unwrap_or_default(),
        ping: match ping {
            Some(ping) => Some(ping?),
            None => None,
        },
        ..connect(name?, url?)
    })
}

fn read_message_limit(text: &str) -> Result<usize, String> {
    let size: Size = text.parse().map_err(|error: UnitError| error.to_string())?;
    if size > HIGHEST_MESSAGE_LIMIT || size == Size::from_bytes(0) {
        return Err(format!(
            "a message may be limited to {HIGHEST_MESSAGE_LIMIT} at most and to more than 0, and not to {size}"
        ));
    }
    usize::try_from(size.as_bytes()).map_err(|error| error.to_string())
}

fn read_name(node: &Node, problems: &Problems) -> Option<Arc<str>> {
    let name = node.text("the name of the socket", problems)?;
    if !is_name(name) {
        problems.add(
            &node.place,
            format!("`{name}` cannot be a name; use letters, digits and `_`, a letter first"),
        );
        return None;
    }
    Some(name.into())
}

/// The name that a `connect` with a problem says.
fn name_in(node: &Node) -> Arc<str> {
    match node.find("as").map(|node| &node.value) {
        Some(Value::Text(name)) => name.as_str().into(),
        _ => UNNAMED.into(),
    }
}

fn refuse_handshake_headers(node: &Node, problems: &Problems) {
    let Value::Map(entries) = &node.value else {
        return;
    };
    for entry in entries {
        let name = &entry.key;
        if OF_HANDSHAKE
            .iter()
            .any(|header| header.eq_ignore_ascii_case(name))
        {
            let hint = if name.eq_ignore_ascii_case("sec-websocket-protocol") {
                "; subprotocols stand in `protocols`"
            } else {
                ""
            };
            problems.add(
                &entry.place,
                format!("`{name}` is set by chatprobe; leave it out{hint}"),
            );
        }
    }
}

/// One subprotocol, or a list of them.
fn read_protocols(node: &Node, names: &Names, problems: &Problems) -> Vec<Template> {
    let nodes = match &node.value {
        Value::List(nodes) => &nodes[..],
        _ => std::slice::from_ref(node),
    };
    let read = |node| {
        let protocol = Template::read(node, names, problems)?;
        if protocol.as_plain().is_some_and(|text| !is_token(text)) {
            let message =
                "a subprotocol is letters, digits and `-`, `_`, `.`; write several as a list";
            problems.add(&node.place, message);
            return None;
        }
        Some(protocol)
    };
    nodes.iter().filter_map(read).collect()
}

/// Whether a text can be a subprotocol ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_part)
}

impl PingSetting {
    fn read(node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        let mut map = Mapping::open(node, "a mapping such as `{ every: 20s }`", problems)?;
        let every = map.need("every");
        let within = map.get("within");
        map.finish();
        let read = |node: &Node| {
            let setting = Setting::read(node, names, problems)?;
            if matches!(setting, Setting::Fixed(Duration::ZERO)) {
                problems.add(&node.place, "this is more than `0s`");
                return None;
            }
            Some(setting)
        };
        Some(Self {
            every: read(every?)?,
            within: within.map_or(Some(Setting::Fixed(PONG_WITHIN)), read)?,
        })
    }
}
