//! What was measured, however it is divided, adds up to the same.

use std::sync::LazyLock;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    event::{DeliveryEvent, Failure, Fate, RunEvent, Sent, StepOutcome},
    runner::{
        Pace, RunState, Sample,
        failed_frames::FailedFrames,
        measurements::Measurements,
        sample::AskedFor,
        snapshot::{RunNotes, RunOrigin, Snapshot},
    },
    scenario::{FrameKind, SocketEnd, SocketEvent, StepId},
    vitals::{Beat, Load},
};

const STEPS: &str = "
steps:
  - step: first
    http: { get: '{{ target.url }}' }
  - step: second
    http: { get: '{{ target.url }}' }
  - think: 1s
";

/// More than a report names.
const OTHER_RUNS: usize = 25;

/// Something that happens to a run, with numbers that are read as each kind needs them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happening {
    kind: u8,
    number: u64,
    micros: u64,
    /// Since what happened before.
    later: u64,
}

pub(super) fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    // Latencies of all lengths: histograms grow with them.
    let micros = (0_u32..26).prop_flat_map(|bits| 0..1_u64 << bits);
    let one = (0_u8..18, 0_u64..100, micros, 0_u64..20_000);
    let one = one.prop_map(|(kind, number, micros, later)| Happening {
        kind,
        number,
        micros,
        later,
    });
    vec(one, 1..200)
}

/// The run of these tests and others that share its target.
pub(in crate::runner) struct Stage {
    origin: Arc<RunOrigin>,
    others: Vec<Arc<RunIdentity>>,
}

pub(in crate::runner) static STAGE: LazyLock<Stage> = LazyLock::new(Stage::new);

impl Stage {
    fn new() -> Self {
        let mut bench = Bench::new();
        bench.thresholds = "[ { p95: 1s }, { failed: 10% }, { step: second, max: 20ms } ]";
        let spec = bench.spec(STEPS, "{ rate: 10/s, for: 10s }");
        let subject = &spec.identity.subject;
        let other = |_| RunIdentity::new("other".into(), subject.clone(), Trigger::Api);
        Self {
            others: (0..OTHER_RUNS).map(other).map(Arc::new).collect(),
            origin: Arc::new(RunOrigin {
                spec: spec.into(),
                started_at: jiff::Timestamp::UNIX_EPOCH,
            }),
        }
    }

    pub(in crate::runner) fn spec(&self) -> RunSpec {
        (*self.origin.spec).clone()
    }

    /// The event of what happens to this chat; `None` if it is none of a run.
    pub(super) fn event(&self, what: &Happening, chat: u64) -> Option<RunEvent> {
        let duration = Duration::from_micros(what.micros);
        let index = usize::try_from(what.number).unwrap();
        let other = Some(self.others[index % OTHER_RUNS].clone());
        let through = other.filter(|_| what.number > 10);
        let reason = Reason::ALL[index % Reason::ALL.len()];
        let step = StepId::at(index % 2);
        let correlation = vec![("id".into(), what.number.to_string())];
        Some(match what.kind {
            0 => RunEvent::ChatStarted { lateness: duration },
            1 | 2 => RunEvent::StepEnded {
                step,
                sent: (what.kind == 1).then(|| Sent {
                    late: duration / 7,
                    waited: duration / 3,
                    read_delay: (what.number > 50).then_some(duration / 5),
                    ..Sent::default()
                }),
                outcome: match what.number % 5 {
                    0 => StepOutcome::Failed(reason),
                    1 => StepOutcome::Stopped,
                    _ => StepOutcome::Passed(duration),
                },
            },
            3 | 4 => RunEvent::ChatEnded {
                chat,
                ending: match what.number % 4 {
                    0 => Ending::Stopped,
                    1 => Ending::Passed,
                    _ => Ending::Failed(Failure {
                        step: "first".into(),
                        reason,
                        detail: what.micros.to_string(),
                    }),
                },
                duration,
                correlation,
            },
            5 => RunEvent::RequestResent { step, times: 2 },
            6 => RunEvent::LeftOpen {
                chat,
                correlation,
                why: what.micros.to_string(),
            },
            7 => RunEvent::ArrivalDropped,
            8 if what.number < 20 => RunEvent::CallbackRead { delay: duration },
            8 => RunEvent::CallbackReceived { through },
            9 if what.number < 50 => RunEvent::CallbackHandedOver { through },
            9 => RunEvent::CallbackTakenOver { through },
            10 => RunEvent::CallbackSettled(Fate::ALL[index % Fate::ALL.len()]),
            11 | 12 => RunEvent::Socket(socket_event(what)),
            13..=15 => RunEvent::Deliveries(match what.number % 6 {
                0 => DeliveryEvent::Published {
                    expected: what.number,
                },
                1 => DeliveryEvent::Duplicate,
                2 => DeliveryEvent::Lost(what.number),
                3 => DeliveryEvent::Excused(what.number),
                4 => DeliveryEvent::Untracked(what.number),
                _ => DeliveryEvent::Delivered { latency: duration },
            }),
            _ => return None,
        })
    }

    pub(super) fn record(
        &self,
        part: &mut Measurements,
        what: &Happening,
        chat: u64,
        at: Duration,
    ) {
        let run = &self.origin.spec.identity;
        if let Some(event) = self.event(what, chat) {
            part.record(run, &event, || at);
        } else if what.number < 50 {
            part.scheduler_lag
                .record(Duration::from_micros(what.micros));
        } else {
            part.health.note(&beat(what));
        }
    }

    /// The report of a run that has ended, in which this was measured.
    fn report(&self, measured: Measurements) -> String {
        let snapshot = Snapshot {
            origin: self.origin.clone(),
            state: RunState::Ended,
            notes: RunNotes {
                ended: Some(s(11)),
                verdict: Some(Verdict::Passed),
                ..RunNotes::default()
            },
            elapsed: s(11),
            pace: Pace::default(),
            most_in_progress: 7,
            measured: Arc::new(measured),
            failed_frames: FailedFrames::default(),
        };
        serde_json::to_string_pretty(&snapshot.report()).unwrap()
    }

    fn nothing(&self) -> Measurements {
        Measurements::of(&self.origin.spec.mix)
    }
}

/// As if all of this had been measured in one second.
fn sample(measured: &Measurements) -> Sample {
    Sample::of(measured, AskedFor::default(), s(11), s(1), 7)
}

fn socket_event(what: &Happening) -> SocketEvent {
    let duration = Duration::from_micros(what.micros);
    let index = usize::try_from(what.number).unwrap();
    let kind = FrameKind::ALL[index % FrameKind::ALL.len()];
    match what.number % 6 {
        0 => SocketEvent::Opened,
        1 => SocketEvent::Closed {
            by: SocketEnd::ALL[index % SocketEnd::ALL.len()],
            code: (what.number > 10).then(|| 999 + u16::try_from(index / 4).unwrap()),
        },
        2 => SocketEvent::Received {
            kind,
            bytes: index,
            read_delay: (what.number > 50).then_some(duration),
        },
        3 => SocketEvent::Sent {
            kind,
            bytes: index,
            took: duration,
        },
        4 => SocketEvent::Ponged { after: duration },
        _ => SocketEvent::Dropped,
    }
}

fn beat(what: &Happening) -> Beat {
    #[expect(clippy::cast_precision_loss, reason = "a few million at most")]
    let share = what.micros as f64 / 67_108_864.0;
    let load = Load {
        user: share / 3.0,
        system: share / 7.0,
        memory: Some(what.micros * 1_001),
        host_busy: (what.micros & 1 > 0).then_some(share),
        cpu_wait: Some(share / 11.0),
        files: Some(what.number),
        sockets: None,
        run_queue: Some(what.number * 3),
        listen_overflows: what.number % 3,
        listen_drops: 0,
    };
    Beat {
        late: Duration::from_micros(what.micros),
        load: (what.number & 1 > 0).then_some(load),
    }
}

/// The same after it was written and read.
fn through_json(part: &Measurements) -> Measurements {
    let text = serde_json::to_string(part).unwrap();
    let read = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string::<Measurements>(&read).unwrap(), text);
    read
}

proptest! {
    #[test]
    fn parts_of_a_run_in_whatever_way_they_are_divided_and_merged_make_the_same_report(
        happenings in happenings(),
        // For each event who records it, and whether that begins another part; then which two parts are merged next.
        division in vec((0_usize..4, prop::bool::weighted(0.2)), 200),
        merging in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 400),
    ) {
        let stage = &*STAGE;
        let mut whole = stage.nothing();
        let mut recorders: Vec<_> = (0..4).map(|_| stage.nothing()).collect();
        let mut parts = Vec::new();
        let mut at = Duration::ZERO;
        for (chat, (what, (recorder, cut))) in (1..).zip(happenings.iter().zip(&division)) {
            at += Duration::from_micros(what.later);
            stage.record(&mut whole, what, chat, at);
            let part = &mut recorders[*recorder];
            if *cut {
                parts.push(through_json(part));
                part.clear();
                prop_assert!(part.is_empty());
            }
            stage.record(part, what, chat, at);
            prop_assert!(!part.is_empty());
        }
        parts.extend(recorders);
        let mut merging = merging.iter();
        while parts.len() > 1 {
            let (one, other) = merging.next().unwrap();
            let other = parts.swap_remove(other.index(parts.len()));
            let one = one.index(parts.len());
            parts[one].merge(&other);
        }
        let merged = through_json(&parts[0]);
        prop_assert_eq!(sample(&merged), sample(&whole));
        prop_assert_eq!(stage.report(merged), stage.report(whole));
    }

    #[test]
    fn merging_depends_on_neither_order_nor_grouping(
        happenings in vec(happenings(), 3),
    ) {
        let stage = &*STAGE;
        let mut chat = 0;
        let mut parts = happenings.iter().map(|happenings| {
            let mut part = stage.nothing();
            for what in happenings {
                chat += 1;
                stage.record(&mut part, what, chat, Duration::from_micros(what.later));
            }
            part
        });
        let [one, two, three] = [(); 3].map(|()| parts.next().unwrap());
        let merged = |parts: &[&Measurements]| {
            let mut sum = parts[0].clone();
            parts[1..].iter().for_each(|part| sum.merge(part));
            sum
        };
        let text = |part: &Measurements| serde_json::to_string(part).unwrap();
        let all = text(&merged(&[&one, &two, &three]));
        prop_assert_eq!(&all, &text(&merged(&[&three, &two, &one])));
        prop_assert_eq!(&all, &text(&merged(&[&one, &merged(&[&two, &three])])));
        // Nothing adds nothing.
        prop_assert_eq!(&all, &text(&merged(&[&stage.nothing(), &one, &Measurements::default(), &two, &three])));
    }
}
