//! What an idle socket costs. It is measured in a process of its own, in which nothing else happens: the test starts
//! itself once more, and there finds the address of its server in the environment.

use std::{env, fs, process::Command};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Runtime,
    sync::Semaphore,
};

use super::*;
use crate::{
    descriptors,
    driver::http::tests::tls::{tls_server, trusting},
};

/// Enough of them that what a process needs besides does not count.
const SOCKETS: usize = 1000;

/// For each idle socket, in bytes. The default buffer of the library alone has 131,072. `preflight` reckons with 4,096
/// besides what a chat takes.
const MOST: usize = 6000;

/// What TLS adds, in bytes: as much as `preflight` reckons with. The certificate here is a short one.
const MOST_OF_TLS: usize = 12 * 1024;

/// A message that must not leave its size behind, in bytes.
const LARGE: usize = 50_000;

/// Where the process that is measured finds the server.
const SERVER: &str = "CHATPROBE_TEST_SERVER_OF_SOCKETS";

/// The name of the test here, as the process that is measured is told it.
const NAME: &str = "driver::websocket::tests::memory::an_idle_socket_costs_a_few_kilobytes";

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

/// What each idle socket to this server takes, in bytes, as a process of its own measures it.
fn measured_of(url: &str) -> usize {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", NAME])
        .env(SERVER, url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let line = said.lines().find_map(|line| line.split_once("bytes="));
    line.expect(&said).1.trim().parse().unwrap()
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut peer: Peer<S>) {
    if switch(&mut peer, "").await {
        peer.echo().await;
    }
}

#[test]
fn an_idle_socket_costs_a_few_kilobytes() {
    descriptors::allow_all();
    let runtime = Runtime::new().unwrap();
    if let Ok(url) = env::var(SERVER) {
        println!("bytes={}", runtime.block_on(bytes_a_socket(url)));
        return;
    }
    let servers = async { (Server::start(serve).await, tls_server(serve).await) };
    let (plain, secured) = runtime.block_on(servers);
    let plain = measured_of(&ws(&plain));
    let secured = measured_of(&format!("wss://localhost:{}/chat", secured.port));
    println!("{plain} bytes a socket, {secured} with TLS");
    assert!(plain < MOST, "{plain} bytes a socket");
    let of_tls = secured.saturating_sub(plain);
    assert!(of_tls < MOST_OF_TLS, "TLS adds {of_tls} bytes a socket");
}

/// Opens sockets and lets each send and receive a little and much, so that its buffers have been used and have been
/// large; what each takes then.
async fn bytes_a_socket(url: String) -> usize {
    let client = WebSocketClient::beside(&trusting());
    let asked = opening(url);
    let open = async || {
        let received = Arc::new(Semaphore::new(0));
        let handler = Box::new(Forgetful(received.clone()));
        let opened = client.open(&asked, handler, &OnWire::default()).await;
        let socket = opened.unwrap().socket;
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
    drop(sockets);
    assert_eq!(client.all_closed(PATIENCE).await, 0);
    each
}
