//! Figures as people read them.

use std::{fmt::Display, time::Duration};

use crate::{
    event::DeliveryFate,
    runner::{DeliveryReport, ReceivedEvents, RunReport, SocketReport, TeardownFailure},
    units::duration,
};

/// What is written where a run has no reading of a figure: its kernel does not tell it, the run ended before the first
/// reading, or the reading was not kept.
pub const NOT_MEASURED: &str = "not measured";

/// Writes a figure for people.
pub type Format = fn(f64) -> String;

/// A time in seconds with three digits, for columns that are narrow.
pub fn seconds(seconds: f64) -> String {
    duration::rounded(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// How long something took as a whole, in seconds: `3 min 20 s`.
pub fn span(seconds: f64) -> String {
    duration::span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// An RFC 3339 time without parts of seconds: `2026-11-21 20:07:13 UTC`.
pub fn moment(rfc3339: &str) -> String {
    format!("{} UTC", whole_seconds(rfc3339).replacen('T', " ", 1))
}

/// An RFC 3339 time without parts of seconds and without its zone, which is UTC.
pub fn whole_seconds(rfc3339: &str) -> &str {
    let whole = rfc3339.split('.').next().unwrap_or(rfc3339);
    whole.trim_end_matches('Z')
}

/// A figure with at most three digits and no zeros at its end, from 100 on a whole one: `0.034`, `1.25`, `1234`.
pub fn number(value: f64) -> String {
    let text = match value.abs() {
        ..0.999_5 => format!("{value:.3}"),
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => return format!("{value:.0}"),
    };
    match text.trim_end_matches('0').trim_end_matches('.') {
        "0" if value > 0.0 => "<0.001".to_owned(),
        "-0" if value < 0.0 => ">-0.001".to_owned(),
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// How long chats in flight could go on after the last start, and how many were stopped then; `None` where they
/// could take as long as they needed.
pub fn graceful_stop(report: &RunReport) -> Option<String> {
    let stop = report.graceful_stop.as_ref()?;
    let limit = Duration::try_from_secs_f64(stop.limit_seconds).unwrap_or_default();
    let limit = duration::exact(limit);
    Some(match stop.stopped {
        0 => format!("graceful stop: {limit} after the last start at most; it stopped no chat"),
        1 => format!("graceful stop: 1 chat in flight was stopped {limit} after the last start"),
        chats => format!(
            "graceful stop: {} chats in flight were stopped {limit} after the last start",
            count(chats)
        ),
    })
}

/// How many a second: `4.9/s`.
pub fn rate(per_second: f64) -> String {
    format!("{}/s", number(per_second))
}

/// `20,000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// So many bytes of memory: `35.2 MB`.
pub fn bytes(bytes: f64) -> String {
    if bytes >= 1e9 {
        format!("{} GB", number(bytes / 1e9))
    } else {
        format!("{} MB", number(bytes / 1e6))
    }
}

/// What there is, or a dash.
pub(super) fn or_dash<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

/// A share from 0 to 1.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        ..0.000_001 => "0%".to_owned(),
        ..10.0 => format!("{percent:.2}%"),
        _ => format!("{percent:.1}%"),
    }
}

/// A change with its sign.
pub(super) fn signed_percent(change: f64) -> String {
    let sign = if change < 0.0 { "−" } else { "+" };
    format!("{sign}{}", percent(change.abs()))
}

/// A probability, with more digits where it decides something.
pub(super) fn probability(p: f64) -> String {
    match p {
        ..0.001 => "< 0.001".to_owned(),
        ..0.1 => format!("{p:.4}"),
        _ => format!("{p:.2}"),
    }
}

/// Why something may be left at the target.
pub fn teardown_failed(failure: &TeardownFailure) -> String {
    let at = match (&failure.step, failure.reason) {
        (Some(step), Some(reason)) => format!(" at `{step}`: {reason}"),
        _ => String::new(),
    };
    let detail = &failure.detail;
    format!("the teardown failed{at}: {detail}; something may be left at the target")
}

/// How many events came through the callbacks of other runs, and of which; `None` if none did.
pub fn other_callbacks(events: &ReceivedEvents) -> Option<String> {
    let ReceivedEvents {
        received,
        through_other_callbacks: through,
        ..
    } = events;
    let runs = events.other_callbacks.iter();
    let runs: Vec<_> = runs
        .map(|callback| {
            format!(
                "{} through that of {} ({})",
                callback.events, callback.name, callback.run
            )
        })
        .collect();
    (*through > 0).then(|| {
        format!(
            "{through} of {received} events came through the callbacks of other runs: {}; {OTHER_CALLBACKS}",
            runs.join(", ")
        )
    })
}

/// What happened to the sockets of a run, in one line.
pub fn sockets(sockets: &SocketReport) -> String {
    let mut told = vec![format!(
        "{} opened, {} still open",
        count(sockets.opened),
        count(sockets.open)
    )];
    let closed = sockets.closed_in_words();
    told.extend(closed.map(|(by, number, codes)| {
        format!("{} closed by {} ({codes})", count(number), by.in_words())
    }));
    let frames = [(sockets.received, "received"), (sockets.sent, "sent")];
    told.extend(frames.map(|(figures, direction)| {
        format!(
            "{} frames with {} bytes {direction}",
            count(figures.frames()),
            count(figures.bytes)
        )
    }));
    if sockets.dropped > 0 {
        let dropped = count(sockets.dropped);
        told.push(format!("{dropped} frames fell out of the inboxes of chats"));
    }
    told.join("; ")
}

/// What became of the deliveries of a run, in one line.
pub fn deliveries(deliveries: &DeliveryReport) -> String {
    let fates = DeliveryFate::ALL.into_iter().filter_map(|fate| {
        let number = deliveries.of_fate(fate);
        let is_told = number > 0 || matches!(fate, DeliveryFate::Delivered | DeliveryFate::Lost);
        is_told.then(|| format!("{} {}", count(number), fate.as_str()))
    });
    let fates: Vec<_> = fates.collect();
    let latency = &deliveries.latency;
    let quantiles = [
        ("p50", latency.p50),
        ("p99", latency.p99),
        ("max", latency.max),
    ];
    let quantiles: Vec<_> = quantiles
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", seconds(value?))))
        .collect();
    let latency = if quantiles.is_empty() {
        String::new()
    } else {
        format!("; latency {}", quantiles.join(", "))
    };
    format!(
        "{} expected of {} {}: {}{latency}",
        count(deliveries.expected),
        count(deliveries.messages),
        if deliveries.messages == 1 {
            "message"
        } else {
            "messages"
        },
        fates.join(", ")
    )
}

/// How events come through the callbacks of other runs.
pub const OTHER_CALLBACKS: &str =
    "the target still has the callbacks of earlier runs, or one address for all";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{record, with_rooms};

    #[test]
    fn figures_are_short_and_none_but_zero_reads_as_zero() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.000_2, "<0.001"),
            (-0.000_2, ">-0.001"),
            (-0.25, "-0.25"),
            (0.034_2, "0.034"),
            (0.25, "0.25"),
            (0.999_8, "1"),
            (4.9, "4.9"),
            (9.999, "10"),
            (40.0, "40"),
            (99.97, "100"),
            (617.2, "617"),
            (1_234.4, "1234"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(
            [0, 999, 1_000, 20_000, 1_234_567].map(count),
            ["0", "999", "1,000", "20,000", "1,234,567"]
        );
        assert_eq!(
            [35_248_128.0, 1_250_000_000.0].map(bytes),
            ["35.2 MB", "1.25 GB"]
        );
        assert_eq!(rate(4.04), "4.04/s");
        assert_eq!(
            (seconds(f64::NAN), span(-1.0)),
            ("0 ms".to_owned(), "0 ms".to_owned())
        );
    }

    #[test]
    fn sockets_and_deliveries_are_told_in_a_line_each() {
        let report = with_rooms(record(&[])).report;
        assert_eq!(
            sockets(&report.sockets.unwrap()),
            "21 opened, 1 still open; 4 closed by the target (1001: 3, app: 1); 16 closed by chatprobe (1000: 16); \
             39 frames with 4,100 bytes received; 2 frames with 50 bytes sent; 5 frames fell out of the inboxes of chats"
        );
        assert_eq!(
            deliveries(&report.deliveries.unwrap()),
            "40 expected of 2 messages: 36 delivered, 3 lost, 7 duplicate, 1 excused; latency p50 15 ms, p99 45 ms, \
             max 60 ms"
        );
        assert_eq!(
            deliveries(&DeliveryReport::default()),
            "0 expected of 0 messages: 0 delivered, 0 lost"
        );
    }

    #[test]
    fn moments_have_no_parts_of_seconds() {
        let told = "2026-11-21 20:07:13 UTC";
        for rfc3339 in ["2026-11-21T20:07:13.123456789Z", "2026-11-21T20:07:13Z"] {
            assert_eq!(moment(rfc3339), told);
        }
    }

    #[test]
    fn a_probability_is_never_said_to_be_nothing() {
        for (p, text) in [
            (1.0, "1.00"),
            (0.050_4, "0.0504"),
            (0.001, "0.0010"),
            (1e-12, "< 0.001"),
        ] {
            assert_eq!(probability(p), text);
        }
    }

    #[test]
    fn changes_show_their_direction() {
        for (change, text) in [
            (0.2, "+20.0%"),
            (-0.031, "−3.10%"),
            (0.0, "+0%"),
            (12.5, "+1250.0%"),
        ] {
            assert_eq!(signed_percent(change), text);
        }
    }
}
