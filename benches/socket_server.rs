//! A WebSocket server that does as little as it can: `/echo` sends every frame back, `/room` sends it to everybody who
//! is connected there, and any other path is silent. `GET /handshakes` without a socket says how many were opened, and
//! how many seconds passed from the first connection of these to the last answer.
//!
//! ```sh
//! cargo bench --bench socket_server -- 127.0.0.1:4100
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a yardstick that cannot go on is of no use"
)]

use std::{
    cell::{Cell, RefCell},
    io::Write as _,
    rc::Rc,
};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::{LocalSet, spawn_local},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Members = Rc<RefCell<Vec<UnboundedSender<Message>>>>;
type Socket = WebSocketStream<TcpStream>;

/// The handshakes that were answered.
#[derive(Default)]
struct Handshakes {
    answered: Cell<usize>,
    /// When the first of their connections was accepted, and the last of them was answered.
    period: Cell<Option<(Instant, Instant)>>,
}

impl Handshakes {
    fn answered(&self, accepted: Instant) {
        self.answered.set(self.answered.get() + 1);
        let first = self.period.get().map_or(accepted, |(first, _)| first);
        let first = first.min(accepted);
        self.period.set(Some((first, Instant::now())));
    }

    /// As an answer to a request.
    fn told(&self) -> String {
        let took = self.period.get().map(|(first, last)| last - first);
        let seconds = took.map_or(0.0, |took| took.as_secs_f64());
        let text = format!("{} {seconds:.6}\n", self.answered.get());
        format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        )
    }
}

/// Answers the handshake. The path that was asked for, and the socket; `None` if there is none.
async fn accept(mut stream: TcpStream, handshakes: &Handshakes) -> Option<(String, Socket)> {
    let accepted = Instant::now();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    if path == "/handshakes" {
        stream.write_all(handshakes.told().as_bytes()).await.ok()?;
        return None;
    }
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.eq_ignore_ascii_case("sec-websocket-key")).then(|| value.trim())
    })?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    handshakes.answered(accepted);
    let settings = WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(0);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(settings)).await;
    Some((path, socket))
}

async fn echo(mut socket: Socket) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn room(socket: Socket, members: Members) {
    let (sender, mut said) = unbounded_channel();
    members.borrow_mut().push(sender);
    let (mut writes, mut reads) = socket.split();
    spawn_local(async move {
        while let Some(message) = said.recv().await {
            if writes.send(message).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(message)) = reads.next().await {
        if message.is_text() {
            let mut members = members.borrow_mut();
            members.retain(|member| member.send(message.clone()).is_ok());
        }
    }
}

async fn silence(mut socket: Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}

/// As long an accept queue as the system allows: clients come all at once.
fn listen(address: &str) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    socket.listen(u16::MAX.into()).unwrap()
}

async fn serve(address: String) {
    let listener = listen(&address);
    println!("listening on {}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    let members = Members::default();
    let handshakes = Rc::<Handshakes>::default();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (members, handshakes) = (members.clone(), handshakes.clone());
        spawn_local(async move {
            match accept(stream, &handshakes).await {
                Some((path, socket)) if path == "/echo" => echo(socket).await,
                Some((path, socket)) if path == "/room" => room(socket, members).await,
                Some((_, socket)) => silence(socket).await,
                None => {}
            }
        });
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(address) = arguments.find(|argument| argument != "--bench") else {
        eprintln!("usage: socket_server ADDRESS");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, serve(address));
}
