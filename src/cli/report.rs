use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{
    Outcome,
    output::{print, tell},
    summary, unusable,
};
use crate::{
    report::{Baseline, html, junit, tables},
    runner::RunRecord,
};

/// The documents of a run in the folder that `--report` names.
const DOCUMENTS: [&str; 5] = [
    "report.html",
    "report.json",
    "steps.csv",
    "timeline.csv",
    "junit.xml",
];

/// Where the report of a run goes besides what people get to read.
pub(super) struct ReportTo {
    json: Json,
    documents: Vec<(PathBuf, File)>,
}

enum Json {
    Nowhere,
    /// The report takes standard output for itself.
    Stdout,
    File(PathBuf, File),
}

impl ReportTo {
    /// Opens the files, before a run that would be in vain if they could not be written. An older
    /// report is gone from then on, so that nobody takes it for one of this run.
    pub(super) fn open(json: Option<&Path>, folder: Option<&Path>) -> Result<Self, Outcome> {
        let json = match json {
            None => Json::Nowhere,
            Some(path) if path == Path::new("-") => Json::Stdout,
            Some(path) => {
                let (path, file) = create(path.to_owned(), "--json")?;
                Json::File(path, file)
            }
        };
        let mut documents = Vec::new();
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error, "--report"))?;
            for name in DOCUMENTS {
                documents.push(create(folder.join(name), "--report")?);
            }
        }
        Ok(Self { json, documents })
    }

    /// Says what came out, with the outcome that it stands for.
    pub(super) fn conclude(
        self,
        record: &RunRecord,
        baseline: Option<&Baseline>,
        outcome: Outcome,
    ) -> Outcome {
        let summary = summary::text(&record.report, baseline);
        let json = match serde_json::to_string_pretty(&record.report) {
            Ok(json) => json,
            Err(error) => return unusable(format_args!("cannot write the report: {error}")),
        };
        let outcome = match self.json {
            Json::Nowhere => print(&summary, outcome),
            Json::Stdout => {
                tell(summary);
                print(&json, outcome)
            }
            Json::File(path, mut file) => {
                let outcome = print(&summary, outcome);
                match writeln!(file, "{json}") {
                    Ok(()) => outcome,
                    Err(error) => cannot_write(&path, &error, "--json"),
                }
            }
        };
        for (path, mut file) in self.documents {
            let text = document(&path, record, baseline);
            if let Err(error) = file.write_all(text.as_bytes()) {
                return cannot_write(&path, &error, "--report");
            }
        }
        outcome
    }
}

/// The document that goes by this name.
fn document(path: &Path, record: &RunRecord, baseline: Option<&Baseline>) -> String {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("report.html") => html::document(record, baseline),
        Some("steps.csv") => tables::steps(&record.report),
        Some("timeline.csv") => tables::timeline(record),
        Some("junit.xml") => junit::document(record, baseline),
        // A record has nothing in it that JSON cannot say.
        _ => serde_json::to_string(record).unwrap_or_default(),
    }
}

fn create(path: PathBuf, option: &str) -> Result<(PathBuf, File), Outcome> {
    match File::create(&path) {
        Ok(file) => Ok((path, file)),
        Err(error) => Err(cannot_write(&path, &error, option)),
    }
}

fn cannot_write(path: &Path, error: &std::io::Error, option: &str) -> Outcome {
    unusable(format_args!(
        "cannot write the report to `{}`: {error}; name another place with {option}",
        path.display()
    ))
}
