use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{
    Outcome,
    output::{print, tell},
    summary, unusable,
};
use crate::runner::RunReport;

/// Where the report of a run goes besides what people get to read.
pub(super) enum ReportTo {
    Nowhere,
    /// The report takes standard output for itself.
    Stdout,
    File(PathBuf, File),
}

impl ReportTo {
    /// Opens the file, before a run that would be in vain if it could not be written. An older
    /// report is gone from then on, so that nobody takes it for one of this run.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Outcome> {
        match path {
            None => Ok(Self::Nowhere),
            Some(path) if path == Path::new("-") => Ok(Self::Stdout),
            Some(path) => File::create(path)
                .map(|file| Self::File(path.to_owned(), file))
                .map_err(|error| cannot_write(path, &error)),
        }
    }

    /// Says what came out, with the outcome that the verdict stands for.
    pub(super) fn conclude(self, report: &RunReport, outcome: Outcome) -> Outcome {
        let summary = summary::text(report);
        let json = match serde_json::to_string_pretty(report) {
            Ok(json) => json,
            Err(error) => return unusable(format_args!("cannot write the report: {error}")),
        };
        match self {
            Self::Nowhere => print(&summary, outcome),
            Self::Stdout => {
                tell(summary);
                print(&json, outcome)
            }
            Self::File(path, mut file) => {
                let outcome = print(&summary, outcome);
                match writeln!(file, "{json}") {
                    Ok(()) => outcome,
                    Err(error) => cannot_write(&path, &error),
                }
            }
        }
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Outcome {
    unusable(format_args!(
        "cannot write the report to `{}`: {error}; name another file with --json",
        path.display()
    ))
}
