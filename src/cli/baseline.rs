//! `--baseline`: earlier runs that this one is held against.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    plain_words,
    report::{BaselineCheck, MOST_BASELINES},
    runner::{MOST_BATCHES, RunRecord},
    units::Share,
};

/// More than the record of any run has.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// Of all files together.
const MOST_BYTES_OF_ALL: u64 = 4 * MOST_BYTES;

/// How many bytes may be read.
struct Budget {
    of_one: u64,
    /// What is left of all of them.
    of_all: u64,
}

/// Earlier runs, and how much worse than they this one may be.
pub(super) struct Earlier {
    /// At least one, with what a comparison needs.
    records: Vec<RunRecord>,
    limit: Option<Share>,
}

impl Earlier {
    /// Reads the records of runs of this scenario, if it is known which that is; `None` if there are none to read.
    pub(super) fn read(
        paths: &[PathBuf],
        scenario: Option<&str>,
        limit: Option<Share>,
    ) -> Result<Option<Self>, String> {
        if paths.len() > MOST_BASELINES {
            return Err(format!(
                "{} runs are given, and {MOST_BASELINES} can be compared at most; leave the oldest out",
                paths.len()
            ));
        }
        let mut records: Vec<RunRecord> = Vec::new();
        let mut budget = Budget {
            of_one: MOST_BYTES,
            of_all: MOST_BYTES_OF_ALL,
        };
        for path in paths {
            let record = read(path, scenario, &mut budget)?;
            // The same run twice would seem to say that runs do not differ.
            if records
                .iter()
                .any(|other| other.report.id == record.report.id)
            {
                return Err(refused(
                    path,
                    &format!("is the run `{}`, which is given already", record.report.id),
                ));
            }
            records.push(record);
        }
        Ok((!records.is_empty()).then_some(Self { records, limit }))
    }

    /// Holds a run that has ended against them.
    pub(super) fn against(&self, run: &RunRecord) -> BaselineCheck {
        let records: Vec<_> = self.records.iter().collect();
        BaselineCheck::new(&records, run, self.limit.map(Share::as_ratio))
    }
}

/// Reads a file within the budget, and takes its length from that.
fn read(path: &Path, scenario: Option<&str>, budget: &mut Budget) -> Result<RunRecord, String> {
    let unreadable = |error: &io::Error| {
        let why = plain_words::of_system(error);
        refused(path, &format!("cannot be read: {why}"))
    };
    let most = budget.of_one.min(budget.of_all);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut json = BufReader::new(file.take(most + 1));
    let record = RunRecord::read_for_comparison(&mut json);
    // What is longer breaks off there, which is no fault of the file.
    let length = most + 1 - json.get_ref().limit();
    if length > budget.of_one {
        return Err(refused(path, "is larger than the record of any run"));
    }
    budget.of_all = budget.of_all.checked_sub(length).ok_or_else(|| {
        let most = MOST_BYTES_OF_ALL / (1024 * 1024);
        let path = path.display();
        format!("`{path}` and the files before it have more than {most} MB together; leave some of them out")
    })?;
    let record = record.map_err(|error| {
        if error.is_io() {
            return unreadable(&error.into());
        }
        let why = plain_words::of_json(&error);
        refused(path, &format!("is not the record of a run: {why}"))
    })?;
    if record.batches.len() > MOST_BATCHES {
        return Err(refused(
            path,
            "is not the record of a run: it has too many batches",
        ));
    }
    let theirs = &record.report.scenario;
    if let Some(scenario) = scenario
        && theirs != scenario
    {
        return Err(refused(
            path,
            &format!("is of the scenario `{theirs}`, and this is `{scenario}`"),
        ));
    }
    Ok(record)
}

fn refused(path: &Path, why: &str) -> String {
    format!(
        "`{}` {why}; name the report.json of a run with --report",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TemporaryFolder;

    #[test]
    fn one_file_is_bounded_and_so_are_all_of_them() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("report.json");
        std::fs::write(&path, "[1]").unwrap();
        let told = |of_one: u64, of_all: u64| {
            let mut budget = Budget { of_one, of_all };
            let error = read(&path, None, &mut budget).unwrap_err();
            let says = ["larger than", "together", "not the record"];
            let said = says.map(|words| error.contains(words));
            (said, budget.of_all)
        };
        assert_eq!(told(2, 9), ([true, false, false], 9));
        assert_eq!(told(3, 2), ([false, true, false], 2));
        assert_eq!(told(3, 3), ([false, false, true], 0));
    }

    #[test]
    fn a_folder_is_no_record() {
        let folder = TemporaryFolder::new();
        let mut budget = Budget {
            of_one: 9,
            of_all: 9,
        };
        let error = read(folder.path(), None, &mut budget).unwrap_err();
        assert!(error.contains("cannot be read: it is a folder"), "{error}");
    }
}
