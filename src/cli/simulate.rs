use std::{net::SocketAddr, path::PathBuf};

use tokio_util::sync::CancellationToken;

use super::{
    Outcome, address::listening_address, no_signals, number, parse_option, report_problems,
    signals::Signals, unusable,
};
use crate::{
    config::read_configuration,
    document::{Node, Place, Problems},
    service::Bound,
    simulator::{
        Agents, BehaviourService, BehaviourSettings, Rooms, RoomsSettings, Setup, Simulator,
    },
};

/// Keys of a configuration that no settings of a simulator have.
const OF_CONFIGURATION: [&str; 5] = ["targets", "scenarios", "probes", "bursts", "simulator"];

/// `chatprobe simulate`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Simulate {
    #[command(subcommand)]
    what: Option<Simulated>,

    #[command(flatten)]
    centre: SimulateCentre,
}

#[derive(Debug, clap::Subcommand)]
enum Simulated {
    /// A contact centre that sends its events to its customers (the default).
    ContactCenter(SimulateCentre),
    /// Chat rooms and a support desk over WebSocket, with a page to chat on.
    Rooms(SimulateRooms),
    /// A service over HTTP that stores behaviours of users in a database, and answers queries for them.
    Behaviour(SimulateBehaviour),
}

#[derive(Debug, clap::Args)]
struct SimulateCentre {
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

#[derive(Debug, clap::Args)]
struct SimulateRooms {
    /// What the rooms are like: what stands under `simulator: { rooms: ... }` in a configuration, as a file.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Where they listen [default: 127.0.0.1:14222].
    #[arg(long, value_name = "ADDRESS", value_parser = listening_address)]
    listen: Option<SocketAddr>,

    /// The Redis that they share with other backends, for instance `redis://127.0.0.1:6379`.
    #[arg(
        long,
        value_name = "URL",
        env = "CHATPROBE_REDIS_URL",
        hide_env_values = true
    )]
    redis: Option<String>,

    /// How many agents the support desk has: a number, or `unlimited`.
    #[arg(long, value_parser = parse_agents)]
    agents: Option<Agents>,

    /// The seed of their randomness.
    #[arg(long, allow_negative_numbers = true, value_parser = number::seed)]
    seed: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct SimulateBehaviour {
    /// What the service is like: what stands under `simulator: { behaviour: ... }` in a configuration, as a file.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Where it listens [default: 127.0.0.1:8000].
    #[arg(long, value_name = "ADDRESS", value_parser = listening_address)]
    listen: Option<SocketAddr>,

    /// The SQLite file that keeps its records; without it they are forgotten with its end.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,

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
        match self.what {
            None => self.centre.run().await,
            Some(Simulated::ContactCenter(centre)) => centre.run().await,
            Some(Simulated::Rooms(rooms)) => rooms.run().await,
            Some(Simulated::Behaviour(behaviour)) => behaviour.run().await,
        }
    }
}

impl SimulateCentre {
    async fn run(self) -> Outcome {
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
        let welcome = format!(
            "the simulated contact centre is at http://{at}; its statistics at http://{at}/stats"
        );
        serve(&welcome, |shutdown| {
            simulator.serve(bound.listener, shutdown)
        })
        .await
    }

    fn settings(&self) -> Result<Setup, Outcome> {
        let mut settings = read_settings(self.settings.as_ref(), "`simulator:`", Setup::read)?;
        let beside = [
            ("rooms", settings.rooms.is_some()),
            ("behaviour", settings.behaviour.is_some()),
        ];
        if let Some((name, _)) = beside.iter().find(|(_, present)| *present) {
            return Err(unusable(format!(
                "`{name}` is for a configuration; alone it is `chatprobe simulate {name}`, with what stands under \
                 `{name}:` as a file of its own",
            )));
        }
        settings.listen = self.listen.unwrap_or(settings.listen);
        settings.centre.agents = self.agents.unwrap_or(settings.centre.agents);
        settings.centre.seed = self.seed.unwrap_or(settings.centre.seed);
        Ok(settings)
    }
}

impl SimulateRooms {
    async fn run(self) -> Outcome {
        let settings = match self.settings() {
            Ok(settings) => settings,
            Err(outcome) => return outcome,
        };
        let listen = settings.listen;
        let rooms = match Rooms::new(settings) {
            Ok(rooms) => rooms,
            Err(error) => return unusable(error),
        };
        let bound = match Bound::to(listen, "the simulated chat rooms", "--listen") {
            Ok(bound) => bound,
            Err(error) => return unusable(error),
        };
        let at = bound.address;
        let welcome = format!(
            "the simulated chat rooms are at http://{at}/; their statistics at http://{at}/stats"
        );
        serve(&welcome, |shutdown| rooms.serve(bound.listener, shutdown)).await
    }

    fn settings(self) -> Result<RoomsSettings, Outcome> {
        let section = "`simulator: { rooms: ... }`";
        let mut settings = read_settings(self.settings.as_ref(), section, Setup::read_rooms)?;
        settings.listen = self.listen.unwrap_or(settings.listen);
        settings.redis = self.redis.or(settings.redis);
        settings.support.agents = self.agents.unwrap_or(settings.support.agents);
        settings.seed = self.seed.unwrap_or(settings.seed);
        Ok(settings)
    }
}

impl SimulateBehaviour {
    async fn run(self) -> Outcome {
        let settings = match self.settings() {
            Ok(settings) => settings,
            Err(outcome) => return outcome,
        };
        let what = "the simulated behaviour service";
        let bound = match Bound::to(settings.listen, what, "--listen") {
            Ok(bound) => bound,
            Err(error) => return unusable(error),
        };
        let service = match BehaviourService::new(settings) {
            Ok(service) => service,
            Err(error) => return unusable(error),
        };
        let at = bound.address;
        let welcome = format!("{what} is at http://{at}; its statistics at http://{at}/stats");
        serve(&welcome, |shutdown| service.serve(bound.listener, shutdown)).await
    }

    fn settings(self) -> Result<BehaviourSettings, Outcome> {
        let section = "`simulator: { behaviour: ... }`";
        let mut settings = read_settings(self.settings.as_ref(), section, Setup::read_behaviour)?;
        settings.listen = self.listen.unwrap_or(settings.listen);
        settings.database = self.database.or(settings.database);
        settings.seed = self.seed.unwrap_or(settings.seed);
        Ok(settings)
    }
}

/// Serves until a signal, and then to its end or a second signal.
async fn serve<F: Future<Output = ()>>(
    welcome: &str,
    serve: impl FnOnce(CancellationToken) -> F,
) -> Outcome {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return unusable(no_signals(&error)),
    };
    tracing::info!("{welcome}");
    let shutdown = CancellationToken::new();
    let serving = serve(shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => {}
        () = signals.end() => {
            shutdown.cancel();
            let second = async {
                signals.settle().await;
                signals.second().await;
            };
            tokio::select! {
                () = &mut serving => {}
                () = second => return Outcome::Interrupted,
            }
        }
    }
    Outcome::Success
}

/// Reads a file with what stands under `section` in a configuration, or the settings of nothing.
fn read_settings<T>(
    path: Option<&PathBuf>,
    section: &str,
    read: impl FnOnce(&Node, &Problems) -> Option<T>,
) -> Result<T, Outcome> {
    let problems = Problems::default();
    let node = match path {
        Some(path) => read_configuration(path, &problems),
        None => parse_option("--settings", "{}"),
    };
    let node = node.map_err(|problem| report_problems(&[problem]))?;
    if OF_CONFIGURATION.iter().any(|key| node.find(key).is_some()) {
        let message = format!(
            "this is a configuration; --settings takes what stands in it under {section}, as a file of its own"
        );
        let place = Place::whole(node.place.source.clone());
        problems.add(&place, message);
        return Err(report_problems(
            &problems.into_result().err().unwrap_or_default(),
        ));
    }
    let settings = read(&node, &problems);
    problems
        .into_result()
        .map_err(|problems| report_problems(&problems))?;
    settings.ok_or(Outcome::Unusable)
}
