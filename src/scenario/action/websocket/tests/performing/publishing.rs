//! What goes out, and what does not.

use std::future::ready;

use super::*;

const AFTER: &str = "- { step: after, send: after }";

fn says(length: usize) -> String {
    let text = "a".repeat(length);
    format!("- {{ step: say, send: {text}, publish: {{ id: m-1, to: lobby }} }}")
}

const DELIVERIES: &str = "deliveries: { id: frame.json.id, within: 5s }";

#[tokio::test]
async fn no_frame_is_begun_once_the_run_has_stopped() {
    let url = server(echo).await;
    let mut chat = Chat::new(&url, &[DELIVERIES, "steps:", OPEN, &says(1), AFTER, HEAR]);
    chat.pass("open").await;
    let stopped = chat.perform_until("say", ready(())).await;
    assert!(
        matches!(stopped.result, Err(Unperformed::Stopped)),
        "{:?}",
        stopped.result
    );
    chat.pass("after").await;
    assert_eq!(chat.arrived(1).await, ["after"]);
    assert_eq!(chat.words(), ["opened", "arrived"]);
}

#[tokio::test]
async fn no_close_is_begun_once_the_run_has_stopped() {
    let url = server(echo).await;
    let mut chat = Chat::new(&url, &["steps:", OPEN, AFTER, HEAR, CLOSE]);
    chat.pass("open").await;
    let stopped = chat.perform_until("end", ready(())).await;
    assert!(
        matches!(stopped.result, Err(Unperformed::Stopped)) && stopped.sent.is_none(),
        "{:?}",
        stopped.result
    );
    chat.pass("after").await;
    assert_eq!(chat.arrived(1).await, ["after"]);
    assert_eq!(chat.words(), ["opened", "arrived"]);
    chat.sessions.close(PATIENCE).await;
    assert_eq!(chat.closed().await, (Some(1001), "us"));
}

#[tokio::test]
async fn a_message_that_is_too_long_to_be_sent_is_not_published() {
    let url = server(echo).await;
    let too_long = says(1024 * 1024 + 1);
    let mut chat = Chat::new(&url, &[DELIVERIES, "steps:", OPEN, &too_long]);
    chat.pass("open").await;
    let (reason, detail) = chat.fail("say").await;
    assert_eq!(reason, Reason::Template, "{detail}");
    assert_eq!(chat.words(), ["opened"]);
}

#[tokio::test]
async fn a_socket_takes_and_sends_messages_as_long_as_it_says() {
    let url = server(echo).await;
    let open = "- { step: open, connect: { url: '{{ target.url }}', max_message: 2MiB } }";
    let mut chat = Chat::new(&url, &[DELIVERIES, "steps:", open, &says(1_500_000), HEAR]);
    chat.pass("open").await;
    chat.pass("say").await;
    assert_eq!(chat.arrived(1).await[0].len(), 1_500_000);
    assert_eq!(chat.words(), ["opened", "published", "arrived"]);
    let open = open.replace("2MiB", "1kB");
    let mut chat = Chat::new(&url, &[DELIVERIES, "steps:", &open, &says(1_001)]);
    chat.pass("open").await;
    chat.pass("say").await;
    assert_eq!(chat.closed().await, (Some(1009), "us"));
}
