//! A run as documents, and runs side by side.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header::{self, HeaderName},
    response::{IntoResponse, Response},
};

use crate::{
    event::RunPosition,
    history::RunQuery,
    report::{Comparison, Drift, MOST_BASELINES, html, junit, tables},
    runner::{RunRecord, RunReport, RunState},
    web::{
        App,
        api::{
            runs::{PageSize, in_memory},
            turns::WorkTurn,
        },
        extract::{PathName, TwoNames},
        refusal::{ErrorBody, Refusal},
        responses::{Made, OfRun},
    },
};

const HTML: &str = "text/html; charset=utf-8";
const CSV: &str = "text/csv; charset=utf-8; header=present";
const XML: &str = "application/xml; charset=utf-8";
const JSON: &str = "application/json";

impl App {
    /// Everything that is known of a run, in progress or ended.
    pub(in crate::web) async fn find_record(&self, id: &str) -> Result<Arc<RunRecord>, Refusal> {
        let (scheduler, known) = (self.web.scheduler.clone(), id.to_owned());
        if let Some(record) = self.looks.take(move || scheduler.record(&known)).await? {
            return Ok(record);
        }
        if let Some(record) = self.web.history.record(id).await? {
            return Ok(Arc::new(record));
        }
        let report = self.report_of(id).await?;
        Ok(Arc::new(RunRecord::from((*report).clone())))
    }

    async fn document(
        &self,
        id: &str,
        media_type: &'static str,
        make: impl FnOnce(&RunRecord) -> String + Send + 'static,
    ) -> Result<Response, Refusal> {
        // Reading the record is a part of the work.
        let turn = self.turns.next().await?;
        let record = self.find_record(id).await?;
        made(turn, record, media_type, move |record| make(&record)).await
    }
}

/// Makes a document of what was found.
async fn made<T: Send + 'static>(
    turn: WorkTurn,
    found: T,
    media_type: &'static str,
    make: impl FnOnce(T) -> String + Send + 'static,
) -> Result<Response, Refusal> {
    let text = turn.take(move || make(found)).await?;
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, html::policy()),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, text).into_response())
}

fn json<T: serde::Serialize>(value: &T) -> String {
    // Neither a record nor a comparison has anything in it that JSON cannot say.
    serde_json::to_string(value).unwrap_or_default()
}

/// A run as a page that needs nothing else.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/report.html",
    operation_id = "show_report",
    tag = "reports",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "The page; of a run in progress as it stands", body = String, content_type = "text/html"),
        OfRun,
        Made,
    ),
)]
pub(in crate::web) async fn page(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Response, Refusal> {
    app.document(&id, HTML, |record| html::document(record, None))
        .await
}

/// A run with all that is kept of it: what `chatprobe run --baseline` reads.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/report.json",
    operation_id = "show_record",
    tag = "reports",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "The record; of a run in progress as it stands", body = RunRecord),
        OfRun,
        Made,
    ),
)]
pub(in crate::web) async fn record(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Response, Refusal> {
    app.document(&id, JSON, json).await
}

/// The steps of a run as a table.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/steps.csv",
    operation_id = "show_steps_table",
    tag = "reports",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "A line for each step", body = String, content_type = "text/csv"),
        OfRun,
        Made,
    ),
)]
pub(in crate::web) async fn steps(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Response, Refusal> {
    app.document(&id, CSV, |record| tables::steps(&record.report))
        .await
}

/// A run second by second as a table.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/timeline.csv",
    operation_id = "show_timeline_table",
    tag = "reports",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "A line for each second", body = String, content_type = "text/csv"),
        OfRun,
        Made,
    ),
)]
pub(in crate::web) async fn timeline(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Response, Refusal> {
    app.document(&id, CSV, tables::timeline).await
}

/// A run as a suite of tests.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/junit.xml",
    operation_id = "show_tests",
    tag = "reports",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "JUnit XML", body = String, content_type = "application/xml"),
        OfRun,
        Made,
    ),
)]
pub(in crate::web) async fn tests(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Response, Refusal> {
    app.document(&id, XML, |record| junit::document(record, None))
        .await
}

/// What became slower or failed more often from the first quarter of a run to the last.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/drift",
    operation_id = "show_drift",
    tag = "reports",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "What changed, or why that is not judged; of a run in progress so far", body = Drift),
        OfRun,
        Made,
    ),
)]
pub(in crate::web) async fn drift(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Response, Refusal> {
    app.document(&id, JSON, |record| json(&Drift::of(record)))
        .await
}

/// In the place of a baseline: the run before.
pub(super) const PREVIOUS: &str = "previous";
/// Between baselines; neither ids of runs nor names of baselines have it.
pub(in crate::web) const BETWEEN_BASELINES: char = ',';

/// What the records of baselines may take in memory, all of them together.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// A run and the baselines that it is held against.
struct SideBySide {
    run: Arc<RunRecord>,
    baselines: Vec<Arc<RunRecord>>,
}

impl SideBySide {
    fn compare(&self) -> Comparison {
        let baselines: Vec<_> = self.baselines.iter().map(Arc::as_ref).collect();
        Comparison::of(&baselines, &self.run)
    }
}

impl App {
    async fn side_by_side(&self, names: &TwoNames) -> Result<SideBySide, Refusal> {
        let TwoNames(run, baselines) = names;
        let names: Vec<_> = baselines.split(BETWEEN_BASELINES).collect();
        if names.iter().any(|name| name.trim().is_empty()) {
            return Err(Refusal::malformed(format!(
                "a name is missing in `{baselines}`; give baselines with one comma between two of them"
            )));
        }
        let run = self.comparable_record(run).await?;
        if names.len() > MOST_BASELINES {
            return Err(Refusal::malformed(format!(
                "{} baselines are named, and {MOST_BASELINES} can be compared at most; leave the oldest out",
                names.len()
            )));
        }
        let mut baselines: Vec<Arc<RunRecord>> = Vec::new();
        let mut bytes = 0_usize;
        for name in &names {
            let id = self.baseline_of(&run.report, name).await?;
            // The same run twice would seem to say that runs do not differ.
            let is_twice = baselines.iter().any(|other| other.report.id == id);
            if is_twice || (names.len() > 1 && run.report.id == id) {
                return Err(Refusal::malformed(format!(
                    "`{name}` is the run `{id}`, which is compared already; name each run once"
                )));
            }
            let baseline = self.comparable_record(&id).await?;
            bytes = bytes.saturating_add(baseline.size());
            if bytes > MOST_BYTES {
                return Err(Refusal::malformed(format!(
                    "the records of the baselines up to `{name}` take more than {} MB; name fewer",
                    MOST_BYTES / (1024 * 1024)
                )));
            }
            baselines.push(baseline);
        }
        Ok(SideBySide { run, baselines })
    }

    /// What a comparison needs of a run. That of the scheduler is shared; one that was read for this alone keeps no more.
    async fn comparable_record(&self, id: &str) -> Result<Arc<RunRecord>, Refusal> {
        let record = self.find_record(id).await?;
        Ok(match Arc::try_unwrap(record) {
            Ok(read) => Arc::new(read.for_comparison()),
            Err(shared) => shared,
        })
    }

    /// The id of what a run is held against.
    async fn baseline_of(&self, run: &RunReport, name: &str) -> Result<String, Refusal> {
        if name != PREVIOUS {
            return self.named_run(name).await;
        }
        let previous = self.previous(run).await?;
        previous.ok_or_else(|| {
            Refusal::NotFound(format!(
                "there is no run of `{}` before `{}` that is known; name another one",
                run.name, run.id
            ))
        })
    }

    /// The latest run of the same before this one that has ended, if one of that name not long before is
    /// of the same.
    pub(in crate::web) async fn previous(
        &self,
        run: &RunReport,
    ) -> Result<Option<String>, Refusal> {
        let earlier = self.list_runs(earlier(run)).await?;
        let mut alike = earlier.entries.iter().filter(|other| is_like(run, other));
        match (alike.next(), earlier.broken_off) {
            (Some(other), _) => Ok(Some(other.id.clone())),
            (None, None) => Ok(None),
            (None, Some(error)) => Err(Refusal::Unavailable(format!(
                "the history cannot be read: {error}"
            ))),
        }
    }

    /// The same of the runs in memory alone, for whoever must not wait for a disk. Looks at runs in progress.
    pub(in crate::web) fn previous_in_memory(&self, run: &RunReport) -> Option<String> {
        let earlier = in_memory(&self.web.scheduler, &earlier(run));
        let mut alike = earlier.into_values().rev();
        let found = alike.find(|other| is_like(run, other))?;
        Some(found.id.clone())
    }
}

fn earlier(run: &RunReport) -> RunQuery {
    RunQuery {
        name: Some(run.name.clone()),
        mode: Some(run.mode),
        before: Some(RunPosition::of(&run.id)),
        limit: PageSize::default().get(),
        ..RunQuery::default()
    }
}

fn is_like(run: &RunReport, other: &RunReport) -> bool {
    (&run.scenario, &run.target, RunState::Ended) == (&other.scenario, &other.target, other.state)
}

/// What changed from one or more other runs, the baselines, to this one, and whether it is more than noise.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/compare/{baselines}",
    operation_id = "compare_runs",
    tag = "reports",
    params(
        ("id" = String, Path, description = "The run"),
        ("baselines" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}(,[A-Za-z0-9._-]{1,64}){0,19}$", description = "What it is held against: the id of a run, the name of a baseline, or `previous` for the last of the same that ended before; up to 20 of them with commas between"),
    ),
    responses(
        (status = 200, description = "What changed", body = Comparison),
        (status = 400, description = "Too many baselines, one of them twice, a name is missing, or the records of the baselines take more than 256 MB together", body = ErrorBody),
        OfRun,
        Made,
    ),
)]
pub(in crate::web) async fn compare(
    State(app): State<Arc<App>>,
    names: TwoNames,
) -> Result<Response, Refusal> {
    let turn = app.turns.next().await?;
    let found = app.side_by_side(&names).await?;
    made(turn, found, JSON, |found| json(&found.compare())).await
}

/// The same as a page that needs nothing else.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/compare/{baselines}/report.html",
    operation_id = "show_comparison",
    tag = "reports",
    params(
        ("id" = String, Path, description = "The run"),
        ("baselines" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}(,[A-Za-z0-9._-]{1,64}){0,19}$", description = "What it is held against: the id of a run, the name of a baseline, or `previous` for the last of the same that ended before; up to 20 of them with commas between"),
    ),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 400, description = "Too many baselines, one of them twice, a name is missing, or the records of the baselines take more than 256 MB together", body = ErrorBody),
        OfRun,
        Made,
    ),
)]
pub(in crate::web) async fn compare_page(
    State(app): State<Arc<App>>,
    names: TwoNames,
) -> Result<Response, Refusal> {
    let turn = app.turns.next().await?;
    let found = app.side_by_side(&names).await?;
    made(turn, found, HTML, |found| {
        html::comparison_document(&found.compare())
    })
    .await
}
