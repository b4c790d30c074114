//! The examples of docs/scenarios.md sign in, as servers want it.

use std::collections::HashMap;

use axum::{
    Form, Json, Router,
    extract::RawQuery,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{ANY_HEALTH, Folder, Process, install_crypto};

const ID: &str = "probe@example.com";
const SECRET: &str = "s3cr&t/+ä";

/// Gives a token to whoever knows the client and its secret, encoded as RFC 6749 wants it.
async fn token(
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let encoded = "probe%40example.com:s3cr%26t%2F%2B%C3%A4";
    let basic = format!("Basic {}", BASE64_STANDARD.encode(encoded));
    let type_ = headers["content-type"].to_str().unwrap();
    if headers["authorization"] != basic
        || type_ != "application/x-www-form-urlencoded"
        || form
            != HashMap::from([
                ("grant_type".into(), "client_credentials".into()),
                ("scope".into(), "chat".into()),
            ])
    {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": "invalid_client" })),
        );
    }
    (
        StatusCode::OK,
        Json(json!({ "access_token": "tok-1234567", "token_type": "Bearer" })),
    )
}

/// Opens a chat for a token, a password or a signature.
async fn open(headers: HeaderMap, RawQuery(query): RawQuery, body: String) -> StatusCode {
    let header = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{ID}:{SECRET}")));
    let authorization = header("authorization");
    if authorization == "Bearer tok-1234567" || authorization == basic {
        return StatusCode::CREATED;
    }
    let time = header("x-timestamp");
    let signed = format!(
        "{time}\nPOST\n/chats\n{}\n{body}",
        query.unwrap_or_default()
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = BASE64_STANDARD
        .decode(header("x-signature"))
        .unwrap_or_default();
    let now = jiff::Timestamp::now().as_second();
    let recent = time
        .parse()
        .is_ok_and(|time: i64| (0..60).contains(&(now - time)));
    if recent && hmac::verify(&key, signed.as_bytes(), &signature).is_ok() {
        return StatusCode::CREATED;
    }
    StatusCode::UNAUTHORIZED
}

/// The example of the document with this name.
fn example(name: &str) -> String {
    let text = std::fs::read_to_string("docs/scenarios.md").unwrap();
    let mut blocks = text.split("```yaml scenario\n").skip(1);
    let begin = format!("scenario: {name}\n");
    let block = blocks.find(|block| block.starts_with(&begin)).unwrap();
    block.split("```").next().unwrap().to_owned()
}

#[tokio::test]
async fn the_examples_of_signing_in_are_let_in() {
    install_crypto();
    let routes = Router::new()
        .route("/oauth/token", post(token))
        .route("/chats", post(open));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    let folder = Folder::new();
    let secrets: String = [
        ("client_id", "ID"),
        ("client_secret", "SECRET"),
        ("user", "ID"),
        ("password", "SECRET"),
        ("signing_key", "SECRET"),
    ]
    .map(|(name, variable)| format!("{name}: {{ env: {variable} }}, "))
    .concat();
    for name in ["oauth", "basic", "signed"] {
        folder.write(&format!("scenarios/{name}.yaml"), &example(name));
    }
    let configuration = format!(
        "targets: {{ desk: {{ url: '{url}', secrets: {{ {secrets} }} }} }}\nscenarios: [scenarios]\n\
         {ANY_HEALTH}\n"
    );
    let file = folder.write("chatprobe.yaml", &configuration);
    for name in ["oauth", "basic", "signed"] {
        let arguments = ["run", name, "--config", &file, "--load", "{ chats: 3 }"];
        for (secret, code) in [(SECRET, 0), ("wr0ng-one", 1)] {
            let environment = [("ID", ID), ("SECRET", secret)];
            let mut process = Process::start_in(&arguments, &environment);
            assert_eq!(process.ended().await, code, "{name}: {}", process.log());
            assert!(!process.output().contains(secret), "{}", process.output());
        }
    }
}
