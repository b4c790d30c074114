//! Tracks that go on side by side over the state of one chat.

use hyper::HeaderMap;
use tokio::time::Instant;

use super::*;
use crate::{
    callbacks::Request,
    event::StepOutcome,
    runner::{
        chat_state::ChatState,
        context::{GracePeriod, RunContext},
        track::{Interrupt, Track},
    },
};

/// Four steps of one track, then four of another.
const TWO_TRACKS: &str = "
callbacks: { key: event.key }
steps:
  - { step: asks, flip: one, capture: { said: flipped }, claim: said }
  - think: 2s
  - { step: repeats, flip: '{{ said }}', expect: flipped == 'one' }
  - { step: hears, wait_for: event.to == 'customer', timeout: 10s }
  - { step: greets, flip: two, capture: { said: flipped } }
  - think: 3s
  - { step: answers, flip: '{{ said }}', expect: flipped == 'two' }
  - { step: listens, wait_for: event.to == 'agent', timeout: 10s }
";

fn context(bench: &Bench) -> Arc<RunContext> {
    let spec = bench.spec(TWO_TRACKS, "{ chats: 1 }");
    bench.context(spec)
}

/// When each step passed.
fn passed(bench: &Bench, scenario: &Scenario) -> Vec<(Duration, Arc<str>)> {
    let steps = scenario.all_steps();
    bench.heard.pick(|at, note| match note {
        heard::Note::Step(step, StepOutcome::Passed(_)) => {
            Some((at, steps[step.index()].name.clone()))
        }
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn two_tracks_of_a_chat_have_their_own_variables_and_times_and_share_its_inbox() {
    let bench = Bench::new();
    let context = context(&bench);
    let scenario = context.chats.scenario.clone();
    let path = context.path.as_ref().unwrap().token().to_owned();
    let scope = context.scope().of_chat(1, "1");
    let chat = ChatState::of_chat(context, 1);
    let mut customer = Track::new(&chat, scope.clone(), GracePeriod::None);
    let mut agent = Track::new(&chat, scope, GracePeriod::None);
    let deliver = |to: &str| {
        let headers = HeaderMap::new();
        let body = serde_json::json!({ "key": "eno", "to": to }).to_string();
        let request = Request::post(&headers, body);
        let exchange = &bench.engine.exchange;
        exchange
            .deliver(&path, crate::arrival::Arrival::unstamped(), &request)
            .unwrap();
    };
    let events = async {
        sleep(s(4)).await;
        deliver("agent");
        sleep(s(1)).await;
        deliver("customer");
    };
    let (customers, agents) = scenario.steps.split_at(4);
    let (customers, agents, ()) = tokio::join!(
        customer.perform_all(customers),
        agent.perform_all(agents),
        events
    );
    customers.unwrap();
    agents.unwrap();
    let expected = [
        (0, "asks"),
        (0, "greets"),
        (2, "repeats"),
        (3, "answers"),
        (4, "listens"),
        (5, "hears"),
    ];
    let expected = expected.map(|(at, step)| (s(at), step.into()));
    assert_eq!(passed(&bench, &scenario), expected);
    let said = [&customer, &agent].map(|track| track.scope().captured("said"));
    assert_eq!(said, ["eno", "owt"].map(|text| Some(text.into())));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_ends_all_tracks_of_a_chat() {
    let bench = Bench::new();
    let context = context(&bench);
    let scenario = context.chats.scenario.clone();
    let scope = context.scope().of_chat(1, "1");
    let ending = context.clone();
    let chat = ChatState::of_chat(context, 1);
    let mut customer = Track::new(&chat, scope.clone(), GracePeriod::None);
    let mut agent = Track::new(&chat, scope, GracePeriod::None);
    let began = Instant::now();
    let end = async {
        sleep(s(1)).await;
        ending.ending.give(s(0), s(0));
    };
    let (customers, agents) = scenario.steps.split_at(4);
    let (customers, agents, ()) = tokio::join!(
        customer.perform_all(customers),
        agent.perform_all(agents),
        end
    );
    for result in [customers, agents] {
        assert!(matches!(result, Err(Interrupt::Stopped)), "{result:?}");
    }
    assert_eq!(began.elapsed(), s(1));
}
