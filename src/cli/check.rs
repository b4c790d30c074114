use std::sync::Arc;

use super::{Configuration, Outcome, report_problems, unusable};
use crate::{
    config::{Burst, Plan},
    event::{Event, Observer},
    record::{Boundaries, Metrics},
    units::duration,
};

/// `chatprobe check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    configuration: Configuration,
}

impl Check {
    pub(super) fn run(&self) -> Outcome {
        let plan = match Plan::load(&self.configuration.config) {
            Ok(plan) => Arc::new(plan),
            Err(problems) => return report_problems(&problems),
        };
        println!("{} is valid.", plan.path.display());
        for target in plan.catalogue.targets.values() {
            println!("target    {}: {}", target.name, target.url);
        }
        for scenario in plan.catalogue.scenarios.values() {
            println!(
                "scenario  {}: {} steps, {} inputs ({})",
                scenario.name,
                scenario.all_steps().len(),
                scenario.inputs.len(),
                scenario.place.source
            );
        }
        for probe in &plan.probes {
            println!(
                "probe     {}: {} against {}, every {}",
                probe.name,
                probe.scenario.name,
                probe.target.name,
                duration::format(probe.every)
            );
        }
        for burst in &plan.bursts {
            println!("burst     {}", describe(burst));
        }
        match count_series(&plan) {
            Ok(series) => println!("series    {series} on /metrics before anything has run"),
            Err(error) => return unusable(error),
        }
        Outcome::Success
    }
}

fn describe(burst: &Burst) -> String {
    let when = match &burst.schedule {
        Some(schedule) => format!("at `{}` {}", schedule.text, schedule.time_zone),
        None => "when asked for".to_owned(),
    };
    format!(
        "{}: {} against {}, {when}, {}",
        burst.name, burst.scenario.name, burst.target.name, burst.load
    )
}

/// Counted on the real metrics, as the service would show them.
fn count_series(plan: &Arc<Plan>) -> Result<usize, crate::record::MetricsError> {
    let metrics = Metrics::new(&Boundaries::of(plan))?;
    metrics.observe(&Event::ConfigurationAccepted { plan: plan.clone() });
    Ok(metrics.series())
}
