//! `--baseline`: earlier runs that this one is held against.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{
    plain_words,
    report::{Baseline, MOST_BASELINES},
    runner::{MOST_BATCHES, RunRecord},
    units::Share,
};

/// More than the record of any run has.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Earlier runs, and how much worse than they this one may be.
pub(super) struct Earlier {
    /// At least one.
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
        for path in paths {
            let record = read(path, scenario)?;
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
    pub(super) fn against(&self, run: &RunRecord) -> Baseline {
        let records: Vec<_> = self.records.iter().collect();
        Baseline::new(&records, run, self.limit.map(Share::as_ratio))
    }
}

fn read(path: &Path, scenario: Option<&str>) -> Result<RunRecord, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| {
            let why = plain_words::of_system(&error);
            refused(path, &format!("cannot be read: {why}"))
        })?;
    if text.len() as u64 > MOST_BYTES {
        return Err(refused(path, "is larger than the record of any run"));
    }
    let record: RunRecord = serde_json::from_str(&text).map_err(|error| {
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
    Ok(record.for_comparison())
}

fn refused(path: &Path, why: &str) -> String {
    format!(
        "`{}` {why}; name the report.json of a run with --report",
        path.display()
    )
}
