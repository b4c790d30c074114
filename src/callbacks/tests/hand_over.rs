//! Early events that are handed over to the chat that claims their key.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use super::*;

/// Interrupts the hand-over of early events at the first duplicate, until somebody says that it may go on.
#[derive(Debug)]
struct Interruption {
    begun: Mutex<Option<Sender<()>>>,
    over: Mutex<Receiver<()>>,
    was_ended: AtomicBool,
}

impl RunObserver for Interruption {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        if !matches!(event, RunEvent::CallbackSettled(Fate::Duplicate)) {
            return;
        }
        let begun = self.begun.lock().unwrap().take();
        if let Some(begun) = begun {
            begun.send(()).unwrap();
            let over = self.over.lock().unwrap();
            let was_ended = over.recv_timeout(Duration::from_secs(30)).is_ok();
            self.was_ended.store(was_ended, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn events_of_other_chats_are_taken_during_a_hand_over_and_those_of_the_chat_come_behind() {
    let mut bench = Bench::new();
    let other = bench.run();
    let mut other_chat = other.chat_with("b");
    let (begun, has_begun) = channel();
    let (end, over) = channel();
    let interruption = Arc::new(Interruption {
        begun: Mutex::new(Some(begun)),
        over: Mutex::new(over),
        was_ended: AtomicBool::new(false),
    });
    bench.observers = bench.observers.and_of_runs(interruption.clone());
    let mut run = bench.run();
    let sent = Instant::now();
    let numbered = |n: u32| json!({ "key": "a", "kind": "reply", "id": n });
    for n in [1, 1, 2] {
        bench.send(&run, &numbered(n));
    }
    let mut chat = run.chat();
    std::thread::scope(|scope| {
        let (bench, run, other) = (&bench, &run, &other);
        scope.spawn(move || {
            has_begun.recv().unwrap();
            // It comes to an end only with the hand-over.
            scope.spawn(move || bench.send(run, &numbered(3)));
            bench.send(other, &event("b", "reply"));
            end.send(()).unwrap();
        });
        chat.claim("a".to_owned()).unwrap();
    });
    assert!(interruption.was_ended.load(Ordering::SeqCst));
    for n in 1..=3 {
        let inbound = reply(&mut chat, sent).await.unwrap();
        assert_eq!(inbound.event.get_attr("id").unwrap(), n.into());
    }
    reply(&mut other_chat, sent).await.unwrap();
    drop((chat, other_chat));
    run.end();
    assert_eq!(run.fates().len(), 4);
}
