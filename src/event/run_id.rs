//! Ids of runs and their order: version 7 UUIDs, and ids of earlier versions of chatprobe in files of the history.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use uuid::{ContextV7, Timestamp, Uuid};

/// Digits of the time in a position, in milliseconds since the Unix epoch.
const TIME_DIGITS: usize = 12;
/// Where the hyphen is in an id of an earlier version: eleven digits of the time stand in front of it and eight random
/// ones behind it, all hexadecimal.
const EARLIER_HYPHEN: usize = 11;
const EARLIER_LENGTH: usize = 20;

/// Makes ids, each larger than all before, also if the clock is set back meanwhile.
#[derive(Debug)]
pub(crate) struct RunIds(Mutex<ContextV7>);

impl RunIds {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(ContextV7::new()))
    }

    /// The next id, so long after the Unix epoch.
    pub(crate) fn next(&self, since_epoch: Duration) -> String {
        // Held for one step of a counter, which cannot panic.
        let context = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seconds, nanos) = (since_epoch.as_secs(), since_epoch.subsec_nanos());
        let at = Timestamp::from_unix(&*context, seconds, nanos);
        Uuid::new_v7(at).to_string()
    }
}

/// Where a run stands among all, which is in the order of their beginnings: the hexadecimal digits of its id, of
/// which the first twelve are the time in milliseconds since the Unix epoch. The column `position` of the history
/// has the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunPosition(String);

impl RunPosition {
    /// That of the run with this id.
    pub fn of(id: &str) -> Self {
        // Eleven digits of the time are one too few.
        let first = if id.find('-') == Some(EARLIER_HYPHEN) {
            "0"
        } else {
            ""
        };
        Self(format!("{first}{}", id.replace('-', "")))
    }

    /// Behind those of all runs that begin earlier after the Unix epoch, and before those of all others.
    pub fn at(since_epoch: Duration) -> Self {
        Self(format!("{:0TIME_DIGITS$x}", since_epoch.as_millis()))
    }

    /// When the run began, since the Unix epoch.
    pub fn began(&self) -> Option<Duration> {
        let millis = u64::from_str_radix(self.0.get(..TIME_DIGITS)?, 16).ok()?;
        Some(Duration::from_millis(millis))
    }

    /// As the history has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for RunPosition {
    fn from(kept: String) -> Self {
        Self(kept)
    }
}

/// Whether a text reads like the id of a run.
pub(super) fn is_id(text: &str) -> bool {
    let hexadecimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_earlier = || {
        let parts = text.split_once('-');
        text.len() == EARLIER_LENGTH
            && parts.is_some_and(|(began, chance)| {
                began.len() == EARLIER_HYPHEN && hexadecimal(began) && hexadecimal(chance)
            })
    };
    let is_hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    is_hyphenated && Uuid::try_parse(text).is_ok() || is_earlier()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EARLIER: &str = "19abcd12345-deadbeef";

    #[test]
    fn an_id_is_a_uuid_of_version_7_that_has_its_time() {
        let ids = RunIds::new();
        let id = ids.next(Duration::from_millis(0x019a_bcd1_2345));
        assert_eq!(Uuid::try_parse(&id).unwrap().get_version_num(), 7);
        assert!(id.starts_with("019abcd1-2345-7"), "{id}");
        let began = RunPosition::of(&id).began();
        assert_eq!(began, Some(Duration::from_millis(0x019a_bcd1_2345)));
        assert!(is_id(&id) && is_id(EARLIER));
        for other in [
            "",
            "nightly",
            "19abcd12345",
            &id[1..],
            "19abcd12345-deadbeeg",
        ] {
            assert!(!is_id(other), "{other}");
        }
    }

    #[test]
    fn ids_of_earlier_versions_stand_where_they_began() {
        let began = Duration::from_millis(0x19a_bcd1_2345);
        let earlier = RunPosition::of(EARLIER);
        assert_eq!(earlier.began(), Some(began));
        let ids = RunIds::new();
        let [before, after] = [-1, 1].map(|millis| {
            let at = Duration::from_millis(0x19a_bcd1_2345_u64.saturating_add_signed(millis));
            RunPosition::of(&ids.next(at))
        });
        assert!(before < earlier && earlier < after, "{before:?} {after:?}");
        let millisecond = Duration::from_millis(1);
        assert!(RunPosition::at(began) < earlier);
        assert!(earlier < RunPosition::at(began + millisecond));
        assert_eq!(RunPosition::of("b").began(), None);
    }

    proptest! {
        #[test]
        fn later_ids_are_larger_wherever_the_clock_goes(
            moments in prop::collection::vec(0_u64..100_000, 2..50),
        ) {
            let ids = RunIds::new();
            let at = |millis: u64| Duration::from_millis(0x19a_bcd1_2345 + millis);
            let made: Vec<_> = moments.iter().map(|millis| ids.next(at(*millis))).collect();
            let positions: Vec<_> = made.iter().map(|id| RunPosition::of(id)).collect();
            prop_assert!(made.is_sorted_by(|one, next| one < next), "{:?}", made);
            prop_assert!(positions.is_sorted_by(|one, next| one < next));
            let latest = moments.iter().max().map(|millis| at(*millis));
            prop_assert_eq!(positions.last().and_then(RunPosition::began), latest);
        }
    }
}
