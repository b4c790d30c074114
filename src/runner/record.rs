use std::{collections::BTreeMap, io::Read, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Batch, Histogram, RunReport, Sample, StepSample};

/// Everything that is kept of a run: what a report shows and a comparison needs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunRecord {
    /// What it did, felt and came to.
    pub report: RunReport,
    /// The same second by second.
    #[schema(value_type = Vec<Sample>)]
    pub samples: Vec<Arc<Sample>>,
    /// How long passed chats took.
    pub chat_duration: Histogram,
    /// How long each step took when it passed.
    #[schema(value_type = BTreeMap<String, Histogram>)]
    pub steps: BTreeMap<String, Histogram>,
    /// The run in at most 32 pieces of about equal length: how much its figures vary by themselves.
    #[serde(default)]
    pub batches: Vec<Batch>,
}

impl RunRecord {
    /// What a comparison needs of it: the report and the batches.
    #[must_use]
    pub fn for_comparison(self) -> Self {
        Self {
            batches: self.batches,
            ..Self::from(self.report)
        }
    }

    /// Reads the same from JSON, and passes over the rest, which is most of it.
    ///
    /// # Errors
    /// If it cannot be read to its end, or is not the record of a run.
    pub fn read_for_comparison(json: impl Read) -> serde_json::Result<Self> {
        let Needed { report, batches } = serde_json::from_reader(json)?;
        Ok(Self {
            batches,
            ..Self::from(report)
        })
    }

    /// About what it takes in memory, in bytes.
    pub fn size(&self) -> usize {
        let sample = size_of::<Sample>() + self.report.steps.len() * size_of::<StepSample>();
        let batches = self.batches.iter().flat_map(Batch::latencies);
        let histograms = self.steps.values().chain([&self.chat_duration]);
        let deliveries = self.batches.iter().map(|batch| &batch.deliveries.latency);
        let histograms = histograms.chain(batches).chain(deliveries);
        let histograms = histograms.map(Histogram::size);
        self.report.size() + self.samples.len() * sample + histograms.sum::<usize>()
    }
}

/// The part of a [`RunRecord`] that a comparison needs.
#[derive(Deserialize)]
struct Needed {
    report: RunReport,
    #[serde(default)]
    batches: Vec<Batch>,
}

/// Of a run of which nothing else is known any more.
impl From<RunReport> for RunRecord {
    fn from(report: RunReport) -> Self {
        Self {
            report,
            samples: Vec::new(),
            chat_duration: Histogram::default(),
            steps: BTreeMap::new(),
            batches: Vec::new(),
        }
    }
}
