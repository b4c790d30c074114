//! What HTTP clients alone cost: 64 customers ask one server without pauses, on one thread, over reqwest
//! or over hyper's connections.
//!
//! ```sh
//! cargo bench --bench plain_server -- 127.0.0.1:4100 &
//! cargo bench --bench clients -- http://127.0.0.1:4100/engagements/1
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a yardstick that cannot go on is of no use"
)]

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Uri, client::conn::http1::handshake, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CUSTOMERS: usize = 64;
const TIME: Duration = Duration::from_secs(5);

async fn over_reqwest(client: reqwest::Client, url: reqwest::Url, end: Instant) -> u64 {
    let mut answers = 0;
    while Instant::now() < end {
        let answer = client.get(url.clone()).send().await.unwrap();
        answer.bytes().await.unwrap();
        answers += 1;
    }
    answers
}

async fn over_hyper(url: Uri, end: Instant) -> u64 {
    let authority = url.authority().unwrap().as_str();
    let stream = TcpStream::connect(authority).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut answers = 0;
    while Instant::now() < end {
        let request = Request::get(url.path()).header(HOST, authority);
        sender.ready().await.unwrap();
        let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap());
        answer.await.unwrap().collect().await.unwrap();
        answers += 1;
    }
    answers
}

async fn measure<F: Future<Output = u64> + Send + 'static>(what: &str, ask: impl Fn(Instant) -> F) {
    let end = Instant::now() + TIME;
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        customers.spawn(ask(end));
    }
    let answers: u64 = customers.join_all().await.iter().sum();
    println!("{what}: {} answers a second", answers / TIME.as_secs());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.find(|argument| argument != "--bench") else {
        eprintln!("usage: clients URL");
        return;
    };
    rustls::crypto::ring::default_provider()
        .install_default()
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (uri, url): (Uri, reqwest::Url) = (url.parse().unwrap(), url.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        measure("reqwest", |end| {
            over_reqwest(client.clone(), url.clone(), end)
        })
        .await;
        measure("hyper", |end| over_hyper(uri.clone(), end)).await;
    });
}
