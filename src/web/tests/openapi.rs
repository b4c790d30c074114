use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Service;
use crate::units::seed;

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// What the router calls the path of its fallback.
const FALLBACK: &str = "__private__axum_fallback";

type Routes = BTreeMap<String, BTreeSet<String>>;

fn documented(document: &Value) -> Routes {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            let methods = methods.filter(|key| METHODS.contains(&key.as_str()));
            (path.clone(), methods.cloned().collect())
        })
        .collect()
}

/// The router tells its paths in its debug form, and the methods of each when it refuses one.
async fn served(service: &Service) -> Routes {
    let shown = format!("{:?}", service.router);
    let paths: BTreeSet<_> = shown
        .split('"')
        .filter(|text| text.starts_with('/') && !text.contains(FALLBACK))
        // Pages are for people and not promised to anybody.
        .filter(|path| {
            let promised = ["/api/", "/metrics", "/healthz", "/readyz"];
            promised.iter().any(|begin| path.starts_with(begin))
        })
        .collect();
    let mut routes = Routes::new();
    for path in paths {
        // No path takes TRACE.
        let answer = service
            .order("TRACE", &path.replace(['{', '}'], ""), "")
            .await;
        assert_eq!(answer.status, 405, "{path}");
        let methods = answer.header("allow").to_ascii_lowercase();
        // Whatever takes GET takes HEAD.
        let methods = methods.split(',').filter(|method| *method != "head");
        routes.insert(path.to_owned(), methods.map(str::to_owned).collect());
    }
    routes
}

fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            visit(key, value);
            walk(value, visit);
        }),
        Value::Array(list) => list.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_lists_what_is_served_and_nothing_else() {
    let service = Service::start().await;
    let answer = service.get("/api/v1/openapi.json").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    let routes = documented(&answer.json());
    assert_eq!(routes, served(&service).await);
    assert_eq!(routes.len(), 34);
    assert!(routes["/api/v1/runs/{id}"].iter().eq(["get", "patch"]));
}

#[tokio::test]
async fn every_reference_in_the_document_resolves() {
    let document = Service::start()
        .await
        .get("/api/v1/openapi.json")
        .await
        .json();
    let mut references = 0;
    walk(&document, &mut |key, value| {
        if key == "$ref" {
            references += 1;
            let target = value.as_str().unwrap();
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
    });
    assert!(references > 50, "{references}");
}

#[tokio::test]
async fn exactly_the_changes_ask_for_the_token_and_say_how_they_are_refused() {
    let document = Service::start()
        .await
        .get("/api/v1/openapi.json")
        .await
        .json();
    assert_eq!(
        document["components"]["securitySchemes"]["admin_token"]["scheme"],
        "bearer"
    );
    for (path, methods) in documented(&document) {
        for method in methods {
            let operation = &document["paths"][&path][&method];
            let secured = operation["security"][0].get("admin_token").is_some();
            assert_eq!(secured, method != "get", "{method} {path}");
            let answers = operation["responses"].as_object().unwrap();
            let all = ["401", "403", "413", "503"];
            assert_eq!(
                secured,
                all.iter().all(|status| answers.contains_key(*status))
            );
            assert_eq!(
                path.contains('{'),
                answers.contains_key("404"),
                "{method} {path}"
            );
            // Whatever it is, its host is looked at first.
            for status in ["400", "403"] {
                assert!(answers.contains_key(status), "{method} {path}: {status}");
            }
            let errors = answers
                .iter()
                .filter(|(status, _)| status.as_str() >= "400");
            for (status, answer) in errors.filter(|_| path.starts_with("/api")) {
                let body = &answer["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(
                    body, "#/components/schemas/ErrorBody",
                    "{method} {path} {status}"
                );
            }
        }
    }
}

#[tokio::test]
async fn every_example_of_a_request_works() {
    let document = Service::start()
        .await
        .get("/api/v1/openapi.json")
        .await
        .json();
    let mut tried = BTreeSet::new();
    for (path, methods) in documented(&document) {
        for method in methods {
            let body = &document["paths"][&path][&method]["requestBody"];
            let body = &body["content"]["application/json"];
            let Some(examples) = body["examples"].as_object() else {
                continue;
            };
            for (name, example) in examples {
                let service = Service::start().await;
                let example = &example["value"];
                let load = if example.get("customers").is_some() {
                    "{ customers: 2, for: 10s }"
                } else {
                    "{ rate: 1/s, for: 10s, max_active: 20 }"
                };
                let mut real = path.clone();
                if path.contains("{id}") {
                    let burst = format!("{{ burst: lunch-rush, load: {load} }}");
                    let run = service.burst(&burst).await;
                    real = path.replace("{id}", run.id());
                }
                let method = method.to_ascii_uppercase();
                let answer = service.order(&method, &real, &example.to_string()).await;
                assert!(
                    (200..300).contains(&answer.status),
                    "{name}: {}",
                    answer.text
                );
                tried.insert(format!("{method} {path} {name}"));
            }
        }
    }
    let expected = [
        "PATCH /api/v1/runs/{id} customers",
        "PATCH /api/v1/runs/{id} rate",
        "POST /api/v1/bursts ad-hoc",
        "POST /api/v1/bursts changed",
        "POST /api/v1/bursts configured",
        "POST /api/v1/runs/{id}/stop finish",
        "POST /api/v1/runs/{id}/stop now",
    ];
    assert!(tried.iter().eq(expected), "{tried:?}");
}

#[tokio::test]
async fn the_document_names_things_as_they_are_sent() {
    let document = Service::start()
        .await
        .get("/api/v1/openapi.json")
        .await
        .json();
    let schemas = &document["components"]["schemas"];
    let stage = schemas["StageRequest"]["properties"].as_object().unwrap();
    assert!(stage.keys().eq(["for", "from", "rate"]));
    let input = schemas["InputView"]["properties"].as_object().unwrap();
    assert!(input.keys().eq(["default", "description", "name", "type"]));
    assert_eq!(
        schemas["Mode"]["enum"],
        serde_json::json!(["probe", "burst"])
    );
    let inputs = &schemas["BurstRequest"]["properties"]["inputs"];
    assert_eq!(inputs["type"], "object");
    assert_eq!(inputs["additionalProperties"].get("type"), None);
    assert_eq!(input["default"].get("type"), None);
}

#[tokio::test]
async fn what_a_request_may_leave_out_is_not_sent_as_null() {
    let document = Service::start()
        .await
        .get("/api/v1/openapi.json")
        .await
        .json();
    for name in [
        "BurstRequest",
        "ChangeRequest",
        "LoadRequest",
        "SearchRequest",
        "StageRequest",
        "ThresholdRequest",
    ] {
        let schema = document["components"]["schemas"][name].to_string();
        assert!(!schema.contains("\"null\""), "{schema}");
    }
}

#[tokio::test]
async fn the_bounds_of_a_request_are_those_that_are_checked() {
    let document = Service::start()
        .await
        .get("/api/v1/openapi.json")
        .await
        .json();
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["BurstRequest"]["properties"]["seed"]["maximum"],
        seed::LARGEST
    );
    let change = &schemas["ChangeRequest"];
    assert_eq!(
        (&change["minProperties"], &change["maxProperties"]),
        (&Value::from(1), &Value::from(1))
    );
    // Of a schema that is one of several, utoipa cannot say it.
    for name in [
        "BaselineRequest",
        "BurstRequest",
        "ChangeRequest",
        "CustomersRequest",
        "StageRequest",
        "StopRequest",
        "ThresholdRequest",
    ] {
        assert_eq!(schemas[name]["additionalProperties"], false, "{name}");
    }
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own() {
    let document = Service::start()
        .await
        .get("/api/v1/openapi.json")
        .await
        .json();
    let mut names = BTreeSet::new();
    for (path, methods) in documented(&document) {
        for method in methods {
            let name = &document["paths"][&path][&method]["operationId"];
            assert!(
                names.insert(name.as_str().unwrap()),
                "{method} {path}: {name}"
            );
        }
    }
    assert_eq!(names.len(), 37);
}

#[tokio::test]
async fn a_body_is_required_where_nothing_can_be_done_without() {
    let document = Service::start()
        .await
        .get("/api/v1/openapi.json")
        .await
        .json();
    let required = |path: &str, method: &str| {
        let body = &document["paths"][path][method]["requestBody"];
        body["required"].as_bool().unwrap_or_default()
    };
    assert!(required("/api/v1/bursts", "post"));
    assert!(required("/api/v1/runs/{id}", "patch"));
    assert!(required("/api/v1/baselines/{name}", "put"));
    assert!(!required("/api/v1/runs/{id}/stop", "post"));
}
