//! Simulated chat rooms over real sockets.

mod faults;
mod limits;
mod page;
mod probed;
mod protocol;
mod sharing;
mod support_desk;

use std::{net::SocketAddr, time::Duration};

use chatprobe::simulator::{Rooms, RoomsSettings};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};
use tokio_util::sync::CancellationToken;

use crate::{
    practice::listen,
    support::{PATIENCE, eventually},
};

/// Rooms in this process.
pub struct Backend {
    pub address: SocketAddr,
    client: reqwest::Client,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Backend {
    /// With fast agents; `yaml` comes on top.
    pub async fn start(yaml: &str) -> Self {
        crate::support::install_crypto();
        let mut all: serde_yaml::Value =
            serde_yaml::from_str("support: { join: 30ms, answer: 10ms, typing: 10ms }").unwrap();
        let extra: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
        all.as_mapping_mut()
            .unwrap()
            .extend(extra.as_mapping().unwrap().clone());
        let settings: RoomsSettings = serde_yaml::from_value(all).unwrap();
        let (listener, address) = listen().await;
        let stop = CancellationToken::new();
        let rooms = Rooms::new(settings).unwrap();
        Self {
            address,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            serving: tokio::spawn(rooms.serve(listener, stop.clone())),
            stop,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status of an answer, and its body.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, self.url(path)).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn faults(&self, faults: Value) {
        let (status, answer) = self.ask("PUT", "/faults", faults).await;
        assert_eq!(status, 200, "{answer}");
    }

    pub async fn stats(&self) -> Value {
        self.ask("GET", "/stats", Value::Null).await.1
    }

    /// The statistics once this holds of them.
    pub async fn stats_when(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || Some(self.stats().await).filter(&holds)).await
    }

    pub async fn connect(&self) -> Guest {
        let (answer, guest) = Guest::ask(self.address, "").await;
        guest.unwrap_or_else(|| panic!("{answer}"))
    }

    /// A client that is in a room already.
    pub async fn joined(&self, room: &str, name: &str) -> Guest {
        let mut guest = self.connect().await;
        guest
            .send(json!({ "type": "join", "room": room, "name": name }))
            .await;
        let joined = guest.next().await;
        assert_eq!(joined["type"], "joined", "{joined}");
        guest
    }

    /// Ends it and looks that it ends by itself, well before the listener would cut anything off.
    pub async fn finish(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.serving)
            .await
            .expect("an end")
            .unwrap();
    }
}

/// A client.
pub struct Guest {
    pub socket: WebSocketStream<TcpStream>,
}

impl Guest {
    /// Asks for a socket, with these lines in the request: the head of the answer, and the client if it is a 101.
    pub async fn ask(address: SocketAddr, lines: &str) -> (String, Option<Self>) {
        Self::ask_for("/websocket", address, lines).await
    }

    /// The same with something behind the path.
    pub async fn ask_for(path: &str, address: SocketAddr, lines: &str) -> (String, Option<Self>) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, stream.read_u8())
                .await
                .expect("an answer");
            head.push(byte.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        if !head.starts_with("HTTP/1.1 101") {
            return (head, None);
        }
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        (head, Some(Self { socket }))
    }

    pub async fn send(&mut self, frame: Value) {
        let text = frame.to_string();
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    pub async fn say(&mut self, room: &str, id: &str, text: &str) {
        let frame = json!({ "type": "say", "room": room, "id": id, "text": text });
        self.send(frame).await;
    }

    /// The next thing that comes, or the end.
    pub async fn message(&mut self) -> Option<Message> {
        let read = timeout(PATIENCE, self.socket.next()).await;
        read.expect("a frame").and_then(Result::ok)
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        match self.message().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The next frame, which is of this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next().await;
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The ids of so many messages, which are all that comes next.
    pub async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let said = self.expect("said").await;
            ids.push(said["id"].as_str().unwrap().to_owned());
        }
        ids
    }

    /// The code with which the server closes the socket, after whatever comes before.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let Message::Close(frame) = self.message().await? {
                return frame.map(|frame| frame.code.into());
            }
        }
    }
}

/// The sum of one count over all kinds of frames.
pub fn frames(stats: &Value, count: &str) -> u64 {
    let kinds = stats["frames"].as_object().unwrap();
    kinds
        .values()
        .map(|counts| counts[count].as_u64().unwrap())
        .sum()
}

/// Whether every frame is accounted for once.
pub fn add_up(stats: &Value) -> bool {
    let of = |count| frames(stats, count);
    let waiting =
        stats["unsent"].as_u64().unwrap() + stats["now"]["queued_frames"].as_u64().unwrap();
    of("emitted") + of("duplicated") == of("dropped") + of("overflowed") + of("sent") + waiting
}

/// Far less than anything takes that is expected to happen, and long enough for what is not to show.
pub const SHORT: Duration = Duration::from_millis(200);
