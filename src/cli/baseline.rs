//! `--baseline`: an earlier run that this one is held against.

use std::{fs::File, io::Read as _, path::Path};

use crate::{report::Baseline, runner::RunRecord, units::Share};

/// More than the record of any run has.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// An earlier run, and how much worse than it this one may be.
pub(super) struct Earlier {
    record: RunRecord,
    limit: Option<Share>,
}

impl Earlier {
    /// Reads the record of a run of this scenario.
    pub(super) fn read(path: &Path, scenario: &str, limit: Option<Share>) -> Result<Self, String> {
        let refused = |why: &str| {
            format!(
                "--baseline: `{}` {why}; name the report.json of a run with --report",
                path.display()
            )
        };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text))
            .map_err(|error| refused(&format!("cannot be read: {error}")))?;
        if text.len() as u64 > MOST_BYTES {
            return Err(refused("is larger than the record of any run"));
        }
        let record: RunRecord = serde_json::from_str(&text)
            .map_err(|error| refused(&format!("is not the record of a run: {error}")))?;
        let theirs = &record.report.scenario;
        if theirs != scenario {
            return Err(refused(&format!(
                "is of the scenario `{theirs}`, and this is `{scenario}`"
            )));
        }
        Ok(Self { record, limit })
    }

    /// Holds a run that has ended against it.
    pub(super) fn against(&self, run: &RunRecord) -> Baseline {
        Baseline::new(&self.record, run, self.limit.map(Share::as_ratio))
    }
}
