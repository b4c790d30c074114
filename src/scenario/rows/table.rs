//! A table of text, kept compactly.

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder, Terminator};

use crate::{scenario::is_confidential, units::counted};

/// The most columns.
const MOST_COLUMNS: usize = 200;
/// The longest name of a column, in bytes.
const LONGEST_NAME: usize = 100;
/// The longest value, in bytes.
const LONGEST_VALUE: usize = 64 * 1024;
/// Bits of a length that stand in one byte in front of a value; the highest bit says that more follow.
const BITS: u32 = 7;

/// The values of a CSV file.
///
/// All of them stand in one buffer, each behind its length in as few bytes as that takes: a row takes as many bytes as in the
/// file, and four for where it begins.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<Box<str>>,
    /// Of columns whose values nobody may see, because of their names.
    confidential: Vec<usize>,
    values: Vec<u8>,
    /// Where each row begins in `values`.
    begins: Vec<u32>,
}

/// Why a file is no table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct TableError {
    /// Where in the file, from one.
    pub line: u64,
    /// What is wrong, and what to do.
    pub why: String,
}

impl TableError {
    fn new(line: u64, why: impl Into<String>) -> Self {
        Self {
            line,
            why: why.into(),
        }
    }
}

impl Table {
    /// The largest file, in bytes.
    pub const LARGEST: u64 = 128 * 1024 * 1024;

    /// Reads CSV with a header line, of about so many bytes.
    ///
    /// # Errors
    /// It is none, or larger than it may be.
    pub fn read(csv: impl Read, bytes: usize) -> Result<Self, TableError> {
        // The end of the last line may be missing.
        let csv = csv.take(Self::LARGEST + 1).chain(&b"\n"[..]);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            // Lines that end with two characters are counted as one only so. The first is taken off the last value.
            .terminator(Terminator::Any(b'\n'))
            .from_reader(csv);
        let mut record = ByteRecord::new();
        let mut table = Self::default();
        table.values.reserve_exact(bytes);
        let mut has_header = false;
        loop {
            let read = reader.read_byte_record(&mut record);
            let behind = reader.position().clone();
            let more = read.map_err(|error| {
                TableError::new(behind.line(), format!("cannot be read: {error}"))
            })?;
            if !more {
                break;
            }
            let inside = record.as_slice().iter().filter(|byte| **byte == b'\n');
            let line = behind.line().saturating_sub(inside.count() as u64 + 1);
            if behind.byte() > Self::LARGEST + 1 {
                let most = Self::LARGEST >> 20;
                let why = format!("the file is larger than {most} MiB here; use a smaller one");
                return Err(TableError::new(line, why));
            }
            if record.len() == 1 && trimmed(&record[0]).is_empty() {
                continue;
            }
            if has_header {
                table.add(&record, line)?;
            } else {
                table.read_header(&record, line)?;
                has_header = true;
            }
        }
        if table.begins.is_empty() {
            let why = if has_header {
                "there is no row below the header"
            } else {
                "the file is empty; its first line has the names of the columns"
            };
            return Err(TableError::new(1, why));
        }
        table.values.shrink_to_fit();
        table.begins.shrink_to_fit();
        Ok(table)
    }

    fn read_header(&mut self, header: &ByteRecord, line: u64) -> Result<(), TableError> {
        if header.len() > MOST_COLUMNS {
            let why = format!("{} columns are more than {MOST_COLUMNS}", header.len());
            return Err(TableError::new(line, why));
        }
        for (index, name) in header.iter().enumerate() {
            let name = text(name, line)?.trim();
            let why = if name.is_empty() {
                format!(
                    "column {} has no name; the first line is the header",
                    index + 1
                )
            } else if name.len() > LONGEST_NAME {
                let begin: String = name.chars().take(20).collect();
                format!(
                    "the name of a column has at most {LONGEST_NAME} bytes, and that of `{begin}...` has {}; the first line is the header",
                    name.len()
                )
            } else if self.column(name).is_some() {
                format!("a second column is called `{name}`; the first line is the header")
            } else {
                if is_confidential(name) {
                    self.confidential.push(index);
                }
                self.columns.push(name.into());
                continue;
            };
            return Err(TableError::new(line, why));
        }
        Ok(())
    }

    fn add(&mut self, row: &ByteRecord, line: u64) -> Result<(), TableError> {
        let Ok(begin) = u32::try_from(self.values.len()) else {
            return Err(TableError::new(line, "the file is too large"));
        };
        if row.len() != self.columns.len() {
            let why = format!(
                "this row has {}, and the header has {}; put values with commas, quotes or line breaks in double quotes",
                counted(row.len() as u64, "value"),
                counted(self.columns.len() as u64, "column")
            );
            return Err(TableError::new(line, why));
        }
        self.begins.push(begin);
        let last = row.len().saturating_sub(1);
        for (index, (value, name)) in row.iter().zip(&self.columns).enumerate() {
            let value = if index == last { trimmed(value) } else { value };
            text(value, line)?;
            if value.len() > LONGEST_VALUE {
                let why = format!(
                    "the value of `{name}` has {} bytes, and {LONGEST_VALUE} are the most; is a quote missing?",
                    value.len()
                );
                return Err(TableError::new(line, why));
            }
            let mut length = value.len();
            while length >> BITS > 0 {
                self.values.push(length.to_le_bytes()[0] | 1 << BITS);
                length >>= BITS;
            }
            self.values.push(length.to_le_bytes()[0]);
            self.values.extend_from_slice(value);
        }
        Ok(())
    }

    /// The names of the columns, in their order.
    pub fn columns(&self) -> &[Box<str>] {
        &self.columns
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.begins.len() as u64
    }

    /// What it takes in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.values.capacity() + self.begins.capacity() * size_of::<u32>()
    }

    /// The values themselves, for telling one table from another.
    pub(super) fn content(&self) -> (&[Box<str>], &[u8]) {
        (&self.columns, &self.values)
    }

    /// The columns whose values nobody may see, by their places.
    pub(super) fn confidential(&self) -> &[usize] {
        &self.confidential
    }

    /// The place of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| **column == *name)
    }

    /// One value.
    pub(super) fn value(&self, row: usize, column: usize) -> Option<&str> {
        let begin = *self.begins.get(row)?;
        let mut rest = self.values.get(usize::try_from(begin).ok()?..)?;
        for index in 0..self.columns.len() {
            let (mut length, mut shift) = (0_usize, 0);
            loop {
                let (byte, behind) = rest.split_first()?;
                rest = behind;
                length |= usize::from(byte & !(1 << BITS)) << shift;
                shift += BITS;
                if byte >> BITS == 0 {
                    break;
                }
            }
            let (value, behind) = rest.split_at_checked(length)?;
            if index == column {
                return std::str::from_utf8(value).ok();
            }
            rest = behind;
        }
        None
    }
}

/// The last value of a line without the first of two characters that end it.
fn trimmed(value: &[u8]) -> &[u8] {
    value.strip_suffix(b"\r").unwrap_or(value)
}

fn text(bytes: &[u8], line: u64) -> Result<&str, TableError> {
    std::str::from_utf8(bytes)
        .map_err(|_| TableError::new(line, "this is not text in UTF-8; save the file as UTF-8"))
}

#[cfg(test)]
mod tests;
