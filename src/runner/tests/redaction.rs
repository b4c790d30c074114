use super::*;

const SECRET: &str = "pass\"word-0123456789";

async fn failure(ask: &str) -> crate::runner::Example {
    let add = |target: Target| target.with_secret("token", SECRET);
    let (bench, _puppet) = Bench::with_puppet_and(add).await;
    let scenario = format!("correlation: [ echo ]\nsteps:\n  - step: ask\n{ask}");
    let report = bench.run(&scenario, "{ chats: 1 }").await;
    report.failures[0].clone()
}

#[tokio::test]
async fn a_failure_never_shows_a_secret_of_the_target() {
    let (filler, longer) = ("x".repeat(175), "x".repeat(190));
    for (answer, rest) in [
        ("{{ target.token }}".to_owned(), "expect: status == 201"),
        ("{{ target.token }}".to_owned(), "expect: body.a.b == 1"),
        // Half of it lies within what is quoted.
        (
            format!("{longer}{{{{ target.token }}}}"),
            "expect: status == 201",
        ),
        (
            format!("{filler}{{{{ target.token }}}}"),
            "expect: not body",
        ),
        (
            "{{ target.token }}".to_owned(),
            "timeout: '{{ target.token }}'",
        ),
    ] {
        for status in [200, 500] {
            let ask = format!(
                "
    http: {{ post: '{{{{ target.url }}}}', json: {{ status: {status}, answer: [ '{answer}' ] }} }}
    capture: {{ echo: 'body[0]' }}
    {rest}
"
            );
            let failure = failure(&ask).await;
            let shown = format!("{failure:?}");
            for part in ["pass", "word", "0123"] {
                assert!(!shown.contains(part), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn half_a_secret_at_the_end_of_a_quoted_answer_is_one_too() {
    let filler = "x".repeat(190);
    let ask = format!(
        "
    http: {{ post: '{{{{ target.url }}}}', json: {{ status: 500, answer: '{filler}{{{{ target.token }}}}' }} }}
    capture: {{ echo: body }}
"
    );
    let failure = failure(&ask).await;
    assert!(failure.detail.starts_with("answered 500: xxx"));
    assert!(!failure.detail.contains("pass"), "{}", failure.detail);
}

#[tokio::test]
async fn a_failure_is_never_longer_than_a_person_reads() {
    let long = "y".repeat(100_000);
    let ask = format!(
        "
    http: {{ post: '{{{{ target.url }}}}', json: {{ answer: {{ echo: '{long}' }} }} }}
    capture: {{ echo: body.echo, n: body.n }}
"
    );
    let failure = failure(&ask).await;
    assert!(
        failure.detail.contains("`n` cannot be captured"),
        "{}",
        failure.detail
    );
    assert!(failure.detail.len() < 400, "{}", failure.detail.len());
    assert!(failure.correlation["echo"].len() < 2_000);
}

#[tokio::test]
async fn a_failure_does_not_show_where_events_of_the_run_are_sent() {
    let (bench, _puppet) = Bench::with_puppet().await;
    for answer in ["{{ callback.url }}", "{{ callback.url | urlencode }}"] {
        let scenario = format!(
            "callbacks: {{ key: event.id }}
correlation: [ echo ]
steps:
  - step: ask
    http: {{ post: '{{{{ target.url }}}}', json: {{ answer: '{answer}' }} }}
    capture: {{ echo: body, gone: body.gone }}
"
        );
        let report = bench.run(&scenario, "{ chats: 1 }").await;
        let shown = format!("{:?}", report.failures[0]);
        assert!(shown.contains(crate::target::MASK), "{shown}");
        for begin in ["/", "%2F"] {
            let begin = format!("{begin}{}", crate::scenario::TOKEN_BEGIN);
            assert!(!shown.contains(&begin), "{shown}");
        }
    }
}
