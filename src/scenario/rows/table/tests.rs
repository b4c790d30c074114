use std::io;

use proptest::{collection::vec, prelude::*};

use super::*;

fn read(csv: &[u8]) -> Result<Vec<Vec<String>>, TableError> {
    let table = Table::read(csv, csv.len())?;
    let columns = 0..table.columns().len();
    let row = |row: usize| {
        let values = columns.clone().map(|column| table.value(row, column));
        values.map(|value| value.unwrap().to_owned()).collect()
    };
    let rows = usize::try_from(table.rows()).unwrap();
    Ok((0..rows).map(row).collect())
}

#[test]
fn tables_are_read_as_programs_write_them() {
    let expected = [["anna", "one, \"two\"\nthree"], ["b\u{f6}rn", ""]];
    for csv in [
        "user,note\nanna,\"one, \"\"two\"\"\nthree\"\nb\u{f6}rn,\n",
        "\u{feff}user,note\r\nanna,\"one, \"\"two\"\"\nthree\"\r\nb\u{f6}rn,\r\n",
        "user , note\n\nanna,\"one, \"\"two\"\"\nthree\"\nb\u{f6}rn,\"\"",
    ] {
        assert_eq!(read(csv.as_bytes()).unwrap(), expected, "{csv:?}");
        let table = Table::read(csv.as_bytes(), 0).unwrap();
        let columns: Vec<&str> = table.columns().iter().map(|name| &**name).collect();
        assert_eq!(columns, ["user", "note"], "{csv:?}");
    }
}

#[test]
fn what_is_no_table_is_told_with_its_line() {
    let long = "x".repeat(LONGEST_VALUE + 1);
    let wide = vec!["c"; MOST_COLUMNS + 1].join(",");
    for (csv, line, said) in [
        (&b""[..], 1, "empty"),
        (b"user,note\n", 1, "no row"),
        (b"user,note\r\na,b\r\n\r\nc\r\n", 4, "1 value,"),
        (b"user,note\na,b\n\nc", 4, "1 value,"),
        (b"user,note\r\na,\"b\nb\"\r\nc,d,e\r\n", 4, "3 values"),
        (b"user,,note\na,b,c\n", 1, "column 2 has no name"),
        (b"user,user\na,b\n", 1, "a second column is called `user`"),
        (b"user\na\n\xff\n", 3, "UTF-8"),
        (b"us\xffer\na\n", 1, "UTF-8"),
        (wide.as_bytes(), 1, "201 columns"),
        (
            format!("{}\na\n", "n".repeat(101)).as_bytes(),
            1,
            "at most 100 bytes",
        ),
        (format!("user\na\n{long}\n").as_bytes(), 3, "65537 bytes"),
    ] {
        let error = read(csv).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.why.contains(said), "{error}");
    }
}

/// So many bytes of CSV, without a file.
struct Lines {
    left: u64,
    rest: Vec<u8>,
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && self.left > 0 {
            self.left -= 1;
            // 100 bytes with the line break.
            let (number, filler) = (self.left, "f".repeat(60));
            let line = format!("user-{number:010},p{number:010},{number:06},{filler}\n");
            self.rest.extend_from_slice(line.as_bytes());
        }
        let count = into.len().min(self.rest.len());
        into[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

#[test]
fn a_million_rows_of_a_hundred_bytes_take_less_than_150_megabytes() {
    const ROWS: u64 = 1_000_000;
    let rest = b"user,password,number,filler\n".to_vec();
    let table = Table::read(Lines { left: ROWS, rest }, 100_000_100).unwrap();
    assert_eq!(table.rows(), ROWS);
    assert_eq!(table.value(999_998, 0), Some("user-0000000001"));
    assert!(table.bytes() > 90_000_000);
    assert!(table.bytes() < 110_000_000, "{}", table.bytes());
}

#[test]
fn a_file_that_is_too_large_is_given_up() {
    let rest = b"a,b,c,d\n".to_vec();
    let left = Table::LARGEST / 90;
    let error = Table::read(Lines { left, rest }, 0).unwrap_err();
    assert!(error.why.contains("larger than 128 MiB"), "{error}");
}

proptest! {
    #[test]
    fn no_file_breaks_the_reader(csv in vec(any::<u8>(), 0..200)) {
        let _ = read(&csv);
    }

    #[test]
    fn values_come_back_as_they_were(rows in vec(vec("\\PC{0,300}", 3), 1..20)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        prop_assert_eq!(read(&writer.into_inner().unwrap()).unwrap(), rows);
    }
}
