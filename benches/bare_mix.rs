//! The least that a program can do to send the requests of benches/scenarios/status-mix.yaml: at the same times, on kept
//! connections, answers read and their status looked at, nothing else. What chatprobe costs is told as a multiple of
//! this, because the same machine is not as fast on every day.
//!
//! ```sh
//! cargo bench --bench bare_mix -- http://127.0.0.1:8000 REQUESTS REQUESTS_PER_SECOND USERS
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a yardstick that cannot go on is of no use"
)]

use std::{cell::RefCell, error::Error, process::ExitCode, rc::Rc, time::Duration};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::{LocalSet, spawn_local},
    time::{Instant, sleep_until},
};

/// Of so many requests one stores, and the others query.
const MIX: usize = 3;

type Failure = Box<dyn Error>;

/// What all requests share; one thread, so no locks.
struct Client {
    address: String,
    users: usize,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    /// How much later than they should requests were sent, in microseconds.
    late: RefCell<Histogram<u64>>,
}

impl Client {
    async fn send(&self, number: usize, due: Instant) -> Result<(), Failure> {
        let user = number % self.users;
        let (request, expected) = if number.is_multiple_of(MIX) {
            let article = number % 100;
            let body = format!(
                r#"{{"user":"user-{user}","article":"article-{article}","status":"like"}}"#
            );
            let request = Request::post("/user/status").header("content-type", "application/json");
            (
                request
                    .header("host", &self.address)
                    .body(Full::new(body.into()))?,
                StatusCode::CREATED,
            )
        } else {
            let request = Request::get(format!("/user-{user}/query?status=like"));
            (
                request
                    .header("host", &self.address)
                    .body(Full::default())?,
                StatusCode::OK,
            )
        };
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(&self.address).await?,
        };
        connection.ready().await?;
        let late = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.late.borrow_mut().saturating_record(late);
        let answer = connection.send_request(request).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        self.idle.borrow_mut().push(connection);
        if status == expected {
            Ok(())
        } else {
            Err(format!("answered {status}").into())
        }
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    spawn_local(connection);
    Ok(sender)
}

/// How many requests passed, and how many microseconds late they were sent, 99th percentile.
async fn run(address: String, requests: usize, rate: f64, users: usize) -> (usize, u64) {
    let client = Rc::new(Client {
        address,
        users,
        idle: RefCell::default(),
        late: RefCell::new(Histogram::new(3).expect("3 digits are allowed")),
    });
    let started = Instant::now();
    let mut tasks = Vec::with_capacity(requests);
    for number in 0..requests {
        #[expect(
            clippy::cast_precision_loss,
            reason = "requests are no more than millions"
        )]
        let due = started + Duration::from_secs_f64(number as f64 / rate);
        sleep_until(due).await;
        let client = client.clone();
        tasks.push(spawn_local(async move {
            client.send(number, due).await.is_ok()
        }));
    }
    let mut passed = 0;
    for task in tasks {
        passed += usize::from(task.await.unwrap_or(false));
    }
    (passed, client.late.borrow().value_at_quantile(0.99))
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let [url, requests, rate, users] = &arguments[..] else {
        eprintln!("usage: bare_mix URL REQUESTS REQUESTS_PER_SECOND USERS");
        return ExitCode::SUCCESS;
    };
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let (requests, users) = (requests.parse().unwrap(), users.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let load = run(address, requests, rate.parse().unwrap(), users);
    let (passed, late) = LocalSet::new().block_on(&runtime, load);
    println!("{passed} of {requests} requests passed; they were sent {late} µs late (p99)");
    if passed == requests {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
