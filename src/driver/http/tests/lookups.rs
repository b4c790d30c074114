//! Names whose lookup hangs, and what that costs others.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use super::{
    addresses::with_resolver,
    server::{Server, answer_all},
    *,
};
use crate::lookups::{BEGINS_WITHIN, HANGS_AFTER, LookupError, MOST_NAMES, MOST_THREADS};

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Lookups of names that begin with `hangs` do not end before `release` does; all others are answered.
/// `begun` counts the former.
struct Hanging {
    lookups: Lookups,
    begun: Arc<AtomicUsize>,
    release: Option<mpsc::Sender<()>>,
}

impl Hanging {
    fn new() -> Self {
        let (release, released) = mpsc::channel::<()>();
        // The first lookup holds the lock while it waits for the release, and the others wait for the lock.
        let released = Mutex::new(released);
        let begun = Arc::new(AtomicUsize::new(0));
        let count = begun.clone();
        let lookups = Lookups::with(move |name| {
            if name.starts_with("hangs") {
                count.fetch_add(1, Ordering::SeqCst);
                // The sender is dropped to release all.
                released.lock().unwrap().recv().ok();
            }
            Ok(vec![HERE])
        });
        Self {
            lookups,
            begun,
            release: Some(release),
        }
    }

    /// Waits until so many lookups hang.
    async fn until_begun(&self, count: usize) {
        while self.begun.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }

    /// Asks for a name and goes on waiting for it.
    fn ask(&self, name: String) -> tokio::task::JoinHandle<Result<Arc<[SocketAddr]>, LookupError>> {
        let lookups = self.lookups.clone();
        tokio::spawn(async move { lookups.addresses(&name).await })
    }
}

#[tokio::test]
async fn a_name_server_that_never_answers_costs_other_targets_nothing() {
    // More requests than the runtime has threads for blocking work.
    const REQUESTS: usize = 600;
    const LIMIT: Duration = Duration::from_secs(1);
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let name_server = silent.local_addr().unwrap();
    let lookups = Lookups::with(move |name| {
        if name != "hangs.example" {
            return Ok(vec![HERE]);
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        socket.send_to(name.as_bytes(), name_server)?;
        socket.recv(&mut [0; 512])?;
        Err(io::ErrorKind::NotFound.into())
    });
    let server = Server::start(answer_all).await;
    let client = with_resolver(Resolver::System(lookups));
    let mut hanging = tokio::task::JoinSet::new();
    for _ in 0..REQUESTS {
        let client = client.clone();
        let mut request = get("http://hangs.example/");
        request.timeout = LIMIT;
        hanging.spawn(async move { client.send(request).await.unwrap_err() });
    }
    tokio::task::yield_now().await;
    let url = format!("http://healthy.example:{}/", server.port);
    let answer = client.send(get(url)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.elapsed < LIMIT, "{:?}", answer.elapsed);
    assert_eq!(
        hanging.try_join_next().map(|ended| ended.unwrap().kind),
        None
    );
    let mut kinds = Vec::new();
    while let Some(failure) = hanging.join_next().await {
        kinds.push(failure.unwrap().kind);
    }
    // Most of them wait for leave to open a connection, which those have that wait for the name.
    let dns = kinds
        .iter()
        .filter(|kind| **kind == HttpFailureKind::Dns)
        .count();
    assert!(dns >= 200 && kinds.len() == REQUESTS, "{kinds:?}");
    // All of them asked the name server once.
    silent.set_nonblocking(true).unwrap();
    let mut queries = 0;
    while silent.recv(&mut [0; 512]).is_ok() {
        queries += 1;
    }
    assert_eq!(queries, 1);
}

#[tokio::test]
async fn all_who_ask_for_a_name_share_one_lookup_and_a_later_one_is_new() {
    let mut hanging = Hanging::new();
    let asked: Vec<_> = (0..20).map(|_| hanging.ask("hangs".to_owned())).collect();
    hanging.until_begun(1).await;
    let other = hanging.lookups.addresses("other").await.unwrap();
    assert_eq!(other[..], [HERE]);
    hanging.release.take();
    for asked in asked {
        assert_eq!(asked.await.unwrap().unwrap()[..], [HERE]);
    }
    assert_eq!(hanging.begun.load(Ordering::SeqCst), 1);
    hanging.lookups.addresses("hangs").await.unwrap();
    assert_eq!(hanging.begun.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_finds_no_thread_is_not_charged_to_the_target() {
    let mut hanging = Hanging::new();
    let asked: Vec<_> = (0..MOST_THREADS)
        .map(|number| hanging.ask(format!("hangs-{number}")))
        .collect();
    hanging.until_begun(MOST_THREADS).await;
    let before = Instant::now();
    let refused = hanging.lookups.addresses("other").await.unwrap_err();
    assert_eq!(before.elapsed(), BEGINS_WITHIN);
    let cause = Cause::of(&refused).after(&Progress::begin(Duration::from_secs(9)));
    assert_eq!(cause.kind, HttpFailureKind::Exhausted);
    assert_eq!(
        cause.detail,
        "the lookup of `other` did not begin within 5 s: all 64 threads for lookups are in use by other names"
    );
    // So does a request whose time limit is shorter than the wait for a thread.
    let client = with_resolver(Resolver::System(hanging.lookups.clone()));
    let mut request = get("http://other.example/");
    request.timeout = Duration::from_secs(1);
    let failure = client.send(request).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "this machine has no files, ports or lookup threads left: no connection within 1 s: all 64 threads for lookups \
         were in use by other names"
    );
    hanging.release.take();
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    tokio::time::resume();
    // Its request had timed out, so it was not looked up.
    assert_eq!(
        hanging.lookups.addresses("other").await.unwrap()[..],
        [HERE]
    );
}

#[tokio::test]
async fn more_names_than_may_wait_are_refused_at_once() {
    let mut hanging = Hanging::new();
    let asked: Vec<_> = (0..MOST_NAMES)
        .map(|number| hanging.ask(format!("hangs-{number}")))
        .collect();
    while hanging.lookups.in_progress() < MOST_NAMES {
        tokio::task::yield_now().await;
    }
    hanging.until_begun(MOST_THREADS).await;
    let refused = hanging.lookups.addresses("one more").await.unwrap_err();
    assert!(matches!(refused, LookupError::TooMany { .. }), "{refused}");
    assert!(refused.is_our_own());
    // One of those that are looked up is no further name.
    let known = hanging.ask("hangs-0".to_owned());
    // Nobody waits for half of them any more, so that they are not looked up.
    for given_up in &asked[MOST_NAMES / 2..] {
        given_up.abort();
    }
    for _ in 0..MOST_NAMES {
        tokio::task::yield_now().await;
    }
    hanging.release.take();
    assert_eq!(known.await.unwrap().unwrap()[..], [HERE]);
    for asked in asked.into_iter().take(MOST_NAMES / 2) {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(
        hanging.lookups.addresses("one more").await.unwrap()[..],
        [HERE]
    );
    let begun = hanging.begun.load(Ordering::SeqCst);
    assert!(begun < MOST_NAMES, "{begun} lookups");
}

/// Lookups of which the first `hanging` do not end before the sender sends something for each; later ones are
/// answered.
fn hanging_at_first(hanging: usize) -> (Lookups, Arc<AtomicUsize>, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let lookups = Lookups::with(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) < hanging {
            released.lock().unwrap().recv().ok();
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(vec![HERE])
    });
    (lookups, begun, release)
}

fn ask(lookups: &Lookups) -> tokio::task::JoinHandle<Result<Arc<[SocketAddr]>, LookupError>> {
    let lookups = lookups.clone();
    tokio::spawn(async move { lookups.addresses("name").await })
}

async fn until(begun: &AtomicUsize, count: usize) {
    while begun.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_whose_lookup_hangs_is_found_as_soon_as_its_server_answers_again() {
    let (lookups, begun, release) = hanging_at_first(1);
    let first = ask(&lookups);
    until(&begun, 1).await;
    tokio::time::advance(HANGS_AFTER.saturating_sub(Duration::from_millis(1))).await;
    let second = ask(&lookups);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lookups.threads_for("name"), 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    let third = ask(&lookups);
    for asked in [third, first, second] {
        assert_eq!(asked.await.unwrap().unwrap()[..], [HERE]);
    }
    assert_eq!(begun.load(Ordering::SeqCst), 2);
    // The first thread still hangs, and nobody waits for it.
    let later = ask(&lookups);
    until(&begun, 3).await;
    assert_eq!(later.await.unwrap().unwrap()[..], [HERE]);
    assert_eq!(
        (begun.load(Ordering::SeqCst), lookups.in_progress()),
        (3, 1)
    );
    release.send(()).unwrap();
    while lookups.in_progress() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_has_two_threads_at_most() {
    let (lookups, begun, release) = hanging_at_first(2);
    let mut asked = vec![ask(&lookups)];
    until(&begun, 1).await;
    for _ in 0..5 {
        tokio::time::advance(HANGS_AFTER).await;
        asked.push(ask(&lookups));
        until(&begun, 2).await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lookups.threads_for("name"), 2);
    assert_eq!(begun.load(Ordering::SeqCst), 2);
    // The first that ends answers all.
    release.send(()).unwrap();
    for asked in asked {
        asked.await.unwrap().unwrap_err();
    }
    let later = ask(&lookups);
    until(&begun, 3).await;
    assert_eq!(later.await.unwrap().unwrap()[..], [HERE]);
    release.send(()).unwrap();
}
