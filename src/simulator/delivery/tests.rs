use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;

fn notice(chat: u64, body: &'static str) -> Notice {
    Notice {
        partition: Partition {
            webhook: 1,
            chat: EngagementId::for_test(chat),
        },
        kind: EventKind::AgentMessage,
        url: Arc::new("http://127.0.0.1/".parse().unwrap()),
        body: Bytes::from_static(body.as_bytes()),
        requested: None,
    }
}

#[tokio::test]
async fn a_chat_waits_for_its_own_events_only() {
    let queue = Queue::new(10);
    for (chat, body) in [(1, "1a"), (1, "1b"), (2, "2a")] {
        assert!(queue.post(notice(chat, body)));
    }
    let first = queue.next().await;
    assert_eq!(first.body, "1a");
    assert_eq!(
        queue.next().await.body,
        "2a",
        "1b waits until 1a is through"
    );
    assert_eq!(
        queue.traffic(),
        Traffic {
            queued: 1,
            in_flight: 2
        }
    );
    queue.done(first.partition);
    assert_eq!(queue.next().await.body, "1b");
}

#[tokio::test]
async fn nothing_is_kept_of_a_chat_whose_events_are_through() {
    let queue = Queue::new(10);
    queue.post(notice(1, "a"));
    let sent = queue.next().await;
    queue.done(sent.partition);
    assert!(queue.partitions().waiting.is_empty() && queue.partitions().ready.is_empty());
    assert_eq!(queue.turns.available_permits(), 0);
}

#[test]
fn a_full_queue_takes_nothing_more() {
    let queue = Queue::new(2);
    assert!(queue.post(notice(1, "a")) && queue.post(notice(2, "b")));
    assert!(!queue.post(notice(3, "c")));
    assert_eq!(queue.drain().len(), 2);
    assert!(queue.post(notice(3, "c")));
}

/// Two couriers with these lookups, and their queue.
fn carried(
    look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
) -> (Arc<Queue>, Arc<Statistics>, JoinSet<()>) {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let queue = Arc::new(Queue::new(100));
    let statistics = Arc::new(Statistics::new().unwrap());
    let courier = Courier::new(
        &DeliverySettings::default(),
        &Quirks::default(),
        queue.clone(),
        statistics.clone(),
        Lookups::with(look_up),
    );
    let courier = Arc::new(courier.unwrap());
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let courier = courier.clone();
        tasks.spawn(async move { courier.carry(&CancellationToken::new()).await });
    }
    (queue, statistics, tasks)
}

fn notice_to(webhook: u64, chat: u64, url: &str) -> Notice {
    let partition = Partition {
        webhook,
        chat: EngagementId::for_test(chat),
    };
    Notice {
        partition,
        url: Arc::new(url.parse().unwrap()),
        ..notice(chat, "a")
    }
}

async fn within_two_seconds<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(2), what).await.unwrap()
}

#[tokio::test]
async fn a_receiver_whose_name_hangs_does_not_delay_another() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let (queue, _, _tasks) = carried(move |name| {
        assert_eq!(thread::current().name(), Some("lookup"));
        if name == "hangs.example" {
            let _ = ended.lock().unwrap().recv();
        }
        Ok(vec![([127, 0, 0, 1], 0).into()])
    });
    for chat in 1..=10 {
        queue.post(notice_to(1, chat, "http://hangs.example/"));
    }
    queue.post(notice_to(2, 1, &format!("http://receiver.example:{port}/")));
    within_two_seconds(listener.accept()).await.unwrap();
    // One of them waits for the lookup, and the others behind it.
    assert_eq!(queue.partitions().held[&1].len(), 9);
    drop(end);
}

#[tokio::test]
async fn events_whose_receiver_has_no_address_fail_after_one_lookup() {
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = lookups.clone();
    let (queue, statistics, _tasks) = carried(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        // So that both couriers meet the name.
        thread::sleep(Duration::from_millis(50));
        Err(io::ErrorKind::NotFound.into())
    });
    for chat in 1..=10 {
        queue.post(notice_to(1, chat, "http://nowhere.example/"));
    }
    let failed = || statistics.counts().events[&EventKind::AgentMessage].failed;
    within_two_seconds(async {
        while queue.traffic().queued + queue.traffic().in_flight > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(failed(), 10);
    assert_eq!(lookups.load(Ordering::Relaxed), 1);
    let partitions = queue.partitions();
    assert!(partitions.held.is_empty() && partitions.waiting.is_empty());
}

#[tokio::test]
async fn a_name_is_looked_up_again_after_a_connection_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let lookups = AtomicUsize::new(0);
    // The first address refuses connections.
    let (queue, _, _tasks) = carried(move |_| {
        let last = match lookups.fetch_add(1, Ordering::Relaxed) {
            0 => 2,
            _ => 1,
        };
        Ok(vec![([127, 0, 0, last], 0).into()])
    });
    let url = format!("http://receiver.example:{port}/");
    for _ in 0..2 {
        queue.post(notice_to(1, 1, &url));
    }
    within_two_seconds(listener.accept()).await.unwrap();
}
