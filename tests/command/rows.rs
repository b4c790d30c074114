//! Rows of files that chats take.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};
use tokio::net::TcpListener;

use crate::support::{Folder, Process, Run};

const SCENARIO: &str = "scenario: accounts
rows:
  accounts: { file: data/accounts.csv, take: TAKE }
steps:
  - step: sign_in
    http: { post: '{{ target.url }}/', json: '{{ rows.accounts.user }} {{ rows.accounts[\"first name\"] }}', headers: { x-password: '{{ rows.accounts.password }}' } }
    expect: rows.accounts.user != 'ben'
";
/// As a spreadsheet writes it.
const ACCOUNTS: &str = "\u{feff}user,password,first name\r\nanna,pass-of-anna,Anna\r\nben,pass-of-ben,\"Ben \"\"B\"\"\"\r\ncleo,pass-of-cleo,Cleo\r\n";

fn folder(take: &str, accounts: &str) -> Folder {
    let folder = Folder::new();
    folder.write("accounts.yaml", &SCENARIO.replace("TAKE", take));
    std::fs::create_dir(folder.path("data")).unwrap();
    folder.write("data/accounts.csv", accounts);
    folder
}

/// A server, and what it is sent.
async fn server() -> (String, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let note = |State(bodies): State<Arc<Mutex<Vec<String>>>>, body: String| async move {
        bodies.lock().unwrap().push(body);
    };
    let router = Router::new()
        .route("/", post(note))
        .with_state(bodies.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, bodies)
}

#[tokio::test]
async fn every_chat_takes_its_row_until_they_run_out() {
    let (url, bodies) = server().await;
    let folder = folder("once", ACCOUNTS);
    let scenario = folder.argument("accounts.yaml");
    let run = Run::new(folder, &scenario, &url).load("{ chats: 5 }");
    let mut process = run.start();
    let code = process.ended().await;
    let said = process.output() + &process.log();
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("rows of `accounts` run out: 5 chats"),
        "{said}"
    );
    assert!(
        said.contains("rows ran out: `accounts` has 3 rows"),
        "{said}"
    );
    assert!(!said.contains("pass-of-"), "{said}");
    let mut bodies = bodies.lock().unwrap().clone();
    bodies.sort_unstable();
    assert_eq!(
        bodies,
        [r#""anna Anna""#, r#""ben Ben \"B\"""#, r#""cleo Cleo""#]
    );
}

#[tokio::test]
async fn rows_that_are_drawn_are_the_same_for_the_same_seed() {
    let mut sent = Vec::new();
    for seed in ["7", "7", "8"] {
        let (url, bodies) = server().await;
        let folder = folder("random", ACCOUNTS);
        let scenario = folder.argument("accounts.yaml");
        let run = Run::new(folder, &scenario, &url);
        let run = run.with(&["--seed", seed]).load("{ chats: 40 }");
        run.start().ended().await;
        let mut bodies = bodies.lock().unwrap().clone();
        bodies.sort_unstable();
        assert_eq!(bodies.len(), 40);
        sent.push(bodies);
    }
    assert_eq!(sent[0], sent[1]);
    assert_ne!(sent[0], sent[2]);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_with_its_place() {
    for (accounts, said) in [
        (ACCOUNTS, "accounts.yaml is a valid scenario"),
        (ACCOUNTS, "3 rows of `data/accounts.csv` as `rows.accounts`"),
        ("user,passwort,first name\na,b,c\n", "accounts.yaml:6:"),
        (
            "user,passwort,first name\na,b,c\n",
            "`data/accounts.csv` has no column `password`; did you mean `passwort`?",
        ),
        (
            "user,password\na,b\nc\n",
            "data/accounts.csv:3:1: this row has 1 value",
        ),
    ] {
        let folder = folder("once", accounts);
        let mut process = Process::start(&["check", &folder.argument("accounts.yaml")]);
        let code = process.ended().await;
        let output = process.output() + &process.log();
        assert_eq!(code == 0, accounts == ACCOUNTS, "{output}");
        assert!(output.contains(said), "{output}");
    }
    let folder = folder("once", ACCOUNTS);
    std::fs::remove_file(folder.path("data/accounts.csv")).unwrap();
    let mut process = Process::start(&["check", &folder.argument("accounts.yaml")]);
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    assert!(log.contains("accounts.yaml:3:21: "), "{log}");
    assert!(log.contains("accounts.csv` cannot be read"), "{log}");
}
