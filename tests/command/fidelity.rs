//! Hundreds of chats at once against the simulator in another process: what one side counted and
//! measured is what the other did.

use crate::support::{Centre, Folder, Run, SCENARIO, events, requests, rounds, shipped};

/// Every event of a chat comes before its end, so that not one of them can be missed.
fn scenario_that_waits_for_the_last_event(folder: &Folder) -> String {
    let text =
        std::fs::read_to_string(shipped("scenarios").join(format!("{SCENARIO}.yaml"))).unwrap();
    let last = "  - step: farewell\n    wait_for: event.eventType == \"PARTICIPANT_DISCONNECTED\"\n    since: interact_end\n\n";
    let (steps, rest) = text.split_once("# A chat that did not come").unwrap();
    folder.write(
        &format!("{SCENARIO}.yaml"),
        &format!("{steps}{last}# {rest}"),
    )
}

#[tokio::test]
async fn both_sides_of_many_chats_agree_to_the_last_event() {
    let chats = u64::try_from(rounds(500, 2_000)).unwrap();
    let centre = Centre::start(
        "{ join: { uniform: [500ms, 3s] }, answer: { uniform: [100ms, 300ms] }, typing: 100ms }",
    )
    .await;
    let folder = Folder::new();
    let scenario = scenario_that_waits_for_the_last_event(&folder);
    // No chat ends before the last has begun.
    let run = Run::new(folder, &scenario, &centre.url)
        .load(&format!("{{ chats: {chats}, ramp: 4s }}"))
        .with(&["-i", "session_pause=500ms", "-i", "first_message_delay=3s"])
        .with(&["-i", "reply_delay=2500ms"])
        .done()
        .await
        .exits(0);
    let stats = centre.settled().await;

    assert_eq!(run.chats("passed"), chats);
    assert_eq!(run.chats("most_in_progress"), chats);
    for (kind, answer, count) in [
        ("webhook_create", "201", 1),
        ("session_create", "201", chats),
        ("engagement_create", "200", chats),
        ("send_chat", "200", 2 * chats),
        ("interact_end", "200", chats),
        ("webhook_delete", "200", 1),
    ] {
        assert_eq!(requests(&stats, kind, answer), count, "{kind}");
        assert_eq!(run.passed(kind), count, "{kind}");
    }
    // Customer, engagement, agent, two answers, farewell.
    for count in ["emitted", "sent", "acknowledged"] {
        assert_eq!(events(&stats, count), 6 * chats, "{count}: {stats:#}");
    }
    assert_eq!(run.received(), 6 * chats);
    assert_eq!(run.fate("consumed"), 4 * chats);
    assert_eq!(run.fate("ignored"), 2 * chats);
    assert_eq!(stats["ended"], serde_json::json!({ "bye": chats }));

    assert_eq!(stats["joins"]["count"], chats);
    // Until the centre hears of the chat and the probe of the agent, no more is in between than there was at an
    // exchange of this run. The centre shares the machine with the probe and is as late as that is.
    let exchange = run.step("engagement_create")["latency"]["max"].as_f64();
    let late = run.report["precision"].as_f64();
    let between = 25.0 + (exchange.unwrap() + late.unwrap()) * 1e3;
    for quantile in ["p50", "p90"] {
        let felt = run.step("agent_join")["latency"][quantile]
            .as_f64()
            .unwrap()
            * 1e3;
        let truth = stats["joins"][format!("{quantile}_ms")].as_f64().unwrap();
        println!(
            "agent_join {quantile}: felt {felt:.1} ms, truth {truth:.1} ms, {between:.1} ms in between"
        );
        // Histograms are exact to three digits.
        assert!(
            (0.998 * truth..=truth + between).contains(&felt),
            "{quantile}: {felt} against {truth}, {between} in between"
        );
    }
}
