//! What SIGHUP does to `chatprobe serve`.

use crate::support::{Centre, Folder, Metrics, PROBE, QUICK, SCENARIO, Service, plain, shipped};

/// Two targets at one centre, so that two probes of one scenario can be told apart.
fn two_targets(centre: &Centre, more: &str) -> String {
    let other = format!(
        "other: {{ url: '{}', variables: {{ tenant_id: t, channel_provider_id: q }} }}",
        centre.url
    );
    plain(&centre.url, more).replacen("targets: { ", &format!("targets: {{ {other}, "), 1)
}

fn probes(every: &str) -> String {
    format!(
        "probes:\n  one: {{ scenario: {SCENARIO}, target: centre, every: {every}, inputs: {QUICK} }}\n  \
         two: {{ scenario: {SCENARIO}, target: other, every: 1h, inputs: {QUICK} }}"
    )
}

fn started(metrics: &Metrics, target: &str) -> u64 {
    let labels = [("target", target), ("mode", "probe")];
    metrics.count("chatprobe_chats_started_total", &labels)
}

fn reloaded(metrics: &Metrics) -> u64 {
    metrics.count("chatprobe_config_last_reload_successful", &[])
}

#[tokio::test]
async fn a_changed_interval_holds_from_now_on_and_no_counter_goes_back() {
    let centre = Centre::start("{}").await;
    let mut service = Service::start(&two_targets(&centre, &probes("1h"))).await;
    let before = service
        .when("both probes", |metrics| {
            metrics.sum("chatprobe_chats_passed_total", &[]) > 1.5
                && metrics.sum(
                    "chatprobe_steps_passed_total",
                    &[("step", "webhook_delete")],
                ) > 1.5
        })
        .await;
    service.reload(&two_targets(&centre, &probes("300ms")));
    let after = service
        .when("more of the changed probe", |metrics| {
            started(metrics, "centre") >= 4
        })
        .await;
    assert_eq!(after.gone_back_since(&before), Vec::<String>::new());
    let interval = after.value("chatprobe_probe_interval_seconds", &PROBE[..2]);
    assert!((interval - 0.3).abs() < 1e-9, "{interval}");
    assert_eq!(
        started(&after, "other"),
        1,
        "an unchanged probe is not started anew"
    );
    assert_eq!(reloaded(&after), 1);
    let line = service.process.line("the configuration was reloaded").await;
    assert!(
        line.contains(r#"kept="two" started="one" stopped="" needs_restart="""#),
        "{line}"
    );
}

#[tokio::test]
async fn a_probe_that_changes_while_its_chat_goes_on_does_not_overlap_itself() {
    let centre = Centre::start("{}").await;
    let probe = |every: &str| {
        let inputs = "{ session_pause: 0s, first_message_delay: 2s, reply_delay: 0s }";
        let probe = format!("scenario: {SCENARIO}, target: centre, every: {every}");
        plain(
            &centre.url,
            &format!("probes: {{ one: {{ {probe}, inputs: {inputs} }} }}"),
        )
    };
    let service = Service::start(&probe("1h")).await;
    service
        .when("a chat", |metrics| started(metrics, "centre") == 1)
        .await;
    service.reload(&probe("30m"));
    // The new one does not wait for its interval, but for the chat.
    let metrics = service
        .when("another chat", |metrics| started(metrics, "centre") == 2)
        .await;
    assert_eq!(
        metrics.count("chatprobe_chats_active", &PROBE),
        1,
        "one at a time"
    );
    assert_eq!(metrics.count("chatprobe_chats_passed_total", &PROBE), 1);
}

#[tokio::test]
async fn what_goes_out_of_the_configuration_takes_its_series_along() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let text = std::fs::read_to_string(shipped(&format!("scenarios/{SCENARIO}.yaml"))).unwrap();
    let text = text.replacen(&format!("scenario: {SCENARIO}"), "scenario: second", 1);
    let second = folder.write("second.yaml", &text);
    let one =
        format!("one: {{ scenario: {SCENARIO}, target: centre, every: 1h, inputs: {QUICK} }}");
    let two = format!("two: {{ scenario: second, target: centre, every: 300ms, inputs: {QUICK} }}");
    let without = plain(&centre.url, &format!("probes: {{ {one} }}"));
    let with = plain(&centre.url, &format!("probes: {{ {one}, {two} }}")).replacen(
        "scenarios: [",
        &format!("scenarios: ['{second}', "),
        1,
    );
    let service = Service::start_in(folder, &with, &[], &[]).await;
    let label = r#"scenario="second""#;
    service
        .when("chats of both", |metrics| {
            metrics.sum("chatprobe_chats_passed_total", &[("scenario", "second")]) > 0.5
                && metrics.count("chatprobe_chats_passed_total", &PROBE) == 1
        })
        .await;
    service.reload(&without);
    let metrics = service
        .when("its series are gone", |metrics| {
            !metrics.text.contains(label)
        })
        .await;
    assert_eq!(metrics.count("chatprobe_chats_passed_total", &PROBE), 1);
    // An event that comes late does not bring them back.
    let metrics = service
        .when("another look", |metrics| reloaded(metrics) == 1)
        .await;
    assert!(!metrics.text.contains(label), "{}", metrics.text);
}

#[tokio::test]
async fn a_probe_that_goes_and_comes_back_waits_for_its_last_chat() {
    let centre = Centre::start("{}").await;
    let slow = "{ session_pause: 2s, first_message_delay: 10ms, reply_delay: 10ms }";
    let named = |name: &str| {
        let probe = format!("scenario: {SCENARIO}, target: centre, every: 1h, inputs: {slow}");
        plain(&centre.url, &format!("probes: {{ {name}: {{ {probe} }} }}"))
    };
    let mut service = Service::start(&named("one")).await;
    for (reloads, configuration) in [plain(&centre.url, ""), named("one"), named("two")]
        .iter()
        .enumerate()
    {
        service.reload(configuration);
        let said = "the configuration was reloaded";
        service.process.lines(said, reloads + 1).await;
    }
    let metrics = service
        .when("the chat of the probe by its last name", |metrics| {
            assert!(metrics.count("chatprobe_chats_active", &PROBE) <= 1);
            metrics.sum("chatprobe_chats_passed_total", &PROBE) > 1.5
        })
        .await;
    assert_eq!(metrics.count("chatprobe_chats_started_total", &PROBE), 2);
}

#[tokio::test]
async fn a_configuration_with_problems_leaves_the_old_one_in_force() {
    let centre = Centre::start("{}").await;
    let good = two_targets(&centre, &probes("300ms"));
    let mut service = Service::start(&good).await;
    let before = service.passed(1).await;
    assert_eq!(reloaded(&before), 1);
    service.reload(&good.replace("every: 300ms", "evry: 300ms"));
    let refused = service
        .when("a refusal", |metrics| reloaded(metrics) == 0)
        .await;
    service.process.line("unknown key `evry`").await;
    service.process.line("the old one stays in force").await;
    let passed = refused.count("chatprobe_chats_passed_total", &PROBE);
    let after = service.passed(passed + 2).await;
    assert_eq!(after.gone_back_since(&before), Vec::<String>::new());
    assert_eq!(started(&after, "other"), 1);

    service.reload(&good);
    let again = service
        .when("an acceptance", |metrics| reloaded(metrics) == 1)
        .await;
    assert_eq!(started(&again, "other"), 1, "nothing has changed for it");
}

#[tokio::test]
async fn a_schedule_goes_on_after_reloads_and_starts_nothing_twice() {
    let centre = Centre::start("{}").await;
    let burst = |chats: u64| {
        let burst = format!(
            "bursts: {{ rush: {{ scenario: {SCENARIO}, target: centre, load: {{ chats: {chats} }}, \
             inputs: {QUICK}, schedule: {{ cron: '*/2 * * * * *' }} }} }}"
        );
        plain(&centre.url, &burst)
    };
    let passed = [("burst", "rush"), ("verdict", "passed")];
    let mut service = Service::start(&burst(1)).await;
    for reload in 1..=3 {
        service.reload(&burst(1 + reload));
        let lines = usize::try_from(reload).unwrap();
        service
            .process
            .lines("the configuration was reloaded", lines)
            .await;
    }
    let before = service
        .metrics()
        .await
        .count("chatprobe_bursts_total", &passed);
    let after = service
        .when("two more bursts", |metrics| {
            metrics.count("chatprobe_bursts_total", &passed) >= before + 2
        })
        .await;
    // A second clock would find the run of the first in progress.
    assert_eq!(
        after.count("chatprobe_burst_skipped_total", &passed[..1]),
        0
    );
}

#[tokio::test]
async fn a_changed_grace_holds_from_now_on() {
    let centre = Centre::start("{}").await;
    let configuration = |grace: &str| {
        let inputs = "{ session_pause: 1h }";
        let probe = format!("scenario: {SCENARIO}, target: centre, every: 1h, inputs: {inputs}");
        plain(
            &centre.url,
            &format!("probes: {{ one: {{ {probe} }} }}\nshutdown: {{ grace: {grace} }}"),
        )
    };
    let mut service = Service::start(&configuration("1h")).await;
    service.reload(&configuration("500ms"));
    service.process.line("the configuration was reloaded").await;
    service.process.finish().await;
}

#[tokio::test]
async fn a_reload_puts_the_environment_in_again() {
    let centre = Centre::start("{}").await;
    let configuration = |most: &str| {
        let limits = format!("limits: {{ max_active_chats: ${{{most}}} }}");
        let burst = format!(
            "bursts: {{ b: {{ scenario: {SCENARIO}, target: centre, load: {{ chats: \"${{CHATS:-20}}\", ramp: 10s }} }} }}"
        );
        plain(&centre.url, &format!("{limits}\n{burst}"))
    };
    let environment = [("ENOUGH", "20"), ("FEW", "19")];
    let mut service =
        Service::start_in(Folder::new(), &configuration("ENOUGH"), &[], &environment).await;
    service.reload(&configuration("FEW"));
    let line = service
        .process
        .line("`limits.max_active_chats` allows 19")
        .await;
    assert!(
        line.contains("this load has up to 20 chats at once"),
        "{line}"
    );
    service.reload(&configuration("NONE"));
    service
        .process
        .line("the environment variable `NONE` is not set")
        .await;
    service.reload(&configuration("ENOUGH"));
    service.process.line("the configuration was reloaded").await;
}
