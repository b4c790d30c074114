use std::io::Write;

use flate2::{
    Compression as Level,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};

use super::{
    server::{OK, Server},
    *,
};
use crate::body::{CompressionError, KEPT_BYTES, Unusable};

const TEXT: &str = r#"{"text":"hello, hello, hello"}"#;

/// [`TEXT`], compressed by Node.js.
const BROTLI_TEXT: &[u8] = &[
    0x1b, 0x1d, 0x00, 0xf8, 0xa5, 0x45, 0x74, 0xf6, 0xfa, 0xa6, 0x24, 0x9b, 0x04, 0x93, 0x09, 0x88,
    0x00, 0x91, 0x29, 0x19, 0xea, 0x70,
];

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A server whose first answer on every connection this is, and whose others are [`OK`].
async fn answering(head: &'static str, body: Vec<u8>) -> Server {
    Server::start(move |mut peer| {
        let body = body.clone();
        async move {
            peer.request().await;
            let length = body.len();
            let head = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n");
            peer.write(head).await;
            peer.write(body).await;
            peer.answer(usize::MAX).await;
        }
    })
    .await
}

fn limited(server: &Server, limit: Option<usize>) -> HttpRequest {
    HttpRequest {
        body_limit: limit,
        ..get(server.url("/"))
    }
}

/// Sends the request and another one, and returns the answer and how many connections there were.
async fn answer_and_connections(server: &Server, limit: Option<usize>) -> (HttpAnswer, usize) {
    let mut customer = driver().session();
    let answer = customer.send(&limited(server, limit)).await.unwrap();
    customer.send(&get(server.url("/next"))).await.unwrap();
    let connections = server.arrivals().last().unwrap().0 + 1;
    (answer, connections)
}

#[tokio::test]
async fn a_compressed_body_is_decompressed_whatever_was_asked_for() {
    let text = TEXT.as_bytes();
    let zlib = {
        let mut encoder = ZlibEncoder::new(Vec::new(), Level::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let raw = {
        let mut encoder = DeflateEncoder::new(Vec::new(), Level::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    for (head, body) in [
        ("200 OK\r\ncontent-encoding: gzip", gzip(text)),
        ("200 OK\r\ncontent-encoding: deflate", zlib.clone()),
        ("200 OK\r\ncontent-encoding: deflate", raw),
        ("404 No\r\nContent-Encoding: br", BROTLI_TEXT.to_vec()),
        (
            "200 OK\r\ncontent-encoding: deflate\r\ncontent-encoding: gzip",
            gzip(&zlib),
        ),
        ("200 OK", text.to_vec()),
        ("200 OK\r\ncontent-encoding: identity", text.to_vec()),
    ] {
        let server = answering(head, body).await;
        let answer = driver().send(get(server.url("/"))).await.unwrap();
        assert_eq!(answer.body, TEXT, "{head}");
        assert!(!server.first_request().contains("accept-encoding"));
    }
}

#[tokio::test]
async fn a_body_that_nobody_looks_at_may_have_any_size_and_leaves_its_connection_open() {
    let server = answering("200 OK", vec![b'x'; 20 << 20]).await;
    let (answer, connections) = answer_and_connections(&server, None).await;
    assert_eq!(connections, 1);
    assert_eq!(answer.body.length(), 20 << 20);
    assert_eq!(answer.body.beginning(), vec![b'x'; KEPT_BYTES]);
    assert!(answer.body.as_whole().is_none());
    assert!(answer.body.why_unusable().is_none());
}

#[tokio::test]
async fn a_short_body_that_nobody_looks_at_is_whole() {
    let server = answering("200 OK", TEXT.into()).await;
    let answer = driver().send(limited(&server, None)).await.unwrap();
    assert_eq!(answer.body, TEXT);
}

#[tokio::test]
async fn the_beginning_of_a_compressed_body_that_nobody_looks_at_can_be_read() {
    let text = (0..100_000)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(" ");
    let server = answering("500 No\r\ncontent-encoding: gzip", gzip(text.as_bytes())).await;
    let (answer, connections) = answer_and_connections(&server, None).await;
    assert_eq!(connections, 1);
    assert_eq!(answer.body.beginning(), text.as_bytes()[..KEPT_BYTES]);
}

#[tokio::test]
async fn an_endless_body_that_nobody_looks_at_takes_until_the_timeout() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\n\r\n").await;
        let filler = "x".repeat(65536);
        while peer.write(&filler).await {}
    })
    .await;
    let mut request = limited(&server, None);
    request.timeout = Duration::from_millis(200);
    let failure = driver().send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Timeout);
}

#[tokio::test]
async fn one_byte_more_than_the_limit_is_too_large_and_the_status_is_known() {
    for (length, too_large) in [(5000, false), (5001, true)] {
        let server = answering("502 Bad Gateway", vec![b'x'; length]).await;
        let (answer, connections) = answer_and_connections(&server, Some(5000)).await;
        assert_eq!(answer.status, 502);
        let limit = 5000;
        let why = too_large.then_some(Unusable::TooLarge { limit });
        assert_eq!(answer.body.why_unusable(), why.as_ref());
        assert!(answer.body.beginning().starts_with(b"xxx"));
        assert_eq!(connections, if too_large { 2 } else { 1 });
    }
}

#[tokio::test]
async fn an_endless_body_that_somebody_looks_at_is_too_large() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\n\r\n").await;
        let filler = "x".repeat(65536);
        while peer.write(&filler).await {}
    })
    .await;
    let mut customer = driver().session();
    let answer = customer.send(&get(server.url("/"))).await.unwrap();
    let limit = MAX_BODY;
    let why = Unusable::TooLarge { limit };
    assert_eq!(answer.body.why_unusable(), Some(&why));
}

#[tokio::test]
async fn a_bomb_is_too_large() {
    // The limit of the second is high enough for a thread of its own.
    for limit in [MAX_BODY, 5 << 20] {
        let bomb = gzip(&vec![0; 6 << 20]);
        let server = answering("200 OK\r\ncontent-encoding: gzip", bomb).await;
        let (answer, connections) = answer_and_connections(&server, Some(limit)).await;
        let why = Unusable::Compressed(CompressionError::TooLarge { limit });
        assert_eq!(answer.body.why_unusable(), Some(&why));
        assert!(answer.body.why_unusable().unwrap().is_too_large());
        assert_eq!(connections, 1);
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_decompressed_says_why_and_the_status_is_known() {
    for head in [
        "503 No\r\ncontent-encoding: gzip",
        "503 No\r\ncontent-encoding: zstd",
    ] {
        let server = answering(head, b"plain".to_vec()).await;
        let (answer, connections) = answer_and_connections(&server, Some(MAX_BODY)).await;
        assert_eq!((answer.status, connections), (503, 1));
        let why = answer.body.why_unusable().unwrap();
        assert!(!why.is_too_large());
        assert!(matches!(why, Unusable::Compressed(_)), "{why}");
    }
}

#[tokio::test]
async fn an_answer_without_a_body_may_name_a_coding() {
    let server = answering("200 OK\r\ncontent-encoding: gzip", Vec::new()).await;
    let answer = driver().send(get(server.url("/"))).await.unwrap();
    assert_eq!(answer.body, "");
    let head = &OK[..OK.len() - 2];
    let head = head.replace("\r\n\r\n", "\r\ncontent-encoding: br\r\n\r\n");
    let server = Server::start(move |mut peer| {
        let head = head.clone();
        async move {
            peer.request().await;
            peer.write(head).await;
        }
    })
    .await;
    let mut request = get(server.url("/"));
    request.method = Method::HEAD;
    assert_eq!(driver().send(request).await.unwrap().body, "");
}
