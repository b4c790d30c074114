//! From a contact centre in trouble to a message in Slack, through a real Prometheus and a real
//! Alertmanager with the configuration and the rules of this repository.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use axum::{Router, routing::post};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, timeout},
};

use crate::{
    alerting::{generate, text},
    support::{
        ALERTMANAGER, Alertmanager, Centre, Folder, Message, PATIENCE, Prometheus, QUICK, SCENARIO,
        Service, Slack, plain,
    },
};

/// All of it, on loopback.
struct Watch {
    slack: Slack,
    service: Service,
    centre: Centre,
    prometheus: Prometheus,
    _alertmanager: Alertmanager,
}

const SUBJECT: &str = "contact-center-chat on centre";
const FAILING: &str = "[PAGE] ChatprobeProbeFailing: contact-center-chat on centre";

impl Watch {
    /// One probe a second, all well so far.
    async fn start() -> Self {
        let slack = Slack::start().await;
        let alertmanager = Alertmanager::start(&slack.url).await;
        let centre = Centre::start("{}").await;
        let probe = format!(
            "scenario: {SCENARIO}, target: centre, every: 1s, \
             inputs: {{ session_pause: 0s, first_message_delay: 0s, reply_delay: 0s, agent_join_timeout: 1500ms, reply_timeout: 1900ms }}, \
             objectives: {{ agent_join: {{ within: 500ms, share: 99% }} }}"
        );
        let burst = |load: &str| {
            format!("{{ scenario: {SCENARIO}, target: centre, inputs: {QUICK}, load: {load} }}")
        };
        let more = format!(
            "probes: {{ one: {{ {probe} }} }}\nbursts: {{ brief: {}, rush: {} }}\n",
            burst("{ rate: 5/s, for: 4s, max_active: 50 }"),
            burst("{ rate: 2/s, for: 5m, max_active: 50 }"),
        );
        let service = Service::start(&plain(&centre.url, &more)).await;
        let address = service.web.strip_prefix("http://").unwrap();
        let prometheus = Prometheus::watching(address, &alertmanager.address).await;
        let watch = Self {
            slack,
            service,
            centre,
            prometheus,
            _alertmanager: alertmanager,
        };
        watch.probes_pass(3.0).await;
        watch
    }

    /// Until so many more probes have passed, as Prometheus sees it.
    async fn probes_pass(&self, count: f64) {
        let query = "sum(chatprobe_chats_passed_total{mode='probe'})";
        let so_far = self.prometheus.when(query, |_| true).await;
        let more = self.prometheus.when(query, |now| now >= so_far + count);
        more.await;
    }

    /// From now on this goes wrong at the contact centre.
    async fn faults(&self, faults: Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/faults", self.centre.url);
        let answer = client.put(url).json(&faults).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Until Prometheus knows of it; its run.
    async fn start_burst(&self, name: &str) -> String {
        let body = format!("{{ burst: {name} }}");
        let answer = self.service.order("POST", "/api/v1/bursts", &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let held = "count(ALERTS{alertname='ChatprobeBurstRunning', alertstate='firing'})";
        self.prometheus.when(held, |count| count > 0.5).await;
        answer.text("id")
    }

    async fn stop_burst(&self, run: &str) {
        let path = format!("/api/v1/runs/{run}/stop");
        let answer = self.service.order("POST", &path, "").await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// Of all messages so far, but those about the machine: it may be busy with other tests.
    fn titles(&self) -> Vec<String> {
        let mut titles = self.slack.titles();
        titles.retain(|title| !title.contains("ChatprobeGeneratorSaturated"));
        titles
    }

    /// An outage is told by one message, and its end by another.
    async fn tells_only(&self, title: &str) -> Message {
        let page = self.slack.message(title).await;
        assert_eq!(self.titles(), [title]);
        self.faults(json!({})).await;
        self.slack.message(&resolved(title)).await;
        // What else had to be said would have been by now: the windows of what is slower are over.
        self.probes_pass(10.0).await;
        assert_eq!(self.titles(), [title, &resolved(title)]);
        page
    }
}

fn no_session() -> Value {
    json!({ "errors": [{ "probability": 1, "status": 503, "only": ["session_create"] }] })
}

fn resolved(title: &str) -> String {
    title.replace("[PAGE]", "[RESOLVED]")
}

/// The links under a message, by their words.
fn links(message: &Message) -> Vec<(String, String)> {
    let line = message.text.lines().last().unwrap();
    let pair = |link: &str| {
        let inner = link.strip_prefix('<')?.strip_suffix('>')?;
        let (url, words) = inner.split_once('|')?;
        Some((words.to_owned(), url.to_owned()))
    };
    let all: Option<_> = line.split(" · ").map(pair).collect();
    all.unwrap_or_else(|| panic!("{line}"))
}

#[tokio::test]
async fn an_outage_is_one_page_and_its_end_one_message() {
    let watch = Watch::start().await;
    watch.faults(no_session()).await;
    let page = watch.tells_only(FAILING).await;
    assert_eq!(page.color, "danger");
    assert_eq!(page.pretext, "<!channel>");
    let dashboard = "http://localhost:3000/d/chatprobe-scenario/scenario?var-scenario=contact-center-chat&var-target=centre";
    assert_eq!(page.title_link, dashboard);
    let lines: Vec<_> = page.text.lines().collect();
    let [what, cause, since, _] = lines[..] else {
        panic!("four lines: {}", page.text)
    };
    let count = what
        .strip_prefix(&format!("{SUBJECT}: "))
        .and_then(|rest| rest.strip_suffix(" probes in a row failed; objective: 99% succeed"))
        .unwrap_or_else(|| panic!("{what}"));
    assert!(count.parse::<u32>().unwrap() >= 3, "{what}");
    assert_eq!(
        cause,
        "What failed most in 30 minutes: step session_create, reason status."
    );
    assert!(since.starts_with("Since <!date^"), "{since}");
    let silence = format!(
        "{ALERTMANAGER}/#/silences/new?filter=%7Balertname%3D%22ChatprobeProbeFailing%22%2C%20scenario%3D%22contact-center-chat%22%2C%20target%3D%22centre%22%7D"
    );
    let runbook =
        "https://github.com/chatprobe/chatprobe/blob/main/docs/runbooks/ChatprobeProbeFailing.md";
    let expected = [
        ("Runbook", runbook),
        ("Dashboard", dashboard),
        ("Console", "http://localhost:8080/"),
        ("Silence", &silence),
    ];
    assert_eq!(
        links(&page),
        expected.map(|(words, url)| (words.to_owned(), url.to_owned()))
    );

    let over = watch.slack.message(&resolved(FAILING)).await;
    assert_eq!(over.color, "good");
    assert_eq!(over.pretext, "");
    assert!(over.text.starts_with("Resolved: "), "{}", over.text);
    assert!(over.text.contains("\nFrom <!date^"), "{}", over.text);
}

#[tokio::test]
async fn agents_who_never_come_are_one_page() {
    let watch = Watch::start().await;
    watch.faults(json!({ "agents": { "never_come": 1 } })).await;
    let page = watch
        .tells_only("[PAGE] ChatprobeNobodyJoins: contact-center-chat on centre")
        .await;
    let cause = "\nWhat failed most in 30 minutes: step agent_join, reason agent_join_timeout.\n";
    assert!(page.text.contains(cause), "{}", page.text);
}

#[tokio::test]
async fn events_that_do_not_come_are_one_page() {
    let watch = Watch::start().await;
    watch
        .faults(json!({ "events": { "drop": { "probability": 1 } } }))
        .await;
    let page = watch
        .tells_only("[PAGE] ChatprobeCallbacksStopped: contact-center-chat on centre")
        .await;
    let what = "probes in a row waited for events and not one came";
    assert!(page.text.contains(what), "{}", page.text);
}

#[tokio::test]
async fn agents_who_join_late_are_one_page_that_says_how_late() {
    let watch = Watch::start().await;
    let delay = json!({ "probability": 1, "by": "1s", "only": ["agent_joined"] });
    watch.faults(json!({ "events": { "delay": delay } })).await;
    let title = "[PAGE] ChatprobeAgentJoinsSlow: contact-center-chat on centre";
    let page = watch.tells_only(title).await;
    let what = page.text.lines().next().unwrap();
    let share = what
        .strip_prefix(&format!("{SUBJECT}: "))
        .and_then(|rest| {
            rest.strip_suffix(
                "% of the agents joined late or never within 30m; objective: 1% at most take longer than 500ms",
            )
        })
        .unwrap_or_else(|| panic!("{what}"));
    assert!(share.parse::<f64>().unwrap() > 30.0, "{what}");
}

#[tokio::test]
async fn agents_who_do_not_join_during_a_burst_are_a_ticket_and_a_page_if_it_outlasts_the_burst() {
    let watch = Watch::start().await;
    let run = watch.start_burst("rush").await;
    watch.faults(json!({ "agents": { "never_come": 1 } })).await;
    let trouble = "[TICKET] ChatprobeTroubleDuringBurst: contact-center-chat on centre";
    let ticket = watch.slack.message(trouble).await;
    assert_eq!(ticket.color, "warning");
    assert_eq!(ticket.pretext, "");
    let says = "ChatprobeNobodyJoins began during a burst and is held back";
    assert!(ticket.text.contains(says), "{}", ticket.text);
    let burst = "\n:warning: A burst is running against centre: rush.\n";
    assert!(ticket.text.contains(burst), "{}", ticket.text);
    assert_eq!(watch.titles(), [trouble]);

    watch.stop_burst(&run).await;
    let nobody = "[PAGE] ChatprobeNobodyJoins: contact-center-chat on centre";
    watch.slack.message(nobody).await;
    watch.faults(json!({})).await;
    watch.slack.message(&resolved(nobody)).await;
    assert_eq!(watch.titles(), [trouble, nobody, &resolved(nobody)]);

    // A burst does not hold back the page for a target that is down.
    watch.probes_pass(3.0).await;
    watch.start_burst("rush").await;
    watch.faults(no_session()).await;
    watch.slack.message(FAILING).await;
    let titles = watch.titles();
    assert_eq!(titles, [trouble, nobody, &resolved(nobody), FAILING]);
}

#[tokio::test]
async fn bursts_during_an_outage_add_no_message_and_hold_none_back() {
    let watch = Watch::start().await;
    watch.faults(no_session()).await;
    watch.slack.message(FAILING).await;
    watch.start_burst("brief").await;
    let failed = "chatprobe_bursts_total{burst='brief', verdict='failed'}";
    watch.prometheus.when(failed, |count| count > 0.5).await;
    watch.start_burst("rush").await;
    let failed = "sum(chatprobe_chats_failed_total{mode='burst'})";
    watch.prometheus.when(failed, |count| count > 10.0).await;
    assert_eq!(watch.titles(), [FAILING]);

    watch.faults(json!({})).await;
    watch.slack.message(&resolved(FAILING)).await;
    let metrics = watch.service.metrics().await;
    let running = metrics.count("chatprobe_burst_active", &[("burst", "rush")]);
    assert_eq!(running, 1, "its end was told while a burst ran");
    let failed = "[TICKET] ChatprobeBurstFailed: contact-center-chat on centre";
    watch.slack.message(failed).await;
    assert_eq!(watch.titles(), [FAILING, &resolved(FAILING), failed]);
}

/// As Prometheus sends them.
async fn send(alertmanager: &Alertmanager, alerts: &[Value]) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/v2/alerts", alertmanager.address);
    let taken = client.post(url).json(alerts).send().await.unwrap();
    assert!(taken.status().is_success(), "{taken:?}");
}

/// The address that a service outside would give, and when something is posted there.
async fn dead_mans_switch() -> (String, UnboundedReceiver<Instant>) {
    let (told, posted) = unbounded_channel();
    let ping = move || {
        let told = told.clone();
        // The test has its posts when it ends, and more may come.
        async move { told.send(Instant::now()).unwrap_or(()) }
    };
    let app = Router::new().route("/ping/1", post(ping));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ping/1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, posted)
}

#[tokio::test]
async fn the_watchdog_is_posted_to_the_address_of_the_parameters_in_every_interval() {
    let (url, mut posted) = dead_mans_switch().await;
    let folder = Folder::new();
    let address = format!("watchdog = \"{url}\"");
    let parameters = text("alerting/parameters.toml").replace("watchdog = \"\"", &address);
    assert!(generate(&folder, &parameters).status.success());
    let config = fs::read_to_string(folder.argument("made/alerting/alertmanager.yml")).unwrap();
    let slack = Slack::start().await;
    let alertmanager = Alertmanager::start_with(config, &slack.url).await;
    let watchdog = json!({ "labels": { "alertname": "ChatprobeWatchdog", "severity": "info" } });
    send(&alertmanager, &[watchdog]).await;

    let mut posts = Vec::new();
    for _ in 0..4 {
        posts.push(timeout(PATIENCE, posted.recv()).await.unwrap().unwrap());
    }
    for pair in posts.windows(2) {
        let between = pair[1] - pair[0];
        assert!(between < Duration::from_secs(6), "{between:?}");
    }
    assert!(slack.titles().is_empty(), "{:?}", slack.titles());
}

#[tokio::test]
async fn of_many_alerts_ten_are_listed_and_nothing_in_them_is_a_command_to_slack() {
    let slack = Slack::start().await;
    let alertmanager = Alertmanager::start(&slack.url).await;
    let alert = |number: u32| {
        json!({
            "labels": {
                "alertname": "ChatprobeStepsSlow", "severity": "ticket", "scenario": "a<b>&c", "target": "t",
                "step": format!("step-{number}"),
            },
            "annotations": { "summary": format!("<!channel> & step {number}") },
        })
    };
    let alerts: Vec<_> = (1..=13).map(alert).collect();
    send(&alertmanager, &alerts).await;

    let message = slack
        .message("[TICKET] ChatprobeStepsSlow: a&lt;b&gt;&amp;c on t")
        .await;
    let listed = message
        .text
        .lines()
        .filter(|line| line.starts_with("&lt;!channel&gt; &amp; step "));
    assert_eq!(listed.count(), 10, "{}", message.text);
    assert!(message.text.contains("… and 3 more\n"), "{}", message.text);
    assert!(!message.text.contains("<!channel>"), "{}", message.text);
    assert_eq!(message.pretext, "");
    let silence = format!(
        "{ALERTMANAGER}/#/silences/new?filter=%7Balertname%3D%22ChatprobeStepsSlow%22%2C%20scenario%3D%22a%3Cb%3E%26c%22%2C%20target%3D%22t%22%7D"
    );
    assert_eq!(links(&message), [("Silence".to_owned(), silence)]);
}

#[tokio::test]
async fn promtool_finds_nothing_to_mend_in_the_metrics() {
    let centre = Centre::start("{}").await;
    let probe = format!("scenario: {SCENARIO}, target: centre, every: 1s, inputs: {QUICK}");
    let service = Service::start(&plain(
        &centre.url,
        &format!("probes: {{ one: {{ {probe} }} }}"),
    ))
    .await;
    let metrics = service.passed(1).await;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot start promtool: {error}; apt-get install -y --no-install-recommends prometheus")
        });
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(metrics.text.as_bytes()).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
