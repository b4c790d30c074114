use axum::body::Body;

use super::{Service, local, until};

const PAGES: [&str; 6] = [
    "/",
    "/runs",
    "/probes/morning-check",
    "/bursts/new",
    "/configuration",
    "/sign-in",
];

pub(super) async fn with_a_run() -> (Service, String) {
    let service = Service::start().await;
    let run = service.burst("{ burst: lunch-rush }").await;
    let probes = || service.web.scheduler.probes();
    until(|| probes().iter().all(|probe| probe.latest_run.is_some())).await;
    let id = run.id().to_owned();
    (service, id)
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_their_links_lead_somewhere() {
    let (service, id) = with_a_run().await;
    let run = format!("/runs/{id}");
    for path in PAGES.into_iter().chain([run.as_str()]) {
        let page = service.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert!(
            !page.text.contains(" style=") && !page.text.contains(" onclick="),
            "{path}"
        );
        for attribute in ["href=\"", "src=\"", "action=\"", "data-live=\""] {
            let links = page.text.split(attribute).skip(1);
            for link in links.map(|rest| rest.split('"').next().unwrap()) {
                let link = link.split('#').next().unwrap().replace("&amp;", "&");
                let link = link.as_str();
                assert!(
                    link.is_empty() || (link.starts_with('/') && !link.starts_with("//")),
                    "{path}: {link}"
                );
                let stream = link.starts_with("/live/") || link == "/sign-out";
                if !link.is_empty() && !stream {
                    let status = service.get(link).await.status;
                    assert!([200, 303].contains(&status), "{path}: {link}: {status}");
                }
            }
        }
    }
}

#[tokio::test]
async fn now_shows_probes_and_bursts_in_progress() {
    let (service, id) = with_a_run().await;
    let page = service.get("/").await.text;
    assert!(page.contains("morning-check"), "{page}");
    assert!(
        page.contains(&format!("<a href=\"/runs/{id}\">lunch-rush</a>")),
        "{page}"
    );
    assert!(
        page.contains("data-post=\"/api/v1/probes/morning-check/run\""),
        "{page}"
    );
}

#[tokio::test]
async fn what_others_say_stays_text() {
    let service = Service::start().await;
    let run = service
        .burst("{ burst: lunch-rush, load: { chats: 1 }, inputs: { reply_delay: 1s } }")
        .await;
    let page = service.get(&format!("/runs/{}", run.id())).await.text;
    assert!(page.contains("{ chats: 1 }"), "{page}");
    let filtered = service
        .get("/runs?name=%22%3E%3Cscript%3E&mode=&verdict=")
        .await;
    assert_eq!(filtered.status, 200);
    assert!(
        filtered.text.contains("value=\"&quot;&gt;&lt;script&gt;\""),
        "{}",
        filtered.text
    );
    assert!(!filtered.text.contains("\"><script>"));
    let body = "{ burst: lunch-rush, load: { chats: 1 }, by: \"Ada \\u202Eada\\u2069\" }";
    let run = service.burst(body).await;
    let page = service.get(&format!("/runs/{}", run.id())).await.text;
    assert!(page.contains("Ada \\u202eada\\u2069"), "{page}");
    assert!(!page.contains(['\u{202e}', '\u{2069}']), "{page}");
    let lost = service.get("/runs/%3Cscript%3E").await;
    assert_eq!(lost.status, 404);
}

#[tokio::test]
async fn runs_are_filtered() {
    let (service, id) = with_a_run().await;
    let link = format!("/runs/{id}");
    for (query, there) in [
        ("", true),
        ("?name=lunch&mode=burst&verdict=", true),
        ("?name=lunch&mode=probe&verdict=", false),
        ("?name=&mode=&verdict=failed", false),
        ("?name=other&mode=&verdict=", false),
    ] {
        let page = service.get(&format!("/runs{query}")).await;
        assert_eq!(page.text.contains(&link), there, "{query}");
    }
    assert_eq!(service.get("/runs?nonsense=1").await.status, 400);
}

/// The addresses of these links.
fn links(page: &str, word: &str) -> Vec<String> {
    let all = page.split("<a href=\"").skip(1);
    let of = all.filter(|rest| {
        rest.split("</a>")
            .next()
            .unwrap()
            .ends_with(&format!(">{word}"))
    });
    of.map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect()
}

#[tokio::test]
async fn the_history_has_pages_that_keep_the_filter_and_the_choice() {
    let service = Service::start().await;
    let one = "{ scenario: contact-center-chat, target: contact-center, load: { chats: 1 } }";
    let mut runs = Vec::new();
    for _ in 0..52 {
        let run = service.burst(one).await;
        service.ended(&run).await;
        runs.push(run.id().to_owned());
    }
    let latest = "/runs?name=ad-hoc&mode=burst&verdict=&from=2026-01-01&to=&with=";
    let page = service.get(&format!("{latest}{}", runs[0])).await.text;
    assert!(page.contains(&format!("name=\"run\" value=\"{}\"", runs[51])));
    assert!(page.contains(&format!(
        "type=\"hidden\" name=\"run\" value=\"{}\"",
        runs[0]
    )));
    assert_eq!(links(&page, "Latest"), Vec::<String>::new());
    let earlier = links(&page, "Earlier").remove(0);
    let page = service.get(&earlier).await.text;
    let rows = page.matches("type=\"checkbox\"").count();
    assert_eq!(rows, 2, "{page}");
    assert!(page.contains(&format!(
        "type=\"hidden\" name=\"run\" value=\"{}\"",
        runs[0]
    )));
    assert_eq!(links(&page, "Earlier"), Vec::<String>::new());
    let latest = links(&page, "Latest").remove(0);
    assert!(
        latest.contains("name=ad-hoc") && latest.contains(&runs[0]),
        "{latest}"
    );
    let yesterday = service.get("/runs?to=2026-01-01").await.text;
    assert!(
        yesterday.contains("There are no runs like this."),
        "{yesterday}"
    );
    for wrong in ["from=soon", "mode=both", "verdict=good"] {
        assert_eq!(service.get(&format!("/runs?{wrong}")).await.status, 400);
    }
    let lost = service.get("/runs?with=nobody-knows").await;
    assert_eq!(lost.status, 404);
    assert_eq!(lost.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn runs_are_compared_without_a_script_the_latest_with_all_others() {
    let service = Service::start().await;
    let names = |count: u8| (b'a'..b'a' + count).map(|letter| char::from(letter).to_string());
    let many = |count| {
        names(count)
            .map(|run| format!("run={run}"))
            .collect::<Vec<_>>()
            .join("&")
    };
    let others = |count| names(count).collect::<Vec<_>>().join(",");
    for (query, status, place) in [
        ("run=b&run=a", 303, "/api/v1/runs/b/compare/a/report.html"),
        ("run=a%2F..&run=a%2F..", 303, "/runs?with=a%2F.."),
        ("", 303, "/runs"),
        (
            "run=c&run=b&run=a",
            303,
            "/api/v1/runs/c/compare/a,b/report.html",
        ),
        (
            "of=b&run=c&run=a",
            303,
            "/api/v1/runs/b/compare/a,c/report.html",
        ),
        ("of=b", 303, "/runs?with=b"),
        (
            &many(21),
            303,
            &format!("/api/v1/runs/u/compare/{}/report.html", others(20)),
        ),
        (&many(22), 400, ""),
    ] {
        let answer = service.get(&format!("/compare?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        if status == 303 {
            assert_eq!(answer.header("location"), place);
        }
    }
}

#[tokio::test]
async fn a_search_shows_how_far_it_is() {
    let service = Service::start().await;
    let run = service
        .burst("{ burst: lunch-rush, load: { search: { from: 1/s, to: 8/s, hold: 10s } } }")
        .await;
    until(|| run.search().is_some()).await;
    let summary = run.search().unwrap();
    for path in ["/", &format!("/runs/{}", run.id())] {
        let page = service.get(path).await.text;
        assert!(page.contains(&summary), "{path}: {summary}: {page}");
        // It changes its rate by itself.
        assert!(!page.contains("data-patch"), "{page}");
    }
}

#[tokio::test]
async fn the_form_has_the_inputs_of_its_scenario_and_what_a_burst_sets() {
    let service = Service::start().await;
    let page = service.get("/bursts/new?scenario=requests").await.text;
    assert!(
        page.contains("name=\"input.count\" data-kind=\"number\" value=\"\" required"),
        "{page}"
    );
    let page = service.get("/bursts/new?burst=lunch-rush").await.text;
    assert!(
        page.contains("value=\"{ rate: 2/s, for: 30s, max_active: 20 }\""),
        "{page}"
    );
    assert!(
        page.contains("name=\"input.reply_delay\" data-kind=\"duration\" value=\"100ms\""),
        "{page}"
    );
    assert!(page.contains("{ p95: 15s }"), "{page}");
}

#[tokio::test]
async fn what_is_refused_under_the_path_of_a_page_is_a_page() {
    let service = Service::with_token().await;
    let send = async |method: &str, path: &str, accept: &str, kind: &str| {
        let request = local(method, path)
            .header("accept", accept)
            .header("content-type", kind)
            .body(Body::from("token=x"));
        service.send(request.unwrap()).await
    };
    let form = "application/x-www-form-urlencoded";
    for (method, path, accept, kind, status, says) in [
        ("GET", "/runs/%ff", "*/*", form, 404, "UTF-8"),
        (
            "GET",
            "/nothing",
            "text/html",
            form,
            404,
            "there is no `/nothing`",
        ),
        ("GET", "/runs?nonsense=1", "*/*", form, 400, "nonsense"),
        ("POST", "/runs", "*/*", form, 401, "needs the admin token"),
        ("GET", "/sign-out", "*/*", form, 405, "does not take GET"),
        (
            "POST",
            "/sign-in",
            "*/*",
            "text/plain",
            415,
            "of type `text/plain`",
        ),
        ("POST", "/sign-in?x", "*/*", form, 403, "from another site"),
    ] {
        let page = send(method, path, accept, kind).await;
        assert_eq!(page.status, status, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("content-security-policy").contains("'none'"));
        assert!(page.text.contains(says), "{path}: {}", page.text);
        assert!(page.text.contains("</nav>"), "{path}: {}", page.text);
    }
    let refused = send("POST", "/runs", "*/*", form).await;
    assert!(refused.header("www-authenticate").starts_with("Bearer"));
    for (path, accept) in [("/api/v2", "text/html"), ("/nothing", "*/*")] {
        assert_eq!(send("GET", path, accept, form).await.error().0, 404);
    }
}

#[tokio::test]
async fn a_burst_is_shown_before_it_starts() {
    let service = Service::start().await;
    let preview = async |body: &str| {
        let path = "/api/v1/bursts/preview";
        service.order("POST", path, body).await
    };
    let seen = preview("{ burst: lunch-rush }").await.json();
    assert_eq!(
        (&seen["chats"], &seen["most_at_once"]),
        (&60.into(), &20.into())
    );
    assert_eq!(
        (&seen["duration"], &seen["requests_of_a_chat"]),
        (&"30s".into(), &serde_json::json!({ "least": 0, "most": 0 }))
    );
    assert_eq!(seen["refusals"].to_string(), "[]");
    // The least that a load with a time has: its chats think for ten milliseconds.
    assert_eq!(seen["graceful_stop"], "30s");
    for (load, limit) in [
        ("chats: 5", "null"),
        ("chats: 5, graceful_stop: 2m", "\"2m\""),
    ] {
        let body = format!("{{ burst: lunch-rush, load: {{ {load} }} }}");
        let seen = preview(&body).await.json();
        assert_eq!(seen["graceful_stop"].to_string(), limit, "{load}");
    }
    assert_eq!(preview("{ burst: lunch }").await.status, 422);
    service
        .burst("{ burst: lunch-rush, load: { rate: 1/s, for: 1m, max_active: 95 } }")
        .await;
    let refusals = preview("{ burst: lunch-rush }").await.json()["refusals"].clone();
    assert!(
        refusals[0].as_str().unwrap().contains("do not fit"),
        "{refusals}"
    );
    let bursts = service.get("/api/v1/runs?mode=burst").await.json();
    assert_eq!(bursts["runs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_reload_is_shown_before_it_happens() {
    let service = Service::start().await;
    let file = service.folder.path().join("chatprobe.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("morning-check:", "evening-check:")).unwrap();
    let preview = async || service.order("POST", "/api/v1/reload/preview", "").await;
    let changes = preview().await.json();
    assert_eq!(
        (&changes["started"], &changes["stopped"]),
        (
            &serde_json::json!(["evening-check"]),
            &serde_json::json!(["morning-check"])
        )
    );
    assert_eq!(service.web.scheduler.probes()[0].name, "morning-check");
    std::fs::write(&file, "targets: nonsense").unwrap();
    assert_eq!(preview().await.status, 422);
}
