use super::Service;
use crate::runner::RunRecord;

const QUICK: &str = "{ burst: lunch-rush, load: { chats: 3 }, inputs: { reply_delay: 200ms } }";
const LONG: &str = "{ burst: lunch-rush, load: { rate: 2/s, for: 30s, max_active: 20 } }";

/// The documents of a run, each with its type and something that it says.
const DOCUMENTS: [(&str, &str, &str); 5] = [
    ("report.html", "text/html; charset=utf-8", "<h1>lunch-rush "),
    ("report.json", "application/json", "\"samples\":["),
    (
        "steps.csv",
        "text/csv; charset=utf-8; header=present",
        "step,passed,failed,",
    ),
    (
        "timeline.csv",
        "text/csv; charset=utf-8; header=present",
        "at_seconds,",
    ),
    (
        "junit.xml",
        "application/xml; charset=utf-8",
        "<testsuite name=\"lunch-rush\"",
    ),
];

#[tokio::test]
async fn a_run_is_there_as_documents_while_it_goes_on_and_after_it_ended() {
    let service = Service::start().await;
    let ended = service.burst(QUICK).await;
    service.ended(&ended).await;
    let running = service.burst(LONG).await;
    for run in [&ended, &running] {
        for (name, media_type, says) in DOCUMENTS {
            let answer = service
                .get(&format!("/api/v1/runs/{}/{name}", run.id()))
                .await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, media_type)
            );
            assert!(answer.text.contains(says), "{name}: {}", answer.text);
            let policy = answer.header("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'; style-src 'sha256-"),
                "{policy}"
            );
        }
    }
    let path = format!("/api/v1/runs/{}/drift", ended.id());
    let drift = service.get(&path).await.json();
    assert_eq!(drift["not_judged"], "too_short");
    let page = service.get(&format!("/runs/{}", ended.id())).await.text;
    assert!(page.contains(drift["summary"].as_str().unwrap()), "{page}");
    let path = format!("/api/v1/runs/{}/report.json", ended.id());
    let record: RunRecord = serde_json::from_str(&service.get(&path).await.text).unwrap();
    assert_eq!(record.report.chats.passed, 3);
    let passed = record.samples.iter().map(|sample| sample.passed);
    assert_eq!(passed.sum::<u64>(), 3);
}

#[tokio::test]
async fn two_runs_can_be_held_against_each_other() {
    let service = Service::start().await;
    let (one, other) = (service.burst(QUICK).await, service.burst(QUICK).await);
    service.ended(&one).await;
    service.ended(&other).await;
    let path = format!("/api/v1/runs/{}/compare/{}", other.id(), one.id());
    let answer = service.get(&path).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    let told = answer.json();
    assert_eq!(
        (&told["baselines"][0]["id"], &told["run"]["id"]),
        (&one.id().into(), &other.id().into())
    );
    let chats = &told["subjects"][0]["changes"][1];
    assert_eq!(
        (&chats["figure"], &chats["word"]),
        (&"p50".into(), &"too_little".into())
    );
    let page = service.get(&format!("{path}/report.html")).await;
    assert!(page.text.contains("too little measured"), "{}", page.text);
    assert_eq!(told["overall"], "too_short");
    let headline = told["headline"].as_str().unwrap();
    assert!(
        headline.contains("Now passed: 3 of 3 chats passed"),
        "{headline}"
    );
    assert!(page.text.contains(headline), "the page says the same");
}

#[tokio::test]
async fn a_run_is_held_against_several_at_once_each_of_them_once() {
    let service = Service::start().await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = service.burst(QUICK).await;
        service.ended(&run).await;
        runs.push(run.id().to_owned());
        // Ids tell milliseconds.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let [one, other, last] = &*runs else {
        panic!("{runs:?}")
    };
    let path = |baselines: &str| format!("/api/v1/runs/{last}/compare/{baselines}");
    for named in [format!("{one},{other}"), format!("{one},previous")] {
        let told = service.get(&path(&named)).await.json();
        let ids: Vec<_> = told["baselines"].as_array().unwrap().iter().collect();
        assert_eq!(
            (&ids[0]["id"], &ids[1]["id"]),
            (&one.as_str().into(), &other.as_str().into())
        );
        // Nothing failed in any of them, which is known of nine chats.
        let failed = &told["subjects"][0]["changes"][4];
        assert_eq!(
            (&failed["before_count"], &failed["after_count"]),
            (&6.into(), &3.into())
        );
        assert_eq!(failed["method"], "runs");
        let page = service.get(&format!("{}/report.html", path(&named))).await;
        assert!(
            page.text.contains("held against 2 earlier runs"),
            "{}",
            page.text
        );
    }
    let many = vec!["x"; 21].join(",");
    for (baselines, says) in [
        (format!("{other},previous"), "is compared already"),
        (format!("{one},{last}"), "is compared already"),
        (format!("{one},"), "a name is missing"),
        (",".to_owned(), "a name is missing"),
        (
            many,
            "21 baselines are named, and 20 can be compared at most",
        ),
    ] {
        for end in ["", "/report.html"] {
            let (status, error) = service
                .get(&format!("{}{end}", path(&baselines)))
                .await
                .error();
            assert_eq!(status, 400, "{error}");
            assert!(error.contains(says), "{error}");
        }
    }
    let (status, error) = service.get(&path(&format!("{one},nobody"))).await.error();
    assert!(status == 404 && error.contains("`nobody`"), "{error}");
}

#[tokio::test]
async fn a_run_can_be_held_against_the_one_before() {
    let service = Service::start().await;
    let mut runs = Vec::new();
    let other = "{ scenario: contact-center-chat, target: contact-center, load: { chats: 1 } }";
    for body in [QUICK, other, QUICK] {
        let run = service.burst(body).await;
        service.ended(&run).await;
        runs.push(run);
        // Ids tell milliseconds.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let running = service.burst(LONG).await;
    let previous = async |run: &crate::runner::RunHandle| {
        let path = format!("/api/v1/runs/{}/compare/previous", run.id());
        service.get(&path).await
    };
    for (run, before) in [(&runs[2], &runs[0]), (&running, &runs[2])] {
        let told = previous(run).await.json();
        assert_eq!(told["baselines"][0]["id"], before.id());
    }
    let (status, error) = previous(&runs[0]).await.error();
    assert_eq!(status, 404);
    assert!(
        error.starts_with("there is no run of `lunch-rush` before "),
        "{error}"
    );
}

#[tokio::test]
async fn of_a_run_that_nobody_knows_there_is_nothing() {
    let service = Service::start().await;
    let run = service.burst(LONG).await;
    let documents = DOCUMENTS.map(|(name, ..)| format!("/api/v1/runs/x/{name}"));
    let compared = [
        format!("x/compare/{}", run.id()),
        format!("{}/compare/x", run.id()),
    ];
    let compared = compared.map(|path| format!("/api/v1/runs/{path}"));
    for path in documents.iter().chain(&compared) {
        let (status, error) = service.get(path).await.error();
        assert!(
            status == 404
                && error.starts_with("there is ")
                && error.contains("run")
                && error.contains("`x`"),
            "{path}: {error}"
        );
    }
}

#[tokio::test]
async fn reports_are_made_one_at_a_time_and_whoever_waits_too_long_is_asked_to_come_again() {
    let service = Service::start().await;
    let run = service.burst(QUICK).await;
    service.ended(&run).await;
    let of = |name: &str| format!("/api/v1/runs/{}/{name}", run.id());
    let compared = of(&format!("compare/{}", run.id()));
    let page = format!("{compared}/report.html");
    let documents = DOCUMENTS.map(|(name, ..)| of(name));
    let turn = service.app.turns.next().await.unwrap();
    tokio::time::pause();
    for path in documents.iter().chain([&compared, &page]) {
        let asked = tokio::time::Instant::now();
        let answer = service.get(path).await;
        assert_eq!(answer.header("retry-after"), "5", "{path}");
        assert_eq!(asked.elapsed().as_secs(), 5, "{path}");
        let (status, error) = answer.error();
        assert_eq!(status, 503, "{path}");
        assert!(error.contains("one at a time"), "{error}");
    }
    let waiting = service.get(&compared);
    let leaving = async {
        tokio::task::yield_now().await;
        drop(turn);
    };
    let (answer, ()) = tokio::join!(waiting, leaving);
    assert_eq!(answer.status, 200);
}
