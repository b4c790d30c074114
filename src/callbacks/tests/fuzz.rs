use hyper::header::{HeaderName, HeaderValue};
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    callbacks::receiver,
    fuzz::{fuzz, inputs},
};

const EVENT_WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b"\n",
    b"\n\n",
    b" ",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xc3",
    "ä☃\u{202e}".as_bytes(),
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"-1e-999",
    b"18446744073709551616",
    b"0.30000000000000004",
    b"00",
    b"NaN",
    b"\"key\":",
    b"\"a\"",
    b"\"id\":",
    b"\"kind\":",
    b"\"reply\"",
    b"\"left\"",
    b"{\"key\":\"a\",\"kind\":\"reply\"}",
    b"key=a&kind=reply",
    b"&",
    b"=",
    b"%",
    b"%00",
    b"%ff",
    b"+",
    b"content-type: ",
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"; charset=",
    b"utf-16",
    b"latin1",
    b"content-encoding: ",
    b"gzip",
    b"deflate",
    b"br",
    b"identity",
    b", ",
    b"method: GET\n",
    b"query: key=a&key=b\n",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
];

const REQUEST_WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b": ",
    b"\0",
    b"\xff",
    "ä\u{202e}".as_bytes(),
    b"POST ",
    b"GET ",
    b"HEAD ",
    b"OPTIONS * ",
    b"CONNECT a:1 ",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"TRACE ",
    b"TOKEN",
    b"/events/TOKEN",
    b"/%2e%2e/",
    b"//",
    b"?a=%ff&",
    b"http://[::1/",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b" HTTP/9.9\r\n",
    b"host: x\r\n",
    b"Host: \r\n",
    b"content-length: ",
    b"content-length: 0\r\n",
    b"content-length: -1\r\n",
    b"content-length: 18446744073709551616\r\n",
    b"transfer-encoding: chunked\r\n",
    b"transfer-encoding: gzip, chunked\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"fffffffffffffffff\r\n",
    b"5;x=\"\r\n",
    b"expect: 100-continue\r\n",
    b"connection: close\r\n",
    b"connection: upgrade\r\n",
    b"upgrade: h2c\r\n",
    b"content-encoding: gzip\r\n",
    b"content-type: application/json\r\n",
    b" folded\r\n",
    b"x: y\r\n",
    b"0123456789",
    b"{\"key\":\"a\"}",
    b"{",
    b"key=a",
];

/// `name: value` lines, of which `method` and `query` are none of the headers, an empty line, and the body.
fn deliver(bench: &Bench, run: &TestRun, input: &[u8]) -> Result<Reception, CallbackRefusal> {
    let split = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = split.map_or((&[][..], input), |at| (&input[..at], &input[at + 2..]));
    let (mut headers, mut method, mut query) = (HeaderMap::new(), "POST".to_owned(), None);
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.windows(2).position(|two| two == b": ") else {
            continue;
        };
        let (name, value) = (&line[..colon], &line[colon + 2..]);
        match name {
            b"method" => method = String::from_utf8_lossy(value).into_owned(),
            b"query" => query = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {
                if let (Ok(name), Ok(value)) =
                    (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
                {
                    headers.append(name, value);
                }
            }
        }
    }
    let request = Request {
        method: &method,
        query: query.as_deref(),
        headers: &headers,
        body: body.to_vec().into(),
    };
    bench
        .exchange
        .deliver(&run.token, Arrival::unstamped(), &request)
}

#[test]
fn no_event_breaks_the_exchange_and_each_is_accounted_for() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let callbacks = "{ key: event.key, id: event.id, disconnected: event.kind == 'left', \
                     accept: headers.x is not defined or (raw_body | length) > 9, \
                     verify: [{ when: event.type is defined, answer: '{{ event.type }}' }] }";
    let bench = Bench::with(callbacks, CallbackLimits::default());
    fuzz("event", inputs("event", EVENT_WORDS), |input| {
        runtime.block_on(async {
            let mut run = bench.run();
            let mut chat = run.chat_with("a");
            let since = Instant::now();
            for _ in 0..2 {
                let _ = deliver(&bench, &run, input);
            }
            while chat.wait(since, Instant::now(), judge).await.is_ok() {}
            drop(chat);
            run.end();
            Ok(())
        })
    });
}

/// What a listener answers to these bytes, which end there; `None` if it takes too long.
async fn answers(listener: &str, request: &[u8]) -> Option<Vec<u8>> {
    let talk = async {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        let mut answer = Vec::new();
        // Who refuses a request may close before all of it has been sent.
        let (mut from, mut to) = stream.split();
        let send = async {
            let _ = to.write_all(request).await;
            let _ = to.shutdown().await;
        };
        let _ = tokio::join!(send, from.read_to_end(&mut answer));
        answer
    };
    timeout(Duration::from_secs(5), talk).await.ok()
}

#[test]
fn no_request_breaks_the_callback_listener_and_the_next_one_is_taken() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bench = Bench::new();
    let mut run = bench.run();
    let shutdown = CancellationToken::new();
    let (address, serving) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = receiver::serve(listener, bench.exchange.clone(), shutdown.clone());
        (address, tokio::spawn(serving))
    });
    let event = r#"{"key":"b"}"#;
    let canary = format!(
        "POST /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{event}",
        run.token,
        event.len()
    );
    fuzz(
        "callback_request",
        inputs("callback_request", REQUEST_WORDS),
        |input| {
            let text = input.to_vec();
            let token = run.token.as_bytes();
            let mut request = Vec::new();
            let mut rest = &text[..];
            while let Some(at) = rest.windows(5).position(|word| word == b"TOKEN") {
                request.extend_from_slice(&rest[..at]);
                request.extend_from_slice(token);
                rest = &rest[at + 5..];
            }
            request.extend_from_slice(rest);
            runtime.block_on(async {
                let answer = answers(&address, &request).await;
                let answer =
                    answer.ok_or_else(|| TestCaseError::fail("no end of the connection"))?;
                let status = answer.get(..9).unwrap_or(b"HTTP/1.1 ");
                prop_assert!(
                    status == b"HTTP/1.1 " || status == b"HTTP/1.0 ",
                    "{}",
                    answer.escape_ascii()
                );
                let canary_answer = answers(&address, canary.as_bytes())
                    .await
                    .unwrap_or_default();
                prop_assert!(
                    canary_answer.starts_with(b"HTTP/1.1 200 "),
                    "{}",
                    canary_answer.escape_ascii()
                );
                Ok(())
            })
        },
    );
    run.end();
    runtime.block_on(async {
        shutdown.cancel();
        serving.await.unwrap();
    });
}
