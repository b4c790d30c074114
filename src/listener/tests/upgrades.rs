//! Connections that carry another protocol after a `101`.

use axum::{http::HeaderValue, response::IntoResponse as _};

use super::*;

const ASK: &str =
    "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: shouting\r\n\r\nearly";
const SWITCHED: &str = "101 Switching Protocols";

/// Answers 101 or `status`, and then sends back what it gets, in capitals.
fn shouting(status: StatusCode) -> Router {
    let answer = async move || {
        let upgrade = Upgrade::new(async |upgraded: Upgraded| {
            let Upgraded { mut stream, early } = upgraded;
            stream.write_all(&early.to_ascii_uppercase()).await.unwrap();
            let mut read = [0; 64];
            while let Ok(length @ 1..) = stream.read(&mut read).await {
                let loud = read[..length].to_ascii_uppercase();
                stream.write_all(&loud).await.unwrap();
            }
        });
        let mut response = status.into_response();
        let shouting = HeaderValue::from_static("shouting");
        response.headers_mut().insert("upgrade", shouting);
        response.extensions_mut().insert(upgrade);
        response
    };
    Router::new().route("/", get(answer))
}

async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        let read = timeout(Duration::from_secs(10), client.read_buf(&mut all)).await;
        assert_ne!(read.expect("bytes").unwrap(), 0, "{}", all.escape_ascii());
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_connection_that_is_upgraded_keeps_its_slot_and_is_not_closed_for_being_silent() {
    let limits = Limits {
        connections: 1,
        silent: Duration::from_millis(100),
        idle: Duration::from_millis(100),
        ..LIMITS
    };
    let (address, connections, end) = served(shouting(StatusCode::SWITCHING_PROTOCOLS), limits);
    let mut client = send(address, ASK).await;
    let answer = read_until(&mut client, "EARLY").await;
    assert!(answer.contains(SWITCHED), "{answer}");
    assert_eq!(connections.counters.figures().bytes, 0);
    sleep(Duration::from_millis(500)).await;
    client.write_all(b"late").await.unwrap();
    assert_eq!(read_until(&mut client, "LATE").await, "LATE");
    let figures = connections.counters.figures();
    assert_eq!((figures.connections, figures.bytes), (1, 0));
    assert!(!connections.make_room(), "it cannot be spared");
    drop(client);
    let mut next = send(address, ASK).await;
    read_until(&mut next, "EARLY").await;
    end().await;
    assert_eq!(
        next.read(&mut [0; 8]).await.unwrap_or(0),
        0,
        "it is cut off"
    );
    assert_eq!(connections.counters.figures().connections, 0);
}

#[tokio::test]
async fn an_answer_that_is_not_101_upgrades_nothing() {
    let limits = Limits {
        silent: Duration::from_millis(100),
        ..LIMITS
    };
    let (address, _, end) = served(shouting(StatusCode::FORBIDDEN), limits);
    let (_, written) = until_closed(send(address, ASK).await).await;
    assert!(written.starts_with("HTTP/1.1 403"), "{written}");
    assert!(!written.contains("EARLY"), "{written}");
    end().await;
}
