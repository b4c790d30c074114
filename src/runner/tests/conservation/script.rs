//! What a case does: the scenario, how the server answers, what it sends, who stops it.
//!
//! Nothing in it happens at one moment with anything else, so that each case has one outcome: by the
//! remainder of a hundred milliseconds, chats start at 0 and a run looks at its thresholds then; events
//! come at 1 to 40, each at another; what looks for old events does so at 43; chats end at 42, 45 to
//! 85 or 93; orders are given at 97; chats in flight are stopped at 96 or 99, and end at 41 or 44 then.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::json;

use super::super::{Mode, Order, Stop, by_operator, ms};

/// In milliseconds, as all times in here.
pub(super) const GRID: u64 = 200;
pub(super) const MOST_EVENTS: usize = 40;
pub(super) const WAIT: u64 = 100;
/// A pause before the steps, and one before the `always` steps.
pub(super) const PAUSES: (u64, u64) = (48, 45);
pub(super) const ORDER: u64 = 197;
/// A graceful stop is so much and a number of grids.
pub(super) const GRACEFUL_STOP: u64 = 199;
pub(super) const MOST_FAILED: [u64; 3] = [0, 20, 50];

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) steps: Vec<Item>,
    pub(super) always: Vec<Item>,
    pub(super) load: Load,
    /// One a chat.
    pub(super) answers: Vec<Answer>,
    /// In the order of time.
    pub(super) letters: Vec<Letter>,
    pub(super) orders: Vec<(u64, Act)>,
    /// With it the run may end early; in percent.
    pub(super) most_failed: Option<u64>,
    /// From the last start until chats in flight are stopped.
    pub(super) graceful_stop: Option<u64>,
}

/// What the stage needs of a case, and no model has to understand.
#[derive(Debug, Clone)]
pub(super) struct Play {
    pub(super) mode: Mode,
    pub(super) scenario: String,
    pub(super) load: String,
    pub(super) thresholds: &'static str,
    /// The steps that wait for an agent.
    pub(super) joins: BTreeSet<String>,
    pub(super) answers: Vec<Answer>,
    pub(super) letters: Vec<Letter>,
    pub(super) orders: Vec<(u64, Order)>,
}

#[derive(Debug, Clone)]
pub(super) enum Item {
    /// Cannot be rendered for some.
    Think {
        ms: u64,
        unclear_to: Whom,
    },
    Wait(Wait),
    Repeat {
        to: Whom,
        rounds: u64,
        wait: Wait,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Wait {
    pub(super) to: Whom,
    pub(super) kind: &'static str,
    pub(super) ms: u64,
    pub(super) joins: bool,
    /// Whether it expects something of the event and keeps something of it.
    pub(super) checks: bool,
    pub(super) unclear_to: Whom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    All,
    Odd,
    Even,
    Passed,
    Others,
    None,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Between two arrivals.
    pub(super) gap: u64,
    /// The most at once under a rate; a given number of chats has no such limit.
    pub(super) capacity: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Trouble {
    None,
    Status,
    Expectation,
    Capture,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) key: usize,
    pub(super) trouble: Trouble,
}

#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) at: u64,
    pub(super) to: Address,
    /// Whether a letter with a key comes on the path of a run that is over.
    pub(super) elsewhere: bool,
    pub(super) kind: &'static str,
    pub(super) id: Option<u8>,
    pub(super) trouble: Trouble,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    Key(usize),
    /// A letter without a key.
    Nobody,
    /// No JSON.
    Garbage,
    /// A path that no run has.
    Nowhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Pause,
    Resume,
    Finish,
    End { cleanup: u64 },
}

impl Whom {
    pub(super) fn has(self, chat: u64, passed: bool) -> bool {
        match self {
            Self::All => true,
            Self::Odd => chat % 2 == 1,
            Self::Even => chat.is_multiple_of(2),
            Self::Passed => passed,
            Self::Others => !passed,
            Self::None => false,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::All => "true",
            Self::Odd => "chat.number is odd",
            Self::Even => "chat.number is even",
            Self::Passed => "passed",
            Self::Others => "not passed",
            Self::None => "false",
        }
    }
}

impl Letter {
    /// What its redeliveries have in common with it and no other letter to the same address.
    pub(super) fn identity(&self) -> Option<(u8, &'static str, Trouble)> {
        self.id.map(|id| (id, self.kind, self.trouble))
    }

    /// Whether it comes on the path of another run.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere && matches!(self.to, Address::Key(_))
    }

    pub(super) fn body(&self) -> String {
        if self.to == Address::Garbage {
            return "{".to_owned();
        }
        let mut body = json!({ "kind": self.kind, "good": self.trouble != Trouble::Expectation });
        if let Address::Key(key) = self.to {
            body["key"] = key.into();
        }
        if self.trouble != Trouble::Capture {
            body["value"] = 1.into();
        }
        if let Some(id) = self.identity() {
            body["id"] = format!("{:?} {id:?}", self.to).into();
        }
        body.to_string()
    }
}

impl Case {
    pub(super) fn play(&self) -> Play {
        let orders = self.orders.iter();
        Play {
            mode: Mode::Burst,
            scenario: self.scenario(),
            load: self.load_text(),
            thresholds: self.thresholds(),
            joins: self.joins(),
            answers: self.answers.clone(),
            letters: self.letters.clone(),
            orders: orders.map(|(at, act)| (*at, act.order())).collect(),
        }
    }

    fn load_text(&self) -> String {
        let Load { gap, capacity } = self.load;
        let chats = u64::try_from(self.answers.len()).unwrap();
        let time = chats * gap;
        let graceful = (self.graceful_stop)
            .map_or_else(String::new, |time| format!(", graceful_stop: {time}ms"));
        match capacity {
            None => format!("{{ chats: {chats}, ramp: {time}ms{graceful} }}"),
            Some(capacity) => {
                let tenths = 10_000 / gap;
                let rate = format!("{}.{}/s", tenths / 10, tenths % 10);
                format!("{{ rate: {rate}, for: {time}ms, max_active: {capacity}{graceful} }}")
            }
        }
    }

    fn thresholds(&self) -> &'static str {
        match self.most_failed {
            Some(0) => "[ { failed: 0%, abort: true } ]",
            Some(20) => "[ { failed: 20%, abort: true } ]",
            Some(50) => "[ { failed: 50%, abort: true } ]",
            _ => "[]",
        }
    }

    fn joins(&self) -> BTreeSet<String> {
        let steps = self.steps.iter().zip(names("step"));
        let all = steps.chain(self.always.iter().zip(names("always")));
        let joins = all.filter(|(item, _)| match item {
            Item::Wait(wait) | Item::Repeat { wait, .. } => wait.joins,
            Item::Think { .. } => false,
        });
        joins.map(|(_, name)| name).collect()
    }

    fn scenario(&self) -> String {
        let (before, between) = PAUSES;
        let mut text = format!(
            "
callbacks: {{ key: event.key, id: event.id, disconnected: event.kind == 'left' }}
steps:
  - step: open
    http: {{ post: '{{{{ target.url }}}}/{{{{ chat.number }}}}', json: {{ token: '{{{{ callback.url }}}}' }} }}
    expect: body.good
    capture: {{ key: body.key }}
    claim: key
  - think: {before}ms
"
        );
        for (item, name) in self.steps.iter().zip(names("step")) {
            item.write(&name, &mut text);
        }
        writeln!(text, "always:\n  - think: {between}ms").unwrap();
        for (item, name) in self.always.iter().zip(names("always")) {
            item.write(&name, &mut text);
        }
        writeln!(text, "teardown: [ {{ think: {GRID}ms }} ]").unwrap();
        text
    }
}

/// What the steps of one part are called, in their order; an item has one at the most.
pub(super) fn names(part: &str) -> impl Iterator<Item = String> {
    (0..).map(move |at| format!("{part}_{at}"))
}

impl Item {
    fn write(&self, name: &str, text: &mut String) {
        match self {
            Self::Think { ms, unclear_to } => {
                let pause = unless(*unclear_to, *ms);
                writeln!(text, "  - think: {pause}").unwrap();
            }
            Self::Wait(wait) => text.push_str(&wait.text(name)),
            Self::Repeat { to, rounds, wait } => {
                let wait = wait.text(name).replace('\n', "\n  ");
                let to = to.text();
                write!(
                    text,
                    "  - repeat: {rounds}\n    when: {to}\n    steps:\n  {}\n",
                    wait.trim_end()
                )
                .unwrap();
            }
        }
    }
}

impl Wait {
    fn text(&self, name: &str) -> String {
        let (to, kind, time) = (self.to.text(), self.kind, unless(self.unclear_to, self.ms));
        let mut text = format!(
            "  - step: {name}\n    when: {to}\n    wait_for: event.kind == '{kind}'\n    timeout: {time}\n"
        );
        if self.joins {
            text.push_str("    observe: agent_join\n");
        }
        if self.checks {
            text.push_str("    expect: event.good\n    capture: { kept: event.value }\n");
        }
        text
    }
}

/// A duration that cannot be told to these.
fn unless(whom: Whom, ms: u64) -> String {
    match whom {
        Whom::None => format!("{ms}ms"),
        whom => format!("'{{{{ \"unclear\" if {} else \"{ms}ms\" }}}}'", whom.text()),
    }
}

impl Act {
    pub(super) fn stops(self) -> bool {
        matches!(self, Self::Finish | Self::End { .. })
    }

    pub(super) fn order(self) -> Order {
        match self {
            Self::Pause => Order::Pause,
            Self::Resume => Order::Resume,
            Self::Finish => by_operator(Stop::Finish),
            Self::End { cleanup } => by_operator(Stop::End {
                answers: ms(0),
                cleanup: ms(cleanup),
            }),
        }
    }
}
