//! `chatprobe health`, the health check of the container.

use std::net::TcpListener;

use crate::support::{Centre, Folder, Process, Service, free_address, plain};

async fn health(arguments: &[&str]) -> (i32, String) {
    let mut process = Process::start(&[&["health"], arguments].concat());
    let code = process.ended().await;
    (code, process.output() + &process.log())
}

#[tokio::test]
async fn a_service_is_well_until_it_has_ended() {
    let web = free_address();
    let text = plain("http://127.0.0.1:1", "").replacen("127.0.0.1:0", &web.to_string(), 1);
    let mut service = Service::start(&text).await;
    let file = service.folder.argument("chatprobe.yaml");
    let (code, said) = health(&["--config", &file]).await;
    assert_eq!((code, said), (0, format!("http://{web}/healthz is well\n")));

    // Not in force, so no matter; a scenario that is missing here would be a problem for `check`.
    service
        .folder
        .write("chatprobe.yaml", &format!("{text}\nprobes: [nonsense]\n"));
    assert_eq!(health(&["--config", &file]).await.0, 0);

    service.process.finish().await;
    let (code, said) = health(&["--config", &file]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("connection failed"), "{said}");
}

#[tokio::test]
async fn only_a_whole_answer_of_200_is_well() {
    let centre = Centre::start("{}").await;
    let (code, said) = health(&["--url", &format!("{}/stats", centre.url)]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = health(&["--url", &centre.url]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("answered 404"), "{said}");

    // Connects, and is never accepted.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (code, said) = health(&["--url", &url]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("timed out"), "{said}");
}

#[tokio::test]
async fn a_service_whose_place_is_not_known_is_said_to_be_so() {
    let folder = Folder::new();
    let any_port = folder.write("any.yaml", "listen: { web: 127.0.0.1:0 }\n");
    let wrong = folder.write("wrong.yaml", "listen: { wbe: 127.0.0.1:1 }\n");
    for (arguments, says) in [
        (["--config", &any_port], "say with --url"),
        (["--config", &wrong], "unknown"),
        (["--config", "/nowhere/chatprobe.yaml"], "cannot be read"),
        (["--url", "localhost"], "is not an address"),
    ] {
        let (code, said) = health(&arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}
