use std::collections::BTreeSet;

use super::*;

const CATALOGUE: &str = include_str!("../../../../docs/metrics.md");

/// Name, type and names of labels.
type Row = (String, String, BTreeSet<String>);

/// The rows of the catalogue, with their queries.
fn catalogue() -> Vec<(Row, String)> {
    let lines = CATALOGUE.lines().filter(|line| line.starts_with("| `"));
    let rows = lines.map(|line| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    });
    rows.filter(|cells| cells.len() == 6)
        .map(|cells| {
            let labels = cells[2].split(", ").filter(|label| !label.is_empty());
            let labels = labels.map(str::to_owned).collect();
            (
                (cells[0].clone(), cells[1].clone(), labels),
                cells[5].clone(),
            )
        })
        .collect()
}

/// The same of the real output.
fn real(fixture: &Fixture) -> BTreeSet<Row> {
    let text = fixture.metrics.render().unwrap();
    let types: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels.filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| {
                    name.strip_suffix(end)
                        .filter(|base| types.contains_key(base))
                })
                .unwrap_or(name);
            let labels = labels.filter(|label| label != "le").collect();
            (name.to_owned(), types[name].to_owned(), labels)
        })
        .collect()
}

#[test]
fn the_catalogue_says_what_there_is_and_there_is_what_it_says() {
    let fixture = Fixture::new();
    let probe = subject("chat", "eu", Mode::Probe);
    let burst = subject("chat", "eu", Mode::Burst);
    fixture.metrics.declare_subject(&probe, &declaration());
    fixture.metrics.declare_subject(&burst, &declaration());
    fixture.declare_probe(&probe, Duration::from_mins(1));
    fixture
        .metrics
        .declare_burst(&whole_burst("morning", &burst));
    let targets = &fixture.metrics.targets;
    targets.certificate_shown("eu", UNIX_EPOCH);
    let real = real(&fixture);
    let written: BTreeSet<Row> = catalogue().into_iter().map(|(row, _)| row).collect();
    let missing: Vec<&Row> = real.difference(&written).collect();
    let invented: Vec<&Row> = written.difference(&real).collect();
    assert!(missing.is_empty(), "not in the catalogue: {missing:#?}");
    assert!(invented.is_empty(), "not in the output: {invented:#?}");
    assert_eq!(catalogue().len(), real.len(), "a row stands there twice");
}

#[test]
fn every_query_uses_its_metric_and_no_metric_that_does_not_exist() {
    let known: BTreeSet<String> = catalogue()
        .into_iter()
        .map(|((name, ..), _)| name)
        .collect();
    for ((name, ..), query) in catalogue() {
        assert!(query.contains(&name), "{name}: {query}");
        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let prefixes = ["chatprobe_", "process_"];
        for word in words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))) {
            let base = word.strip_suffix("_bucket").unwrap_or(word);
            assert!(known.contains(base), "{name}: {word}");
        }
    }
}

#[test]
fn the_words_in_the_catalogue_are_those_that_exist() {
    let row = |start: &str| {
        CATALOGUE
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap()
    };
    let words = |start: &str| -> BTreeSet<String> {
        let cells = row(start).split('|').nth(2).unwrap();
        cells
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let set =
        |words: &[&str]| -> BTreeSet<String> { words.iter().map(|&w| w.to_owned()).collect() };
    assert_eq!(
        words("| `reason` of a failure"),
        set(&Reason::ALL.map(Reason::as_str))
    );
    assert_eq!(
        words("| `reason` of a skipped"),
        set(&crate::event::SkipReason::ALL.map(crate::event::SkipReason::as_str))
    );
    assert_eq!(
        words("| `reason` of a denied request"),
        set(&crate::event::Denial::ALL.map(crate::event::Denial::as_str))
    );
    assert_eq!(
        words("| `reason` of lost samples"),
        set(&crate::event::PushLoss::ALL.map(crate::event::PushLoss::as_str))
    );
    assert_eq!(
        words("| `phase` of a request"),
        set(&crate::driver::Phase::ALL.map(crate::driver::Phase::as_str))
    );
    assert_eq!(
        words("| `fate`"),
        set(&crate::event::Fate::ALL.map(crate::event::Fate::as_str))
    );
    assert_eq!(
        words("| `fate` of a delivery"),
        set(&crate::event::DeliveryFate::ALL.map(crate::event::DeliveryFate::as_str))
    );
    assert_eq!(
        words("| `code` with which"),
        set(&crate::event::CloseCode::ALL.map(crate::event::CloseCode::as_str))
    );
    assert_eq!(
        words("| `by`: who"),
        set(&crate::scenario::SocketEnd::ALL.map(crate::scenario::SocketEnd::as_str))
    );
    assert_eq!(
        words("| `kind` of a frame"),
        set(&crate::scenario::FrameKind::ALL.map(crate::scenario::FrameKind::as_str))
    );
    assert_eq!(
        words("| `verdict`"),
        set(&Verdict::ALL.map(Verdict::as_str))
    );
}
