use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// One address of each IPv4 network.
fn numbered(number: u32) -> String {
    format!("{}:1", Ipv4Addr::from_bits(0x0a00_0000 + number))
}

/// How long the answer to a wrong token is held back.
fn wrong(guesses: &Guesses, from: &str) -> Duration {
    let refused = guesses.compare(Some(address(from)), || false).unwrap_err();
    assert_eq!(refused.denied, Denied::WrongToken, "{from}");
    refused.delay
}

fn right(guesses: &Guesses, from: &str) -> Result<(), RefusedRequest> {
    guesses.compare(Some(address(from)), || true)
}

/// When a token is to come again that is not compared, whatever it is.
fn throttled(guesses: &Guesses, from: &str) -> Duration {
    let compared = || -> bool { panic!("the token of {from} was compared") };
    let refused = guesses.compare(Some(address(from)), compared).unwrap_err();
    let Denied::Throttled { again } = refused.denied else {
        panic!("{refused:?}");
    };
    assert_eq!(refused.delay, Duration::ZERO);
    again
}

#[tokio::test(start_paused = true)]
async fn the_delay_of_wrong_tokens_doubles_from_the_fourth_on_up_to_its_limit() {
    let guesses = Guesses::default();
    let mut delays = Vec::new();
    for port in 1..=11 {
        // Another port is no other peer.
        let delay = wrong(&guesses, &format!("192.0.2.1:{port}"));
        tokio::time::advance(delay).await;
        delays.push(delay.as_millis());
    }
    assert_eq!(
        delays,
        [0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]
    );
    assert_eq!(wrong(&guesses, "192.0.2.2:1"), Duration::ZERO);
    let mut state = guesses.state();
    let peer = network(Some(address("192.0.2.1:1")));
    state.peers.get_mut(&peer).unwrap().wrong = u32::MAX;
    assert_eq!(state.delay(peer), LONGEST_DELAY);
}

#[tokio::test(start_paused = true)]
async fn the_right_token_and_a_quarter_of_an_hour_end_it() {
    let guesses = Guesses::default();
    for _ in 0..4 {
        wrong(&guesses, "192.0.2.1:1");
    }
    assert_eq!(right(&guesses, "192.0.2.1:2"), Ok(()));
    assert_eq!(wrong(&guesses, "192.0.2.1:1"), Duration::ZERO);
    for _ in 0..3 {
        wrong(&guesses, "192.0.2.1:1");
    }
    tokio::time::advance(REMEMBERED).await;
    assert_eq!(wrong(&guesses, "192.0.2.1:1"), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_network_of_ipv6_and_all_of_loopback_are_one_peer() {
    let guesses = Guesses::default();
    for host in 1..=3 {
        wrong(&guesses, &format!("[2001:db8::{host}]:1"));
    }
    assert_eq!(wrong(&guesses, "[2001:db8::99]:1"), FIRST_DELAY);
    assert_eq!(wrong(&guesses, "[2001:db8:0:1::1]:1"), Duration::ZERO);
    assert_eq!(
        network(Some(address("[::ffff:192.0.2.1]:1"))),
        network(Some(address("192.0.2.1:9")))
    );
    for near in ["127.0.0.1:1", "127.200.3.4:1", "[::ffff:127.0.0.2]:1"] {
        assert_eq!(wrong(&guesses, near), Duration::ZERO, "{near}");
    }
    assert_eq!(wrong(&guesses, "[::1]:1"), FIRST_DELAY);
}

#[tokio::test(start_paused = true)]
async fn one_peer_has_few_places_even_if_it_does_not_wait_and_its_next_token_is_not_compared() {
    let guesses = Guesses::default();
    for _ in 0..FREE {
        wrong(&guesses, "192.0.2.1:1");
    }
    // None of them waits for its answer.
    for _ in 0..MOST_HELD_OF_ONE {
        assert!(wrong(&guesses, "192.0.2.1:1") >= FIRST_DELAY);
    }
    for _ in 0..1_000 {
        assert_eq!(throttled(&guesses, "192.0.2.1:1"), FIRST_DELAY);
    }
    assert_eq!(right(&guesses, "192.0.2.2:1"), Ok(()));
    assert_eq!(wrong(&guesses, "192.0.2.3:1"), Duration::ZERO);
    tokio::time::advance(FIRST_DELAY).await;
    assert_eq!(wrong(&guesses, "192.0.2.1:1"), LONGEST_DELAY);
    assert_eq!(throttled(&guesses, "192.0.2.1:1"), FIRST_DELAY);

    // In the long run it has one guess a second.
    let mut compared = 0;
    for _ in 0..600 {
        tokio::time::advance(Duration::from_millis(100)).await;
        let guess = guesses.compare(Some(address("192.0.2.1:1")), || false);
        compared += u32::from(guess.unwrap_err().denied == Denied::WrongToken);
    }
    assert!((55..70).contains(&compared), "{compared}");
}

#[tokio::test(start_paused = true)]
async fn few_peers_cannot_take_all_places_and_many_keep_out_no_peer_that_had_the_right_token() {
    let guesses = Guesses::default();
    assert_eq!(right(&guesses, "192.0.2.1:1"), Ok(()));
    let mut number = 0;
    let mut held = 0;
    while held < SHARED_PLACES {
        number += 1;
        assert!(number < 10_000, "no peer gets a place any more");
        let place = usize::from(!wrong(&guesses, &numbered(number)).is_zero());
        held += place;
        while place == 1 && held < SHARED_PLACES {
            let guess = guesses.compare(Some(address(&numbered(number))), || false);
            if guess.unwrap_err().denied != Denied::WrongToken {
                break;
            }
            held += 1;
        }
    }
    // Those that have a place get no further one, and those that have none get one.
    throttled(&guesses, &numbered(number));
    let fresh = number + 1;
    assert_eq!(right(&guesses, &numbered(fresh)), Ok(()));
    for more in 1..=(MOST_HELD - SHARED_PLACES) {
        let more = numbered(fresh + u32::try_from(more).unwrap());
        assert_eq!(wrong(&guesses, &more), FIRST_DELAY);
        assert_eq!(throttled(&guesses, &more), FIRST_DELAY);
    }
    assert_eq!(throttled(&guesses, "192.0.2.9:1"), FIRST_DELAY);
    assert_eq!(right(&guesses, "192.0.2.1:1"), Ok(()));
    tokio::time::advance(FIRST_DELAY).await;
    assert_eq!(right(&guesses, "192.0.2.9:1"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn many_wrong_tokens_within_a_minute_end_the_free_guesses_of_all_peers() {
    let guesses = Guesses::default();
    assert_eq!(right(&guesses, "192.0.2.1:1"), Ok(()));
    for number in 1..=30 {
        assert_eq!(wrong(&guesses, &numbered(number)), Duration::ZERO);
    }
    for number in 31..=60 {
        assert_eq!(wrong(&guesses, &numbered(number)), FIRST_DELAY);
    }
    assert_eq!(right(&guesses, "192.0.2.2:1"), Ok(()));
    // A peer that has sent the right token still has free guesses.
    assert_eq!(wrong(&guesses, "192.0.2.1:1"), Duration::ZERO);
    tokio::time::advance(BUSY_FOR).await;
    assert_eq!(wrong(&guesses, "192.0.2.3:1"), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_peers_are_known_and_the_oldest_without_the_right_token_go_first() {
    let guesses = Guesses::default();
    let known = |from: &str| {
        let peer = network(Some(address(from)));
        guesses.state().peers.contains_key(&peer)
    };
    right(&guesses, "192.0.2.1:1").unwrap();
    tokio::time::advance(Duration::from_millis(1)).await;
    wrong(&guesses, "192.0.2.2:1");
    for number in 1..1_024 {
        tokio::time::advance(Duration::from_millis(1)).await;
        right(&guesses, &numbered(number)).unwrap();
    }
    assert!(known("192.0.2.1:1") && !known("192.0.2.2:1"));
    for number in 1_024..=3_000 {
        tokio::time::advance(Duration::from_millis(1)).await;
        right(&guesses, &numbered(number)).unwrap();
    }
    assert_eq!(guesses.state().peers.len(), MOST_PEERS);
    assert!(known(&numbered(3_000)) && !known("192.0.2.1:1"));
    for _ in 0..1_000 {
        wrong(&guesses, &numbered(3_000));
        tokio::time::advance(LONGEST_DELAY).await;
    }
    assert!(guesses.state().recent.len() <= FREE_TOGETHER);
}
