//! The life of chats against a clock that the test moves.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{simulator::requests::Message, units::Distribution};

const ORIGIN: u64 = 1_000;

/// A floor with one webhook, and the time.
struct Practice {
    floor: Floor,
    queue: Arc<Queue>,
    statistics: Arc<Statistics>,
    now: Instant,
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Practice {
    /// Joins take 1 s, answers 2 s, typing 3 s; silence ends a chat after 60 s.
    fn new(yaml: &str) -> Self {
        let mut settings: CentreSettings = serde_yaml::from_str(yaml).unwrap();
        settings.join = Distribution::Fixed(secs(1));
        settings.answer = Distribution::Fixed(secs(2));
        settings.typing = Distribution::Fixed(secs(3));
        settings.silence = secs(60);
        settings.validate().unwrap();
        let statistics = Arc::new(Statistics::new().unwrap());
        let queue = Arc::new(Queue::new(100_000));
        let mut floor = Floor::new(
            Arc::new(settings),
            queue.clone(),
            statistics.clone(),
            ORIGIN,
        );
        let webhook = serde_json::from_value(
            json!({ "callbackUrl": "http://127.0.0.1/", "eventTypes": ["ALL"] }),
        );
        floor
            .webhooks()
            .register("p".to_owned(), webhook.unwrap())
            .unwrap();
        Self {
            floor,
            queue,
            statistics,
            now: Instant::now(),
        }
    }

    /// Opens a chat in a session of its own.
    fn open(&mut self) -> (String, String) {
        let session = self.floor.open_session(self.now).unwrap().text();
        let new = serde_json::from_value(json!({
            "sessionId": session, "tenantId": "t", "customerIdentifier": "c",
            "channelProviderId": "p", "mediaType": "CHAT",
        }));
        let id = self
            .floor
            .open_chat(new.unwrap(), self.now, self.now)
            .unwrap();
        (id.text(self.floor.settings.quirks.numeric_ids), session)
    }

    fn say(&mut self, chat: &(String, String), text: &str) -> Result<(), RequestRefusal> {
        let message: Message = serde_json::from_value(json!({
            "sessionId": chat.1, "senderType": "CUSTOMER",
            "body": { "elementText": { "text": text } },
        }))
        .unwrap();
        self.floor.message(&chat.0, &message, self.now)
    }

    /// Time passes as it does outside: the floor wakes whenever something comes due.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.floor.next().filter(|next| *next <= until) {
            self.now = next;
            self.floor.advance(next);
        }
        self.now = until;
    }

    /// The events since the last call: kind and engagement.
    fn events(&mut self) -> Vec<Value> {
        let notices = self.queue.drain();
        notices
            .iter()
            .map(|notice| serde_json::from_slice(&notice.body).unwrap())
            .collect()
    }

    /// The events since the last call, shortened to type and party.
    fn told(&mut self) -> Vec<String> {
        let short = |event: &Value| {
            let kind = event["eventType"].as_str().unwrap().to_owned();
            match event["participantType"].as_str() {
                Some(party) => format!("{kind}/{party}"),
                None => kind,
            }
        };
        self.events().iter().map(short).collect()
    }
}

const WELCOME: [&str; 2] = ["PARTICIPANT_ADDED/CUSTOMER", "ENGAGEMENT_CREATED"];
const JOINED: &str = "PARTICIPANT_ADDED/AGENT";
const LEFT: &str = "PARTICIPANT_DISCONNECTED/CUSTOMER";

#[test]
fn a_healthy_chat_runs_from_welcome_to_goodbye() {
    let mut practice = Practice::new("agents: 1");
    let chat = practice.open();
    assert_eq!(
        practice.told(),
        [""; 0],
        "nothing before the first events are due"
    );
    practice.pass(Duration::from_millis(20));
    assert_eq!(practice.told(), WELCOME);
    practice.pass(secs(1));
    assert_eq!(practice.told(), [JOINED]);
    practice.say(&chat, "hello").unwrap();
    practice.pass(Duration::from_millis(4_999));
    assert_eq!(practice.told(), [""; 0]);
    practice.pass(Duration::from_millis(1));
    assert_eq!(practice.told(), ["MESSAGES"]);
    practice.say(&chat, "###BYE###").unwrap();
    assert_eq!(practice.told(), [LEFT]);
    assert_eq!(
        practice.say(&chat, "still there?"),
        Err(RequestRefusal::Ended)
    );
    assert_eq!(practice.statistics.counts().ended[&End::Bye], 1);
}

#[test]
fn customers_beyond_the_agents_wait_in_order_of_arrival() {
    let mut practice = Practice::new("agents: 2");
    let chats: Vec<_> = (0..4).map(|_| practice.open()).collect();
    practice.pass(secs(5));
    practice.told();
    let census = practice.floor.census();
    assert_eq!((census.engagements_queued, census.agents_busy), (2, 2));
    practice.say(&chats[1], "###BYE###").unwrap();
    practice.pass(secs(1));
    let events = practice.events();
    assert_eq!(events.last().unwrap()["engagementId"], chats[2].0);
    assert_eq!(events.last().unwrap()["participantType"], "AGENT");
    practice.floor.terminate(&chats[3].1, practice.now).unwrap();
    assert_eq!(
        practice.floor.census().engagements_queued,
        0,
        "who hangs up leaves the queue"
    );
}

#[test]
fn an_agent_with_room_for_two_takes_two() {
    let mut practice = Practice::new("{ agents: 1, chats_per_agent: 2 }");
    for _ in 0..3 {
        practice.open();
    }
    let census = practice.floor.census();
    assert_eq!((census.engagements_queued, census.agents_busy), (1, 1));
}

#[test]
fn every_end_frees_the_agent_and_leaves_nothing_behind() {
    for (settings, end) in [
        ("agents: 1", End::Bye),
        ("agents: 1", End::Disconnected),
        ("agents: 1", End::Terminated),
        ("{ agents: 1, handling: 30s }", End::Handled),
        ("agents: 1", End::Silent),
        (
            "{ agents: 1, faults: { agents: { leave: { probability: 1, after: 1s } } } }",
            End::Silent,
        ),
        (
            "{ agents: 1, faults: { agents: { never_come: 1 } } }",
            End::Silent,
        ),
        ("{ agents: 1, quirks: reference }", End::Bye),
    ] {
        let mut practice = Practice::new(settings);
        let chat = practice.open();
        practice.pass(secs(3));
        practice.say(&chat, "hello").unwrap();
        let now = practice.now;
        match end {
            End::Bye => practice.say(&chat, "###BYE###").unwrap(),
            End::Disconnected => practice.floor.disconnect(&chat.0, &chat.1, now).unwrap(),
            End::Terminated => practice.floor.terminate(&chat.1, now).unwrap(),
            End::Handled | End::Silent => {}
        }
        practice.pass(secs(61));
        let ended = practice.statistics.counts().ended;
        assert_eq!(ended, [(end, 1)].into(), "{settings}");
        let census = practice.floor.census();
        assert_eq!(
            (census.engagements_open, census.agents_busy),
            (0, 0),
            "{settings}"
        );
        practice.pass(secs(600));
        assert_eq!(practice.floor.census().sessions_open, 0, "{settings}");
        assert_eq!(practice.floor.agenda.len(), 0, "{settings}");
    }
}

#[test]
fn messages_written_before_the_agent_came_are_answered_once_he_is_there() {
    let mut practice = Practice::new("agents: 1");
    let chat = practice.open();
    practice.say(&chat, "anybody?").unwrap();
    practice.say(&chat, "hello?").unwrap();
    practice.pass(secs(12));
    let told = practice.told();
    assert_eq!(told[2..], [JOINED, "MESSAGES", "MESSAGES"]);
}

#[test]
fn agents_write_first_and_twice_when_told_to() {
    let faults = "{ agents: { write_first: 1, write_twice: 1 } }";
    let mut practice = Practice::new(&format!("{{ agents: 1, faults: {faults} }}"));
    let chat = practice.open();
    practice.pass(secs(4));
    assert_eq!(
        practice.told()[2..],
        [JOINED, "MESSAGES"],
        "unasked, after typing alone"
    );
    practice.say(&chat, "hello").unwrap();
    practice.pass(secs(30));
    assert_eq!(practice.told(), ["MESSAGES", "MESSAGES"]);
}

#[test]
fn an_agent_who_leaves_is_reported_and_takes_the_next_chat() {
    let faults = "{ agents: { leave: { probability: 1, after: 5s } } }";
    let mut practice = Practice::new(&format!("{{ agents: 1, faults: {faults} }}"));
    let chat = practice.open();
    practice.open();
    practice.pass(secs(6));
    assert!(
        practice
            .told()
            .contains(&"PARTICIPANT_DISCONNECTED/AGENT".to_owned())
    );
    practice.say(&chat, "hello?").unwrap();
    practice.pass(secs(1));
    assert_eq!(
        practice.told(),
        [JOINED],
        "the second chat; the first gets no answer"
    );
}

#[test]
fn a_held_event_goes_out_after_the_next_one() {
    let reorder = "{ events: { reorder: { probability: 1, only: [customer_joined] } } }";
    let mut practice = Practice::new(&format!("faults: {reorder}"));
    practice.open();
    practice.pass(Duration::from_millis(20));
    assert_eq!(
        practice.told(),
        ["ENGAGEMENT_CREATED", "PARTICIPANT_ADDED/CUSTOMER"]
    );
    let counts = practice.statistics.counts().events;
    assert_eq!(
        counts[&crate::simulator::EventKind::CustomerJoined].reordered,
        1
    );
}

#[test]
fn a_held_event_without_a_next_one_goes_out_after_a_second() {
    let reorder = "{ events: { reorder: { probability: 1, only: [agent_joined] } } }";
    let mut practice = Practice::new(&format!("faults: {reorder}"));
    practice.open();
    practice.pass(Duration::from_millis(1_999));
    assert_eq!(practice.told(), WELCOME);
    practice.pass(Duration::from_millis(1));
    assert_eq!(practice.told(), [JOINED]);
}

#[test]
fn events_behind_a_delayed_one_wait_for_it() {
    let delay = "{ events: { delay: { probability: 1, by: 10s, only: [agent_joined] } } }";
    let mut practice = Practice::new(&format!("faults: {delay}"));
    let chat = practice.open();
    practice.pass(secs(1));
    practice.told();
    practice.say(&chat, "hello").unwrap();
    practice.pass(secs(9));
    assert_eq!(practice.told(), [""; 0], "the answer waits too");
    practice.pass(secs(1));
    assert_eq!(practice.told(), [JOINED, "MESSAGES"]);
}

#[test]
fn dropped_events_are_missing_and_duplicates_come_in_pairs() {
    let events = "{ drop: { probability: 1, only: [customer_joined] }, \
                    duplicate: { probability: 1, only: [agent_joined] } }";
    let mut practice = Practice::new(&format!("faults: {{ events: {events} }}"));
    practice.open();
    practice.pass(secs(2));
    assert_eq!(practice.told(), ["ENGAGEMENT_CREATED", JOINED, JOINED]);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed: u64| {
        let agents = "{ never_come: 0.3, write_first: 0.3, write_twice: 0.3 }";
        let events = "{ drop: { probability: 0.2 }, duplicate: { probability: 0.2 } }";
        let faults = format!("{{ agents: {agents}, events: {events} }}");
        let mut practice =
            Practice::new(&format!("{{ seed: {seed}, agents: 5, faults: {faults} }}"));
        let chats: Vec<_> = (0..20).map(|_| practice.open()).collect();
        practice.pass(secs(5));
        for chat in &chats {
            practice.say(chat, "hello").unwrap();
        }
        practice.pass(secs(30));
        practice.told()
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2));
}

#[test]
fn numeric_ids_are_text_in_answers_and_numbers_in_events() {
    let mut practice = Practice::new("quirks: { numeric_ids: true }");
    let chat = practice.open();
    assert_eq!(chat.0, (ORIGIN + 1).to_string());
    practice.pass(secs(1));
    assert_eq!(practice.events()[0]["engagementId"], json!(ORIGIN + 1));
}

#[test]
fn limits_are_kept() {
    let mut practice = Practice::new("limits: { sessions: 1 }");
    practice.open();
    assert_eq!(
        practice.floor.open_session(practice.now),
        Err(RequestRefusal::Full("sessions"))
    );
}

#[test]
fn events_on_the_agenda_are_bounded_and_what_falls_out_is_counted() {
    let mut practice = Practice::new("{ delivery: { queue: 3 }, agents: unlimited }");
    practice.open();
    practice.open();
    practice.pass(Duration::from_millis(20));
    assert_eq!(practice.told().len(), 3);
    let counts = practice.statistics.counts().events;
    let overflowed: u64 = counts.values().map(|counts| counts.overflowed).sum();
    assert_eq!(overflowed, 1);
}
