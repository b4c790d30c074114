//! Line charts as SVG: no script, no font, no style of their own. The page has [`STYLE`]; without it
//! they are black lines that are still told apart by their dashes.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::wording::{bytes, number, rate};

/// How charts look; the page says what the colours `--ink`, `--grid` and `--line-1` to `--line-4` are.
pub const STYLE: &str = include_str!("chart.css");

/// As wide as the narrowest screen, so that its text can be read there; it grows with its place.
const WIDTH: f64 = 360.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const PLOT: f64 = 130.0;
const BELOW: f64 = 22.0;
const ROW: f64 = 16.0;
/// What a letter of the legend takes.
const LETTER: f64 = 6.4;
/// Before the name of a line: a piece of it.
const SAMPLE: f64 = 32.0;

/// Colours repeat behind these, and so do dashes.
const DASHES: [&str; 4] = ["none", "7 3", "2 3", "9 3 2 3"];

/// Lines over the time of a run.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// An id that nothing else on the page has.
    pub id: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// Of what it shows.
    pub unit: Unit,
    /// How long the run took or has taken, in seconds.
    pub seconds: f64,
    /// What it shows; four at most can be told apart.
    pub lines: Vec<Line<'a>>,
}

/// A line of a chart.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// What the legend says.
    pub name: &'a str,
    /// When, in seconds from the start, and how much; a gap where there is nothing.
    pub points: Vec<(f64, Option<f64>)>,
    /// What it comes to over the whole run, with what each of these figures is.
    pub whole_run: Vec<(&'static str, f64)>,
}

/// What the vertical axis measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things: chats, CPUs.
    Count,
    /// Things a second.
    PerSecond,
    /// Time in seconds.
    Seconds,
    /// Memory.
    Bytes,
}

impl Unit {
    /// The figure with its unit.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Count => number(value),
            Self::PerSecond => rate(value),
            Self::Seconds if value > 0.0 && value < 0.999_5 => {
                format!("{} ms", number(value * 1e3))
            }
            Self::Seconds if value < 999.5 => format!("{} s", number(value)),
            Self::Seconds => format!("{} min", number(value / 60.0)),
            Self::Bytes => bytes(value),
        }
    }
}

impl Chart<'_> {
    /// The chart as an SVG element.
    pub fn svg(&self) -> Markup {
        let (legend, rows) = self.legend();
        let top = rows * ROW + 6.0;
        let scale = Scale {
            top,
            most: self.most(),
            seconds: if self.seconds > 0.0 {
                self.seconds
            } else {
                1.0
            },
        };
        let height = top + PLOT + BELOW;
        let (title_id, text_id) = (format!("{}-title", self.id), format!("{}-text", self.id));
        html! {
            svg.chart viewBox=(format!("0 0 {WIDTH} {height}")) role="img"
                aria-labelledby=(title_id) aria-describedby=(text_id) {
                title id=(title_id) { (self.title) }
                desc id=(text_id) { (self.in_words()) }
                (legend)
                (self.grid(&scale))
                @for (at, line) in self.lines.iter().enumerate() {
                    path.line.(class(at)) fill="none" stroke-dasharray=(dash(at)) d=(scale.path(line)) {}
                }
            }
        }
    }

    /// The highest of all, or a little where there is nothing.
    fn most(&self) -> f64 {
        let most = self.lines.iter().flat_map(Line::values).fold(0.0, f64::max);
        if most > 0.0 { most } else { 1.0 }
    }

    /// What somebody is told who does not see it.
    fn in_words(&self) -> String {
        let mut words = String::new();
        for line in &self.lines {
            let low = line.values().reduce(f64::min).unwrap_or_default();
            let high = line.values().reduce(f64::max).unwrap_or_default();
            let [low, high] = [low, high].map(|value| self.unit.format(value));
            // Writing to a string cannot fail.
            let _ = if line.has_values() {
                write!(words, "{}, from {low} to {high}. ", self.label(line))
            } else {
                write!(words, "{}: nothing. ", line.name)
            };
        }
        words.trim_end().to_owned()
    }

    /// The name of a line and what it comes to.
    fn label(&self, line: &Line<'_>) -> String {
        let figures = line.whole_run.iter();
        let figures = figures.map(|(name, value)| format!("{name} {}", self.unit.format(*value)));
        let separate = if line.whole_run.is_empty() { "" } else { ": " };
        let figures = figures.collect::<Vec<_>>().join(", ");
        format!("{}{separate}{figures}", line.name)
    }

    /// The names of the lines with what they come to, and how many rows they take.
    fn legend(&self) -> (Markup, f64) {
        let (mut x, mut row) = (0.0, 1.0);
        let labels: Vec<_> = self.lines.iter().map(|line| self.label(line)).collect();
        let places: Vec<_> = labels
            .iter()
            .map(|label| {
                let letters = u16::try_from(label.chars().count()).unwrap_or(u16::MAX);
                let width = SAMPLE + f64::from(letters) * LETTER + 14.0;
                if x > 0.0 && x + width > WIDTH {
                    (x, row) = (0.0, row + 1.0);
                }
                let place = (x, row * ROW - 5.0);
                x += width;
                place
            })
            .collect();
        let legend = html! {
            @for (at, (label, (x, y))) in labels.iter().zip(places).enumerate() {
                path.line.(class(at)) fill="none" stroke-dasharray=(dash(at))
                    d=(format!("M{x:.1} {:.1}h26", y - 4.0)) {}
                text.label x=(format!("{:.1}", x + SAMPLE)) y=(format!("{y:.1}")) { (label) }
            }
        };
        (legend, row)
    }

    fn grid(&self, scale: &Scale) -> Markup {
        let right = WIDTH - RIGHT;
        html! {
            @for value in ticks(scale.most, 5.0) {
                @let y = scale.y(value);
                path.grid fill="none" d=(format!("M{LEFT} {y:.1}H{right}")) {}
                text.label.y x=(format!("{:.1}", LEFT - 6.0)) y=(format!("{:.1}", y + 4.0)) text-anchor="end" {
                    (self.unit.format(value))
                }
            }
            @let (step, unit) = if scale.seconds > 180.0 { (60.0, "min") } else { (1.0, "s") };
            @for at in ticks(scale.seconds / step, 5.0) {
                @let x = scale.x(at * step);
                // Around the end of the axis there is no place for half of it.
                @let (x, anchor) = if x > right - RIGHT { (WIDTH, "end") } else { (x, "middle") };
                text.label x=(format!("{x:.1}")) y=(format!("{:.1}", scale.top + PLOT + 15.0)) text-anchor=(anchor) {
                    (number(at)) " " (unit)
                }
            }
        }
    }
}

impl Line<'_> {
    /// Whether there is anything to draw.
    pub fn has_values(&self) -> bool {
        self.values().next().is_some()
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let values = self.points.iter().filter_map(|point| point.1);
        values.filter(|value| value.is_finite())
    }
}

/// From figures to places in the drawing.
struct Scale {
    top: f64,
    most: f64,
    seconds: f64,
}

impl Scale {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + (seconds / self.seconds).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PLOT - (value / self.most).clamp(0.0, 1.0) * PLOT
    }

    fn path(&self, line: &Line<'_>) -> String {
        let mut path = String::new();
        let mut drawing = false;
        for (at, value) in &line.points {
            let Some(value) = value.filter(|value| value.is_finite()) else {
                drawing = false;
                continue;
            };
            let (x, y) = (self.x(*at), self.y(value));
            // A line of no length is a dot, by its round ends. Writing to a string cannot fail.
            let _ = if drawing {
                write!(path, "L{x:.1} {y:.1}")
            } else {
                write!(path, "M{x:.1} {y:.1}h0")
            };
            drawing = true;
        }
        path
    }
}

/// Round figures from zero to the most, about so many steps.
fn ticks(most: f64, steps: f64) -> impl Iterator<Item = f64> {
    let rough = most / steps;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fits = |factor: &f64| *factor * magnitude >= rough * 0.999;
    let step = factors.into_iter().find(fits).unwrap_or(10.0) * magnitude;
    (0_u8..=10)
        .map(move |number| f64::from(number) * step)
        .take_while(move |tick| *tick <= most * 1.001)
}

fn class(at: usize) -> String {
    format!("line-{}", at % DASHES.len() + 1)
}

fn dash(at: usize) -> &'static str {
    DASHES[at % DASHES.len()]
}

#[cfg(test)]
mod tests {
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
            seconds: 10.0,
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
            drawn.seconds = seconds;
            let svg = drawn.svg().into_string();
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", svg);
            prop_assert!(svg.len() < 8_000, "{}", svg.len());
        }
    }
}
