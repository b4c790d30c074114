//! Runs side by side.

use maud::{Markup, html};

use super::{Column, table};
use crate::report::{Change, Compared, Comparison, Method, Overall, Word, wording};

/// What changed, and whether it is more than noise.
pub fn comparison(compared: &Comparison) -> Markup {
    let mut head = ["", "Figure", "Assessment"].map(Column::Text).to_vec();
    head.extend(["Before", "Now", "Change", "Interval", "p"].map(Column::Number));
    head.push(Column::Text("Method"));
    html! {
        section {
            h2 { "Compared" }
            (headline(compared))
            dl.facts {
                @for baseline in &compared.baselines { (side("Before", baseline)) }
                @for baseline in &compared.left_out { (side("Left out", baseline)) }
                (side("Now", &compared.run))
            }
            @for caveat in &compared.caveats { p.warning { "With care: " (caveat) "." } }
            (in_short(compared))
            (table("Compared", &head, &html! {
                @for subject in &compared.subjects {
                    @for change in &subject.changes {
                        (change_row(subject.name("Whole chats"), change))
                    }
                }
            }))
            p {
                "Where nothing changed, " (wording::percent(compared.confidence))
                " of such comparisons find no change at all (p is adjusted for that, by Holm's method). "
                "Each interval is drawn at the level at which its figure was tested. " (between_runs(compared))
            }
        }
    }
}

/// Verdicts and counts, and what the figures come to; told by a word besides the colour.
fn headline(compared: &Comparison) -> Markup {
    let class = match compared.overall {
        Overall::Worse => "failed",
        Overall::Better | Overall::Unchanged => "passed",
        Overall::Mixed
        | Overall::RunToRun
        | Overall::Unclear
        | Overall::VerdictChanged
        | Overall::TooShort
        | Overall::NotComparable => "open",
    };
    html! { p.verdict.(class) data-overall { strong { (compared.headline) } } }
}

/// What is known of how much runs differ from each other.
fn between_runs(compared: &Comparison) -> Markup {
    let count = compared.baselines.len();
    html! {
        @if count > 1 {
            "What varies within a run counts, and how much the " (count) " baselines differ from each other: "
            "a change is told if the run is further from them than one more of them would be."
        } @else {
            "What varies within a run counts; how much the same target differs from one run to the next, one baseline "
            "cannot tell. Several can."
        }
    }
}

/// What became worse and what better, which is what most readers came for.
fn in_short(compared: &Comparison) -> Markup {
    let moved = |word: Word| -> Vec<_> {
        let subjects = compared.subjects.iter();
        let changes = subjects.flat_map(|subject| {
            let of = subject.name("Whole chats");
            subject.changes.iter().map(move |change| (of, change))
        });
        changes.filter(|(_, change)| change.word == word).collect()
    };
    html! {
        @for (title, word) in [
            ("Worse", Word::Worse),
            ("Better", Word::Better),
            ("Unclear: runs may differ by as much", Word::RunToRun),
            ("Unclear: seconds may differ by as much", Word::Unclear),
        ] {
            @let changes = moved(word);
            @if !changes.is_empty() {
                h3 { (title) }
                ul { @for (of, change) in changes { li { (of) " " (change.in_words()) } } }
            }
        }
    }
}

fn side(which: &str, run: &Compared) -> Markup {
    html! {
        div {
            dt { (which) ": " (run.outcome()) }
            dd { (run.name) ", " (wording::moment(&run.started_at)) ", " code { (run.load) } ", run " (run.id) }
        }
    }
}

/// A figure of a step or of whole chats.
pub(super) fn change_row(subject: &str, change: &Change) -> Markup {
    let figure = |value: Option<f64>, count: u64| {
        wording::or_dash(value.map(|value| {
            if change.figure.is_share() {
                format!("{} of {count}", wording::percent(value))
            } else {
                wording::seconds(value)
            }
        }))
    };
    let unit = if change.figure.is_share() {
        " points"
    } else {
        ""
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
        Word::RunToRun | Word::Unclear => ("warning", "? "),
        Word::Noise | Word::TooLittle => ("plain", ""),
    };
    html! {
        tr {
            th scope="row" { (subject) }
            td { (change.figure.as_str()) }
            td.word.(class) { (sign) (change.word.as_str()) }
            td.number { (figure(change.before, change.before_count)) }
            td.number { (figure(change.after, change.after_count)) }
            td.number { (wording::or_dash(moved)) }
            td.number { (wording::or_dash(interval)) }
            td.number { (wording::or_dash(change.p.map(wording::probability))) }
            td { (wording::or_dash(change.method.map(Method::as_str))) }
        }
    }
}
