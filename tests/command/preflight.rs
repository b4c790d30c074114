//! What this machine cannot do is refused before anything is sent; what may not work is a warning.

use serde_json::json;

use crate::support::{Centre, Folder, Group, QUICK, Run, SCENARIO, Service, eventually, plain};

#[tokio::test]
async fn a_run_that_cannot_work_exits_with_two_and_sends_nothing() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url).load("{ rate: 1000000000/s, for: 10s }");
    let run = run.done().await;
    assert_eq!(run.code, 2, "{}", run.log);
    for part in ["CPUs at the least", "ask for a lower rate"] {
        assert!(run.log.contains(part), "`{part}` in:\n{}", run.log);
    }
    assert_eq!(centre.stats().await["requests"].to_string(), "{}");
}

#[tokio::test]
async fn a_run_that_does_not_fit_into_its_control_group_exits_with_two() {
    let Some(group) = Group::with_memory(64 << 20) else {
        eprintln!("this system lets nobody limit the memory of a control group: not tested");
        return;
    };
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url).load("{ chats: 100000, ramp: 10m }");
    let run = run.finish(run.start_in_group(&group.processes())).await;
    assert_eq!(run.code, 2, "{}", run.log);
    for part in [
        "MB are available to the control group, of the 64 MB of",
        "chatprobe-test-",
        "raise that limit",
    ] {
        assert!(run.log.contains(part), "`{part}` in:\n{}", run.log);
    }
    assert_eq!(centre.stats().await["requests"].to_string(), "{}");
}

#[tokio::test]
async fn a_run_that_may_not_work_says_so_and_goes_on() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url).load("{ chats: 130, ramp: 1s }");
    let run = run.finish(run.start_limited("-n 256")).await.exits(0);
    let warning = "130 chats need up to 130 connections";
    let remedy = "`ulimit -n 354`";
    assert!(
        run.log.contains(warning) && run.log.contains(remedy),
        "{}",
        run.log
    );
    assert_eq!(run.chats("passed"), 130);
    let warnings = &run.report["warnings"];
    assert_eq!(warnings.as_array().unwrap().len(), 1, "{warnings}");
    assert!(warnings[0].as_str().unwrap().contains(remedy), "{warnings}");
    let line = format!("warning: {}\n", warnings[0].as_str().unwrap());
    assert!(run.output.contains(&line), "{}", run.output);
}

#[tokio::test]
async fn a_burst_that_may_not_work_says_so_to_whoever_starts_it_and_in_its_report() {
    let centre = Centre::start("{}").await;
    let limits = "limits: { max_active_chats: 1000, max_rate: 2000000000/s }";
    let service = Service::start(&plain(&centre.url, limits)).await;
    let start = async |rate: usize| {
        let load = format!("{{ rate: {rate}/s, for: 1s, max_active: 1 }}");
        let body =
            format!("{{ scenario: {SCENARIO}, target: centre, load: {load}, inputs: {QUICK} }}");
        let answer = service.order("POST", "/api/v1/bursts", &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer
    };
    // More requests than are usual for a CPU, and fewer than are impossible.
    let cpus = std::thread::available_parallelism().unwrap().get();
    let answer = start(3_000 * cpus).await;
    let warnings = &answer.body["warnings"];
    assert_eq!(warnings.as_array().unwrap().len(), 1, "{warnings}");
    let warning = warnings[0].as_str().unwrap();
    assert!(warning.contains("the verdict `invalid`"), "{warning}");
    let path = format!("/api/v1/runs/{}", answer.text("id"));
    let ended = eventually("the end of the run", async || {
        let run = service.read(&path).await.body;
        (run["state"] == "ended").then_some(run)
    });
    assert_eq!(ended.await["warnings"], *warnings);
    assert!(service.process.log().contains(warning));

    assert_eq!(start(1).await.body["warnings"].to_string(), "[]");
}

#[tokio::test]
async fn a_burst_that_cannot_work_is_refused_in_words() {
    let centre = Centre::start("{}").await;
    let limits = "limits: { max_active_chats: 1000, max_rate: 2000000000/s }";
    let service = Service::start(&plain(&centre.url, limits)).await;
    let body = format!(
        "{{ scenario: {SCENARIO}, target: centre, load: {{ rate: 1000000000/s, for: 10s }}, inputs: {QUICK} }}"
    );
    let answer = service.order("POST", "/api/v1/bursts", &body).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    let said = answer.body.to_string();
    assert!(said.contains("CPUs at the least"), "{said}");
    let runs = service.read("/api/v1/runs?mode=burst").await.body;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_preview_counts_the_requests_that_the_run_then_makes() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    for (messages, of_a_chat) in [(0, 3), (2, 5), (10, 13)] {
        let quick = QUICK.trim_end_matches('}');
        let inputs = format!("{quick}, messages: {messages} }}");
        let load = "{ chats: 4 }";
        let body =
            format!("{{ scenario: {SCENARIO}, target: centre, load: {load}, inputs: {inputs} }}");
        let preview = service.order("POST", "/api/v1/bursts/preview", &body).await;
        let exactly = |number: u64| json!({ "least": number, "most": number });
        assert_eq!(preview.body["requests_of_a_chat"], exactly(of_a_chat));
        // One more makes the webhook, and one deletes it.
        let all = 4 * of_a_chat + 2;
        assert_eq!(preview.body["requests"], exactly(all), "{messages}");

        let id = service.burst(load, &inputs, "").await;
        let ended = eventually("the end of the run", async || {
            let run = service.read(&format!("/api/v1/runs/{id}")).await.body;
            (run["state"] == "ended").then_some(run)
        });
        let run = ended.await;
        assert_eq!(
            (&run["chats"]["passed"], &run["requests"]["count"]),
            (&json!(4), &json!(all))
        );
    }
}

#[tokio::test]
async fn a_preview_says_bounds_where_the_target_decides_and_what_fails_in_any_case() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let folder = Folder::new();
    let get = "http: { get: '{{ target.url }}/stats' }";
    let scenario = format!(
        "scenario: some
inputs: {{ n: 1 }}
steps:
  - {{ step: a, {get}, capture: {{ engagements: body.engagements }} }}
  - {{ step: b, when: engagements, {get} }}
  - {{ step: c, when: not engagements, {get} }}
  - {{ repeat: '{{{{ inputs.n - 1 }}}}', steps: [{{ step: d, {get} }}] }}
  - {{ repeat: '{{{{ engagements | length }}}}', when: inputs.n > 5, steps: [{{ step: e, {get} }}] }}
"
    );
    folder.write("some.yaml", &scenario);
    let more = format!("scenarios: ['{}']", folder.argument("some.yaml"));
    let configuration =
        plain(&centre.url, "").replacen("scenarios:", &format!("{more}\nx-others:"), 1);
    service.reload(&configuration);
    let preview = async |n: i64| {
        let body = format!(
            "{{ scenario: some, target: centre, load: {{ chats: 10 }}, inputs: {{ n: {n} }} }}"
        );
        eventually("the scenario", async || {
            let answer = service.order("POST", "/api/v1/bursts/preview", &body).await;
            (answer.status == 200).then_some(answer.body)
        })
        .await
    };
    let seen = preview(1).await;
    assert_eq!(seen["requests"], json!({ "least": 10, "most": 30 }));
    assert_eq!(seen["warnings"], json!([]));
    let seen = preview(6).await;
    assert_eq!(seen["requests"], json!({ "least": 60, "most": null }));
    let warnings = preview(0).await["warnings"].to_string();
    assert!(
        warnings.contains("some.yaml:7:") && warnings.contains("`-1` is not"),
        "{warnings}"
    );
}

#[tokio::test]
async fn the_inputs_decide_whether_a_run_is_too_much_for_the_machine() {
    let centre = Centre::start("{}").await;
    let cpus = std::thread::available_parallelism().unwrap().get();
    let load = format!("{{ rate: {}/s, for: 5ms }}", 200 * cpus);
    let run = Run::of_shipped(&centre.url).load(&load);
    run.with(&["--input", "messages=0"]).done().await.exits(0);
    let run = Run::of_shipped(&centre.url).load(&load);
    let run = run.with(&["--input", "messages=1000"]).done().await;
    assert_eq!(run.code, 2, "{}", run.log);
    assert!(run.log.contains("with 1003 requests each"), "{}", run.log);
}

#[tokio::test]
async fn a_machine_that_hides_proc_is_said_to_and_no_reason_to_refuse() {
    let centre = Centre::start("{}").await;
    // Longer than the second after which the machine is read.
    let run = Run::of_shipped(&centre.url).load("{ chats: 3, ramp: 4s }");
    let Some(process) = run.start_without_proc() else {
        eprintln!("this system lets nobody mount anything: not tested");
        return;
    };
    let run = run.finish(process).await;
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(run.chats("passed"), 3);
    let warnings = run.report["warnings"].to_string();
    for part in ["/proc/meminfo", "/proc/self/fd", "ip_local_port_range"] {
        assert!(
            warnings.contains(part) && run.log.contains(part),
            "{warnings}"
        );
    }
    assert!(!run.log.contains("0 MB are available"), "{}", run.log);
    // What is not measured is no zero.
    let machine = &run.report["machine"];
    assert!(machine["cpus"]["mean"].as_f64().unwrap() > 0.0, "{machine}");
    assert_eq!(machine["memory_bytes"]["most"], serde_json::Value::Null);
    assert!(run.output.contains("memory not measured"), "{}", run.output);
}
