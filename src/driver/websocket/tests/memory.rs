//! What an idle socket costs. It is measured in a process of its own, in which nothing else happens.

use std::{env, fs, process::Command};

use tokio::sync::Semaphore;

use super::*;
use crate::descriptors;

/// Enough of them that what a process needs besides does not count.
const SOCKETS: usize = 2000;

/// For each idle socket, in bytes; 2,500 were measured. The default buffer of the library alone has 131,072.
const MOST: usize = 6000;

/// A message that must not leave its size behind, in bytes.
const LARGE: usize = 50_000;

/// Where the process that is measured finds the server.
const SERVER: &str = "CHATPROBE_TEST_SERVER_OF_SOCKETS";

/// Keeps nothing.
struct Forgetful(Arc<Semaphore>);

impl SocketHandler for Forgetful {
    fn opened(&mut self, _: &HandshakeAnswer) {}

    fn received(&mut self, _: ReceivedMessage) -> Vec<SocketMessage> {
        self.0.add_permits(1);
        Vec::new()
    }

    fn heartbeat(&mut self, _: usize) -> Option<SocketMessage> {
        None
    }

    fn ponged(&mut self, _: Duration) {}

    fn sent(&mut self, _: &SocketMessage, _: Duration) {}

    fn closed(&mut self, _: &ClosedSocket) {}
}

/// Memory in use, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_socket_costs_a_few_kilobytes() {
    descriptors::allow_all();
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let url = ws(&server);
    let measured = tokio::task::spawn_blocking(move || {
        Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("driver::websocket::tests::memory::measured")
            .env(SERVER, url)
            .output()
            .unwrap()
    });
    let output = measured.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let line = said.lines().find_map(|line| line.split_once("bytes="));
    let bytes: usize = line.expect(&said).1.trim().parse().unwrap();
    assert!(bytes < MOST, "{bytes} bytes a socket");
}

#[tokio::test]
#[ignore = "a part of another test, which starts it"]
async fn measured() {
    let Ok(url) = env::var(SERVER) else {
        return;
    };
    descriptors::allow_all();
    let client = client();
    let asked = opening(url);
    let open = async || {
        let received = Arc::new(Semaphore::new(0));
        let handler = Box::new(Forgetful(received.clone()));
        let opened = client.open(&asked, handler, &OnWire::default()).await;
        let socket = opened.unwrap().socket;
        // So that the buffers have been used, and have been large.
        let large = SocketMessage::Binary(vec![0; LARGE].into());
        socket.send(large).await.unwrap();
        received.acquire().await.unwrap().forget();
        socket.send(text("hello")).await.unwrap();
        received.acquire().await.unwrap().forget();
        socket
    };
    // What the first ones need is there for all.
    let mut sockets = Vec::with_capacity(SOCKETS + 100);
    for _ in 0..100 {
        sockets.push(open().await);
    }
    let before = resident();
    for _ in 0..SOCKETS {
        sockets.push(open().await);
    }
    let each = resident().saturating_sub(before) / SOCKETS;
    println!("bytes={each}");
    drop(sockets);
    assert_eq!(client.all_closed(PATIENCE).await, 0);
}
