//! Figures as people read them on a page, and as numbers again.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::Browser;

/// Every figure of a page or report, by where it stands: in a table as `TABLE / ROW / COLUMN`, in a list as
/// `LIST / NAME`, else as its name.
const FIGURES: &str = r"
const figures = {};
const word = (element) => element.innerText.replace(/^\S\s/, '').trim();
const note = (place, element) => {
    const reasons = element.matches('.reasons') ? [...element.children] : [];
    if (reasons.length) {
        figures[place] = reasons.map((reason) => reason.innerText.trim()).sort().join(' ');
        return;
    }
    const standing = element.querySelector('.standing');
    const judged = standing ?? (element.matches('.word') ? element : null);
    figures[place] = judged ? word(judged) : element.innerText.trim();
    if (standing) {
        figures[`${place}, then`] = element.innerText.replace(standing.innerText, '').trim().split('\n')[0];
    }
};
const rowOf = (row) => {
    const head = row.querySelector('th[scope=row]');
    const link = head.querySelector('a')?.getAttribute('href').split('/').pop();
    return row.dataset.step ?? link ?? head.innerText.trim();
};
for (const box of document.querySelectorAll('.wide')) {
    const columns = [...box.querySelectorAll('thead th')].map((head) => head.innerText.trim());
    for (const row of box.querySelectorAll('tbody tr')) {
        const cells = [...row.children].flatMap((cell) => Array(cell.colSpan).fill(cell));
        cells.forEach((cell, at) => cell.scope !== 'row' && note(`${box.ariaLabel} / ${rowOf(row)} / ${columns[at]}`, cell));
    }
}
for (const entry of document.querySelectorAll('ul.figures li:has(strong)')) {
    const number = entry.querySelector('strong').innerText;
    const list = entry.parentElement.ariaLabel ?? entry.parentElement.previousElementSibling.innerText;
    figures[`${list} / ${entry.innerText.replace(number, '').trim()}`] = number;
}
for (const entry of document.querySelectorAll('ul.figures li:has(.standing)')) {
    const threshold = entry.querySelector('code').innerText;
    note(`Thresholds / ${threshold}`, entry);
    figures[`Thresholds / ${threshold}, then`] = entry.innerText.split(`${threshold}: `)[1];
}
for (const fact of document.querySelectorAll('dl.facts > div')) {
    // What is folded away has no inner text.
    figures[fact.querySelector('dt').textContent] = fact.querySelector('dd').textContent.trim();
}
const heading = document.querySelector('h1 .standing');
if (heading) {
    figures.State = word(heading);
}
const verdict = document.querySelector('.verdict');
if (verdict) {
    figures.State = verdict.querySelector('h2').innerText.replace(/^\S\s/, '');
    for (const [, number, name] of verdict.innerText.matchAll(/([\d,]+) (chats began|passed|failed|were stopped|are in progress)/g)) {
        figures[`Chats / ${name}`] = number;
    }
}
figures.Reasons = [...document.querySelectorAll('#standing .note:not(.quiet), .verdict li')].map((reason) => reason.innerText).join('\n');
return figures;
";

/// The figures of the page that is open.
pub async fn figures(browser: &Browser) -> BTreeMap<String, String> {
    let found = browser.run(FIGURES, json!([])).await;
    serde_json::from_value(found).unwrap()
}

/// A number that was read, with how far it may be off by the digits that it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Nothing where there is a dash, or was no measurement.
    pub value: Option<f64>,
    pub off: f64,
}

/// What a unit is in seconds, bytes or parts of a whole.
const UNITS: [(&str, f64); 11] = [
    ("", 1.0),
    ("%", 0.01),
    ("/s", 1.0),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
];

/// Reads `1,234`, `25.0%`, `4.8/s`, `35 ms`, `3 min 20 s`, `65 MB` or that there is nothing; `None` for any other
/// text.
pub fn read(text: &str) -> Option<Reading> {
    if ["–", "not measured"].contains(&text) {
        return Some(Reading {
            value: None,
            off: 0.0,
        });
    }
    let words: Vec<_> = text.split_whitespace().collect();
    match *words {
        [number] => {
            let digits = number.trim_end_matches(|c: char| c.is_alphabetic() || "%/".contains(c));
            one(digits, &number[digits.len()..])
        }
        [number, unit] => one(number, unit),
        // The smaller unit is cut off, not rounded.
        [large, larger, small, smaller] => {
            let (large, small) = (one(large, larger)?, one(small, smaller)?);
            Some(Reading {
                value: Some(large.value? + small.value?),
                off: 2.0 * small.off,
            })
        }
        _ => None,
    }
}

fn one(number: &str, unit: &str) -> Option<Reading> {
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    if let Some(limit) = number.strip_prefix('<') {
        let limit: f64 = limit.parse().ok()?;
        return Some(Reading {
            value: Some(limit / 2.0 * factor),
            off: limit / 2.0 * factor,
        });
    }
    let plain = number.replace(',', "");
    let decimals = plain.split_once('.').map_or(0, |(_, part)| part.len());
    let last = 0.1_f64.powi(i32::try_from(decimals).ok()?);
    // A count is exact.
    let off = if unit.is_empty() && decimals == 0 && plain.len() < 3 {
        0.0
    } else {
        0.501 * last * factor
    };
    Some(Reading {
        value: Some(plain.parse::<f64>().ok()? * factor),
        off,
    })
}

#[test]
fn figures_are_read_as_they_are_written() {
    for (text, value) in [
        ("1,234", 1_234.0),
        ("25.0%", 0.25),
        ("4.8/s", 4.8),
        ("40 µs", 0.000_04),
        ("1.24 s", 1.24),
        ("3 min 20 s", 200.0),
        ("1 h 5 min", 3_900.0),
        ("65.1 MB", 65_100_000.0),
        ("<0.001", 0.000_5),
    ] {
        let read = read(text).unwrap().value.unwrap();
        assert!((read - value).abs() < 1e-6 * value, "{text}: {read}");
    }
    assert_eq!(read("–").unwrap().value, None);
    for text in ["", "fast", "3 parsecs", "1 2 3"] {
        assert_eq!(read(text), None, "{text}");
    }
}
