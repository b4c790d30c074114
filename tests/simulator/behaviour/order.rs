//! Order and count, whoever stores at the same time.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::select};
use tokio::task::JoinSet;

use super::Behaviours;
use crate::support::rounds;

const USERS: [&str; 3] = ["ann", "bob", "cleo"];
const STATUSES: [&str; 2] = ["like", "angry"];

/// A behaviour as one of several clients stores it: user, status, second.
type Told = (&'static str, &'static str, u32);

fn told() -> impl Strategy<Value = Told> {
    (select(&USERS[..]), select(&STATUSES[..]), 0..10_u32)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: u32::try_from(rounds(6, 100)).unwrap(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_acknowledged_behaviour_is_counted_once_and_in_order(clients in vec(vec(told(), 0..25), 1..6)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(store_and_query(clients));
    }
}

async fn store_and_query(clients: Vec<Vec<Told>>) {
    let behaviours = std::sync::Arc::new(Behaviours::start("limits: { answer: 200 }").await);
    let mut storing = JoinSet::new();
    for told in clients {
        let behaviours = behaviours.clone();
        storing.spawn(async move {
            let mut stored = Vec::new();
            for (user, status, second) in told {
                let at = format!("2026-01-01T00:00:0{second}Z");
                let id = behaviours.store(user, status, &at).await["id"]
                    .as_i64()
                    .unwrap();
                // A record that was answered 201 is found by the next query, while other clients store.
                let found = behaviours.query(user, &format!("?status={status}")).await;
                assert!(super::ids(&found).contains(&id), "{found}");
                stored.push((user, status, second, id));
            }
            stored
        });
    }
    let mut expected: BTreeMap<(&str, &str), Vec<(u32, i64)>> = BTreeMap::new();
    for (user, status, second, id) in storing.join_all().await.into_iter().flatten() {
        expected
            .entry((user, status))
            .or_default()
            .push((second, id));
    }
    for user in USERS {
        for status in STATUSES {
            let mut records = expected.remove(&(user, status)).unwrap_or_default();
            records.sort_unstable();
            let found = behaviours.query(user, &format!("?status={status}")).await;
            assert_eq!(found["count"], records.len());
            let ids: Vec<_> = records.into_iter().map(|(_, id)| id).collect();
            assert_eq!(super::ids(&found), ids);
        }
    }
    let behaviours = std::sync::Arc::into_inner(behaviours).expect("nobody else has it");
    behaviours.finish().await;
}
