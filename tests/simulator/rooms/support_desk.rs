//! Customers who ask for an agent.

use serde_json::json;

use super::{Backend, SHORT, add_up};

#[tokio::test]
async fn a_customer_waits_for_an_agent_who_answers_and_leaves_after_the_goodbye() {
    let backend = Backend::start("{}").await;
    let mut customer = backend.connect().await;
    customer
        .send(json!({ "type": "support", "name": "Ann" }))
        .await;
    let room = customer.expect("joined").await["room"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(room.starts_with("support-"), "{room}");
    assert_eq!(customer.expect("queued").await["position"], 1);
    assert_eq!(customer.expect("agent_joined").await["agent"], "Agent 1");
    customer.say(&room, "c-1", "my order is late").await;
    assert_eq!(customer.ids(1).await, ["c-1"], "the echo");
    let answer = customer.expect("said").await;
    assert_eq!(
        (&answer["role"], &answer["name"]),
        (&json!("agent"), &json!("Agent 1"))
    );
    assert_eq!(answer["text"], "You said: my order is late");
    customer.send(json!({ "type": "support" })).await;
    assert_eq!(customer.expect("error").await["reason"], "in_support");
    customer.say(&room, "c-2", "Bye now").await;
    customer.expect("said").await;
    assert_eq!(customer.expect("said").await["text"], "Goodbye.");
    assert_eq!(customer.expect("agent_left").await["reason"], "bye");
    customer.expect("left").await;
    let stats = backend.stats().await;
    assert_eq!(
        (&stats["agents_joined"], &stats["support_ended"]),
        (&json!(1), &json!({ "bye": 1 }))
    );
    assert_eq!(stats["now"]["agents_busy"], 0);
    assert!(add_up(&stats), "{stats:#}");
    backend.finish().await;
}

#[tokio::test]
async fn the_queue_is_in_order_and_moves_on_whatever_ends_a_chat() {
    let backend =
        Backend::start("support: { agents: 1, join: 10ms, answer: 10ms, typing: 10ms }").await;
    let mut customers = Vec::new();
    for position in [1, 1, 2, 3] {
        let mut customer = backend.connect().await;
        customer.send(json!({ "type": "support" })).await;
        let room = customer.expect("joined").await["room"].clone();
        assert_eq!(customer.expect("queued").await["position"], position);
        customers.push((customer, room));
    }
    customers[0].0.expect("agent_joined").await;
    // One that waits goes away; it must not hold up the queue.
    drop(customers.remove(1));
    let leave = json!({ "type": "leave", "room": customers[0].1 });
    customers[0].0.send(leave).await;
    customers[0].0.expect("left").await;
    customers[1].0.expect("agent_joined").await;
    drop(customers.remove(1));
    customers[1].0.expect("agent_joined").await;
    let stats = backend
        .stats_when("three have ended", |stats| {
            stats["now"]["support_chats"] == 1
        })
        .await;
    assert_eq!(
        stats["support_ended"],
        json!({ "left": 1, "disconnected": 2 })
    );
    assert_eq!(
        (
            &stats["now"]["support_waiting"],
            &stats["now"]["agents_busy"]
        ),
        (&json!(0), &json!(1))
    );
    backend.finish().await;
}

#[tokio::test]
async fn agents_end_silent_and_long_chats() {
    let support = "join: 10ms, answer: 10ms, typing: 10ms";
    for (setting, reason) in [("silence: 300ms", "silent"), ("handling: 50ms", "handled")] {
        let backend = Backend::start(&format!("support: {{ {support}, {setting} }}")).await;
        let mut customer = backend.connect().await;
        customer.send(json!({ "type": "support" })).await;
        customer.expect("joined").await;
        customer.expect("queued").await;
        customer.expect("agent_joined").await;
        assert_eq!(customer.expect("agent_left").await["reason"], reason);
        customer.expect("left").await;
        backend.finish().await;
    }
}

#[tokio::test]
async fn agents_do_wrong_what_the_faults_say() {
    let backend = Backend::start("{}").await;
    backend
        .faults(json!({ "agents": { "never_come": 1 } }))
        .await;
    let mut alone = backend.connect().await;
    alone.send(json!({ "type": "support" })).await;
    alone.expect("joined").await;
    alone.expect("queued").await;
    backend
        .faults(json!({ "agents": { "leave": { "probability": 1, "after": "100ms" }, "write_first": 1 } }))
        .await;
    let mut left = backend.connect().await;
    left.send(json!({ "type": "support" })).await;
    left.expect("joined").await;
    left.expect("queued").await;
    left.expect("agent_joined").await;
    assert_eq!(left.expect("said").await["text"], "How can I help you?");
    assert_eq!(left.expect("agent_left").await["reason"], "deserted");
    let nothing = tokio::time::timeout(SHORT, alone.message()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let stats = backend.stats().await;
    assert_eq!(stats["agents_joined"], 1);
    assert_eq!(
        stats["now"]["support_chats"], 2,
        "both customers are still there"
    );
    assert_eq!(stats["now"]["agents_busy"], 0);
    backend.finish().await;
}

#[tokio::test]
async fn agents_by_hand_see_who_waits_join_talk_and_leave() {
    let backend = Backend::start("support: { floor: by_hand, agents: 2 }").await;
    let mut bob = backend.connect().await;
    bob.send(json!({ "type": "accept" })).await;
    assert_eq!(bob.expect("error").await["reason"], "not_an_agent");
    let mut customers = Vec::new();
    for _ in 0..3 {
        let mut customer = backend.connect().await;
        customer
            .send(json!({ "type": "support", "name": "Ann" }))
            .await;
        let room = customer.expect("joined").await["room"]
            .as_str()
            .unwrap()
            .to_owned();
        customer.expect("queued").await;
        customers.push((customer, room));
        if customers.len() == 1 {
            bob.send(json!({ "type": "agent", "name": "Bob" })).await;
        }
        let waiting = bob.expect("waiting").await;
        assert_eq!(waiting["room"], json!(customers.last().unwrap().1));
    }
    let [(ann, of_ann), (ben, of_ben), (_, of_cleo)] = &mut customers[..] else {
        panic!("three customers");
    };
    bob.send(json!({ "type": "accept", "room": of_ben })).await;
    let joined = bob.expect("joined").await;
    assert_eq!(
        (&joined["room"], &joined["members"]),
        (&json!(of_ben), &json!(2))
    );
    assert_eq!(ben.expect("agent_joined").await["agent"], "Bob");
    bob.send(json!({ "type": "accept", "room": of_ben })).await;
    assert_eq!(bob.expect("error").await["reason"], "not_waiting");
    bob.send(json!({ "type": "accept" })).await;
    assert_eq!(
        bob.expect("joined").await["room"],
        json!(of_ann),
        "the oldest"
    );
    ann.expect("agent_joined").await;
    ann.say(of_ann, "c-1", "hello").await;
    assert_eq!(ann.ids(1).await, ["c-1"]);
    assert_eq!(bob.expect("said").await["role"], "member");
    bob.say(of_ann, "a-1", "hello, Ann").await;
    let said = ann.expect("said").await;
    assert_eq!(
        (&said["role"], &said["name"]),
        (&json!("agent"), &json!("Bob"))
    );
    assert_eq!(bob.ids(1).await, ["a-1"]);
    assert_eq!(backend.stats().await["now"]["agents_busy"], 1);
    bob.send(json!({ "type": "leave", "room": of_ann })).await;
    assert_eq!(bob.expect("left").await["room"], json!(of_ann));
    let left = ann.expect("agent_left").await;
    assert_eq!(
        (&left["agent"], &left["reason"]),
        (&json!("Bob"), &json!("handled"))
    );
    ann.expect("left").await;
    ben.say(of_ben, "c-2", "bye").await;
    ben.expect("said").await;
    assert_eq!(ben.expect("agent_left").await["reason"], "bye");
    bob.expect("said").await;
    assert_eq!(bob.expect("left").await["room"], json!(of_ben));
    bob.send(json!({ "type": "accept", "room": of_cleo })).await;
    bob.expect("joined").await;
    drop(bob);
    let (cleo, _) = &mut customers[2];
    cleo.expect("agent_joined").await;
    assert_eq!(cleo.expect("agent_left").await["reason"], "deserted");
    let stats = backend
        .stats_when("nobody is busy", |stats| stats["now"]["agents_busy"] == 0)
        .await;
    assert_eq!(
        stats["support_ended"],
        json!({ "handled": 1, "bye": 1, "deserted": 1 })
    );
    let mut agents = Vec::new();
    for reason in [None, None, Some("full")] {
        let mut agent = backend.connect().await;
        agent.send(json!({ "type": "agent" })).await;
        if let Some(reason) = reason {
            assert_eq!(agent.expect("error").await["reason"], reason);
        }
        agents.push(agent);
    }
    backend.finish().await;
}

#[tokio::test]
async fn nobody_is_an_agent_where_agents_act_by_themselves() {
    let backend = Backend::start("{}").await;
    let mut client = backend.connect().await;
    client.send(json!({ "type": "agent", "name": "Bob" })).await;
    assert_eq!(client.expect("error").await["reason"], "not_an_agent");
    backend.finish().await;
}
