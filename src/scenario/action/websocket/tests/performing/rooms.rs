//! Rooms that a chat enters with a frame.

use super::*;

const STEPS: [&str; 6] = [
    "deliveries: { id: frame.json.id, within: 5s }",
    "steps:",
    OPEN,
    "- { step: say, send: { json: { id: m-1 } } }",
    "- { step: enter, send: { json: { id: m-2 } }, member_of: 'room {{ chat.number }}' }",
    "- { step: entered, receive: true, member_of: lobby }",
];

impl Chat {
    /// Enters the room of the step with this name, which has passed.
    fn enter(&mut self, name: &str) {
        let steps = self.scenario.all_steps();
        let step = steps.into_iter().find(|step| *step.name == *name).unwrap();
        let entry = step.action.room_entry().unwrap();
        entry.enter(&mut self.sessions, &self.scope).unwrap();
    }

    /// The rooms that were entered.
    async fn joined(&self, count: usize) -> Vec<String> {
        let room = |event: &SessionEvent| match event {
            SessionEvent::Joined { room, .. } => Some(room.to_string()),
            _ => None,
        };
        self.told(count, room).await
    }
}

#[tokio::test]
async fn a_chat_is_a_member_from_the_step_on_with_which_it_enters_the_room() {
    let url = server(echo).await;
    let mut chat = Chat::new(&url, &STEPS);
    chat.pass("open").await;
    chat.pass("say").await;
    chat.arrived(1).await;
    chat.enter("enter");
    chat.enter("enter");
    chat.pass("say").await;
    assert_eq!(chat.delivered(1).await, ["m-1"]);
    chat.sessions.close(PATIENCE).await;
    chat.closed().await;
    chat.enter("enter");
    assert_eq!(
        chat.words(),
        [
            "opened",
            "arrived",
            "joined",
            "delivered",
            "arrived",
            "left",
            "ended",
            "closed"
        ]
    );
    assert_eq!(chat.joined(1).await, ["room 1"]);
}

#[tokio::test]
async fn a_chat_leaves_a_room_when_it_enters_another_over_the_same_socket() {
    let url = server(echo).await;
    let mut chat = Chat::new(&url, &STEPS);
    chat.pass("open").await;
    chat.enter("enter");
    chat.enter("entered");
    assert_eq!(chat.words(), ["opened", "joined", "left", "joined"]);
    assert_eq!(chat.joined(2).await, ["room 1", "lobby"]);
}
