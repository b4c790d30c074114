//! A run held against itself.

use maud::{Markup, html};

use super::{Column, comparison::change_row, table};
use crate::report::{Drift, Word, wording};

/// What became slower or failed more often over the run, or why that is not judged.
pub fn drift(drift: &Drift) -> Markup {
    let mut head = ["", "Figure", "Assessment"].map(Column::Text).to_vec();
    head.extend(["First quarter", "Last quarter", "Change", "Interval", "p"].map(Column::Number));
    head.push(Column::Text("Method"));
    let mut changes = drift.subjects.iter().flat_map(|subject| &subject.changes);
    let is_worse = changes.any(|change| change.word == Word::Worse);
    html! {
        section data-drift {
            h2 { "Drift over the run" }
            p.bad[is_worse] { (drift.summary) }
            @if drift.not_judged.is_none() {
                (table("Drift", &head, &html! {
                    @for subject in &drift.subjects {
                        @for change in &subject.changes {
                            (change_row(subject.name("Whole chats"), change))
                        }
                    }
                }))
                p {
                    "The first " (wording::span(drift.first_seconds)) " and the last " (wording::span(drift.last_seconds))
                    " of the run. Where nothing changed, " (wording::percent(drift.confidence))
                    " of runs show no change at all (p is adjusted for that, by Holm's method)."
                }
            }
        }
    }
}
