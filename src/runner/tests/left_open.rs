//! What may still be open at the target when a run is over.

use super::*;

/// The numbers of the chats, and why.
fn left_open(report: &RunReport) -> Vec<(u64, &str)> {
    let orphans = report.orphans.iter();
    let told = orphans.map(|orphan| (orphan.chat, orphan.why.as_deref().unwrap()));
    let told: Vec<_> = told.collect();
    assert_eq!(report.orphans_total, told.len() as u64);
    told
}

async fn run(scenario: &str) -> RunReport {
    let (bench, _puppet) = Bench::with_puppet().await;
    bench.run(scenario, "{ chats: 1 }").await
}

const CLOSES: &str = "
always:
  - step: close
    when: not passed
    http: { delete: '{{ target.url }}/close', json: { status: 200 } }
";

fn chat(open: &str, then: &str, always: &str) -> String {
    format!(
        "
correlation: [id]
steps:
  - step: open
    http: {{ post: '{{{{ target.url }}}}/open', json: {{ {open} }} }}
    capture: {{ id: body.id }}
    timeout: 200ms
  - step: then
    http: {{ post: '{{{{ target.url }}}}/then', json: {{ {then} }} }}
    timeout: 200ms
{always}"
    )
}

const NAMED: &str = "answer: { id: 7 }";

#[tokio::test]
async fn a_chat_that_passed_or_was_closed_is_not() {
    for (then, always) in [("", CLOSES), ("", ""), ("status: 500", CLOSES)] {
        let report = run(&chat(NAMED, then, always)).await;
        assert_eq!(left_open(&report), [], "{then} {always}");
    }
    let refused = run(&chat("status: 500", "", "")).await;
    assert_eq!(left_open(&refused), [], "nothing was accepted");
    let lost = run(&chat(NAMED, "wait_ms: 60000", CLOSES)).await;
    assert_eq!(
        left_open(&lost),
        [],
        "what it would have said closes nothing"
    );
}

#[tokio::test]
async fn a_chat_that_nothing_closed_is() {
    let report = run(&chat(NAMED, "status: 500", "")).await;
    assert_eq!(left_open(&report), [(1, "no step closed it")]);
    assert_eq!(report.orphans[0].correlation["id"], "7");
    let fails = CLOSES.replace("status: 200", "status: 500");
    let report = run(&chat(NAMED, "status: 500", &fails)).await;
    assert_eq!(left_open(&report), [(1, "`close` failed: status")]);
    let fails = fails.replace("when: not passed", "when: passed");
    let report = run(&chat(NAMED, "", &fails)).await;
    assert_eq!(report.chats.passed, 1);
    assert_eq!(left_open(&report), [(1, "`close` failed: status")]);
}

#[tokio::test]
async fn a_chat_whose_answer_never_came_is_though_it_has_no_name() {
    let report = run(&chat("wait_ms: 60000", "", CLOSES)).await;
    assert_eq!(left_open(&report), [(1, "`open` got no answer")]);
    let report = run(&chat("answer: {}", "", CLOSES)).await;
    let why = "`open` was accepted and failed: capture";
    assert_eq!(left_open(&report), [(1, why)]);
    let nobody = Bench::new();
    let report = nobody.run(&chat("", "", ""), "{ chats: 1 }").await;
    assert_eq!(left_open(&report), [], "there was nobody to open it");
}

#[tokio::test]
async fn a_chat_that_passed_without_an_optional_step_is_not() {
    let optional = |then: &str, always: &str| {
        let chat = chat("answer: {}", then, always);
        chat.replace("body.id }", "body.id }\n    else: continue")
    };
    let report = run(&optional("", CLOSES)).await;
    assert_eq!(report.chats.passed, 1);
    assert_eq!(left_open(&report), []);
    let fails = CLOSES.replace("status: 200", "status: 500");
    let fails = fails.replace("when: not passed", "when: passed");
    let report = run(&optional("", &fails)).await;
    assert_eq!(left_open(&report), [(1, "`close` failed: status")]);
    let report = run(&optional("status: 500", CLOSES)).await;
    assert_eq!(report.chats.failed, 1);
    let why = "`open` was accepted and failed: capture";
    assert_eq!(left_open(&report), [(1, why)]);
}

#[tokio::test]
async fn requests_that_change_nothing_leave_nothing_open() {
    let scenario = chat("wait_ms: 60000", "", CLOSES).replace("post:", "get:");
    assert_eq!(left_open(&run(&scenario).await), []);
}

#[tokio::test]
async fn what_the_setup_made_is_listed_with_what_it_captured() {
    let scenario = |hook: &str, unhook: &str| {
        format!(
            "
setup:
  - step: hook
    http: {{ post: '{{{{ target.url }}}}/hook', json: {{ {hook} }} }}
    capture: {{ hook_id: body.id, hook_token: body.id }}
    timeout: 200ms
steps: [ {{ think: 0s }} ]
teardown:
  - step: unhook
    when: hook_id is defined
    http: {{ delete: '{{{{ target.url }}}}/hook', json: {{ {unhook} }} }}
"
        )
    };
    let report = run(&scenario(NAMED, "")).await;
    assert_eq!(left_open(&report), []);
    assert_eq!(report.teardown_failed, None);
    let report = run(&scenario(NAMED, "status: 404")).await;
    assert_eq!(left_open(&report), [(0, "`unhook` failed: status")]);
    let failed = report.teardown_failed.as_ref().unwrap();
    assert_eq!(failed.step.as_deref(), Some("unhook"));
    assert_eq!(failed.reason, Some(Reason::Status));
    assert!(failed.detail.contains("404"), "{failed:?}");
    assert_eq!(report.verdict, Some(Verdict::Passed));
    let known = &report.orphans[0].correlation;
    assert_eq!(known["hook_id"], "7");
    assert_eq!(
        known.len(),
        1,
        "what is confidential is not shown: {known:?}"
    );
    let report = run(&scenario("wait_ms: 60000", "")).await;
    assert_eq!(left_open(&report), [(0, "`hook` got no answer")]);
}

#[tokio::test]
async fn the_first_thousand_are_listed_and_all_are_counted() {
    let (bench, _puppet) = Bench::with_puppet().await;
    let scenario = chat(NAMED, "status: 500", "").replace("200ms", "30s");
    let report = bench.run(&scenario, "{ chats: 1100, ramp: 1s }").await;
    assert_eq!(report.chats.failed, 1_100);
    assert_eq!((report.orphans.len(), report.orphans_total), (1_000, 1_100));
}
