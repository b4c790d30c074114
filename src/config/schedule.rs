use std::str::FromStr;

use chrono::{
    DateTime, DurationRound as _, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

use crate::document::{Mapping, Node, Problems};

const SECOND: TimeDelta = TimeDelta::seconds(1);
/// No time zone changes its clocks twice within this time.
const BETWEEN_CHANGES: TimeDelta = TimeDelta::days(1);

/// `schedule: { cron: "0 3 * * *", time_zone: Europe/Berlin }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// When, on the clocks of the time zone.
    pub cron: Cron,
    /// What was written.
    pub text: String,
    /// UTC unless said otherwise.
    pub time_zone: Tz,
}

impl Schedule {
    /// When it is next due: a whole second after `now`; `None` if never.
    ///
    /// Where the clocks of the time zone are set back, a fixed time is due in the first pass of the
    /// repeated hour only, and a schedule with wildcards in both. Where they are set forward, a fixed
    /// time that they skip is due at the moment of the change, and a schedule with wildcards has no
    /// times there. Cron does the same.
    pub fn next_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = now
            .duration_trunc(SECOND)
            .ok()?
            .checked_add_signed(SECOND)?;
        let fixed = self.is_fixed();
        // Each round ends behind a change of the clocks or a time of the second pass.
        loop {
            if fixed && self.skips_a_time(from)? {
                return Some(from);
            }
            let offset = self.offset(from);
            let on_clocks = self.match_from(from.naive_utc().checked_add_signed(offset)?)?;
            let due = on_clocks.checked_sub_signed(offset)?.and_utc();
            if let Some(change) = self.first_change(from, due) {
                from = change;
            } else if fixed && self.is_second_pass(due, on_clocks) {
                from = due.checked_add_signed(SECOND)?;
            } else {
                return Some(due);
            }
        }
    }

    /// Whether it names times of the day one by one. Wildcards, steps and ranges that leave nothing
    /// out say an interval instead.
    pub fn is_fixed(&self) -> bool {
        let pattern = &self.cron.pattern;
        let mut parts = [&pattern.seconds, &pattern.minutes, &pattern.hours].into_iter();
        parts.all(|part| !part.from_wildcard && part.step == 1 && !part.is_all_set())
    }

    /// Whether the clocks are set forward at that moment, over a time that would be due.
    fn skips_a_time(&self, at: DateTime<Utc>) -> Option<bool> {
        let before = self.offset(at.checked_sub_signed(SECOND)?);
        let after = self.offset(at);
        if before >= after {
            return Some(false);
        }
        let skipped_from = at.naive_utc().checked_add_signed(before)?;
        let skipped_until = at.naive_utc().checked_add_signed(after)?;
        Some(self.match_from(skipped_from)? < skipped_until)
    }

    /// Whether the clocks have shown this time before.
    fn is_second_pass(&self, at: DateTime<Utc>, on_clocks: NaiveDateTime) -> bool {
        let first = self.time_zone.from_local_datetime(&on_clocks).earliest();
        first.is_some_and(|first| first < at)
    }

    /// The first time from this one on that fits, on clocks that are never changed.
    fn match_from(&self, on_clocks: NaiveDateTime) -> Option<NaiveDateTime> {
        let found = self
            .cron
            .find_next_occurrence(&on_clocks.and_utc(), true)
            .ok()?;
        Some(found.naive_utc())
    }

    /// The first second after `from`, and no later than `until`, that has another offset from UTC.
    fn first_change(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let offset = self.offset(from);
        let mut same = from;
        while same < until {
            let mut other = until.min(same.checked_add_signed(BETWEEN_CHANGES)?);
            if self.offset(other) == offset {
                same = other;
                continue;
            }
            while other - same > SECOND {
                let middle = same + TimeDelta::seconds((other - same).num_seconds() / 2);
                if self.offset(middle) == offset {
                    same = middle;
                } else {
                    other = middle;
                }
            }
            return Some(other);
        }
        None
    }

    fn offset(&self, at: DateTime<Utc>) -> TimeDelta {
        let offset = self.time_zone.offset_from_utc_datetime(&at.naive_utc());
        TimeDelta::seconds(offset.fix().local_minus_utc().into())
    }

    pub(super) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let wanted = "a schedule such as `{ cron: \"0 3 * * *\", time_zone: Europe/Berlin }`";
        let mut map = Mapping::open(node, wanted, problems)?;
        let cron = map.need("cron").and_then(|node| {
            let text = node.text("five fields such as `0 3 * * *`", problems)?;
            read_cron(text)
                .map_err(|message| problems.add(&node.place, message))
                .ok()
                .map(|cron| (cron, text.to_owned()))
        });
        let time_zone = match map.get("time_zone") {
            None => Some(Tz::UTC),
            Some(node) => node.parsed(
                "a time zone such as `Europe/Berlin`",
                |text| {
                    Tz::from_str(text).map_err(|_| {
                        format!("`{text}` is no time zone; write for instance `Europe/Berlin`")
                    })
                },
                problems,
            ),
        };
        map.finish();
        let (cron, text) = cron?;
        Some(Self {
            cron,
            text,
            time_zone: time_zone?,
        })
    }
}

/// Five fields or a nickname; a sixth field, for seconds, may stand before them.
fn read_cron(text: &str) -> Result<Cron, String> {
    let cron = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build()
        .parse(text)
        .map_err(|error| {
            let why = no_cron(text, &error.to_string());
            format!("`{text}` is no cron schedule: {why}; write five fields such as `0 3 * * *`")
        })?;
    match cron.find_next_occurrence(&Utc::now(), false) {
        Ok(_) => Ok(cron),
        Err(_) => Err(format!("`{text}` is never due: there is no such day")),
    }
}

/// Why a text is no schedule, given what the parser says.
fn no_cron(text: &str, said: &str) -> String {
    if text.trim().is_empty() {
        return "it is empty".to_owned();
    }
    if said.contains("Pattern must have") {
        return format!("it has {} fields", text.split_whitespace().count());
    }
    if let Some((_, rest)) = said.split_once("illegal character '") {
        let character = rest.chars().next().unwrap_or_default();
        return format!("`{character}` has no meaning in it");
    }
    let why = if said.contains("Step") {
        "a step behind `/` is a whole number from 1 on"
    } else if said.contains("out of bounds") {
        "a number is out of range: minutes go from 0 to 59, hours from 0 to 23, days from 1 to 31, months from 1 to \
         12, and days of the week from 0 to 7"
    } else {
        "one of its fields is not valid"
    };
    why.to_owned()
}

#[cfg(test)]
mod tests;
