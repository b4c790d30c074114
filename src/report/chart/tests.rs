use proptest::prelude::*;

use super::*;

fn chart(points: Vec<(f64, Option<f64>)>) -> Chart<'static> {
    let other = (0..5)
        .map(|at| (f64::from(at), Some(f64::from(at))))
        .collect();
    Chart {
        id: "rate",
        title: "Arrival <rate>",
        unit: Unit::PerSecond,
        across: Axis {
            unit: Unit::Seconds,
            most: 10.0,
        },
        marks: Vec::new(),
        lines: vec![
            Line {
                name: "asked \"for\" & got",
                points,
                whole_run: vec![("mean", 4.25), ("max", 6.0)],
            },
            Line {
                name: "achieved",
                points: other,
                whole_run: Vec::new(),
            },
        ],
    }
}

#[test]
fn lines_differ_in_their_dashes_and_are_told_in_words() {
    let drawn = chart(vec![(1.0, Some(2.0)), (2.0, Some(6.0)), (3.0, Some(4.0))]);
    let svg = drawn.svg().into_string();
    assert!(svg.contains("stroke-dasharray=\"none\""), "{svg}");
    assert!(svg.contains("stroke-dasharray=\"7 3\""), "{svg}");
    assert!(
        svg.contains("asked &quot;for&quot; &amp; got: mean 4.25/s, max 6/s, from 2/s to 6/s. achieved, from 0/s to 4/s."),
        "{svg}"
    );
    assert!(
        svg.contains("<title id=\"rate-title\">Arrival &lt;rate&gt;</title>"),
        "{svg}"
    );
    for tick in [">0/s<", ">2/s<", ">4/s<", ">6/s<", ">0 s<", ">10 s<"] {
        assert!(svg.contains(tick), "{tick} in {svg}");
    }
}

#[test]
fn where_there_is_nothing_the_line_has_a_gap() {
    let svg = chart(vec![
        (0.0, Some(4.0)),
        (1.0, None),
        (5.0, Some(4.0)),
        (10.0, Some(0.0)),
    ]);
    let svg = svg.svg().into_string();
    assert!(
        svg.contains("d=\"M52.0 38.0h0M201.0 38.0h0L350.0 168.0\""),
        "{svg}"
    );
    let nothing = chart(Vec::new()).svg().into_string();
    assert!(
        nothing.contains("asked &quot;for&quot; &amp; got: nothing."),
        "{nothing}"
    );
}

#[test]
fn a_load_has_its_own_axis_and_marks_with_names() {
    let mut drawn = chart(vec![(40.0, Some(2.0)), (80.0, Some(6.0))]);
    drawn.across = Axis {
        unit: Unit::PerSecond,
        most: 80.0,
    };
    let mark = |at: f64, name: &str| ChartMark {
        at,
        name: name.to_owned(),
    };
    drawn.marks = vec![mark(20.0, "held: 20/s"), mark(80.0, "broke: 80/s")];
    let svg = drawn.svg().into_string();
    for drawn in [
        ">0/s<",
        ">20/s<",
        ">80/s<",
        "d=\"M126.5 38.0V168.0\"",
        "x=\"122.5\" y=\"49.0\" text-anchor=\"end\">held: 20/s<",
        "d=\"M350.0 38.0V168.0\"",
        "x=\"346.0\" y=\"62.0\" text-anchor=\"end\">broke: 80/s<",
        "held: 20/s. broke: 80/s.",
        "d=\"M201.0 124.7h0L350.0 38.0\"",
    ] {
        assert!(svg.contains(drawn), "{drawn} in {svg}");
    }
}

#[test]
fn ticks_are_round_and_few() {
    for (most, told) in [
        (1.0, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (7.3, vec![0.0, 2.0, 4.0, 6.0]),
        (0.04, vec![0.0, 0.01, 0.02, 0.03, 0.04]),
        (180.0, vec![0.0, 50.0, 100.0, 150.0]),
    ] {
        let found: Vec<_> = ticks(most, 5.0).collect();
        assert_eq!(found.len(), told.len(), "{most}: {found:?}");
        for (found, told) in found.iter().zip(told) {
            assert!((found - told).abs() < 1e-9, "{most}: {found}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_figures_are_the_lines_stay_within_the_drawing(
        seconds in prop_oneof![Just(0.0), 0.0..1e6],
        points in prop::collection::vec((0.0..1e6, prop::option::of(prop::num::f64::ANY)), 0..20),
    ) {
        let mut drawn = chart(points);
        drawn.across.most = seconds;
        let svg = drawn.svg().into_string();
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", svg);
        prop_assert!(svg.len() < 8_000, "{}", svg.len());
    }
}
