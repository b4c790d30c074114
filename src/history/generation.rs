//! Which state of which history a file has in it.
//!
//! Every transaction writes the next number to the head of the file. The first number of a process is random, so that
//! another history, or a copy that another process has gone on with, has another one; an earlier copy of the same history
//! has an earlier one.

use std::{fs::File, os::unix::fs::FileExt as _};

use rusqlite::{Connection, Transaction};

/// The head of the file without its log. <https://www.sqlite.org/fileformat.html#the_database_header>
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// What the pages take that the file says it has.
    pub(super) bytes: u64,
    /// What SQLite calls the application ID and leaves to applications.
    pub(super) generation: u32,
}

impl Head {
    /// `None` if the file has none.
    pub(super) fn read(file: &File) -> Option<Self> {
        let mut head = [0; 72];
        file.read_exact_at(&mut head, 0).ok()?;
        let (magic, rest) = head.split_first_chunk::<16>()?;
        // 1 stands for 65,536.
        let page = match u16::from_be_bytes(*rest.first_chunk()?) {
            1 => 65_536,
            page => u64::from(page),
        };
        let pages = u32::from_be_bytes(*head[28..].first_chunk()?);
        (magic == b"SQLite format 3\0").then_some(Self {
            bytes: page * u64::from(pages),
            generation: u32::from_be_bytes(*head[68..].first_chunk()?),
        })
    }
}

/// A log has no more transactions: SQLite writes it to the file after some thousand pages.
const MOST_IN_LOG: u32 = 1 << 20;

/// The generations of a file since it was opened.
#[derive(Debug)]
pub(super) struct Generation {
    first: u32,
    latest: u32,
    /// That of the head, which follows the log when SQLite writes that to the file.
    in_file: u32,
    /// The latest one of the process before, of which a killed one has left some in the log.
    before: u32,
}

impl Generation {
    /// Of a file that is opened, with the first generation in its head, and the other one in the file with its log.
    pub(super) fn begin(in_file: u32, before: u32) -> Self {
        let first = fastrand::u32(..);
        Self {
            first,
            latest: first,
            in_file,
            before,
        }
    }

    /// That of the file with its log.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<u32> {
        let generation =
            connection.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0))?;
        Ok(generation.cast_unsigned())
    }

    /// Makes a transaction write the next generation, which it has once that is committed; see [`Self::advance`].
    pub(super) fn write_next(&self, change: &Transaction<'_>) -> rusqlite::Result<()> {
        let next = self.latest.wrapping_add(1);
        change.pragma_update(None, "application_id", next.cast_signed())
    }

    pub(super) fn advance(&mut self) {
        self.latest = self.latest.wrapping_add(1);
    }

    /// Notes the generation of the head.
    pub(super) fn note(&mut self, in_file: u32) {
        self.in_file = in_file;
    }

    /// Whether the head may have this generation, although nothing but the log was written to the file since it was
    /// noted: the same one, or one that came after it.
    pub(super) fn may_be_followed_by(&self, in_file: u32) -> bool {
        let age = |generation: u32| {
            let age = generation.wrapping_sub(self.first);
            (age <= self.latest.wrapping_sub(self.first)).then_some(age)
        };
        if in_file == self.in_file {
            return true;
        }
        match (age(in_file), age(self.in_file)) {
            (Some(now), Some(noted)) => now >= noted,
            // Of a file that was not written since it was opened, the noted one is that of an earlier process.
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => {
                let left = |generation: u32| self.before.wrapping_sub(generation);
                left(in_file) <= left(self.in_file).min(MOST_IN_LOG)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(first: u32, transactions: u32, in_file: u32) -> Generation {
        Generation {
            first,
            latest: first.wrapping_add(transactions),
            in_file,
            before: in_file,
        }
    }

    #[test]
    fn the_head_stays_or_follows_the_log() {
        let follows = |generation: &Generation, age: u32| {
            generation.may_be_followed_by(generation.first.wrapping_add(age))
        };
        for first in [7, u32::MAX - 3] {
            let opened = of(first, 10, 5_000);
            assert!(opened.may_be_followed_by(5_000));
            assert!((0..=10).all(|age| follows(&opened, age)));
            assert!(!follows(&opened, 11) && !follows(&opened, u32::MAX));
            assert!(!opened.may_be_followed_by(5_001));
            let written = of(first, 10, first.wrapping_add(4));
            assert!((4..=10).all(|age| follows(&written, age)));
            assert!((0..4).all(|age| !follows(&written, age)));
            assert!(!follows(&written, 11) && !written.may_be_followed_by(5_000));
        }
    }

    #[test]
    fn the_head_may_follow_the_log_of_a_process_before() {
        // Three transactions of the process that the head is of, and those of another one.
        for (in_file, before, also) in [(5_000, 5_003, 5_001), (4_000_000_000, 5_003, 5_001)] {
            let mut opened = Generation {
                before,
                ..of(90_000_000, 10, in_file)
            };
            let follows = |generation: u32| opened.may_be_followed_by(generation);
            assert!(follows(in_file) && follows(also) && follows(before));
            assert!(follows(90_000_000) && follows(90_000_010));
            assert!(!follows(before + 1) && !follows(3_000_000_000));
            opened.note(5_002);
            let follows = |generation: u32| opened.may_be_followed_by(generation);
            assert!(!follows(also) && follows(5_002) && follows(before));
            opened.note(90_000_000);
            assert!(!opened.may_be_followed_by(before));
        }
    }
}
