//! A server that answers every request with the same 313 bytes of JSON: what a client costs is told by
//! how many answers it gets from this one.
//!
//! ```sh
//! cargo bench --bench plain_server -- 127.0.0.1:4100
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a yardstick that cannot go on is of no use"
)]

use std::{convert::Infallible, io::Write as _};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, body::Incoming, header::CONTENT_TYPE, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::LocalSet};

const BYTES: usize = 313;

fn answer() -> Bytes {
    let begin = r#"{"id":"e-1","status":"open","text":""#;
    let text = "x".repeat(BYTES - begin.len() - 2);
    format!("{begin}{text}\"}}").into()
}

async fn serve(address: String) {
    let listener = TcpListener::bind(address).await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    let answer = answer();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let answer = answer.clone();
        let service = service_fn(move |_: hyper::Request<Incoming>| {
            let mut response = Response::new(Full::new(answer.clone()));
            let json = hyper::header::HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            async { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::task::spawn_local(connection);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(address) = arguments.find(|argument| argument != "--bench") else {
        eprintln!("usage: plain_server ADDRESS");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, serve(address));
}
