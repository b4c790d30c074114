//! A server whose every answer, and every close, a test decides.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Where the server listens, and what arrived there.
pub struct Script {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// The server's end of one connection.
pub struct Line {
    stream: TcpStream,
    /// Counted from 0, in the order in which they were opened.
    pub number: usize,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// Runs `play` for every connection; the connection closes when it ends.
    pub async fn start<F: Future<Output = ()> + Send + 'static>(
        play: impl Fn(Line) -> F + Send + 'static,
    ) -> Self {
        Self::play_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), play)
    }

    fn play_on<F: Future<Output = ()> + Send + 'static>(
        listener: TcpListener,
        play: impl Fn(Line) -> F + Send + 'static,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<_>>>::default();
        let noted = requests.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let requests = noted.clone();
                tokio::spawn(play(Line {
                    stream,
                    number,
                    requests,
                }));
            }
        });
        Self { url, requests }
    }

    /// Answers every request on this path, and closes nothing.
    pub async fn answering(
        answer: impl Fn(&str) -> Vec<u8> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    /// The same at an address that is known before.
    pub fn on(
        listener: TcpListener,
        answer: impl Fn(&str) -> Vec<u8> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::play_on(listener, move |mut line| {
            let answer = answer.clone();
            async move {
                while let Some(path) = line.request().await {
                    line.write(answer(&path)).await;
                }
            }
        })
    }

    /// The paths of all requests, with their queries, in the order in which they came.
    pub fn paths(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let paths = requests.iter().map(|request| path_of(request).to_owned());
        paths.collect()
    }

    /// Every request with this path, head and body.
    pub fn requests(&self, path: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let of_path = |request: &&String| path_of(request) == path;
        requests.iter().filter(of_path).cloned().collect()
    }
}

impl Line {
    /// Reads a request to its last byte; its path, or `None` if the client closed.
    pub async fn request(&mut self) -> Option<String> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(request).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        let request = head + std::str::from_utf8(&body).unwrap();
        let path = path_of(&request).to_owned();
        self.requests.lock().unwrap().push(request);
        Some(path)
    }

    pub async fn write(&mut self, answer: impl AsRef<[u8]>) {
        self.stream.write_all(answer.as_ref()).await.ok();
    }

    /// Closes with a reset instead of an end of file.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

/// An answer with these headers, each on a line of its own, and this body.
pub fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Of Test\r\n{headers}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn path_of(request: &str) -> &str {
    request.split(' ').nth(1).unwrap()
}
