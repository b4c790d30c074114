//! A server whose every byte and every close a test decides.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Where the server listens, and what has arrived there.
pub struct Server {
    pub port: u16,
    arrivals: Arc<Mutex<Vec<(usize, String)>>>,
}

/// The server's end of one connection.
pub struct Peer<S> {
    pub stream: S,
    /// Counted from 0, in the order in which they were opened.
    pub connection: usize,
    arrivals: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Server {
    /// Runs `serve` for every connection; the connection closes when it ends.
    pub async fn start<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(Peer<TcpStream>) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrivals = Arc::<Mutex<Vec<_>>>::default();
        let noted = Arc::clone(&arrivals);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(Peer {
                    stream,
                    connection,
                    arrivals: Arc::clone(&noted),
                }));
            }
        });
        Self { port, arrivals }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The connection and the request line's target of every request that arrived as a whole.
    pub fn arrivals(&self) -> Vec<(usize, String)> {
        let requests = self.arrivals.lock().unwrap();
        let target = |request: &str| request.split(' ').nth(1).unwrap().to_owned();
        requests.iter().map(|(n, r)| (*n, target(r))).collect()
    }

    /// The first request, head and body.
    pub fn first_request(&self) -> String {
        self.arrivals.lock().unwrap()[0].1.clone()
    }

    /// The latest request, head and body.
    pub fn last_request(&self) -> String {
        self.arrivals.lock().unwrap().last().unwrap().1.clone()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Reads one request, to the last byte of its body; `None` if the client closed.
    pub async fn request(&mut self) -> Option<String> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(request.clone()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        let request = head + std::str::from_utf8(&body).unwrap();
        let noted = (self.connection, request.clone());
        self.arrivals.lock().unwrap().push(noted);
        Some(request)
    }

    /// Whether all of it could be written.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// Answers so many requests.
    pub async fn answer(&mut self, count: usize) {
        for _ in 0..count {
            if self.request().await.is_none() {
                return;
            }
            self.write(OK).await;
        }
    }
}

impl Peer<TcpStream> {
    /// Closes with a reset instead of an end of file.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// The same connection inside TLS; `None` if the client gave up the handshake.
    pub async fn secured(self, acceptor: TlsAcceptor) -> Option<Peer<TlsStream<TcpStream>>> {
        Some(Peer {
            stream: acceptor.accept(self.stream).await.ok()?,
            connection: self.connection,
            arrivals: self.arrivals,
        })
    }
}

/// Answers whatever comes.
pub async fn answer_all(mut peer: Peer<TcpStream>) {
    peer.answer(usize::MAX).await;
}
