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
    plain_words,
    report::{BaselineCheck, html, junit, tables},
    runner::{RunRecord, RunReport, RunState},
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
    documents: Option<Documents>,
}

/// A file that is open to be written.
struct OutputFile {
    path: PathBuf,
    file: File,
}

/// The documents that are to be written.
struct Documents {
    folder: PathBuf,
    /// By their names in it.
    files: Vec<(&'static str, File)>,
}

enum Json {
    Nowhere,
    /// The report takes standard output for itself.
    Stdout,
    File(OutputFile),
}

impl ReportTo {
    /// Opens the files, before a run that would be in vain if they could not be written. An older
    /// report is gone from then on, so that nobody takes it for one of this run.
    pub(super) fn open(json: Option<&Path>, folder: Option<&Path>) -> Result<Self, Outcome> {
        let json = match json {
            None => Json::Nowhere,
            Some(path) if path == Path::new("-") => Json::Stdout,
            Some(path) => Json::File(OutputFile::create(path.to_owned(), "--json")?),
        };
        let documents = folder.map(Documents::open).transpose()?;
        Ok(Self { json, documents })
    }

    /// Says what came out and where it is written, with the outcome that it stands for.
    pub(super) fn conclude(
        self,
        record: &RunRecord,
        baseline: Option<&BaselineCheck>,
        outcome: Outcome,
    ) -> Outcome {
        let summary = summary::text(record, baseline);
        let outcome = match self.json {
            Json::Stdout => {
                tell(summary);
                outcome
            }
            Json::Nowhere | Json::File(..) => print(&summary, outcome),
        };
        self.write(record, baseline, outcome)
    }

    /// The same for a run that did not end in time when everything was to be given up: what is known of it.
    pub(super) fn conclude_cut_off(self, mut record: RunRecord) -> Outcome {
        record.report.state = RunState::Interrupted;
        tell(summary::cut_off(&record.report));
        self.write(&record, None, Outcome::Interrupted)
    }

    /// Writes everything that can be written, and says where.
    fn write(
        self,
        record: &RunRecord,
        baseline: Option<&BaselineCheck>,
        mut outcome: Outcome,
    ) -> Outcome {
        match self.json {
            Json::Nowhere => {}
            Json::Stdout => outcome = print(&json(&record.report), outcome),
            Json::File(OutputFile { path, mut file }) => {
                match writeln!(file, "{}", json(&record.report)) {
                    Ok(()) => tell(format_args!("wrote the report to `{}`", path.display())),
                    Err(error) => outcome = cannot_write(&path, &error, "--json"),
                }
            }
        }
        let Some(Documents { folder, files }) = self.documents else {
            return outcome;
        };
        let mut written = Vec::new();
        for (name, mut file) in files {
            let text = document(name, record, baseline);
            match file.write_all(text.as_bytes()) {
                Ok(()) => written.push(name),
                Err(error) => outcome = cannot_write(&folder.join(name), &error, "--report"),
            }
        }
        if !written.is_empty() {
            let names = written.join(", ");
            tell(format_args!("wrote {names} to `{}`", folder.display()));
        }
        outcome
    }
}

fn json(report: &RunReport) -> String {
    // A report has nothing in it that JSON cannot say.
    serde_json::to_string_pretty(report).unwrap_or_default()
}

impl Documents {
    fn open(folder: &Path) -> Result<Self, Outcome> {
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error, "--report"))?;
        let mut files = Vec::new();
        for name in DOCUMENTS {
            let output = OutputFile::create(folder.join(name), "--report")?;
            files.push((name, output.file));
        }
        Ok(Self {
            folder: folder.to_owned(),
            files,
        })
    }
}

/// The document that goes by this name.
fn document(name: &str, record: &RunRecord, baseline: Option<&BaselineCheck>) -> String {
    match name {
        "report.html" => html::document(record, baseline),
        "steps.csv" => tables::steps(&record.report),
        "timeline.csv" => tables::timeline(record),
        "junit.xml" => junit::document(record, baseline),
        // A record has nothing in it that JSON cannot say.
        _ => serde_json::to_string(record).unwrap_or_default(),
    }
}

impl OutputFile {
    fn create(path: PathBuf, option: &str) -> Result<Self, Outcome> {
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(cannot_write(&path, &error, option)),
        }
    }
}

fn cannot_write(path: &Path, error: &std::io::Error, option: &str) -> Outcome {
    unusable(format_args!(
        "cannot write the report to `{}`: {}; name another place with {option}",
        path.display(),
        plain_words::of_system(error)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::testing::{Second, record},
        testing::TemporaryFolder,
    };

    #[test]
    fn a_run_that_is_cut_off_has_its_documents_with_what_is_known_of_it() {
        let folder = TemporaryFolder::new();
        let (json, reports) = (folder.path().join("out.json"), folder.path().join("all"));
        let report = ReportTo::open(Some(&json), Some(&reports));
        let report = report.unwrap_or_else(|outcome| panic!("{outcome:?}"));
        let mut unfinished = record(&[Second::default()]);
        unfinished.report.state = RunState::Finishing;
        unfinished.report.verdict = None;
        assert_eq!(report.conclude_cut_off(unfinished), Outcome::Interrupted);
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let page = read(&reports.join("report.html"));
        assert!(
            page.contains("Interrupted: the process ended under it"),
            "{page}"
        );
        let whole: RunRecord = serde_json::from_str(&read(&reports.join("report.json"))).unwrap();
        let alone: RunReport = serde_json::from_str(&read(&json)).unwrap();
        assert_eq!(
            [whole.report.state, alone.state],
            [RunState::Interrupted; 2]
        );
        for name in DOCUMENTS {
            assert!(!read(&reports.join(name)).is_empty(), "{name}");
        }
    }
}
