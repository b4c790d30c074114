//! A search for the limit of a centre whose limit is known: Erlang's formula says where it is.

use crate::support::{Centre, Finished, Folder, Run};

/// Agents of the centre.
const AGENTS: u32 = 30;
/// How long each of them handles a chat on average, in seconds. Everything that the machine adds,
/// a timer's millisecond here and there, is small beside it.
const HANDLING: f64 = 0.2;
/// The longest that customers may wait for an agent on average, in seconds. Ten times what a busy
/// machine adds to it; and where it is reached, 1% more customers make it 20% longer.
const PATIENCE: f64 = 0.1;

/// The share of customers who have to wait at all, by Erlang C; `offered` is the arrival rate times
/// the mean handling time.
fn erlang_c(offered: f64) -> f64 {
    let agents = f64::from(AGENTS);
    // Erlang B by its recursion, which does not overflow.
    let blocked = (1..=AGENTS).fold(1.0, |blocked, agent| {
        offered * blocked / (f64::from(agent) + offered * blocked)
    });
    blocked / (1.0 - offered / agents * (1.0 - blocked))
}

/// The mean wait at so many arrivals a second. Whoever waits does so for an exponential time with
/// the rate at which the agents are faster than the customers.
fn mean_wait(rate: f64) -> f64 {
    erlang_c(rate * HANDLING) / (f64::from(AGENTS) / HANDLING - rate)
}

/// The arrival rate at which customers wait as long as they have patience.
fn limit() -> f64 {
    let (mut low, mut high) = (0.0, f64::from(AGENTS) / HANDLING);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if mean_wait(middle) < PATIENCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Customers who come at random, ask for an agent and leave once he is there; the agent closes the
/// chat when he is through. The generator starts chats evenly; a pause of random length before each
/// question makes of them arrivals that know nothing of each other, for which the formula holds.
/// They share a session and hear of agents only, which leaves the machine to the queue.
const CUSTOMERS: &str = "
scenario: callers
callbacks: { key: event.engagementId }
setup:
  - step: subscribe
    http:
      post: '{{ target.url }}/api/digital/v1/channel-providers/p/webhooks'
      json: [{ callbackUrl: '{{ callback.url }}', eventTypes: [PARTICIPANT_ADDED] }]
  - step: open
    http:
      post: '{{ target.url }}/api/digital/v1/sessions'
      json: { tenantId: t, customerIdentifier: c, channelProviderId: p, userId: u, displayName: d }
    capture: { session: body.sessionId }
steps:
  - think: { exponential: 500ms }
  - step: ask
    http:
      post: '{{ target.url }}/api/digital/v1/engagements'
      json: { sessionId: '{{ session }}', tenantId: t, customerIdentifier: c, channelProviderId: p, conversation: hello, mediaType: CHAT }
    capture: { id: body.engagementId }
    claim: id
  - step: agent
    wait_for: event.participantType == 'AGENT'
    timeout: 30s
";

#[test]
fn the_formula_says_what_can_be_worked_out_by_hand() {
    // One agent: as many wait as the agent is busy. And nobody waits where nobody comes.
    let hand = |agents: u32, offered: f64| {
        let terms: Vec<f64> = (1..=agents)
            .scan(1.0, |term, agent| {
                *term *= offered / f64::from(agent);
                Some(*term)
            })
            .collect();
        let last = terms[terms.len() - 1] * f64::from(agents) / (f64::from(agents) - offered);
        let before: f64 = 1.0 + terms[..terms.len() - 1].iter().sum::<f64>();
        last / (before + last)
    };
    assert!((hand(1, 0.6) - 0.6).abs() < 1e-12);
    assert!((hand(2, 1.0) - 1.0 / 3.0).abs() < 1e-12);
    for offered in [15.0, 24.0, 29.0] {
        let (quick, long) = (erlang_c(offered), hand(AGENTS, offered));
        assert!((quick - long).abs() < 1e-9, "{offered}: {quick} and {long}");
    }
}

/// A search is not exact: it stops when it knows the limit to 5%, and a step of eight seconds sees
/// some seven hundred waits that depend on each other. Of 4000 searches of this queue without a
/// machine around it, one was off by more than 9.2%.
const TOLERANCE: f64 = 0.1;

/// Searches, and once more if the load generator says of itself that it was saturated: then the centre,
/// which shares the machine with it and with other tests, was slower than it says it is.
async fn search() -> Finished {
    for _ in 0..2 {
        let found = search_once().await;
        if found.report["verdict"] != "invalid" {
            return found;
        }
        println!("{}", found.output);
    }
    search_once().await
}

async fn search_once() -> Finished {
    let centre = Centre::start(&format!(
        "{{ agents: {AGENTS}, join: 0s, handling: {{ exponential: {HANDLING}s }}, first_events: 0s }}"
    ))
    .await;
    let folder = Folder::new();
    let scenario = folder.write("callers.yaml", CUSTOMERS);
    let run = Run::new(folder, &scenario, &centre.url)
        .load("{ search: { from: 115/s, to: 1000/s, hold: 8s }, max_active: 20000 }")
        .with(&[
            "--threshold",
            &format!("{{ step: agent, mean: {PATIENCE}s }}"),
        ])
        .with(&["--seed", "1"]);
    let configuration = run.folder.read("chatprobe.yaml");
    let strict = configuration
        .replace("_p99: 1m", "_p99: 100ms")
        .replace("cpu_wait: 100%", "cpu_wait: 30%");
    assert_ne!(strict, configuration);
    run.folder.write("chatprobe.yaml", &strict);
    run.done().await
}

#[tokio::test]
async fn the_limit_of_a_queue_is_found_where_erlang_says() {
    let run = search().await;
    println!("{}", run.output);
    let expected = limit();
    if run.report["verdict"] == "invalid" {
        // The machine is saturated by others. It makes customers wait longer, never shorter.
        let held = run.report["search"]["held"]["amount"].as_f64();
        let held = held.unwrap_or_default();
        let most = expected * (1.0 + TOLERANCE);
        assert!(held < most, "{held} against {expected}: {run:#?}");
        return;
    }
    let run = run.exits(0);
    let search = &run.report["search"];
    assert_eq!(search["outcome"], "limit", "{run:#?}");
    let found = search["held"]["amount"].as_f64().unwrap();
    println!("found {found}/s, Erlang says {expected:.1}/s");
    let off = found / expected - 1.0;
    assert!(
        off.abs() < TOLERANCE,
        "{found} against {expected}: {run:#?}"
    );
    let columns = "load started ended active agent mean <= 100 ms";
    let mut lines = run.output.lines().map(|line| line.split_whitespace());
    let is_shown = lines.any(|words| words.eq(columns.split(' ')));
    assert!(is_shown, "{}", run.output);
    let summary = search["summary"].as_str().unwrap();
    assert!(run.output.contains(&format!("search: {summary}\n")));
}

#[tokio::test]
async fn the_command_line_needs_a_threshold_for_a_search_too() {
    let run = Run::of_shipped("http://127.0.0.1:9")
        .load("{ search: { from: 5/s, to: 9/s, hold: 1s } }")
        .done()
        .await;
    assert_eq!(run.code, 2, "{run:#?}");
    let says = "--load: a search needs a threshold to tell whether a step held";
    assert!(run.log.contains(says), "{run:#?}");
}
