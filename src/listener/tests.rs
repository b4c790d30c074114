mod upgrades;

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    body::{Bytes, to_bytes},
    routing::{get, post},
};
use futures_util::{
    FutureExt as _,
    stream::{repeat_with, unfold},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::advance,
};

use super::*;

const LIMITS: Limits = Limits {
    connections: 8,
    unread: Duration::from_secs(2),
    grace: Duration::ZERO,
    ..Limits::USUAL
};

fn counters() -> Arc<Counters> {
    Listeners::default().of(Name::Callbacks).clone()
}

fn connections(limits: Limits) -> Arc<Connections> {
    Connections::new(limits, counters())
}

async fn admit(connections: &Arc<Connections>) -> Arc<ListenerSlot> {
    connections.admit("192.0.2.7:4711".parse().unwrap()).await
}

/// Lets a request of so many bytes come and be answered.
fn carry(slot: &ListenerSlot, well: bool) {
    slot.received(100);
    slot.begin(true);
    slot.end_body();
    slot.answered(well);
}

fn has_to_go(slot: &ListenerSlot) -> bool {
    slot.ended().now_or_never().is_some()
}

fn closed(connections: &Connections, why: Closed) -> u64 {
    connections.counters.figures().closed[why as usize]
}

#[tokio::test(start_paused = true)]
async fn who_never_sends_goes_soon_and_who_carried_an_event_stays_for_long() {
    let connections = connections(Limits {
        idle: Duration::from_mins(10),
        ..LIMITS
    });
    let [silent, refused, good] = [
        admit(&connections).await,
        admit(&connections).await,
        admit(&connections).await,
    ];
    carry(&refused, false);
    carry(&good, true);
    // Once good, it may be refused without being thrown out.
    carry(&good, false);
    let gone = || [&silent, &refused, &good].map(|slot| has_to_go(slot));
    advance(Duration::from_secs(29)).await;
    connections.close_expired();
    assert_eq!(gone(), [false, false, false]);
    advance(Duration::from_secs(2)).await;
    connections.close_expired();
    assert_eq!(gone(), [true, true, false]);
    advance(Duration::from_secs(560)).await;
    connections.close_expired();
    assert_eq!(gone(), [true, true, false]);
    advance(Duration::from_secs(10)).await;
    connections.close_expired();
    assert_eq!(gone(), [true, true, true]);
    assert_eq!(closed(&connections, Closed::Silent), 2);
    assert_eq!(closed(&connections, Closed::Idle), 1);
    assert_eq!(connections.counters.figures().connections, 0);
    // That is no shortage: no connection was closed whose slot was needed.
    assert_eq!(
        connections
            .counters
            .shortage_since(Instant::now() - Duration::from_hours(1))
            .await,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn heads_and_bodies_that_do_not_come_to_an_end_are_cut_off() {
    let connections = connections(LIMITS);
    let [head, body, answering, pipelined] = [
        admit(&connections).await,
        admit(&connections).await,
        admit(&connections).await,
        admit(&connections).await,
    ];
    // More bytes now and then are no reason to wait longer.
    let feed = || [&head, &body].map(|slot| slot.received(1));
    head.received(10);
    body.received(10);
    body.begin(true);
    for slot in [&answering, &pipelined] {
        slot.received(10);
        slot.begin(false);
    }
    // Half of the next head comes before the answer.
    pipelined.received(5);
    pipelined.answered(true);
    for _ in 0..9 {
        advance(Duration::from_secs(1)).await;
        feed();
    }
    connections.close_expired();
    assert_eq!(closed(&connections, Closed::Slow), 0);
    advance(Duration::from_secs(1)).await;
    connections.close_expired();
    let gone = || [&head, &body, &answering, &pipelined].map(|slot| has_to_go(slot));
    assert_eq!(gone(), [true, false, false, true]);
    advance(Duration::from_secs(20)).await;
    connections.close_expired();
    assert_eq!(gone(), [true, true, false, true]);
    // An answer takes as long as it takes.
    advance(Duration::from_hours(1)).await;
    connections.close_expired();
    assert!(!has_to_go(&answering));
    assert_eq!(closed(&connections, Closed::Slow), 3);
}

#[tokio::test(start_paused = true)]
async fn at_the_cap_the_one_goes_that_can_be_spared_most() {
    let connections = connections(Limits {
        connections: 5,
        ..LIMITS
    });
    let mut slots = Vec::new();
    for _ in 0..5 {
        slots.push(admit(&connections).await);
        advance(Duration::from_millis(10)).await;
    }
    let began = Instant::now();
    // 0 is idle for longer than 1, 2 is slow, 3 and 4 are silent.
    carry(&slots[0], true);
    advance(Duration::from_millis(10)).await;
    carry(&slots[1], true);
    slots[2].received(1);
    advance(Duration::from_secs(1)).await;
    let mut order = Vec::new();
    for _ in 0..5 {
        let newcomer = admit(&connections).await;
        // It is being answered from now on.
        newcomer.received(1);
        newcomer.begin(false);
        let gone = (0..5).filter(|&number| has_to_go(&slots[number]));
        let news: Vec<_> = gone.filter(|number| !order.contains(number)).collect();
        order.extend(news);
        slots.push(newcomer);
    }
    assert_eq!(order, [3, 4, 2, 0, 1]);
    assert_eq!(closed(&connections, Closed::Capacity), 5);
    let figures = connections.counters.figures();
    assert_eq!(
        (figures.connections, figures.limit, figures.waited),
        (5, 5, 0)
    );
    assert_eq!(
        connections.counters.shortage_since(began).await,
        Some(Shortage::Capacity)
    );
    // All are busy: the next one waits.
    let waiting = admit(&connections);
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_secs(1), &mut waiting).await.is_err());
    assert_eq!(
        connections.counters.shortage_since(began).await,
        Some(Shortage::Full)
    );
    assert!(connections.counters.figures().waited > 0);
    drop(slots.pop());
    let admitted = timeout(Duration::from_secs(1), waiting).await;
    assert!(admitted.is_ok());
    let after = Instant::now() + Duration::from_secs(1);
    assert_eq!(connections.counters.shortage_since(after).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_descriptor_that_is_needed_elsewhere_is_that_of_an_idle_connection() {
    let connections = connections(LIMITS);
    let (silent, busy) = (admit(&connections).await, admit(&connections).await);
    busy.received(1);
    busy.begin(false);
    assert!(connections.make_room());
    assert!(has_to_go(&silent) && !has_to_go(&busy));
    assert!(!connections.make_room(), "the other is busy");
    drop((silent, busy));
    assert_eq!(connections.counters.figures().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn bytes_of_all_requests_together_are_bounded_and_the_slow_go_first() {
    let connections = connections(Limits {
        bytes: 1_000,
        ..LIMITS
    });
    let [answering, slow, quick] = [
        admit(&connections).await,
        admit(&connections).await,
        admit(&connections).await,
    ];
    answering.received(300);
    answering.begin(false);
    slow.received(300);
    slow.begin(true);
    advance(Duration::from_secs(1)).await;
    quick.received(300);
    assert_eq!(connections.counters.figures().bytes, 900);
    assert_eq!(closed(&connections, Closed::Bytes), 0);
    quick.received(300);
    assert!(has_to_go(&slow));
    assert_eq!(connections.counters.figures().bytes, 900);
    // What still comes of one that is going counts no more.
    slow.received(300);
    // Quick ones may take twice as much, and no more.
    quick.received(1_100);
    assert!(!has_to_go(&quick));
    quick.received(1);
    assert!(has_to_go(&quick) && !has_to_go(&answering));
    assert_eq!(connections.counters.figures().bytes, 300);
    assert_eq!(closed(&connections, Closed::Bytes), 2);
    let shortage = connections.counters.shortage_since(Instant::now()).await;
    assert_eq!(shortage, Some(Shortage::Bytes));
    answering.answered(true);
    assert_eq!(connections.counters.figures().bytes, 0);
}

/// A listener with these limits, its connections, and what ends it.
fn served(router: Router, limits: Limits) -> (SocketAddr, Arc<Connections>, impl AsyncFnOnce()) {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let connections = connections(limits);
    let shutdown = CancellationToken::new();
    let serving = serve(listener, router, connections.clone(), shutdown.clone());
    let serving = tokio::spawn(serving);
    let end = async move || {
        shutdown.cancel();
        serving.await.unwrap();
    };
    (address, connections, end)
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(text.as_bytes()).await.unwrap();
    client
}

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn who_reads_nothing_is_cut_off_and_who_reads_slowly_is_not() {
    let (given_up, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let endless = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
        let over = CancellationToken::new();
        let guard = over.clone().drop_guard();
        tokio::spawn(async move {
            over.cancelled().await;
            given_up.send(peer).ok();
        });
        let piece = Bytes::from(vec![0; 1 << 16]);
        Body::from_stream(repeat_with(move || {
            let _ = &guard;
            Ok::<_, std::convert::Infallible>(piece.clone())
        }))
    };
    let router = Router::new().route("/", get(endless));
    let (address, _, end) = served(router, LIMITS);
    let (mut slow, deaf) = (send(address, GET).await, send(address, GET).await);
    let mut read = vec![0; 1 << 20];
    let cut_off = loop {
        slow.read_exact(&mut read).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        if let Ok(peer) = seen.try_recv() {
            break peer;
        }
    };
    assert_eq!(cut_off, deaf.local_addr().unwrap());
    slow.read_exact(&mut read).await.unwrap();
    end().await;
}

/// How long the server kept a connection, and what it wrote.
async fn until_closed(mut client: TcpStream) -> (Duration, String) {
    let began = Instant::now();
    let mut all = Vec::new();
    let read = timeout(Duration::from_secs(5), client.read_to_end(&mut all)).await;
    read.expect("a close").ok();
    (began.elapsed(), String::from_utf8(all).unwrap())
}

#[tokio::test]
async fn over_sockets_the_silent_and_the_slow_are_closed_and_answers_are_written_to_their_end() {
    let read = async |body: Body| {
        let read = to_bytes(body, 1_000).await;
        format!("{} bytes", read.map_or(0, |bytes| bytes.len()))
    };
    // Eight pieces, one each 100 ms: longer than any limit below.
    let slow_answer = async || {
        Body::from_stream(unfold(0, async |number| {
            sleep(Duration::from_millis(100)).await;
            let piece = Ok::<_, std::convert::Infallible>(Bytes::from(format!("[{number}]")));
            (number < 8).then_some((piece, number + 1))
        }))
    };
    let router = Router::new()
        .route("/", post(read))
        .route("/slow", get(slow_answer));
    let limits = Limits {
        silent: Duration::from_millis(200),
        head: Duration::from_millis(200),
        body: Duration::from_millis(200),
        idle: Duration::from_millis(500),
        ..LIMITS
    };
    let (address, connections, end) = served(router, limits);
    let post =
        |body: &str| format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n{body}");
    let clients = [
        send(address, "").await,
        send(address, "POST / HT").await,
        send(address, &post("ab")).await,
        send(address, &post("abcd")).await,
        send(address, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await,
    ];
    let [silent, head, body, idle, slow] =
        futures_util::future::join_all(clients.map(until_closed))
            .await
            .try_into()
            .unwrap();
    for (what, (time, written)) in [("silent", &silent), ("head", &head), ("body", &body)] {
        assert_eq!(written, "", "{what}");
        assert!(*time >= Duration::from_millis(150), "{what}: {time:?}");
        assert!(*time < Duration::from_millis(500), "{what}: {time:?}");
    }
    assert!(idle.1.ends_with("4 bytes"), "{idle:?}");
    assert!(idle.0 >= Duration::from_millis(450), "{idle:?}");
    assert!(slow.1.contains("[0]") && slow.1.contains("[7]"), "{slow:?}");
    assert!(slow.0 >= Duration::from_millis(1_200), "{slow:?}");
    let counts = [Closed::Silent, Closed::Slow, Closed::Idle].map(|why| closed(&connections, why));
    assert_eq!(counts, [1, 2, 2]);
    assert_eq!(connections.counters.figures().bytes, 0);
    end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_a_shortage_hears_of_the_accept_queue_before_the_next_periodic_look() {
    static COUNTED: AtomicU64 = AtomicU64::new(7);
    let counters = counters();
    let began = Instant::now();
    counters.listen(3, || Some(COUNTED.load(Ordering::Relaxed)));
    advance(Duration::from_millis(100)).await;
    COUNTED.store(9, Ordering::Relaxed);
    // Nobody knows yet whose queue it was.
    let asked = Instant::now();
    assert_eq!(counters.shortage_since(began).await, None);
    assert_eq!(asked.elapsed(), Duration::from_secs(1));
    let emptied = async {
        sleep(Duration::from_millis(100)).await;
        (0..3).for_each(|_| counters.count_accepted());
    };
    let asked = Instant::now();
    let (shortage, ()) = tokio::join!(counters.shortage_since(began), emptied);
    assert_eq!(shortage, Some(Shortage::AcceptQueue));
    assert!(asked.elapsed() < Duration::from_millis(120), "{asked:?}");
    let asked = Instant::now();
    assert_eq!(
        counters
            .shortage_since(asked + Duration::from_secs(9))
            .await,
        None
    );
    assert_eq!(
        asked.elapsed(),
        Duration::ZERO,
        "there is nothing to wait for"
    );
    COUNTED.store(10, Ordering::Relaxed);
    advance(Duration::from_millis(100)).await;
    assert_eq!(counters.dropped(), 3);
    assert_eq!(counters.figures().dropped, 3);
}
