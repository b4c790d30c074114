//! Protocols over sockets that the documents write as scenarios, against servers that speak them.

use tokio_tungstenite::tungstenite::{
    handshake::server::{Callback, ErrorResponse, Request, Response},
    http::HeaderValue,
};

use crate::support::{Folder, Run, ServerSocket, SocketServer};

const CHATS: u64 = 3;

/// The scenario that a document shows under this name.
fn documented(name: &str) -> String {
    let document = std::fs::read_to_string("docs/scenarios.md").unwrap();
    let begin = format!("```yaml scenario\nscenario: {name}\n");
    let at = document.find(&begin).unwrap();
    let block = &document[at + "```yaml scenario\n".len()..];
    block[..block.find("\n```").unwrap()].to_owned()
}

/// Opens sockets at this path for clients that offer this subprotocol and no other.
#[expect(
    clippy::result_large_err,
    reason = "the library says what a refusal is"
)]
fn at(path: &'static str, protocol: Option<&'static str>) -> impl Callback + Clone + Unpin {
    move |request: &Request, mut response: Response| {
        assert_eq!(request.uri().to_string(), path);
        let name = "sec-websocket-protocol";
        let offered = request.headers().get(name);
        assert_eq!(offered.map(|offered| offered.to_str().unwrap()), protocol);
        if let Some(protocol) = protocol {
            { response.headers_mut() }.insert(name, HeaderValue::from_static(protocol));
        }
        Ok::<_, ErrorResponse>(response)
    }
}

/// Every chat of this scenario passes.
async fn passes(name: &str, scenario: &str, server: &SocketServer) {
    let folder = Folder::new();
    let file = folder.write(&format!("{name}.yaml"), scenario);
    let run = Run::new(folder, &file, &server.url).load(&format!("{{ chats: {CHATS} }}"));
    let run = run.done().await.exits(0);
    assert_eq!(run.chats("passed"), CHATS, "{run:#?}");
}

#[tokio::test]
async fn socket_io_is_a_scenario() {
    let opening = at("/socket.io/?EIO=4&transport=websocket", None);
    let server = SocketServer::answering(opening, async |mut socket: ServerSocket, _| {
        let open = r#"0{"sid":"s","pingInterval":25000,"upgrades":[]}"#;
        socket.send(&[open]).await;
        while let Some(text) = socket.text().await {
            if text == "40" {
                // Nobody goes on who does not answer a ping.
                socket.send(&["2"]).await;
                assert_eq!(socket.text().await.as_deref(), Some("3"));
                socket.send(&[r#"40{"sid":"t"}"#]).await;
            } else if let Some(event) = text.strip_prefix("42") {
                let event: serde_json::Value = serde_json::from_str(event).unwrap();
                assert_eq!(event[0], "say");
                let said = serde_json::json!(["said", event[1]]);
                let said = format!("42{said}");
                socket.send(&[r#"42["presence",1]"#, &said]).await;
            }
        }
    });
    passes("socket-io", &documented("socket-io"), &server.await).await;
}

#[tokio::test]
async fn stomp_is_a_scenario() {
    let opening = at("/stomp", Some("v12.stomp"));
    let server = SocketServer::answering(opening, async |mut socket: ServerSocket, _| {
        let mut body = None;
        while let Some(text) = socket.text().await {
            match text.split('\n').next().unwrap() {
                "CONNECT" => socket.send(&["CONNECTED\nversion:1.2\n\n\0"]).await,
                "SEND" => {
                    let sent = text.split_once("\n\n").unwrap().1;
                    body = Some(sent.trim_end_matches('\0').to_owned());
                }
                // A heartbeat, without which nothing is delivered.
                "" => {
                    if let Some(body) = body.take() {
                        let head =
                            "MESSAGE\nsubscription:0\nmessage-id:1\ndestination:/topic/lobby";
                        socket.send(&[&format!("{head}\n\n{body}\0")]).await;
                    }
                }
                other => assert_eq!(other, "SUBSCRIBE"),
            }
        }
    });
    let scenario = documented("stomp").replace("interval: 10s", "interval: 50ms");
    assert!(scenario.contains("50ms"));
    passes("stomp", &scenario, &server.await).await;
}

#[tokio::test]
async fn xmpp_is_a_scenario() {
    let opening = at("/xmpp", Some("xmpp"));
    let server = SocketServer::answering(opening, async |mut socket: ServerSocket, _| {
        while let Some(text) = socket.text().await {
            if text.starts_with("<open") {
                let open =
                    "<open version='1.0' id='s-1' xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
                socket.send(&[open]).await;
            } else if text.starts_with("<iq") {
                let id = text.split("id=\"").nth(1).unwrap();
                let id = id.split('"').next().unwrap();
                let bound = format!(
                    "<iq xmlns='jabber:client' id='{id}' type='result'><bind \
                     xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@chat.example.com/1</jid></bind></iq>"
                );
                socket.send(&["<presence id='other'/>", &bound]).await;
            } else {
                assert!(text.starts_with("<close"));
            }
        }
    });
    passes("xmpp", &documented("xmpp"), &server.await).await;
}
