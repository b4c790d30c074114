//! A failed chat shows what passed over its sockets, and not what nobody may see of it.

use serde_json::{Value, json};

use crate::support::{Folder, ServerSocket, Service, SocketServer, eventually, get};

const CHAT: &str = r#"
scenario: socket-desk
steps:
  - step: opens
    connect: "{{ target.url }}/socket"
  - step: says
    send: { json: { type: login, password: of-ours-4711 } }
  - step: hears
    receive: frame.json.type == "never"
    timeout: 1h
"#;

/// Logs the chat in, tells it more than it wants to hear, and closes the socket.
async fn serve(mut socket: ServerSocket, _: usize) {
    socket.text().await;
    socket
        .send(&[r#"{"type":"welcome","token":"t-of-theirs","room":"lobby"}"#])
        .await;
    socket.send_bytes(&[0, 1, 255]).await;
    socket.send(&["you have t-of-theirs"]).await;
    socket.close(4_003, "kicked").await;
}

fn assert_discreet(what: &str, text: &str) {
    for piece in ["of-ours", "of-theirs"] {
        assert!(!text.contains(piece), "`{piece}` in {what}: {text}");
    }
}

#[tokio::test]
async fn a_failure_shows_frames_in_order_and_no_secret() {
    let server = SocketServer::start(serve).await;
    let folder = Folder::new();
    folder.write("scenarios/socket-desk.yaml", CHAT);
    let configuration = format!(
        "targets: {{ desk: {{ url: '{}' }} }}\nscenarios: [scenarios]\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\ndata: {{ directory: data }}\n",
        server.url
    );
    let mut service = Service::start_in(folder, &configuration, &[], &[]).await;
    let order = "{ scenario: socket-desk, target: desk, load: { chats: 1 } }";
    let answer = service.order("POST", "/api/v1/bursts", order).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let run = answer.text("id");
    let report = eventually("the end of the run", async || {
        let report = service.read(&format!("/api/v1/runs/{run}")).await.body;
        Some(report).filter(|report| report["state"] == "ended")
    })
    .await;
    let example = &report["failures"][0];
    assert_eq!(
        (&example["step"], &example["reason"]),
        (&json!("hears"), &json!("closed"))
    );
    assert!(
        example["detail"].as_str().unwrap().contains("4003"),
        "{example}"
    );
    let id = example["id"].as_str().unwrap();
    let told = service.read(&format!("/api/v1/failures/{id}")).await.body;
    let frames = told["frames"].as_array().unwrap();
    let shown: Vec<Value> = (frames.iter())
        .map(|frame| json!([frame["passage"], frame["kind"], frame["content"]["text"]]))
        .collect();
    let expected = [
        json!(["sent", "text", r#"{"type":"login","password":"***"}"#]),
        json!([
            "received",
            "text",
            r#"{"type":"welcome","token":"***","room":"lobby"}"#
        ]),
        json!(["received", "binary", "hex 0001ff"]),
        json!(["received", "text", "you have ***"]),
    ];
    assert_eq!(shown[..4], expected, "{told:#}");
    assert_eq!(shown.len(), 5, "{told:#}");
    let end = &frames[4];
    assert_eq!(
        (&end["passage"], &end["kind"]),
        (&json!("ended"), &Value::Null)
    );
    let how = end["content"]["text"].as_str().unwrap();
    assert!(how.contains("4003") && how.contains("kicked"), "{how}");
    let moments: Vec<_> = frames
        .iter()
        .map(|frame| frame["at"].as_f64().unwrap())
        .collect();
    assert!(moments.is_sorted(), "{moments:?}");
    assert_eq!(frames[2]["content"]["bytes"], 3);
    assert_eq!(told["frames_dropped"], 0);
    assert_eq!(
        &example["frames"], &told["frames"],
        "all frames of a short chat are shown"
    );
    assert_discreet("the failure", &told.to_string());

    for (path, part) in [
        (format!("/failures/{id}"), "received binary"),
        (
            format!("/api/v1/runs/{run}/report.html"),
            "connection 1 (socket) received binary, 3 bytes",
        ),
        (format!("/api/v1/runs/{run}/report.json"), "0001ff"),
    ] {
        let page = get(&format!("{}{path}", service.web)).await.unwrap();
        assert!(page.contains(part), "{path}: {page}");
        assert_discreet(&path, &page);
    }
    assert_discreet("the log", &service.process.log());
    service.process.finish().await;
    let service = Service::start_in(service.folder, &configuration, &[], &[]).await;
    let again = service.read(&format!("/api/v1/failures/{id}")).await.body;
    assert_eq!(again, told, "it outlives the process");
    let report = service.read(&format!("/api/v1/runs/{run}")).await.body;
    assert_eq!(report["failures"][0]["frames"], told["frames"]);
}
