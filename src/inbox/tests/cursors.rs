use proptest::prelude::*;
use tokio::task::{JoinHandle, yield_now};

use super::*;

const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
enum Act {
    /// Sends an event of a kind: a frame of a connection, or the event of a callback.
    Send { kind: u8, source: InboundSource },
    /// Ends a connection.
    End(u32),
    /// Begins a wait for a kind, for what came before as well or not.
    Wait {
        kind: u8,
        for_earlier: bool,
        sources: WaitSources,
    },
    /// Drops a wait.
    Abort(usize),
    /// Lets the waits run.
    Run,
}

fn source() -> impl Strategy<Value = InboundSource> {
    prop_oneof![
        Just(InboundSource::Callback),
        (1..4_u32).prop_map(InboundSource::Connection),
    ]
}

fn sources() -> impl Strategy<Value = WaitSources> {
    prop_oneof![
        3 => Just(WaitSources::Callbacks),
        3 => (1..4_u32).prop_map(WaitSources::Connection),
        1 => Just(WaitSources::Connections([1, 3].into())),
        1 => Just(WaitSources::Connections([1, 2, 3].into())),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        9 => (0..3_u8, source()).prop_map(|(kind, source)| Act::Send { kind, source }),
        1 => (1..4_u32).prop_map(Act::End),
        4 => (0..3_u8, any::<bool>(), sources()).prop_map(|(kind, for_earlier, sources)| {
            Act::Wait { kind, for_earlier, sources }
        }),
        1 => any::<usize>().prop_map(Act::Abort),
        3 => Just(Act::Run),
    ]
}

/// One wait, and the numbers of the events that it judged, in this order.
struct Waiter {
    kind: u8,
    since: Instant,
    sources: WaitSources,
    judged: Arc<Mutex<Vec<usize>>>,
    came_to: JoinHandle<CameTo>,
}

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CameTo {
    /// It took the event with this number.
    Took(usize),
    /// Its connections had ended.
    Ended,
    TimedOut,
}

/// An event or the end of a connection.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: u8,
    source: InboundSource,
    arrived: Instant,
}

type Sent = Vec<Entry>;

fn number(inbound: &Inbound) -> usize {
    inbound.event.as_usize().unwrap()
}

impl Waiter {
    fn begin(
        bench: &Bench,
        sent: &Arc<Mutex<Sent>>,
        kind: u8,
        since: Instant,
        sources: WaitSources,
    ) -> Self {
        let looks_at = sources.clone();
        let judged = Arc::<Mutex<Vec<usize>>>::default();
        let (inbox, sent, judging) = (bench.inbox.clone(), sent.clone(), judged.clone());
        let deadline = Instant::now() + TIMEOUT;
        let came_to = tokio::spawn(async move {
            let judge = |inbound: &Inbound| {
                let number = number(inbound);
                judging.lock().unwrap().push(number);
                if sent.lock().unwrap()[number].kind == kind {
                    Match::Wanted
                } else {
                    Match::Other
                }
            };
            match inbox.wait(looks_at, since, deadline, judge, |_| {}).await {
                Ok(inbound) => CameTo::Took(number(&inbound)),
                Err(WaitError::Ended { .. }) => CameTo::Ended,
                Err(WaitError::Timeout { .. }) => CameTo::TimedOut,
                Err(error) => panic!("{error}"),
            }
        });
        Self {
            kind,
            since,
            sources,
            judged,
            came_to,
        }
    }
}

/// What a wait that was not dropped came to.
struct Over {
    kind: u8,
    since: Instant,
    sources: WaitSources,
    judged: Vec<usize>,
    came_to: CameTo,
}

impl Over {
    fn taken(&self) -> Option<usize> {
        match self.came_to {
            CameTo::Took(number) => Some(number),
            CameTo::Ended | CameTo::TimedOut => None,
        }
    }

    fn looks_at(&self, entry: &Entry) -> bool {
        match entry.source {
            InboundSource::Callback => self.sources == WaitSources::Callbacks,
            InboundSource::Connection(number) => match &self.sources {
                WaitSources::Callbacks => false,
                WaitSources::Connection(own) => number == *own,
                WaitSources::Connections(own) => own.contains(&number),
            },
            InboundSource::EndOf { .. } => false,
        }
    }

    /// The number of the entry with which the last of its connections ended.
    fn end(&self, sent: &Sent) -> Option<usize> {
        let mut left = self.sources.clone();
        sent.iter().position(|entry| match entry.source {
            InboundSource::EndOf { connection, .. } => left.end(connection),
            _ => false,
        })
    }

    fn check(&self, sent: &Sent, taken_by_all: &[usize]) {
        let mut once = self.judged.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), self.judged.len(), "each at most once");
        let is_early = |number: usize| sent[number].arrived < self.since;
        let judged = self.judged.iter().copied();
        let in_time: Vec<_> = judged.filter(|number| !is_early(*number)).collect();
        assert!(in_time.is_sorted(), "in order: {:?}", self.judged);
        for number in &self.judged {
            assert!(self.looks_at(&sent[*number]), "{number}");
        }
        let end = self.end(sent);
        let decided = match self.came_to {
            CameTo::Took(taken) => {
                assert_eq!((sent[taken].kind, is_early(taken)), (self.kind, false));
                assert!(end.is_none_or(|end| taken < end), "it came before the end");
                Some(taken)
            }
            CameTo::Ended => {
                assert!(end.is_some());
                end
            }
            CameTo::TimedOut => {
                assert_eq!(end, None);
                None
            }
        };
        for (number, entry) in sent.iter().enumerate().take(decided.unwrap_or(sent.len())) {
            if taken_by_all.contains(&number) || !self.looks_at(entry) {
                continue;
            }
            // It was there all the time: it was judged, and it was not wanted.
            let is_skipped = is_early(number) && decided.is_some();
            assert!(is_skipped || self.judged.contains(&number), "{number}");
            assert!(is_early(number) || entry.kind != self.kind, "{number}");
        }
    }
}

fn is_of(source: InboundSource, connection: u32) -> bool {
    source == InboundSource::Connection(connection)
}

/// Sends an event of a kind or a frame, and notes it.
fn send(bench: &Bench, sent: &Mutex<Sent>, kind: u8, source: InboundSource) {
    let mut incoming = bench.incoming("", 10);
    let arrived = incoming.inbound.arrived;
    let number = {
        let mut sent = sent.lock().unwrap();
        sent.push(Entry {
            kind,
            source,
            arrived,
        });
        sent.len() - 1
    };
    incoming.inbound.event = Value::from(number);
    incoming.inbound.source = source;
    if source.is_callback() {
        bench.sender.send(incoming, IdSpread::OneChat);
    } else {
        bench.sender.send_of_connection(incoming.inbound);
    }
}

async fn perform(acts: Vec<Act>) {
    let bench = Bench::new();
    let sent = Arc::<Mutex<Sent>>::default();
    let (mut waiters, mut ended) = (Vec::new(), Vec::new());
    for act in acts {
        match act {
            Act::Send { kind, source } if !ended.iter().any(|end| is_of(source, *end)) => {
                tokio::time::advance(Duration::from_millis(1)).await;
                send(&bench, &sent, kind, source);
            }
            Act::End(connection) if !ended.contains(&connection) => {
                ended.push(connection);
                sent.lock().unwrap().push(Entry {
                    kind: u8::MAX,
                    source: InboundSource::EndOf {
                        connection,
                        reason: Reason::Closed,
                    },
                    arrived: Instant::now(),
                });
                bench.end(connection);
            }
            Act::Wait {
                kind,
                for_earlier,
                sources,
            } => {
                tokio::time::advance(Duration::from_millis(1)).await;
                let since = if for_earlier {
                    bench.since
                } else {
                    Instant::now()
                };
                waiters.push(Waiter::begin(&bench, &sent, kind, since, sources));
            }
            Act::Abort(at) if !waiters.is_empty() => {
                waiters[at % waiters.len()].came_to.abort();
            }
            Act::Send { .. } | Act::End(_) | Act::Abort(_) => {}
            Act::Run => yield_now().await,
        }
    }
    tokio::time::sleep(TIMEOUT * 2).await;
    let mut over = Vec::new();
    for waiter in waiters {
        // A wait that was dropped has taken nothing.
        if let Ok(came_to) = waiter.came_to.await {
            over.push(Over {
                kind: waiter.kind,
                since: waiter.since,
                sources: waiter.sources,
                judged: waiter.judged.lock().unwrap().clone(),
                came_to,
            });
        }
    }
    let sent = sent.lock().unwrap().clone();
    let mut taken: Vec<_> = over.iter().filter_map(Over::taken).collect();
    for wait in &over {
        wait.check(&sent, &taken);
    }
    let count = taken.len();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), count, "each event serves one wait");
    // Only events of callbacks are recorded.
    let is_callback = |entry: &Entry| entry.source.is_callback();
    let callbacks = sent.iter().filter(|entry| is_callback(entry)).count();
    let count = taken
        .iter()
        .filter(|taken| is_callback(&sent[**taken]))
        .count();
    let Bench { ledger, inbox, .. } = bench;
    assert_eq!((ledger.received(), ledger.settled()), (callbacks, count));
    drop(inbox);
    assert_eq!(ledger.dropped(), 0);
    let expected = (count, callbacks - count);
    assert_eq!(
        (ledger.count(Fate::Consumed), ledger.count(Fate::Ignored)),
        expected
    );
}

proptest! {
    #[test]
    fn every_wait_judges_each_event_once_in_order_and_takes_only_what_it_wants(
        acts in prop::collection::vec(act(), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(perform(acts));
    }
}

#[tokio::test(start_paused = true)]
async fn two_waits_have_what_each_of_them_wants_whichever_came_first() {
    let bench = Bench::new();
    let (a, b, ()) = tokio::join!(bench.wait_for("a"), bench.wait_for("b"), async {
        bench.send("b");
        bench.send("a");
        bench.send("a");
    });
    assert_eq!(a.unwrap().event, Value::from("a"));
    assert_eq!(b.unwrap().event, Value::from("b"));
    bench.wait_for("a").await.unwrap();
    assert_eq!(bench.ledger.count(Fate::Consumed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_times_out_judges_no_event_again() {
    let bench = Bench::new();
    for _ in 0..7 {
        bench.send("typing");
    }
    let mut judged = 0;
    let judge = |_: &Inbound| {
        judged += 1;
        Match::Other
    };
    let deadline = bench.since + Duration::from_secs(1);
    let error = bench
        .inbox
        .wait(WaitSources::Callbacks, bench.since, deadline, judge, |_| {})
        .await;
    let expected = WaitError::Timeout {
        passed_over: 7,
        too_early: 0,
        duplicates: Duplicates::default(),
        fell_out: 0,
    };
    assert_eq!(error.unwrap_err(), expected);
    assert_eq!(judged, 7);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_wait_passed_and_cannot_answer_is_judged_only_to_explain_a_timeout() {
    let bench = Bench::new();
    for text in ["typing", "reply", "typing"] {
        bench.send(text);
    }
    // The reply stays: it is not what this wait wants.
    bench.wait_for("nothing").await.unwrap_err();
    let sent = Instant::now();
    bench.send("reply");
    let mut judged = Vec::new();
    let mut wait = async || {
        let judge = |inbound: &Inbound| {
            judged.push(inbound.event.to_string());
            wanting("reply")(inbound)
        };
        let deadline = Instant::now() + Duration::from_secs(1);
        bench
            .inbox
            .wait(WaitSources::Callbacks, sent, deadline, judge, |_| {})
            .await
    };
    wait().await.unwrap();
    let expected = WaitError::Timeout {
        passed_over: 2,
        too_early: 1,
        duplicates: Duplicates::default(),
        fell_out: 0,
    };
    assert_eq!(wait().await.unwrap_err(), expected);
    assert_eq!(judged, ["reply", "typing", "reply", "typing"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_left_before_the_request_ends_a_wait_that_no_wait_has_judged_before() {
    let bench = Bench::new();
    bench.send("typing");
    bench.wait_for("nothing").await.unwrap_err();
    bench.send("left");
    tokio::time::advance(Duration::from_secs(1)).await;
    let now = Instant::now();
    let ended = bench
        .inbox
        .wait(
            WaitSources::Callbacks,
            now,
            now + TIMEOUT,
            wanting("reply"),
            |_| {},
        )
        .await;
    assert_eq!(ended.unwrap_err(), WaitError::Disconnected);
    assert_eq!(Instant::now(), now);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_tell_whether_an_event_is_the_one_ends_with_it() {
    let bench = Bench::new();
    for text in ["typing", "unclear", "reply"] {
        bench.send(text);
    }
    let error = EvaluationError {
        place: Place::whole("test.yaml"),
        message: "it took too long".to_owned(),
        exceeded: true,
    };
    let mut judged = 0;
    let judge = |inbound: &Inbound| {
        judged += 1;
        match inbound.event.as_str() {
            Some("unclear") => Match::Exceeded(Box::new(error.clone())),
            _ => wanting("reply")(inbound),
        }
    };
    let deadline = Instant::now() + TIMEOUT;
    let ended = bench
        .inbox
        .wait(WaitSources::Callbacks, bench.since, deadline, judge, |_| {})
        .await;
    assert_eq!(ended.unwrap_err(), WaitError::Exceeded(Box::new(error)));
    assert_eq!((judged, bench.ledger.count(Fate::Consumed)), (2, 1));
    bench.wait_for("reply").await.unwrap();
}
