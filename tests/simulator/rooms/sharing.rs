//! Backends that share what is said through a real Redis.

use serde_json::{Value, json};

use super::{Backend, Guest, add_up};
use crate::support::{Redis, eventually};

pub async fn backend(redis: &Redis) -> Backend {
    let backend = Backend::start(&format!("redis: '{}'", redis.url())).await;
    backend
        .stats_when("subscribed", |stats| stats["now"]["subscribed"] == true)
        .await;
    backend
}

/// Two that know of each other.
async fn two_backends(redis: &Redis) -> [Backend; 2] {
    let backends = [backend(redis).await, backend(redis).await];
    for backend in &backends {
        backend
            .stats_when("both are known", |stats| stats["now"]["backends"] == 2)
            .await;
    }
    backends
}

fn of_redis(stats: &Value, count: &str) -> u64 {
    stats["redis"][count].as_u64().unwrap()
}

#[tokio::test]
async fn what_is_said_reaches_the_rooms_of_all_backends_once() {
    let redis = Redis::start().await;
    let backends = two_backends(&redis).await;
    let mut ann = backends[0].joined("lobby", "Ann").await;
    let mut bob = backends[1].joined("lobby", "Bob").await;
    let mut other = backends[1].joined("garden", "Other").await;
    for number in 0..20 {
        ann.say("lobby", &format!("a-{number}"), "hello").await;
    }
    let expected: Vec<_> = (0..20).map(|number| format!("a-{number}")).collect();
    assert_eq!(ann.ids(20).await, expected);
    assert_eq!(bob.ids(20).await, expected);
    // Without a room it is for every client of every backend, as with the chat that had no rooms.
    bob.send(json!({ "id": "to-all", "text": "" })).await;
    for guest in [&mut ann, &mut bob, &mut other] {
        assert_eq!(guest.ids(1).await, ["to-all"]);
    }
    // The support desk is of one backend.
    other.send(json!({ "type": "support" })).await;
    let room = other.expect("joined").await["room"]
        .as_str()
        .unwrap()
        .to_owned();
    other.expect("queued").await;
    other.expect("agent_joined").await;
    other.say(&room, "c-1", "hello").await;
    assert_eq!(other.ids(1).await, ["c-1"]);
    assert_eq!(other.expect("said").await["role"], "agent");
    let [first, second] = [backends[0].stats().await, backends[1].stats().await];
    assert_eq!(
        (of_redis(&first, "published"), of_redis(&first, "receivers")),
        (20, 40)
    );
    assert_eq!(of_redis(&second, "published"), 1);
    for stats in [&first, &second] {
        assert_eq!(
            (of_redis(stats, "received"), of_redis(stats, "missed")),
            (21, 0)
        );
        assert!(add_up(stats), "{stats:#}");
    }
    for backend in backends {
        backend.finish().await;
    }
}

/// Reads to the message with this id; how many messages came.
async fn heard(guest: &mut Guest, last: &str) -> u64 {
    let mut count = 0;
    loop {
        count += 1;
        if guest.ids(1).await == [last] {
            return count;
        }
    }
}

#[tokio::test]
async fn messages_that_are_lost_with_a_killed_subscription_are_counted_one_by_one() {
    let redis = Redis::start().await;
    let backends = two_backends(&redis).await;
    let mut speaker = backends[0].joined("lobby", "Speaker").await;
    let mut listeners = [
        backends[0].joined("lobby", "Near").await,
        backends[1].joined("lobby", "Far").await,
    ];
    let mut said = 0;
    let say = async |speaker: &mut Guest, id: &str| speaker.say("lobby", id, "hello").await;
    for number in 0..50 {
        say(&mut speaker, &number.to_string()).await;
        said += 1;
    }
    let killed = redis.command("CLIENT KILL TYPE pubsub").await;
    assert!(killed.starts_with(":2"), "{killed}");
    // Until both have subscribed again.
    loop {
        say(&mut speaker, "between").await;
        said += 1;
        let [one, two] = [backends[0].stats().await, backends[1].stats().await];
        let again = |stats: &Value| {
            of_redis(stats, "subscriptions") == 2 && stats["now"]["subscribed"] == true
        };
        if again(&one) && again(&two) {
            break;
        }
    }
    say(&mut speaker, "last").await;
    said += 1;
    for (backend, listener) in backends.iter().zip(&mut listeners) {
        let heard = heard(listener, "last").await;
        let stats = backend
            .stats_when("the gap is known", |stats| of_redis(stats, "missed") > 0)
            .await;
        let missed = of_redis(&stats, "missed");
        assert_eq!(heard + missed, said, "{heard} heard, {missed} missed");
        assert_eq!(of_redis(&stats, "lost_subscriptions"), 1);
        assert_eq!(stats["closed"], json!({}), "all sockets are open");
    }
    for backend in backends {
        backend.finish().await;
    }
}

#[tokio::test]
async fn a_backend_ends_its_own_subscription_by_order_and_after_the_time_of_the_fault() {
    let redis = Redis::start().await;
    let backend = backend(&redis).await;
    let (status, _) = backend.ask("POST", "/subscription/kill", json!(null)).await;
    assert_eq!(status, 204);
    let again = |times: u64| {
        move |stats: &Value| {
            of_redis(stats, "subscriptions") >= times && stats["now"]["subscribed"] == true
        }
    };
    backend.stats_when("subscribed again", again(2)).await;
    backend.faults(json!({ "kill_subscription": "50ms" })).await;
    backend
        .stats_when("it ends again and again", again(4))
        .await;
    backend.faults(json!({})).await;
    let alone = Backend::start("{}").await;
    let (status, _) = alone.ask("POST", "/subscription/kill", json!(null)).await;
    assert_eq!(status, 404, "it has none");
    alone.finish().await;
    backend.finish().await;
}

#[tokio::test]
async fn a_backend_without_its_redis_is_not_ready_and_recovers() {
    let redis = Redis::start().await;
    let backend = backend(&redis).await;
    let mut ann = backend.joined("lobby", "Ann").await;
    assert_eq!(backend.ask("GET", "/readyz", json!(null)).await.0, 200);
    let address = redis.address;
    drop(redis);
    eventually("it is not ready", async || {
        let (status, _) = backend.ask("GET", "/readyz", json!(null)).await;
        (status == 503).then_some(())
    })
    .await;
    assert_eq!(backend.ask("GET", "/healthz", json!(null)).await.0, 200);
    ann.say("lobby", "lost", "").await;
    backend
        .stats_when("it is lost", |stats| of_redis(stats, "unpublished") == 1)
        .await;
    let _redis = Redis::start_at(address).await;
    backend
        .stats_when("subscribed", |stats| stats["now"]["subscribed"] == true)
        .await;
    ann.say("lobby", "heard", "").await;
    assert_eq!(ann.ids(1).await, ["heard"]);
    backend.finish().await;
}
