//! Two runs side by side.

use maud::{Markup, html};

use super::{Column, table};
use crate::{
    report::{Change, Compared, Comparison, Figure, Word, wording},
    runner::RunState,
};

/// What changed, and whether it is more than noise.
pub fn comparison(compared: &Comparison) -> Markup {
    let mut head = ["", "Figure", "In a word"].map(Column::Text).to_vec();
    head.extend(["Before", "Now", "Change", "Interval"].map(Column::Number));
    html! {
        section {
            h2 { "Compared" }
            dl.facts { (side("Before", &compared.baseline)) (side("Now", &compared.run)) }
            @for caveat in &compared.caveats { p.doubt { "With care: " (caveat) "." } }
            (in_short(compared))
            (table("Compared", &head, &html! {
                @for subject in &compared.subjects {
                    @for change in &subject.changes {
                        (row(subject.step.as_deref().unwrap_or("Whole chats"), change))
                    }
                }
            }))
            p {
                "Where nothing changed, " (wording::percent(compared.confidence))
                " of such comparisons find no change at all. The intervals are wide enough for that, and hold "
                "what varies within a run; how much the same target differs from one day to the next they do not know."
            }
        }
    }
}

/// What became worse and what better, which is what most readers came for.
fn in_short(compared: &Comparison) -> Markup {
    let moved = |word: Word| -> Vec<_> {
        let subjects = compared.subjects.iter();
        let changes = subjects.flat_map(|subject| {
            let of = subject.step.as_deref().unwrap_or("Whole chats");
            subject.changes.iter().map(move |change| (of, change))
        });
        changes.filter(|(_, change)| change.word == word).collect()
    };
    let (worse, better) = (moved(Word::Worse), moved(Word::Better));
    html! {
        @if worse.is_empty() && better.is_empty() {
            p { "Nothing that was measured often enough changed by more than noise." }
        }
        @for (title, changes) in [("Worse", worse), ("Better", better)] {
            @if !changes.is_empty() {
                h3 { (title) }
                ul { @for (of, change) in changes { li { (of) " " (wording::change(change)) } } }
            }
        }
    }
}

fn side(which: &str, run: &Compared) -> Markup {
    html! {
        div {
            dt { (which) ": " (outcome(run)) }
            dd { (run.name) ", " (run.started_at) ", " code { (run.load) } ", run " (run.id) }
        }
    }
}

fn outcome(run: &Compared) -> &'static str {
    match (run.verdict, run.state) {
        (Some(verdict), _) => verdict.as_str(),
        (None, RunState::Interrupted) => "interrupted",
        (None, _) => "in progress",
    }
}

fn row(subject: &str, change: &Change) -> Markup {
    let figure = |value: Option<f64>| {
        wording::or_dash(value.map(|value| match change.figure {
            Figure::Failed => wording::percent(value),
            _ => wording::seconds(value),
        }))
    };
    let unit = match change.figure {
        Figure::Failed => " points",
        _ => "",
    };
    let interval = change.interval.map(|[from, to]| {
        let (from, to) = (wording::signed_percent(from), wording::signed_percent(to));
        format!("{from} to {to}{unit}")
    });
    let moved = change
        .change
        .map(|change| format!("{}{unit}", wording::signed_percent(change)));
    let (class, sign) = match change.word {
        Word::Worse => ("bad", "▲ "),
        Word::Better => ("good", "▼ "),
        Word::Noise | Word::TooLittle => ("plain", ""),
    };
    html! {
        tr {
            th scope="row" { (subject) }
            td { (change.figure.as_str()) }
            td.word.(class) { (sign) (change.word.as_str()) }
            td.number { (figure(change.before)) }
            td.number { (figure(change.after)) }
            td.number { (wording::or_dash(moved)) }
            td.number { (wording::or_dash(interval)) }
        }
    }
}
