//! Where cases are played: one runtime with a paused clock, a real server and a real driver.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, mpsc},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    time::{Instant, sleep_until},
};

use super::{
    super::*,
    model::{EARLY_FOR, SWEEP},
    script::{Address, Answer, Play, Trouble},
};
use crate::{
    callbacks::Request,
    event::{RunEvent, RunIdentity, RunObserver},
    record::{Boundaries, Metrics},
    scenario::{RunScope, Scope, StepId},
};

pub(super) struct Stage {
    runtime: Runtime,
    /// Making its clients anew for each case would take longer than the case.
    engine: Engine,
    target: Arc<Target>,
    server: Arc<Mutex<Server>>,
}

/// What the server knows: its answers by chat, and where the run wants its events.
#[derive(Default)]
struct Server {
    answers: Vec<Answer>,
    token: String,
}

pub(super) struct Played {
    pub(super) report: RunReport,
    pub(super) heard: Arc<Heard>,
    /// Counts in the real output that are not 0, without `chatprobe_`.
    pub(super) counts: BTreeMap<String, u64>,
    /// Gauges of chats right before the end of the run, which sets some of them right.
    pub(super) left: Vec<String>,
}

/// Sockets know nothing of a paused clock, which would run ahead while a request is on its way.
/// A blocking task in progress keeps it where it is.
#[derive(Default)]
struct Standstill(Mutex<Vec<mpsc::Sender<()>>>);

impl RunObserver for Standstill {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        match event {
            RunEvent::ChatStarted { .. } => {
                let (held, until_dropped) = mpsc::channel();
                tokio::task::spawn_blocking(move || until_dropped.recv());
                self.0.lock().unwrap().push(held);
            }
            RunEvent::StepEnded { step, .. } if *step == StepId::at(0) => {
                self.0.lock().unwrap().pop();
            }
            _ => {}
        }
    }
}

/// Looks at the metrics before they hear that the run has ended.
struct LastLook(Arc<Metrics>, Mutex<Vec<String>>);

impl RunObserver for LastLook {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        if matches!(event, RunEvent::Ended { .. }) {
            let mut names: Vec<_> = counts(&self.0.render().unwrap()).into_keys().collect();
            names.retain(|name| {
                ["chats_active", "chats_waiting", "agent_wait_oldest"]
                    .iter()
                    .any(|gauge| name.starts_with(gauge))
            });
            *self.1.lock().unwrap() = names;
        }
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let server = Arc::<Mutex<Server>>::default();
        let router = Router::new().fallback(answer).with_state(server.clone());
        let Bench { engine, target, .. } = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, router).await });
            Bench::against(Target::new("t", &url))
        });
        Self {
            runtime,
            engine,
            target,
            server,
        }
    }

    pub(super) fn play(&self, play: &Play) -> Played {
        *self.server.lock().unwrap() = Server {
            answers: play.answers.clone(),
            token: String::new(),
        };
        self.runtime.block_on(self.perform(play))
    }

    async fn perform(&self, play: &Play) -> Played {
        let metrics = Arc::new(Metrics::new(&Boundaries::default()).unwrap());
        let last_look = Arc::new(LastLook(metrics.clone(), Mutex::default()));
        let bench = self.bench(play, &metrics, last_look.clone());
        let elsewhere = path_of_an_earlier_run(&bench, play);
        let began = Instant::now();
        let run = bench.start(&play.scenario, &play.load);
        let exchange = &bench.engine.exchange;
        let post = async {
            for letter in &play.letters {
                sleep_until(began + ms(letter.at)).await;
                let token = match letter.to {
                    Address::Nowhere => "nowhere".to_owned(),
                    _ if letter.is_elsewhere() => elsewhere.clone(),
                    _ => self.server.lock().unwrap().token.clone(),
                };
                let (headers, body) = (HeaderMap::new(), letter.body());
                let request = Request::post(&headers, body);
                // Some letters are refused.
                let _ = exchange.deliver(&token, crate::arrival::Arrival::unstamped(), &request);
            }
        };
        let orders = async {
            for &(at, order) in &play.orders {
                sleep_until(began + ms(at)).await;
                // The run may be finishing or over.
                let _ = run.order(order).await;
            }
        };
        let all = async { tokio::join!(over(&run), post, orders).0 };
        let sweeps = async {
            let (period, first) = SWEEP;
            for number in 0.. {
                sleep_until(began + ms(first + number * period)).await;
                exchange.sweep(Instant::now());
            }
        };
        let report = tokio::select! {
            report = all => report,
            () = sweeps => unreachable!("it has no end"),
        };
        // What came after the end of the run.
        exchange.sweep(Instant::now() + ms(EARLY_FOR));
        Played {
            report,
            heard: bench.heard,
            counts: counts(&metrics.render().unwrap()),
            left: std::mem::take(&mut *last_look.1.lock().unwrap()),
        }
    }

    fn bench(&self, play: &Play, metrics: &Arc<Metrics>, before: Arc<LastLook>) -> Bench {
        let heard = Arc::new(Heard::new());
        let observers = Observers::default()
            .and_of_runs(Arc::new(Standstill::default()))
            .and_of_runs(heard.clone())
            .and_of_runs(before)
            .and(metrics.clone());
        let limits = CallbackLimits {
            early_for: ms(EARLY_FOR),
            ..CallbackLimits::default()
        };
        Bench {
            engine: Engine {
                exchange: Exchange::new(limits, observers.clone()),
                observers,
                ..self.engine.clone()
            },
            heard,
            target: self.target.clone(),
            mode: play.mode,
            thresholds: play.thresholds,
            seed: 1,
        }
    }
}

/// The callback of a run of the same that is over.
fn path_of_an_earlier_run(bench: &Bench, play: &Play) -> String {
    let RunSpec { identity, mix, .. } = bench.spec(&play.scenario, &play.load);
    let ChatSpec {
        scenario, target, ..
    } = mix.members()[0].chats.clone();
    let scope = Scope::of_run(Arc::new(RunScope::default()));
    let Engine {
        exchange,
        observers,
        ..
    } = &bench.engine;
    // It never ends, and only bursts are counted as long as they are in progress.
    let subject = Subject {
        mode: Mode::Probe,
        ..identity.subject.clone()
    };
    let run = Arc::new(RunIdentity::new("earlier".into(), subject, Trigger::Api));
    let observers = observers.of_run(&run, &scenario);
    let path = exchange.open(scenario, target, scope, observers);
    path.token().to_owned()
}

async fn answer(
    State(server): State<Arc<Mutex<Server>>>,
    uri: Uri,
    Json(told): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut server = server.lock().unwrap();
    let token = told["token"].as_str().unwrap().rsplit('/').next();
    token.unwrap().clone_into(&mut server.token);
    let chat: usize = uri.path().trim_start_matches('/').parse().unwrap();
    let Answer { key, trouble } = &server.answers[(chat - 1) % server.answers.len()];
    let mut body = json!({ "good": *trouble != Trouble::Expectation });
    if *trouble != Trouble::Capture {
        body["key"] = (*key).into();
    }
    let status = match trouble {
        Trouble::Status => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (status, Json(body))
}

/// Sums, buckets and times are no counts, and how a probe stands is none either. Since when the oldest
/// chat waits stays in: nothing waits in the end.
fn counts(text: &str) -> BTreeMap<String, u64> {
    let lines = text.lines();
    let series = lines.filter_map(|line| {
        let (series, value) = line.strip_prefix("chatprobe_")?.rsplit_once(' ')?;
        let name = series.split('{').next()?;
        let is_count = !name.ends_with("_bucket")
            && !name.ends_with("_sum")
            && !name.contains("_last_")
            && !name.starts_with("probe_")
            // How events are told apart is not modelled.
            && name != "callback_repeated_ids_total"
            // A request on an idle connection has other phases than one on a new one.
            && !name.starts_with("request_phase_")
            && !name.starts_with("host_")
            && name != "build_info";
        // Whole numbers are written as such.
        let value: u64 = value.split('.').next()?.parse().ok()?;
        (is_count && value > 0).then(|| (series.to_owned(), value))
    });
    series.collect()
}
