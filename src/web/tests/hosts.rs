//! Under which names the service answers.

use std::path::Path;

use axum::{body::Body, extract::Request, http::HeaderValue};

use super::{Access, Service, TOKEN, changes::CHANGES, local, request};
use crate::{
    config::Admin,
    document::{Problems, Value, parse, settings},
    testing::TemporaryFolder,
};

/// The same request for another host.
pub(super) fn under(host: &str, mut request: Request) -> Request {
    let host = HeaderValue::from_str(host).unwrap();
    request.headers_mut().insert("host", host);
    request
}

#[tokio::test]
async fn without_a_token_a_rebound_name_is_answered_nowhere() {
    let service = Service::start().await;
    let run = service.burst("{ burst: lunch-rush }").await;
    let events = format!("/api/v1/runs/{}/events", run.id());
    let page = format!("/runs/{}", run.id());
    let live = format!("/live/runs/{}", run.id());
    let reads = [
        "/",
        "/runs",
        &page,
        "/live/now",
        &live,
        &events,
        "/console.js",
        "/sign-in",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/v1/runs",
        "/api/v1/openapi.json",
        "/nowhere",
    ];
    let reads = reads
        .into_iter()
        .flat_map(|path| [("GET", path), ("HEAD", path)]);
    for (method, path) in reads
        .chain(CHANGES)
        .chain([("POST", "/sign-in"), ("POST", "/sign-out")])
    {
        let rebound = local(method, path).body(Body::empty()).unwrap();
        let answer = service.send(under("evil.example:8080", rebound)).await;
        assert_eq!(answer.status, 403, "{method} {path}");
        assert!(
            !answer.text.contains("lunch-rush"),
            "{method} {path}: {}",
            answer.text
        );
        if method != "HEAD" {
            assert!(
                answer.text.contains("a name in `admin.hosts`"),
                "{}",
                answer.text
            );
        }
    }
    let metrics = service.web.metrics.render().unwrap();
    let denied = "chatprobe_web_requests_denied_total{reason=\"foreign_host\"} 39\n";
    assert!(metrics.contains(denied), "{metrics}");
    // As Prometheus and a kubelet ask: for an address.
    for host in ["127.0.0.1:8080", "10.1.2.3:8080", "[::1]"] {
        let scrape = local("GET", "/metrics").body(Body::empty()).unwrap();
        assert_eq!(
            service.send(under(host, scrape)).await.status,
            200,
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_request_for_two_hosts_or_none_is_refused_with_a_token_too() {
    for service in [Service::start().await, Service::with_token().await] {
        let send = |path: &str, hosts: &[&str]| {
            let mut request = local("GET", path).body(Body::empty()).unwrap();
            request.headers_mut().remove("host");
            for host in hosts {
                let host = HeaderValue::from_str(host).unwrap();
                request.headers_mut().append("host", host);
            }
            service.send(request)
        };
        let path = "/api/v1/runs";
        let two = send(path, &["localhost", "localhost"]).await.error();
        let several = "the request has several `Host` headers; send one";
        assert_eq!(two, (400, several.to_owned()));
        assert_eq!(send(path, &[]).await.status, 400);
        let absolute = send("http://localhost/api/v1/runs", &["127.0.0.1"]).await;
        assert_eq!(absolute.status, 400, "{}", absolute.text);
        let absolute = send("http://localhost/api/v1/runs", &["localhost"]).await;
        assert_eq!(absolute.status, 200, "{}", absolute.text);
    }
}

/// The hosts that Prometheus scrapes by this file, which it sends as `Host`.
fn scraped(targets: &str) -> Vec<String> {
    let text = std::fs::read_to_string(targets).unwrap();
    let lists = text.split("targets: [").skip(1);
    let hosts = lists.flat_map(|list| list.split(']').next().unwrap().split(','));
    hosts.map(|host| host.trim().to_owned()).collect()
}

/// The section `admin` of a configuration.
fn admin_of(configuration: &str) -> Admin {
    let Value::Map(sections) = parse("configuration", configuration).unwrap().value else {
        panic!("{configuration}");
    };
    let admin = sections.iter().find(|section| section.key == "admin");
    let problems = Problems::default();
    let admin = admin.map(|section| settings(&section.node, &problems).unwrap());
    problems.into_result().unwrap();
    admin.unwrap_or_default()
}

#[tokio::test]
async fn the_shipped_configurations_answer_the_scrapes_of_the_shipped_prometheus() {
    let compose = scraped("prometheus/targets/chatprobe.yml");
    let loopback = scraped("prometheus/loopback/targets/chatprobe.yml");
    assert_eq!((compose.len(), loopback.len()), (1, 1));
    // What Prometheus discovers in Kubernetes, and what the kubelet probes, are addresses of pods.
    let kubernetes = [
        "10.1.2.3:8080",
        "[fd00::3]:8080",
        "chatprobe.chatprobe.svc:8080",
    ];
    let kubernetes = kubernetes.map(str::to_owned).to_vec();
    for (file, hosts) in [
        ("config/chatprobe.yaml", &loopback),
        ("config/container.yaml", &compose),
        ("config/container.yaml", &kubernetes),
        (
            "deploy/kubernetes/without-simulator/chatprobe.yaml",
            &kubernetes,
        ),
    ] {
        let text = std::fs::read_to_string(file).unwrap();
        let folder = TemporaryFolder::new();
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let settings = text.replace("/run/secrets/admin_token", "token");
        let admin = admin_of(&settings);
        assert_eq!(admin.token_file.is_some(), settings != text, "{file}");
        let access = Access::from_environment(&admin, folder.path()).unwrap();
        let service = Service::with(access).await;
        for host in hosts {
            for path in ["/metrics", "/readyz"] {
                let peer = "192.0.2.7:4000";
                let scrape = request("GET", path, peer).body(Body::empty()).unwrap();
                let answer = service.send(under(host, scrape)).await;
                assert_eq!(answer.status, 200, "{file}: {host}{path}: {}", answer.text);
            }
        }
    }
    // Without a token, a scraped name has to be listed.
    for (admin, status) in [("{}", 403), ("{ hosts: [myhost] }", 200)] {
        let admin = admin_of(&format!("admin: {admin}"));
        let access = Access::from_environment(&admin, Path::new(".")).unwrap();
        let service = Service::with(access).await;
        let scrape = local("GET", "/metrics").body(Body::empty()).unwrap();
        let answer = service.send(under("myhost:9100", scrape)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}
