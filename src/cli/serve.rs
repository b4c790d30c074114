use secrecy::ExposeSecret as _;

use super::{
    Configuration, Outcome, no_signals,
    output::tell,
    report_problems,
    signals::{SignalRequest, Signals},
    unusable,
};
use crate::{
    config::Plan,
    service::{self, NewToken, SECTIONS, Service},
};

/// `chatprobe serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    #[command(flatten)]
    configuration: Configuration,
}

impl Default for Serve {
    fn default() -> Self {
        // Without a subcommand there are no arguments; the environment still counts.
        let config = std::env::var_os("CHATPROBE_CONFIG");
        Self {
            configuration: Configuration {
                config: config
                    .unwrap_or_else(|| "config/chatprobe.yaml".into())
                    .into(),
            },
        }
    }
}

impl Serve {
    pub(super) async fn run(self) -> Outcome {
        let plan = match Plan::load(&self.configuration.config, SECTIONS) {
            Ok(plan) => plan,
            Err(problems) => return report_problems(&problems),
        };
        // Before anything starts, so that no signal finds the process without an answer.
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return unusable(no_signals(&error)),
        };
        match service::create_token(&plan) {
            Ok(None) => {}
            Ok(Some(created)) => show_token(&created),
            Err(error) => return unusable(error),
        }
        let service = match Service::start(plan).await {
            Ok(service) => service,
            Err(error) => return unusable(error),
        };
        welcome(&service);
        let outcome = loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    SignalRequest::Reload => service.reload().await,
                    SignalRequest::End(_) => {
                        signals.settle().await;
                        break Outcome::Success;
                    }
                },
                () = service.broken() => break Outcome::Unusable,
            }
        };
        tracing::info!("ending: chats in progress may finish; a second signal ends at once");
        let scheduler = service.scheduler().clone();
        tokio::select! {
            ended = service.shut_down() => match ended {
                Ok(()) => {
                    tracing::info!("ended");
                    outcome
                }
                Err(error) => {
                    tracing::error!("{error}");
                    Outcome::Failed
                }
            },
            asked = signals.second() => {
                scheduler.give_up(asked).await;
                Outcome::Interrupted
            }
        }
    }
}

/// The one time that the token is shown: past the log, which is kept and read by others.
fn show_token(created: &NewToken) {
    tell(format_args!(
        "chatprobe: there was no admin token, so a new one is in `{}`. It is shown this once:\n\n    {}\n",
        created.path.display(),
        created.text.expose_secret()
    ));
}

/// Where to look first.
fn welcome(service: &Service) {
    let addresses = service.addresses();
    let web = addresses.web;
    tracing::info!(
        "chatprobe {} is running as process {}",
        env!("CARGO_PKG_VERSION"),
        std::process::id()
    );
    tracing::info!("  open      http://{web}/");
    tracing::info!("  metrics   http://{web}/metrics");
    tracing::info!("  admin API http://{web}/api/v1/openapi.json");
    tracing::info!("  callbacks http://{}/", addresses.callbacks);
    if let Some(simulator) = addresses.simulators.centre {
        tracing::info!("  simulator http://{simulator}/stats");
    }
    if let Some(rooms) = addresses.simulators.rooms {
        tracing::info!("  rooms     http://{rooms}/");
    }
    if let Some(behaviour) = addresses.simulators.behaviour {
        tracing::info!("  behaviour http://{behaviour}/stats");
    }
}
