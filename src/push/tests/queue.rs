use std::time::Duration;

use tokio::time::sleep;

use super::{entry, head};
use crate::push::queue::{Point, PushEntry, PushQueue};

fn one(at_ms: u64) -> PushEntry {
    entry(&head(1, Vec::new()), 1.0, at_ms)
}

fn large(points: usize) -> PushEntry {
    let head = head(1, Vec::new());
    PushEntry::new(vec![Point { head, value: 1.0 }; points], 0)
}

async fn taken(queue: &PushQueue, most: u64) -> Vec<u64> {
    let entries = queue.take(most).await.unwrap();
    entries.iter().map(|entry| entry.at_ms).collect()
}

#[tokio::test]
async fn the_oldest_entries_fall_out_of_a_full_queue_and_are_counted() {
    let queue = PushQueue::bounded(2, 1_000_000);
    let lost: Vec<_> = (1..=5).map(|at| queue.put(one(at))).collect();
    assert_eq!(lost, [0, 0, 1, 1, 1]);
    assert_eq!(queue.samples(), 2);
    assert_eq!(taken(&queue, 10).await, [4, 5]);

    let queue = PushQueue::bounded(100, 4_000);
    assert_eq!(queue.put(large(100)), 0);
    assert_eq!(queue.put(large(50)), 0);
    assert_eq!(queue.put(large(100)), 100, "bytes are bounded too");
    assert_eq!(
        queue.put(large(1_000)),
        1_000,
        "what never fits is lost itself"
    );
    assert_eq!(queue.samples(), 150);
}

#[tokio::test]
async fn a_batch_has_whole_entries_up_to_its_size_and_one_at_least() {
    let queue = PushQueue::default();
    for at in 1..=3 {
        queue.put(one(at));
    }
    queue.put(large(50));
    assert_eq!(taken(&queue, 2).await, [1, 2]);
    assert_eq!(queue.samples(), 53, "until it is settled");
    queue.settle();
    assert_eq!(queue.samples(), 51);
    assert_eq!(taken(&queue, 2).await, [3]);
    assert_eq!(taken(&queue, 2).await, [0]);
    queue.settle();
    queue.close();
    assert!(queue.take(2).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn how_long_the_oldest_entry_waits_counts_until_it_is_settled() {
    let queue = PushQueue::default();
    assert_eq!(queue.behind(), Duration::ZERO);
    queue.put(one(1));
    sleep(Duration::from_secs(3)).await;
    queue.put(one(2));
    assert_eq!(queue.behind(), Duration::from_secs(3));
    taken(&queue, 1).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(queue.behind(), Duration::from_secs(4));
    queue.settle();
    assert_eq!(queue.behind(), Duration::from_secs(1));
    taken(&queue, 1).await;
    queue.settle();
    assert_eq!(queue.behind(), Duration::ZERO);
}

#[tokio::test]
async fn whoever_waits_for_entries_gets_the_next_or_learns_that_there_is_none() {
    let queue = PushQueue::default();
    let (entries, ()) = tokio::join!(queue.take(1), async {
        tokio::task::yield_now().await;
        queue.put(one(7));
    });
    assert_eq!(entries.unwrap()[0].at_ms, 7);
    let (entries, ()) = tokio::join!(queue.take(1), async {
        tokio::task::yield_now().await;
        queue.close();
    });
    assert!(entries.is_none());
}
