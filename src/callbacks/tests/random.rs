use proptest::prelude::*;

use super::*;

const LIMITS: CallbackLimits = CallbackLimits {
    max_body_bytes: 1_000,
    early_for: Duration::from_secs(30),
    early_events: 5,
    early_bytes: 1_300,
    remember_for: Duration::from_mins(1),
    remember_keys: 3,
};

#[derive(Debug, Clone)]
enum Act {
    Open,
    Close(usize),
    Begin(usize),
    Claim(usize, u8),
    EndChat(usize),
    Deliver {
        run: usize,
        key: u8,
        id: u8,
        kind: usize,
        padding: usize,
    },
    Garbage(usize),
    Wait(usize),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Open),
        1 => any::<usize>().prop_map(Act::Close),
        2 => any::<usize>().prop_map(Act::Begin),
        4 => (any::<usize>(), 0..6_u8).prop_map(|(chat, key)| Act::Claim(chat, key)),
        2 => any::<usize>().prop_map(Act::EndChat),
        9 => (any::<usize>(), 0..6_u8, 0..4_u8, 0..3_usize, 0..150_usize).prop_map(
            |(run, key, id, kind, padding)| Act::Deliver { run, key, id, kind, padding }
        ),
        1 => any::<usize>().prop_map(Act::Garbage),
        4 => any::<usize>().prop_map(Act::Wait),
        2 => (0..40_u64).prop_map(Act::Pass),
    ]
}

/// Runs, closed ones included, and the chats in progress with the run they belong to.
struct World {
    bench: Bench,
    runs: Vec<TestRun>,
    chats: Vec<(usize, Chat)>,
    delivered: usize,
}

impl World {
    async fn perform(&mut self, act: Act) {
        let (runs, chats) = (self.runs.len(), self.chats.len());
        match act {
            Act::Open => self.runs.push(self.bench.run()),
            Act::Close(run) if runs > 0 => self.close(run % runs),
            Act::Begin(run) if runs > 0 && self.runs[run % runs].path.is_some() => {
                let chat = self.runs[run % runs].chat();
                self.chats.push((run % runs, chat));
            }
            Act::Claim(chat, key) if chats > 0 => {
                // Another chat may hold it.
                let _ = self.chats[chat % chats].1.claim(key.to_string());
            }
            Act::EndChat(chat) if chats > 0 => drop(self.chats.swap_remove(chat % chats)),
            Act::Deliver {
                run,
                key,
                id,
                kind,
                padding,
            } if runs > 0 => {
                let id = if id == 0 { Value::Null } else { id.into() };
                let kind = ["reply", "left", "typing"][kind];
                let event =
                    json!({ "key": key, "id": id, "kind": kind, "text": "x".repeat(padding) });
                self.bench.send(&self.runs[run % runs], &event);
                self.delivered += 1;
            }
            Act::Garbage(run) if runs > 0 => {
                let refused = self.bench.request(&self.runs[run % runs], b"{");
                assert!(refused.is_err());
                self.delivered += 1;
            }
            Act::Wait(chat) if chats > 0 => {
                let now = Instant::now();
                let since = now - Duration::from_secs(20);
                let _ = self.chats[chat % chats].1.wait(since, now, judge).await;
            }
            Act::Pass(seconds) => {
                tokio::time::advance(Duration::from_secs(seconds)).await;
                self.bench.exchange.sweep(Instant::now());
            }
            _ => {}
        }
    }

    /// As a run does it: its chats end first.
    fn close(&mut self, run: usize) {
        self.chats.retain(|(of, _)| *of != run);
        if self.runs[run].path.is_some() {
            self.runs[run].end();
        }
    }

    fn check(&self) {
        let mut waiting = 0;
        for run in &self.runs {
            assert!(run.waiting() >= 0, "settled more than once");
            if run.path.is_none() {
                run.check_counts();
            }
            waiting += self.bench.everybody.waiting(&run.id);
        }
        if self.chats.is_empty() {
            assert!(waiting <= 5, "{waiting} in the buffer");
        }
        let entries = self.bench.everybody.entries();
        let settled = entries.settled.values().map(Vec::len).sum::<usize>();
        assert_eq!(settled + usize::try_from(waiting).unwrap(), self.delivered);
    }
}

proptest! {
    #[test]
    fn every_event_is_settled_once_and_for_the_run_that_owned_it(
        acts in prop::collection::vec(act(), 1..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            // Far enough from zero to look back.
            tokio::time::advance(Duration::from_mins(1)).await;
            let bench = Bench::with(CALLBACKS, LIMITS);
            let mut world = World { bench, runs: Vec::new(), chats: Vec::new(), delivered: 0 };
            for act in acts {
                // A path that is forgotten is no longer anybody's.
                if !matches!(act, Act::Pass(_)) || world.runs.iter().all(|run| run.path.is_some()) {
                    world.perform(act).await;
                }
                world.check();
            }
            for run in 0..world.runs.len() {
                world.close(run);
                world.check();
            }
            tokio::time::advance(LIMITS.early_for).await;
            world.bench.exchange.sweep(Instant::now());
            world.check();
            let waiting = |run: &TestRun| world.bench.everybody.waiting(&run.id);
            assert_eq!(world.runs.iter().map(waiting).sum::<i64>(), 0);
        });
    }
}
