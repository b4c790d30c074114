use std::{net::SocketAddr, sync::Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use super::{
    addresses::Dead,
    server::{OK, Server, answer_all},
    *,
};

/// How a proxy behaves.
#[derive(Clone, Copy)]
pub(in crate::driver) enum Manner {
    /// Opens tunnels.
    Tunnels,
    /// Answers this to CONNECT, and 200 to all else.
    Refuses(&'static str),
}

/// A proxy, and the head of every request that it read.
pub(in crate::driver) struct TestProxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    pub(in crate::driver) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::<Mutex<Vec<_>>>::default();
        let noted = heads.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, manner, noted.clone()));
            }
        });
        Self { port, heads }
    }

    /// What was asked for.
    pub(in crate::driver) fn asked(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        let first = |head: &String| head.lines().next().unwrap().to_owned();
        heads.iter().map(first).collect()
    }

    /// A client that goes through it.
    pub(in crate::driver) fn client(&self, credentials: &str) -> HttpClient {
        let address = format!("http://{credentials}127.0.0.1:{}", self.port);
        self::driver();
        HttpDriver::new().unwrap().client(&Endpoint {
            proxy: ProxyChoice::Through(Arc::new(Proxy::read(&address).unwrap())),
            ..Endpoint::default()
        })
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, heads: Arc<Mutex<Vec<String>>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            head.push(byte);
        }
        let head = String::from_utf8(head).unwrap();
        heads.lock().unwrap().push(head.clone());
        let connect = head.strip_prefix("CONNECT ");
        match (manner, connect) {
            (Manner::Tunnels, Some(rest)) => {
                let server = rest.split(' ').next().unwrap();
                let mut server = TcpStream::connect(server).await.unwrap();
                stream
                    .write_all(b"HTTP/1.1 200 Established\r\n\r\n")
                    .await
                    .unwrap();
                copy_bidirectional(&mut stream, &mut server).await.ok();
                return;
            }
            (Manner::Refuses(status), Some(_)) => {
                let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            (_, None) => stream.write_all(OK.as_bytes()).await.unwrap(),
        }
    }
}

#[tokio::test]
async fn requests_go_through_a_tunnel_of_the_proxy() {
    let server = Server::start(answer_all).await;
    let proxy = TestProxy::start(Manner::Tunnels).await;
    let client = proxy.client("");
    for path in ["/1", "/2"] {
        assert_eq!(client.send(get(server.url(path))).await.unwrap().body, "ok");
    }
    // One connection, one tunnel, and the server is asked as if there were no proxy.
    let connect = format!("CONNECT 127.0.0.1:{} HTTP/1.1", server.port);
    assert_eq!(proxy.asked(), [connect]);
    let expected = [(0, "/1"), (0, "/2")].map(|(n, t)| (n, t.to_owned()));
    assert_eq!(server.arrivals(), expected);
}

#[tokio::test]
async fn the_proxy_looks_the_name_up() {
    let server = Server::start(answer_all).await;
    let proxy = TestProxy::start(Manner::Tunnels).await;
    let url = format!("http://localhost:{}/", server.port);
    proxy.client("").send(get(url)).await.unwrap();
    let connect = format!("CONNECT localhost:{} HTTP/1.1", server.port);
    assert_eq!(proxy.asked(), [connect]);
}

#[tokio::test]
async fn the_proxy_alone_gets_its_user_and_password() {
    let server = Server::start(answer_all).await;
    let proxy = TestProxy::start(Manner::Tunnels).await;
    let client = proxy.client("ada:s3%20cret@");
    client.send(get(server.url("/"))).await.unwrap();
    let head = proxy.heads.lock().unwrap()[0].to_lowercase();
    // `ada:s3 cret`
    let sent = "proxy-authorization: basic ywrhonmzignyzxq=\r\n";
    assert!(head.contains(sent), "{head}");
    let request = server.first_request().to_lowercase();
    assert!(!request.contains("proxy-authorization"), "{request}");
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_says_so_and_shows_none() {
    let proxy = TestProxy::start(Manner::Refuses("407")).await;
    for (credentials, says) in [("", "wants a user"), ("ada:s3cret@", "does not take")] {
        let failure = proxy.client(credentials).send(get("http://a.host/")).await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.kind, HttpFailureKind::Connect);
        assert!(failure.detail.contains("407"), "{failure}");
        assert!(failure.detail.contains(says), "{failure}");
        assert!(!failure.detail.contains("s3cret"), "{failure}");
    }
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_to_plain_http_forwards_requests() {
    for status in ["403", "405", "501"] {
        let proxy = TestProxy::start(Manner::Refuses(status)).await;
        let client = proxy.client("ada:s3cret@");
        let mut customer = client.session();
        for path in ["/1?a=b", "/2"] {
            let answer = customer
                .send(&get(format!("http://a.host:8000{path}")))
                .await;
            assert_eq!(answer.unwrap().status, 200);
        }
        let expected = [
            "CONNECT a.host:8000 HTTP/1.1",
            "GET http://a.host:8000/1?a=b HTTP/1.1",
            "GET http://a.host:8000/2 HTTP/1.1",
        ];
        assert_eq!(proxy.asked(), expected);
        let head = proxy.heads.lock().unwrap()[1].to_lowercase();
        assert!(head.contains("\r\nhost: a.host:8000\r\n"), "{head}");
        assert!(head.contains("\r\nproxy-authorization: basic "), "{head}");
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_proxy_that_opens_no_tunnel_to_https() {
    let proxy = TestProxy::start(Manner::Refuses("403")).await;
    let failure = proxy
        .client("")
        .send(get("https://a.host/?token=s3cret"))
        .await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert!(
        failure.detail.contains("403 to CONNECT a.host:443"),
        "{failure}"
    );
    assert_eq!(proxy.asked(), ["CONNECT a.host:443 HTTP/1.1"]);
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let proxy = TestProxy {
        port,
        heads: Arc::default(),
    };
    let failure = proxy
        .client("")
        .send(get("http://a.host/"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    let named = format!("proxy 127.0.0.1:{port}: ");
    assert!(failure.detail.contains(&named), "{failure}");
}

#[tokio::test]
async fn a_proxy_that_does_not_answer_is_named_and_not_the_server() {
    let port = Server::start(answer_all).await.port;
    let address = SocketAddr::from(([127, 0, 1, 77], port));
    let _dead = Dead::at(address).await;
    let client = HttpDriver::new().unwrap().client(&Endpoint {
        proxy: ProxyChoice::Through(Arc::new(Proxy::read(&format!("http://{address}")).unwrap())),
        ..Endpoint::default()
    });
    let mut request = get("http://a.host/");
    request.timeout = Duration::from_millis(300);
    let failure = client.send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    let named = format!("proxy {address}: no connection");
    assert!(failure.detail.contains(&named), "{failure}");
}

/// What the environment says.
fn environment(variables: &[(&str, &str)]) -> Result<EnvironmentProxies, ProxyError> {
    EnvironmentProxies::of(|name| {
        let mut variables = variables.iter();
        let (_, value) = variables.find(|(known, _)| *known == name)?;
        Some((*value).to_owned())
    })
}

#[test]
fn the_environment_names_proxies_and_exceptions() {
    let proxies = environment(&[
        ("HTTP_PROXY", "http://plain:1"),
        ("https_proxy", "secure:2"),
        (
            "NO_PROXY",
            "example.com, *.wild.com,10.0.0.0/8, one.port:8080,[::1]:9,2001:db8::1",
        ),
    ])
    .unwrap();
    let proxy = |url: &str| proxies.to_address(url).map(|proxy| proxy.to_string());
    for (url, through) in [
        ("http://a.host/", Some("plain:1")),
        ("https://a.host/", Some("secure:2")),
        ("http://example.com/", None),
        ("http://sub.example.com/", None),
        ("http://notexample.com/", Some("plain:1")),
        ("https://a.wild.com/", None),
        ("http://10.1.2.3:80/", None),
        ("http://11.1.2.3:80/", Some("plain:1")),
        ("http://one.port:8080/", None),
        ("http://one.port/", Some("plain:1")),
        ("http://[::1]:9/", None),
        ("http://[::1]:8/", Some("plain:1")),
        ("http://[2001:db8::1]/", None),
    ] {
        assert_eq!(proxy(url).as_deref(), through, "{url}");
    }
}

#[test]
fn variables_are_found_in_the_usual_order() {
    let http = |variables: &[(&str, &str)]| {
        let proxies = environment(variables).unwrap();
        let proxy = proxies.to_address("http://a.host/");
        proxy.map(|proxy| proxy.to_string())
    };
    let all = ("ALL_PROXY", "all:1");
    assert_eq!(http(&[all]).as_deref(), Some("all:1"));
    assert_eq!(http(&[all, ("http_proxy", "b:2")]).as_deref(), Some("b:2"));
    assert_eq!(http(&[("HTTP_PROXY", ""), all]).as_deref(), Some("all:1"));
    assert_eq!(http(&[all, ("NO_PROXY", "*")]), None);
    assert_eq!(http(&[]), None);
}

#[test]
fn a_proxy_of_the_environment_that_cannot_be_used_is_refused_in_words() {
    for (value, says) in [
        ("socks5://ada:s3cret@proxy:1080", "socks5://"),
        ("https://ada:s3cret@proxy:1080", "https://"),
        ("http://ada:s3cret@proxy:1080/path", "path"),
        ("http://ada:s3cret@proxy:port", "port"),
    ] {
        let refused = environment(&[("HTTPS_PROXY", value)])
            .unwrap_err()
            .to_string();
        assert!(refused.contains("`HTTPS_PROXY`"), "{refused}");
        assert!(refused.contains(says), "{refused}");
        assert!(!refused.contains("s3cret"), "{refused}");
    }
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used_unless_a_target_says_otherwise() {
    let server = Server::start(answer_all).await;
    let proxy = TestProxy::start(Manner::Tunnels).await;
    let address = format!("127.0.0.1:{}", proxy.port);
    driver();
    let proxies = environment(&[("HTTP_PROXY", &address)]).unwrap();
    let through = HttpDriver::through(proxies).unwrap();
    for (choice, tunnels) in [(ProxyChoice::Environment, 1), (ProxyChoice::Direct, 1)] {
        let client = through.client(&Endpoint {
            proxy: choice,
            ..Endpoint::default()
        });
        client.send(get(server.url("/"))).await.unwrap();
        assert_eq!(proxy.asked().len(), tunnels);
    }
    assert_eq!(server.arrivals().len(), 2);
}
