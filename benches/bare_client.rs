//! The least that a program can do to hold the chats of `contact-center-chat`: requests and events on
//! kept connections, pauses, nothing checked, nothing configurable, nothing measured but how late a pause
//! ends. What chatprobe costs is told as a multiple of this, because the same machine is not as fast on
//! every day.
//!
//! ```sh
//! cargo bench --bench bare_client -- http://127.0.0.1:4000 CHATS CHATS_PER_SECOND
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a yardstick that cannot go on is of no use"
)]

use std::{
    cell::RefCell, collections::HashMap, convert::Infallible, error::Error, rc::Rc, time::Duration,
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{LocalSet, spawn_local},
    time::{Instant, sleep_until},
};

const SESSION_PAUSE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(500);
const MESSAGES: usize = 2;

type Failure = Box<dyn Error>;

/// What all chats share; one thread, so no locks.
struct Client {
    address: String,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    waiting: RefCell<HashMap<String, Rc<Waiter>>>,
    /// How much longer pauses were than they should be, in microseconds.
    late: RefCell<Histogram<u64>>,
}

/// How many agent events a chat has got and not used.
#[derive(Default)]
struct Waiter {
    arrived: RefCell<usize>,
    arrival: Notify,
}

#[derive(Deserialize)]
struct AnyEvent<'a> {
    #[serde(rename = "engagementId")]
    engagement: &'a str,
    #[serde(rename = "eventType")]
    kind: &'a str,
    #[serde(rename = "participantType", alias = "senderType")]
    who: Option<&'a str>,
}

#[derive(Deserialize)]
struct Ids<'a> {
    #[serde(rename = "sessionId")]
    session: Option<&'a str>,
    #[serde(rename = "engagementId")]
    engagement: Option<&'a str>,
}

impl Client {
    async fn post(&self, path: &str, body: String) -> Result<Bytes, Failure> {
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(&self.address).await?,
        };
        connection.ready().await?;
        let request = Request::post(path)
            .header("host", &self.address)
            .header("content-type", "application/json")
            .body(Full::new(body.into()))?;
        let answer = connection.send_request(request).await?;
        if !answer.status().is_success() {
            return Err(format!("{path} answered {}", answer.status()).into());
        }
        let body = answer.into_body().collect().await?.to_bytes();
        self.idle.borrow_mut().push(connection);
        Ok(body)
    }

    async fn pause(&self, pause: Duration) {
        let due = Instant::now() + pause;
        sleep_until(due).await;
        let late = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.late.borrow_mut().saturating_record(late);
    }

    fn received(&self, body: &[u8]) {
        let Ok(event) = serde_json::from_slice::<AnyEvent<'_>>(body) else {
            return;
        };
        if matches!(event.kind, "PARTICIPANT_ADDED" | "MESSAGES")
            && event.who == Some("AGENT")
            && let Some(waiter) = self.waiting.borrow().get(event.engagement)
        {
            *waiter.arrived.borrow_mut() += 1;
            waiter.arrival.notify_one();
        }
    }

    async fn chat(&self, number: usize) -> Result<(), Failure> {
        let body = format!(
            r#"{{"tenantId":"t","customerIdentifier":"customer-{number}","channelProviderId":"p","userId":"user-{number}","displayName":"Customer {number}","firstName":"Customer","lastName":"{number}","emailAddress":"customer-{number}@example.com","contactNumber":"+49{number}","sessionParameters":{{"language":"EN"}}}}"#
        );
        let answer = self.post("/api/digital/v1/sessions", body).await?;
        let session = serde_json::from_slice::<Ids<'_>>(&answer)?.session;
        let session = session.ok_or("no session")?.to_owned();
        self.pause(SESSION_PAUSE).await;
        let body = format!(
            r#"{{"sessionId":"{session}","tenantId":"t","customerIdentifier":"customer-{number}","channelProviderId":"p","conversation":"Customer {number} would like to chat.","mediaType":"CHAT","contextParameters":{{"language":"EN"}}}}"#
        );
        let answer = self.post("/api/digital/v1/engagements", body).await?;
        let engagement = serde_json::from_slice::<Ids<'_>>(&answer)?.engagement;
        let engagement = engagement.ok_or("no engagement")?.to_owned();
        let waiter = Rc::<Waiter>::default();
        self.waiting
            .borrow_mut()
            .insert(engagement.clone(), waiter.clone());
        waiter.next().await;
        self.pause(PAUSE).await;
        let path = format!("/api/digital/v1/engagements/{engagement}/messages");
        for message in 1..=MESSAGES {
            let text = format!("Message {message} of customer {number}");
            self.post(&path, say(&session, number, &text)).await?;
            waiter.next().await;
            self.pause(PAUSE).await;
        }
        self.post(&path, say(&session, number, "###BYE###")).await?;
        self.waiting.borrow_mut().remove(&engagement);
        Ok(())
    }
}

impl Waiter {
    async fn next(&self) {
        while *self.arrived.borrow() == 0 {
            self.arrival.notified().await;
        }
        *self.arrived.borrow_mut() -= 1;
    }
}

fn say(session: &str, number: usize, text: &str) -> String {
    format!(
        r#"{{"sessionId":"{session}","correlationId":"","dialogId":"","parentMessageId":"","senderType":"CUSTOMER","senderName":"Customer {number}","body":{{"elementType":"Text","elementText":{{"text":"{text}","textFormat":"PLAINTEXT"}}}}}}"#
    )
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    spawn_local(connection);
    Ok(sender)
}

/// Takes the events of the chats.
async fn listen(client: Rc<Client>, listener: TcpListener) {
    loop {
        let (stream, _) = listener
            .accept()
            .await
            .expect("a listener on loopback accepts");
        stream
            .set_nodelay(true)
            .expect("an open socket takes an option");
        let client = client.clone();
        let receive = service_fn(move |request: Request<Incoming>| {
            let client = client.clone();
            async move {
                if let Ok(body) = request.into_body().collect().await {
                    client.received(&body.to_bytes());
                }
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }
        });
        spawn_local(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), receive),
        );
    }
}

/// How many chats passed, and how many microseconds late pauses ended, 99th percentile.
async fn run(address: String, chats: usize, rate: f64) -> (usize, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback = listener.local_addr().unwrap();
    let client = Rc::new(Client {
        address,
        idle: RefCell::default(),
        waiting: RefCell::default(),
        late: RefCell::new(Histogram::new(3).expect("3 digits are allowed")),
    });
    spawn_local(listen(client.clone(), listener));
    let webhook = format!(r#"[{{"callbackUrl":"http://{callback}/","eventTypes":["ALL"]}}]"#);
    let path = "/api/digital/v1/channel-providers/p/webhooks";
    client
        .post(path, webhook)
        .await
        .expect("the simulator takes a webhook");
    let started = Instant::now();
    let mut tasks = Vec::with_capacity(chats);
    for number in 0..chats {
        #[expect(
            clippy::cast_precision_loss,
            reason = "chats are no more than millions"
        )]
        sleep_until(started + Duration::from_secs_f64(number as f64 / rate)).await;
        let client = client.clone();
        tasks.push(spawn_local(
            async move { client.chat(number).await.is_ok() },
        ));
    }
    let mut passed = 0;
    for task in tasks {
        passed += usize::from(task.await.unwrap_or(false));
    }
    (passed, client.late.borrow().value_at_quantile(0.99))
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let Some(url) = arguments.next() else {
        eprintln!("usage: bare_client URL CHATS CHATS_PER_SECOND");
        return;
    };
    let chats = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000);
    let rate = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000.0);
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (passed, late) = LocalSet::new().block_on(&runtime, run(address, chats, rate));
    println!("{passed} of {chats} chats passed; pauses ended {late} µs late (p99)");
}
