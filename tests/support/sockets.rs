//! A server whose sockets do what a test says.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{Callback, NoCallback},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// The server's side of a socket.
pub struct ServerSocket(WebSocketStream<TcpStream>);

/// It ends when this is dropped, and its sockets with it.
pub struct SocketServer {
    /// Where it listens, as `http`.
    pub url: String,
    opened: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

impl SocketServer {
    /// Does this with every socket that is opened; its number, from one, comes with it.
    pub async fn start<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(ServerSocket, usize) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::answering(NoCallback, serve).await
    }

    /// The same, where this makes the answer to the opening of each socket.
    pub async fn answering<F: Future<Output = ()> + Send + 'static>(
        answer: impl Callback + Clone + Send + Sync + Unpin + 'static,
        serve: impl Fn(ServerSocket, usize) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let opened = Arc::<AtomicUsize>::default();
        let counter = opened.clone();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut sockets = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (serve, counter) = (serve.clone(), counter.clone());
                let answer = answer.clone();
                sockets.spawn(async move {
                    let small = WebSocketConfig::default().read_buffer_size(1024);
                    let socket = accept_hdr_async_with_config(stream, answer, Some(small)).await;
                    let Ok(socket) = socket else { return };
                    let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
                    serve(ServerSocket(socket), number).await;
                });
                while sockets.try_join_next().is_some() {}
            }
        });
        Self {
            url,
            opened,
            _accepting: accepting,
        }
    }

    /// How many sockets were opened.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

impl ServerSocket {
    /// The next text of the client; `None` once it has closed the socket.
    pub async fn text(&mut self) -> Option<String> {
        loop {
            match self.0.next().await?.ok()? {
                Message::Text(text) => return Some(text.to_string()),
                Message::Close(_) => {
                    // So that the answer goes out.
                    let _ = self.0.flush().await;
                    return None;
                }
                _ => {}
            }
        }
    }

    /// The code with which the client closes the socket; `None` if the connection ends without one. What it says before
    /// is passed over.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let Message::Close(close) = self.0.next().await?.ok()? {
                let _ = self.0.flush().await;
                return close.map(|close| close.code.into());
            }
        }
    }

    /// Sends texts, all of them with one write.
    pub async fn send(&mut self, texts: &[&str]) {
        for text in texts {
            self.0.feed(Message::text(*text)).await.unwrap();
        }
        self.0.flush().await.unwrap();
    }

    /// Sends bytes.
    pub async fn send_bytes(&mut self, bytes: &'static [u8]) {
        let message = Message::binary(bytes);
        self.0.send(message).await.unwrap();
    }

    /// Closes the socket and waits until the client has answered.
    pub async fn close(mut self, code: u16, reason: &'static str) {
        let close = CloseFrame {
            code: CloseCode::from(code),
            reason: reason.into(),
        };
        // A client that is gone answers nothing.
        let _ = self.0.close(Some(close)).await;
        while let Some(Ok(_)) = self.0.next().await {}
    }
}
