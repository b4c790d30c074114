use super::*;
use crate::driver::{Origin, Origins};

const UPLOAD: &str = "
steps:
  - step: ask
    http: { post: '{{ target.url }}', json: { answer: { upload: 'OTHER/upload' } } }
    capture: { upload: body.upload }
  - step: upload
    http: { put: '{{ upload }}?part={{ chat.number }}' }
";

#[tokio::test]
async fn a_captured_address_is_asked_only_where_the_target_allows_it() {
    let other = Puppet::start().await;
    let scenario = UPLOAD.replace("OTHER", &other.url);
    let (bench, _puppet) = Bench::with_puppet().await;
    let report = bench.run(&scenario, "{ chats: 1 }").await;
    assert_eq!(step(&report, "ask"), (1, vec![]));
    assert_eq!(step(&report, "upload"), (0, vec![Reason::Template]));
    let detail = &report.failures[0].detail;
    let also = format!("write in the target: `also: [\"{}\"]`", other.url);
    assert!(detail.contains(&also), "{detail}");
    assert_eq!(other.requests(), Vec::<String>::new());

    let allowed: Origins = [Origin::read(&other.url).unwrap()].into_iter().collect();
    let (bench, _puppet) = Bench::with_puppet_and(|target| target.leading_to(&allowed)).await;
    let report = bench.run(&scenario, "{ chats: 1 }").await;
    assert_eq!(step(&report, "upload"), (1, vec![]));
    assert_eq!(other.requests(), ["/upload"]);
}

#[tokio::test]
async fn a_server_that_the_scenario_names_may_be_captured_too() {
    let other = Puppet::start().await;
    let named = "  - step: named\n    http: { get: 'OTHER/first' }\n";
    let scenario = (UPLOAD.to_owned() + named).replace("OTHER", &other.url);
    let (bench, _puppet) = Bench::with_puppet().await;
    bench.run(&scenario, "{ chats: 1 }").await;
    assert_eq!(other.requests(), ["/upload", "/first"]);
}

#[tokio::test]
async fn a_link_back_to_a_server_that_the_scenario_names_by_a_variable_is_followed() {
    let other = Puppet::start().await;
    let named = "  - step: named\n    http: { get: 'http://{{ target.api_host }}/first' }\n";
    let scenario = UPLOAD.replace("OTHER", &other.url) + named;
    let host = other.url.trim_start_matches("http://");
    let variables = parse("c.yaml", &format!("{{ api_host: '{host}' }}")).unwrap();
    let problems = Problems::default();
    let variables = variables.entries("variables", &problems);
    let (bench, _puppet) = Bench::with_puppet_and(|target| target.with(variables, &problems)).await;
    bench.run(&scenario, "{ chats: 1 }").await;
    assert_eq!(other.requests(), ["/upload", "/first"]);
}
