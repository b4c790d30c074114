//! The files whose rows chats take.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use crate::{
    document::{Place, Problems},
    plain_words,
    scenario::{RowSource, Scenario, Table},
};

/// Reads the files of rows that a scenario names, which stand relative to its own file. Whether there was no problem.
pub(super) fn read_rows(scenario: &mut Scenario, file: &Path, problems: &Problems) -> bool {
    let before = problems.count();
    let folder = file.parent().unwrap_or(Path::new(""));
    for source in scenario.rows.iter_mut() {
        read_source(source, folder, problems);
    }
    if scenario.rows.iter().next().is_some() {
        scenario.note_contents_of_rows();
    }
    problems.count() == before
}

fn read_source(source: &mut RowSource, folder: &Path, problems: &Problems) {
    let path = folder.join(&source.file);
    let shown = path.display();
    let (file, bytes) = match open(&path) {
        Ok(opened) => opened,
        Err(error) => {
            let why = plain_words::of_system(&error);
            return problems.add(
                &source.place,
                format!("`{shown}` cannot be read: {why}; the path is relative to the folder of the scenario"),
            );
        }
    };
    if bytes > Table::LARGEST {
        let most = Table::LARGEST >> 20;
        return problems.add(
            &source.place,
            format!(
                "`{shown}` has {} MiB, and {most} MiB are the most",
                bytes >> 20
            ),
        );
    }
    match Table::read(file, usize::try_from(bytes).unwrap_or_default()) {
        Ok(table) => source.fill(table, problems),
        Err(error) => {
            let place = Place {
                source: shown.to_string().into(),
                line: usize::try_from(error.line).unwrap_or_default(),
                column: 1,
            };
            problems.add(&place, error.why);
        }
    }
}

/// Opens a file and tells its size in bytes. What is no regular file may never come to an end.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok((File::open(path)?, metadata.len()))
}
