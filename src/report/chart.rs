//! Line charts as SVG, over the time of a run or over a load: no script, no font, no style of their own. The page has
//! [`STYLE`]; without it they are black lines that are still told apart by their dashes.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use maud::{Markup, html};

use super::wording::{bytes, number, percent, rate};

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

/// Lines over time, or over a load.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// An id that nothing else on the page has.
    pub id: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// Of what it shows.
    pub unit: Unit,
    /// What the horizontal axis measures.
    pub across: Axis,
    /// What it shows; four at most can be told apart.
    pub lines: Vec<Line<'a>>,
    /// Places of the horizontal axis that have a name; two of them at most.
    pub marks: Vec<ChartMark>,
}

/// From nothing to the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Of what.
    pub unit: Unit,
    /// How much at the end of the axis, such as how long the run took or has taken, in seconds.
    pub most: f64,
}

/// A place of the horizontal axis.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartMark {
    /// Where it is.
    pub at: f64,
    /// What it is, such as `held: 75/s`.
    pub name: String,
}

/// A line of a chart.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// What the legend says.
    pub name: &'a str,
    /// Where on the horizontal axis, such as in seconds from the start, and how much; a gap where there is nothing.
    pub points: Vec<(f64, Option<f64>)>,
    /// What it comes to over the whole run, with what each of these figures is.
    pub whole_run: Vec<(&'static str, f64)>,
}

/// What an axis measures.
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
    /// A part of all, 0 to 1.
    Share,
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
            Self::Share => percent(value),
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
            across: if self.across.most > 0.0 {
                self.across.most
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
                (self.marks(&scale))
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
        for mark in &self.marks {
            let _ = write!(words, "{}. ", mark.name);
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
                let width = SAMPLE + width(label) + 14.0;
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
            @for (at, label) in self.moments(scale.across) {
                @let x = scale.x(at);
                // Around the end of the axis there is no place for half of it.
                @let (x, anchor) = if x > right - RIGHT { (WIDTH, "end") } else { (x, "middle") };
                text.label x=(format!("{x:.1}")) y=(format!("{:.1}", scale.top + PLOT + 15.0)) text-anchor=(anchor) {
                    (label)
                }
            }
        }
    }

    /// What stands below the horizontal axis, and where. Long times are minutes.
    fn moments(&self, most: f64) -> Vec<(f64, String)> {
        let (step, unit) = match self.across.unit {
            Unit::Seconds if most > 180.0 => (60.0, " min"),
            Unit::Seconds => (1.0, " s"),
            _ => (1.0, ""),
        };
        let label = |at: f64| match self.across.unit {
            Unit::Seconds => format!("{}{unit}", number(at)),
            other => other.format(at),
        };
        let ticks = ticks(most / step, 5.0);
        ticks.map(|at| (at * step, label(at))).collect()
    }

    /// Each with its name in a row of its own: that of the first to its left and that of the second to its right, where
    /// there is place.
    fn marks(&self, scale: &Scale) -> Markup {
        let sides = [Side::Left, Side::Right].into_iter().cycle();
        let rows = (0_u8..).map(|row| scale.top + 11.0 + 13.0 * f64::from(row));
        html! {
            @for ((mark, side), y) in self.marks.iter().zip(sides).zip(rows) {
                @let x = scale.x(mark.at);
                @let (from, anchor) = match side.with_place(x, width(&mark.name)) {
                    Side::Left => (x - 4.0, "end"),
                    Side::Right => (x + 4.0, "start"),
                };
                path.mark fill="none" stroke-dasharray="3 3" d=(format!("M{x:.1} {:.1}V{:.1}", scale.top, scale.top + PLOT)) {}
                text.label x=(format!("{from:.1}")) y=(format!("{y:.1}")) text-anchor=(anchor) { (mark.name) }
            }
        }
    }
}

/// Where the name of a mark stands.
#[derive(Debug, Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Side {
    /// This side of a mark, or the other one if a name is too wide for it.
    fn with_place(self, x: f64, width: f64) -> Self {
        match self {
            Self::Left if x - width < LEFT => Self::Right,
            Self::Right if x + width > WIDTH => Self::Left,
            fits => fits,
        }
    }
}

/// What a text takes, about.
fn width(text: &str) -> f64 {
    f64::from(u16::try_from(text.chars().count()).unwrap_or(u16::MAX)) * LETTER
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
    /// The most of the horizontal axis, above zero.
    across: f64,
}

impl Scale {
    fn x(&self, at: f64) -> f64 {
        LEFT + (at / self.across).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
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
