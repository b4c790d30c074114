use proptest::prelude::*;
use tokio::task::{JoinHandle, yield_now};

use super::*;

const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
enum Act {
    /// Sends an event of a kind.
    Send(u8),
    /// Begins a wait for a kind, for what came before as well or not.
    Wait { kind: u8, for_earlier: bool },
    /// Drops a wait.
    Abort(usize),
    /// Lets the waits run.
    Run,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3_u8).prop_map(Act::Send),
        3 => (0..3_u8, any::<bool>())
            .prop_map(|(kind, for_earlier)| Act::Wait { kind, for_earlier }),
        1 => any::<usize>().prop_map(Act::Abort),
        3 => Just(Act::Run),
    ]
}

/// One wait, and the numbers of the events that it judged, in this order.
struct Waiter {
    kind: u8,
    since: Instant,
    judged: Arc<Mutex<Vec<usize>>>,
    /// The number of the event that it took.
    taken: JoinHandle<Option<usize>>,
}

/// An event: its kind, and when it arrived.
type Sent = Vec<(u8, Instant)>;

fn number(inbound: &Inbound) -> usize {
    inbound.event.as_usize().unwrap()
}

impl Waiter {
    fn begin(bench: &Bench, sent: &Arc<Mutex<Sent>>, kind: u8, since: Instant) -> Self {
        let judged = Arc::<Mutex<Vec<usize>>>::default();
        let (inbox, sent, judging) = (bench.inbox.clone(), sent.clone(), judged.clone());
        let deadline = Instant::now() + TIMEOUT;
        let taken = tokio::spawn(async move {
            let judge = |inbound: &Inbound| {
                let number = number(inbound);
                judging.lock().unwrap().push(number);
                if sent.lock().unwrap()[number].0 == kind {
                    Match::Wanted
                } else {
                    Match::Other
                }
            };
            let taken = inbox.wait(since, deadline, judge).await;
            taken.ok().map(|inbound| number(&inbound))
        });
        Self {
            kind,
            since,
            judged,
            taken,
        }
    }
}

/// What a wait that was not dropped came to.
struct Over {
    kind: u8,
    since: Instant,
    judged: Vec<usize>,
    taken: Option<usize>,
}

impl Over {
    fn check(&self, sent: &Sent, taken_by_all: &[usize]) {
        let mut once = self.judged.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), self.judged.len(), "each at most once");
        let is_early = |number: usize| sent[number].1 < self.since;
        let judged = self.judged.iter().copied();
        let in_time: Vec<_> = judged.filter(|number| !is_early(*number)).collect();
        assert!(in_time.is_sorted(), "in order: {:?}", self.judged);
        let end = self.taken.unwrap_or(sent.len());
        for (number, (kind, _)) in sent.iter().enumerate().take(end) {
            if taken_by_all.contains(&number) {
                continue;
            }
            // It was there all the time: it was judged, and it was not wanted.
            let is_skipped = is_early(number) && self.taken.is_some();
            assert!(is_skipped || self.judged.contains(&number), "{number}");
            assert!(is_early(number) || *kind != self.kind, "{number}");
        }
        if let Some(taken) = self.taken {
            assert_eq!((sent[taken].0, is_early(taken)), (self.kind, false));
        }
    }
}

async fn perform(acts: Vec<Act>) {
    let bench = Bench::new();
    let sent = Arc::<Mutex<Sent>>::default();
    let mut waiters = Vec::new();
    for act in acts {
        match act {
            Act::Send(kind) => {
                tokio::time::advance(Duration::from_millis(1)).await;
                let mut incoming = bench.incoming("", 10);
                let number = {
                    let mut sent = sent.lock().unwrap();
                    sent.push((kind, incoming.inbound.arrived));
                    sent.len() - 1
                };
                incoming.inbound.event = Value::from(number);
                bench.sender.send(incoming, IdSpread::OneChat);
            }
            Act::Wait { kind, for_earlier } => {
                tokio::time::advance(Duration::from_millis(1)).await;
                let since = if for_earlier {
                    bench.since
                } else {
                    Instant::now()
                };
                waiters.push(Waiter::begin(&bench, &sent, kind, since));
            }
            Act::Abort(at) if !waiters.is_empty() => {
                waiters[at % waiters.len()].taken.abort();
            }
            Act::Abort(_) => {}
            Act::Run => yield_now().await,
        }
    }
    tokio::time::sleep(TIMEOUT * 2).await;
    let mut over = Vec::new();
    for waiter in waiters {
        // A wait that was dropped has taken nothing.
        if let Ok(taken) = waiter.taken.await {
            over.push(Over {
                kind: waiter.kind,
                since: waiter.since,
                judged: waiter.judged.lock().unwrap().clone(),
                taken,
            });
        }
    }
    let sent = sent.lock().unwrap().clone();
    let mut taken: Vec<_> = over.iter().filter_map(|wait| wait.taken).collect();
    for wait in &over {
        wait.check(&sent, &taken);
    }
    let count = taken.len();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), count, "each event serves one wait");
    let Bench { ledger, inbox, .. } = bench;
    assert_eq!((ledger.received(), ledger.settled()), (sent.len(), count));
    drop(inbox);
    let expected = (count, sent.len() - count);
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
    let error = bench.inbox.wait(bench.since, deadline, judge).await;
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
        bench.inbox.wait(sent, deadline, judge).await
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
    let ended = bench.inbox.wait(now, now + TIMEOUT, wanting("reply")).await;
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
    let ended = bench.inbox.wait(bench.since, deadline, judge).await;
    assert_eq!(ended.unwrap_err(), WaitError::Exceeded(Box::new(error)));
    assert_eq!((judged, bench.ledger.count(Fate::Consumed)), (2, 1));
    bench.wait_for("reply").await.unwrap();
}
