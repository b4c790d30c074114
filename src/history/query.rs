//! Which entries to list, and the statements that find them.

use rusqlite::{Connection, named_params, params};

use super::{
    ProbeHour,
    error::HistoryError,
    explanation::{FailureReport, FailureSummary},
    figures::HistoryCounters,
    listing::{Listing, read_rows},
    rows::word,
};
use crate::{
    event::{Mode, RunPosition, Verdict},
    runner::{RunReport, RunState},
};

/// Which runs to list; the latest first.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// Only those of probes, or of bursts.
    pub mode: Option<Mode>,
    /// Only those that are so far.
    pub state: Option<RunState>,
    /// Only those of the probe or burst of this name.
    pub name: Option<String>,
    /// Only those that came to this.
    pub verdict: Option<Verdict>,
    /// Only those with this in the name of their probe or burst, or in that of their scenario.
    pub part: Option<String>,
    /// Only those that stand there or behind, which began then or later.
    pub since: Option<RunPosition>,
    /// Only those that stand in front of it, which began before.
    pub before: Option<RunPosition>,
    /// So many at the most.
    pub limit: usize,
}

/// Which failures to list; the latest first.
#[derive(Debug, Clone, Default)]
pub struct FailureQuery {
    /// Only those of this run.
    pub run: Option<String>,
    /// Only those of the probe or burst of this name.
    pub name: Option<String>,
    /// Only those of this scenario.
    pub scenario: Option<String>,
    /// Only those against this target.
    pub target: Option<String>,
    /// Only those of probes, or of bursts.
    pub mode: Option<Mode>,
    /// Only those behind the one with this id.
    pub before: Option<String>,
    /// So many at the most.
    pub limit: usize,
}

/// Which hours of a probe to list; the latest first.
#[derive(Debug, Clone)]
pub struct HourQuery {
    /// The probe.
    pub name: String,
    /// Only those that began before, in seconds of Unix time.
    pub before: Option<i64>,
    /// So many at the most.
    pub limit: usize,
}

impl RunQuery {
    /// Whether a run with this id stands between `since` and `before`.
    pub fn spans(&self, id: &str) -> bool {
        let position = RunPosition::of(id);
        self.before.as_ref().is_none_or(|before| position < *before)
            && self.since.as_ref().is_none_or(|since| position >= *since)
    }

    pub(super) fn read(
        &self,
        connection: &Connection,
        figures: &HistoryCounters,
    ) -> Result<Listing<RunReport>, HistoryError> {
        // SQLite gives up on all rows if one of them is no JSON.
        let mut statement = connection.prepare(
            "SELECT id, report FROM runs \
             WHERE (:before IS NULL OR position < :before) AND (:mode IS NULL OR mode = :mode) \
             AND (:state IS NULL OR state = :state) AND (:name IS NULL OR name = :name) \
             AND (:since IS NULL OR position >= :since) \
             AND (:verdict IS NULL OR NOT json_valid(report) \
                  OR CASE WHEN json_valid(report) THEN json_extract(report, '$.verdict') END = :verdict) \
             AND (:part IS NULL OR NOT json_valid(report) OR instr(name, :part) \
                  OR CASE WHEN json_valid(report) THEN instr(json_extract(report, '$.scenario'), :part) END) \
             AND rest IS NOT NULL ORDER BY position DESC",
        )?;
        let rows = statement.query(named_params! {
            ":before": self.before.as_ref().map(RunPosition::as_str),
            ":mode": self.mode.map(Mode::as_str),
            ":state": self.state.map(word).transpose()?,
            ":name": self.name,
            ":since": self.since.as_ref().map(RunPosition::as_str),
            ":verdict": self.verdict.map(Verdict::as_str),
            ":part": self.part,
        })?;
        read_rows(rows, "runs", self.limit, figures, |row| {
            Ok(serde_json::from_str(&row.get::<_, String>(1)?)?)
        })
    }
}

impl FailureQuery {
    pub(super) fn read(
        &self,
        connection: &Connection,
        figures: &HistoryCounters,
    ) -> Result<Listing<FailureSummary>, HistoryError> {
        let mut statement = connection.prepare(
            "SELECT id, failure FROM failures \
             WHERE (:before IS NULL OR (failed_at, id) < \
                 (SELECT failed_at, id FROM failures WHERE id = :before)) \
             AND (:run IS NULL OR run = :run) AND (:scenario IS NULL OR scenario = :scenario) \
             AND (:target IS NULL OR target = :target) AND (:mode IS NULL OR mode = :mode) \
             AND (:name IS NULL OR NOT json_valid(failure) \
                  OR CASE WHEN json_valid(failure) THEN json_extract(failure, '$.name') END = :name) \
             ORDER BY failed_at DESC, id DESC",
        )?;
        let rows = statement.query(named_params! {
            ":before": self.before,
            ":run": self.run,
            ":name": self.name,
            ":scenario": self.scenario,
            ":target": self.target,
            ":mode": self.mode.map(Mode::as_str),
        })?;
        // A summary has some of the fields of the whole.
        read_rows(rows, "failures", self.limit, figures, |row| {
            Ok(serde_json::from_str(&row.get::<_, String>(1)?)?)
        })
    }

    /// Those that are in memory.
    pub(super) fn of(&self, all: &[FailureReport]) -> Vec<FailureSummary> {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let behind = self.before.as_ref().map(|before| {
            let at = all.iter().position(|failure| failure.id == *before);
            at.map_or(all.len(), |at| at + 1)
        });
        (all.iter().skip(behind.unwrap_or(0)))
            .filter(|failure| {
                is(&self.run, &failure.run)
                    && is(&self.name, &failure.name)
                    && is(&self.scenario, &failure.scenario)
                    && is(&self.target, &failure.target)
                    && self.mode.is_none_or(|mode| mode == failure.mode)
            })
            .map(FailureSummary::from)
            .collect()
    }
}

impl HourQuery {
    pub(super) fn read(
        &self,
        connection: &Connection,
        figures: &HistoryCounters,
    ) -> Result<Listing<ProbeHour>, HistoryError> {
        let mut statement = connection.prepare(
            "SELECT name || ' at ' || hour, sums FROM probe_hours WHERE name = ? AND hour < ? \
             ORDER BY hour DESC, scenario, target",
        )?;
        let rows = statement.query(params![self.name, self.before.unwrap_or(i64::MAX)])?;
        read_rows(rows, "probe_hours", self.limit, figures, |row| {
            Ok(ProbeHour::read(&row.get::<_, String>(1)?)?)
        })
    }
}
