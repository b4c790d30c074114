//! What holds for all sockets of a scenario: `replies`, `every` and `deliveries`.

mod content;
mod delivery_id;

use std::{sync::Arc, time::Duration};

use memchr::memmem::Finder;

pub(in crate::scenario::action) use self::content::FrameContent;
use self::delivery_id::JsonField;
use crate::{
    document::{Mapping, Node, Place, Problems, Value},
    scenario::{
        EvaluationError, Expression, Names, Scope, Setting,
        action::frame::{BARE_FRAME, FrameView},
    },
};

/// How often a heartbeat is sent at most.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// How long a delivery may take at most that is waited for.
const LONGEST_DELIVERY: Duration = Duration::from_hours(1);

/// What holds for all sockets of a scenario.
#[derive(Debug, Default)]
pub struct SocketRules {
    /// How messages are recognized that everybody in a room has to receive, if the scenario says so.
    pub deliveries: Option<DeliveryRule>,
    replies: Vec<ReplyRule>,
    heartbeats: Vec<HeartbeatRule>,
    /// Steps that look at frames.
    receivers: Vec<Receiver>,
    /// Where each kind of them is declared, one with problems too.
    places: Vec<Place>,
    /// Whether it says `deliveries`, with problems or without.
    says_deliveries: bool,
    /// Names of sockets, and where they are named.
    named: Vec<(Arc<str>, Place)>,
}

/// `deliveries: { id: EXPRESSION, containing: TEXT, within: DURATION }`.
#[derive(Debug)]
pub struct DeliveryRule {
    /// By which a message is recognized; of `frame`.
    id: Expression,
    /// The same, if it is a text within the JSON of the frame.
    field: Option<JsonField>,
    /// What a frame has to contain to be looked at.
    containing: Option<Finder<'static>>,
    /// How long a delivery may take.
    pub within: Duration,
}

/// `{ when: EXPRESSION, send: MESSAGE, socket: NAME }`.
#[derive(Debug)]
pub(in crate::scenario::action) struct ReplyRule {
    pub(in crate::scenario::action) when: Expression,
    pub(in crate::scenario::action) content: FrameContent,
    socket: Option<Arc<str>>,
}

/// `{ interval: DURATION, send: MESSAGE, socket: NAME }`.
#[derive(Debug)]
pub(in crate::scenario::action) struct HeartbeatRule {
    pub(in crate::scenario::action) interval: Setting<Duration>,
    pub(in crate::scenario::action) content: FrameContent,
    socket: Option<Arc<str>>,
}

/// A step that looks at frames.
#[derive(Debug)]
struct Receiver {
    socket: Option<Box<str>>,
    /// Whether it runs, as far as that is known when a socket is opened.
    when: Vec<Arc<Expression>>,
}

/// What is known of a chat when it opens a socket, whatever its steps capture.
const KNOWN_TO_CHAT: [&str; 4] = ["chat", "inputs", "target", "run"];

impl SocketRules {
    /// Reads them; `scenario`: the whole document.
    pub(in crate::scenario) fn read(
        map: &mut Mapping<'_>,
        scenario: &Node,
        names: &mut Names,
        problems: &Problems,
    ) -> Self {
        let mut rules = Self::default();
        names.whenever(|names| {
            if let Some(node) = map.get("replies") {
                rules.places.push(node.place.clone());
                rules.read_replies(node, names, problems);
            }
            if let Some(node) = map.get("every") {
                rules.places.push(node.place.clone());
                rules.read_heartbeats(node, names, problems);
            }
            if let Some(node) = map.get("deliveries") {
                rules.places.push(node.place.clone());
                rules.says_deliveries = true;
                rules.deliveries = DeliveryRule::read(node, names, problems);
                if !says(scenario, "member_of") && !says(scenario, "publish") {
                    problems.add(
                        &node.place,
                        "no step says `member_of` or `publish`, so there is nothing to deliver; \
                         write `member_of: ROOM` beside the step with which a chat enters the room",
                    );
                }
            }
            find_receivers(scenario, names, &[], &mut rules.receivers);
        });
        rules
    }

    fn read_replies(&mut self, node: &Node, names: &mut Names, problems: &Problems) {
        let wanted = "a list such as `[{ when: frame.text == \"2\", send: \"3\" }]`";
        for node in node.list(wanted, problems) {
            let wanted = "a mapping such as `{ when: frame.text == \"2\", send: \"3\" }`";
            let Some(mut map) = Mapping::open(node, wanted, problems) else {
                continue;
            };
            names.look_at(&[&BARE_FRAME]);
            let when = map.need("when");
            let when = when.and_then(|node| Expression::read(node, names, problems));
            let content = map.need("send");
            let content = content.and_then(|node| FrameContent::read(node, names, problems));
            names.look_at(&[]);
            let socket = self.read_socket(&mut map, problems);
            map.finish();
            if let (Some(when), Some(content)) = (when, content) {
                self.replies.push(ReplyRule {
                    when,
                    content,
                    socket,
                });
            }
        }
    }

    fn read_heartbeats(&mut self, node: &Node, names: &Names, problems: &Problems) {
        let wanted = "a list such as `[{ interval: 25s, send: ping }]`";
        for node in node.list(wanted, problems) {
            let wanted = "a mapping such as `{ interval: 25s, send: ping }`";
            let Some(mut map) = Mapping::open(node, wanted, problems) else {
                continue;
            };
            let interval = map.need("interval");
            let interval = interval.and_then(|node| read_interval(node, names, problems));
            let content = map.need("send");
            let content = content.and_then(|node| FrameContent::read(node, names, problems));
            let socket = self.read_socket(&mut map, problems);
            map.finish();
            if let (Some(interval), Some(content)) = (interval, content) {
                self.heartbeats.push(HeartbeatRule {
                    interval,
                    content,
                    socket,
                });
            }
        }
    }

    fn read_socket(&mut self, map: &mut Mapping<'_>, problems: &Problems) -> Option<Arc<str>> {
        let node = map.get("socket")?;
        let name: Arc<str> = node.text("the name of a socket", problems)?.into();
        self.named.push((name.clone(), node.place.clone()));
        Some(name)
    }

    /// Notes what is said of sockets that no step connects; `connected`: the names of those that one does.
    pub(in crate::scenario) fn check(&self, connected: &[Arc<str>], problems: &Problems) {
        if connected.is_empty() {
            for place in &self.places {
                let message = "this is about sockets, and no step of the chat says `connect`";
                problems.add(place, message);
            }
            return;
        }
        for (name, place) in &self.named {
            if !connected.contains(name) {
                let hint = problems.hint(name, connected.iter().map(|name| &**name));
                problems.add(
                    place,
                    format!("no step connects a socket named `{name}`{hint}"),
                );
            }
        }
    }

    /// Whether the scenario says `deliveries`, with problems or without.
    pub(in crate::scenario::action) fn says_deliveries(&self) -> bool {
        self.says_deliveries
    }

    /// The replies of a socket with this name.
    pub(in crate::scenario::action) fn replies_of(
        &self,
        socket: &str,
    ) -> impl Iterator<Item = &ReplyRule> {
        let replies = self.replies.iter();
        replies.filter(move |reply| is_of(reply.socket.as_deref(), socket))
    }

    /// The heartbeats of a socket with this name.
    pub(in crate::scenario::action) fn heartbeats_of(
        &self,
        socket: &str,
    ) -> impl Iterator<Item = &HeartbeatRule> {
        let heartbeats = self.heartbeats.iter();
        heartbeats.filter(move |heartbeat| is_of(heartbeat.socket.as_deref(), socket))
    }

    /// Whether what holds for a socket with this name has expressions.
    pub(in crate::scenario::action) fn need_scope(&self, socket: &str) -> bool {
        self.deliveries.is_some()
            || self.replies_of(socket).next().is_some()
            || self.heartbeats_of(socket).next().is_some()
    }

    /// Whether a step of this chat may look at the frames of a socket with this name.
    pub(in crate::scenario::action) fn is_received(
        &self,
        socket: &str,
        scope: &Arc<Scope>,
    ) -> bool {
        let never = |when: &Arc<Expression>| when.decide(scope) == Ok(false);
        self.receivers.iter().any(|receiver| {
            is_of(receiver.socket.as_deref(), socket) && !receiver.when.iter().any(never)
        })
    }
}

impl HeartbeatRule {
    /// How long it is between two of them, in a scope.
    pub(in crate::scenario::action) fn interval(
        &self,
        scope: &Arc<Scope>,
    ) -> Result<Duration, EvaluationError> {
        let interval = self.interval.evaluate(scope)?;
        Ok(interval.max(SHORTEST_INTERVAL))
    }
}

fn read_interval(node: &Node, names: &Names, problems: &Problems) -> Option<Setting<Duration>> {
    let interval = Setting::read(node, names, problems)?;
    if let Setting::Fixed(interval) = interval
        && interval < SHORTEST_INTERVAL
    {
        problems.add(&node.place, "an interval is at least `10ms`");
        return None;
    }
    Some(interval)
}

impl DeliveryRule {
    fn read(node: &Node, names: &mut Names, problems: &Problems) -> Option<Self> {
        let wanted = "a mapping such as `{ id: frame.json.id, within: 5s }`";
        let mut map = Mapping::open(node, wanted, problems)?;
        names.look_at(&[&BARE_FRAME]);
        let id = map.need("id");
        let id = id.and_then(|node| Expression::read(node, names, problems));
        names.look_at(&[]);
        let containing = map.get("containing");
        let says_containing = containing.is_some();
        let containing = containing.and_then(|node| {
            let text = node.scalar_text("the text that a frame has to contain", problems)?;
            if text.is_empty() {
                problems.add(&node.place, "every frame contains this; leave it out");
                return None;
            }
            Some(Finder::new(&text).into_owned())
        });
        let within = map.need("within");
        let within = within.and_then(|node| {
            let within = node.duration(problems)?;
            if within.is_zero() || within > LONGEST_DELIVERY {
                problems.add(
                    &node.place,
                    "a delivery may take up to `1h`, and more than `0s`",
                );
                return None;
            }
            Some(within)
        });
        map.finish();
        if says_containing {
            containing.as_ref()?;
        }
        let id = id?;
        Some(Self {
            field: JsonField::of(&id, FrameView::NAME),
            id,
            containing,
            within: within?,
        })
    }

    /// Whether a frame may be a delivery, as far as its bytes say without being understood.
    pub(in crate::scenario::action) fn may_be(&self, bytes: &[u8]) -> bool {
        let containing = self.containing.as_ref();
        containing.is_none_or(|text| text.find(bytes).is_some())
    }

    /// The way to the text within the JSON of a frame by which a message is recognized, if it is one.
    pub(in crate::scenario::action) fn field(&self) -> Option<&JsonField> {
        self.field.as_ref()
    }

    /// By which a message is recognized.
    pub(in crate::scenario::action) fn id(&self) -> &Expression {
        &self.id
    }
}

/// Whether what names a socket, or none, is about this one.
fn is_of(named: Option<&str>, socket: &str) -> bool {
    named.is_none_or(|named| named == socket)
}

/// Whether some mapping of a document has this key.
fn says(node: &Node, key: &str) -> bool {
    match &node.value {
        Value::List(list) => list.iter().any(|node| says(node, key)),
        Value::Map(entries) => {
            { entries.iter() }.any(|entry| entry.key == key || says(&entry.node, key))
        }
        _ => false,
    }
}

/// The steps that receive, wherever they stand. `around`: the conditions of the repeats that they stand in.
fn find_receivers(
    node: &Node,
    names: &Names,
    around: &[Arc<Expression>],
    found: &mut Vec<Receiver>,
) {
    match &node.value {
        Value::List(list) => {
            for node in list {
                find_receivers(node, names, around, found);
            }
        }
        Value::Map(entries) => {
            let mut when = around.to_vec();
            when.extend(read_known_condition(node, names).map(Arc::new));
            if node.find("step").is_some() && node.find("receive").is_some() {
                let socket = node.find("socket").map(|node| &node.value);
                found.push(Receiver {
                    socket: match socket {
                        Some(Value::Text(name)) => Some(name.as_str().into()),
                        _ => None,
                    },
                    when,
                });
                return;
            }
            for entry in entries {
                find_receivers(&entry.node, names, &when, found);
            }
        }
        _ => {}
    }
}

/// The condition of an entry of a list of steps, if it is known when a socket is opened.
fn read_known_condition(node: &Node, names: &Names) -> Option<Expression> {
    // What is wrong with it is noted when its step is read.
    let when = Expression::read(node.find("when")?, names, &Problems::default())?;
    when.depends_only_on(&KNOWN_TO_CHAT).then_some(when)
}
