use std::{net::SocketAddr, path::PathBuf};

use tokio_util::sync::CancellationToken;

use super::{
    Outcome, address::listening_address, no_signals, number, parse_option, report_problems,
    signals::Signals, unusable,
};
use crate::{
    config::{Kind, read_configuration},
    document::{Place, Problems},
    service::Bound,
    simulator::{Agents, Setup, Simulator},
};

/// `chatprobe simulate`.
#[derive(Debug, clap::Args)]
pub(super) struct Simulate {
    /// What the centre is like: what stands under `simulator:` in a configuration, as a file.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Where it listens [default: 127.0.0.1:4000].
    #[arg(long, value_name = "ADDRESS", value_parser = listening_address)]
    listen: Option<SocketAddr>,

    /// How many agents it has: a number, or `unlimited`.
    #[arg(long, value_parser = parse_agents)]
    agents: Option<Agents>,

    /// The seed of its randomness.
    #[arg(long, allow_negative_numbers = true, value_parser = number::seed)]
    seed: Option<u64>,
}

fn parse_agents(text: &str) -> Result<Agents, String> {
    serde_yaml::from_str(text).map_err(|_| {
        format!("`{text}` is no number of agents; write a number from 1 up, or `unlimited`")
    })
}

impl Simulate {
    pub(super) async fn run(self) -> Outcome {
        let settings = match self.settings() {
            Ok(settings) => settings,
            Err(outcome) => return outcome,
        };
        let bound = match Bound::to(settings.listen, "the simulator", "--listen") {
            Ok(bound) => bound,
            Err(error) => return unusable(error),
        };
        let at = bound.address;
        let simulator = match Simulator::new(settings.centre) {
            Ok(simulator) => simulator,
            Err(error) => return unusable(error),
        };
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return unusable(no_signals(&error)),
        };
        tracing::info!(
            "the simulated contact centre is at http://{at}; its statistics at http://{at}/stats"
        );
        let shutdown = CancellationToken::new();
        let centre = simulator.serve(bound.listener, shutdown.clone());
        tokio::pin!(centre);
        tokio::select! {
            () = &mut centre => {}
            () = signals.end() => {
                shutdown.cancel();
                let second = async {
                    signals.settle().await;
                    signals.second().await;
                };
                tokio::select! {
                    () = &mut centre => {}
                    () = second => return Outcome::Interrupted,
                }
            }
        }
        Outcome::Success
    }

    fn settings(&self) -> Result<Setup, Outcome> {
        let problems = Problems::default();
        let node = match &self.settings {
            Some(path) => read_configuration(path, &problems),
            None => parse_option("--settings", "{}"),
        };
        let node = node.map_err(|problem| report_problems(&[problem]))?;
        if Kind::of(&node).is_some_and(|kind| kind == Kind::Configuration) {
            let message = "this is a configuration; --settings takes what stands in it under `simulator:`, as a file of \
                           its own";
            let place = Place::whole(node.place.source.clone());
            problems.add(&place, message);
            return Err(report_problems(
                &problems.into_result().err().unwrap_or_default(),
            ));
        }
        let settings = Setup::read(&node, &problems);
        problems
            .into_result()
            .map_err(|problems| report_problems(&problems))?;
        let mut settings = settings.ok_or(Outcome::Unusable)?;
        settings.listen = self.listen.unwrap_or(settings.listen);
        settings.centre.agents = self.agents.unwrap_or(settings.centre.agents);
        settings.centre.seed = self.seed.unwrap_or(settings.centre.seed);
        Ok(settings)
    }
}
