use super::*;
use crate::{
    document::parse,
    scenario::{RunScope, Scenario, Scope},
};

fn source(take: &str, csv: &str) -> RowSource {
    let problems = Problems::default();
    let node = parse(
        "s.yaml",
        &format!("{{ a: {{ file: a.csv, take: {take} }} }}"),
    )
    .unwrap();
    let mut rows = Rows::read(&node, &problems);
    rows.0[0].fill(Table::read(csv.as_bytes(), 0).unwrap(), &problems);
    assert_eq!(problems.into_result(), Ok(()));
    rows.0.remove(0)
}

#[test]
fn a_chat_takes_the_row_of_its_number() {
    let csv = "n\n0\n1\n2\n";
    let rows = |take: &str, seed: u64| {
        let source = source(take, csv);
        (0..300)
            .map(|ordinal| source.row(0, seed, ordinal))
            .collect::<Vec<_>>()
    };
    let once = rows("once", 1);
    assert_eq!(once[..4], [Some(0), Some(1), Some(2), None]);
    let cycle = rows("cycle", 1);
    assert_eq!(cycle[..5], [Some(0), Some(1), Some(2), Some(0), Some(1)]);
    let random = rows("random", 1);
    assert_eq!(random, rows("random", 1));
    assert_ne!(random, rows("random", 2));
    for row in 0..3 {
        let count = random.iter().filter(|drawn| **drawn == Some(row)).count();
        // Five standard deviations of 8.2.
        assert!((59..=141).contains(&count), "{row}: {count}");
    }
}

#[test]
fn expressions_see_the_row_of_their_chat_and_nobody_its_secrets() {
    let rows = Rows(vec![source(
        "once",
        "user,password,n\nanna,s3cret,1\nben,hidden,2\n",
    )]);
    let run = RunScope {
        rows: Arc::new(RowsOfRun::new(rows, 1)),
        ..RunScope::default()
    };
    let scope = Scope::of_run(Arc::new(run));
    assert_eq!(scope.confidential_rows().count(), 0);
    assert!(scope.value_of("rows").is_none());
    let chat = scope.of_chat(2, "run-2");
    let seen = chat.value_of("rows").unwrap();
    let seen = serde_json::to_value(seen).unwrap();
    let expected = serde_json::json!({ "a": { "user": "ben", "password": "hidden", "n": "2" } });
    assert_eq!(seen, expected);
    let secrets: Vec<_> = chat.confidential_rows().collect();
    assert_eq!(secrets, [("password", "hidden".into())]);
}

fn problems_of(scenario: &str) -> Vec<String> {
    let problems = Problems::default();
    let text = format!("scenario: s\n{scenario}");
    Scenario::read(&parse("s.yaml", &text).unwrap(), &problems);
    let problems = problems.into_result().err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn problems_of_rows_are_told_at_their_place() {
    for (scenario, problem) in [
        (
            "rows: { a: { take: once } }\nsteps: [{ think: 1s }]",
            "2:12: the key `file`",
        ),
        (
            "rows: { a: { file: a.csv, take: 1 } }\nsteps: [{ think: 1s }]",
            "2:33: 1 is no way",
        ),
        (
            "rows: { a-b: { file: a.csv } }\nsteps: [{ think: 1s }]",
            "2:9: `a-b` cannot be a name",
        ),
        (
            "rows: { a: a.csv }\nsteps: [{ think: 1s }]",
            "2:12: expected a mapping",
        ),
        (
            "steps: [{ step: a, http: { get: 'http://h/{{ rows.a.b }}' } }]",
            "2:46: `rows` needs the scenario to say",
        ),
        (
            "rows: { users: { file: a.csv } }\nsteps: [{ step: a, http: { get: 'http://h/{{ rows.user.b }}' } }]",
            "3:46: the scenario has no rows called `user`; did you mean `users`?",
        ),
        (
            "rows: { a: { file: a.csv } }\nsetup: [{ step: a, http: { get: 'http://h/{{ rows.a.b }}' } }]\nsteps: [{ think: 1s }]",
            "3:46: there are no `rows` here",
        ),
        (
            "rows: { a: { file: a.csv } }\nsteps: [{ step: a, http: { get: 'http://h/' }, capture: { rows: body } }]",
            "3:59: `rows` cannot be the name of a capture",
        ),
    ] {
        let problems = problems_of(scenario);
        let [found] = &problems[..] else {
            panic!("{scenario}: {problems:?}");
        };
        assert!(found.starts_with(&format!("s.yaml:{problem}")), "{found}");
    }
}
