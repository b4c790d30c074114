//! What a plan declares to observers.

use std::time::Duration;

use super::*;
use crate::{
    event::{LatencyLimit, LimitSubject, Mode, Subject},
    scenario::{Observation, StepId},
};

const WAITS: &str = "
scenario: waits
callbacks: { key: event.key }
steps:
  - { step: open, http: { get: '{{ target.url }}/' }, capture: { key: body.key }, claim: key }
  - { step: join, wait_for: event.kind == 'joined', observe: agent_join }
";
const ASKS: &str =
    "{ scenario: asks, steps: [ { step: ask, http: { get: '{{ target.url }}/' } } ] }";
const PLAN: &str = "
targets: { t: { url: 'http://t' }, u: { url: 'http://u' } }
scenarios: [ waits.yaml, asks.yaml ]
probes:
  watch: { scenario: waits, target: t, every: 90s, objectives: { steps: { within: 700ms } } }
bursts:
  rush:
    scenario: waits
    target: u
    load: { chats: 1 }
    thresholds: [ { p95: 9s }, { step: join, p95: 8s }, { failed: 1% }, { step: open, p50: 2s } ]
";

#[test]
fn a_plan_declares_what_may_be_measured_and_by_which_limits() {
    let folder = TemporaryFolder::new();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("waits.yaml", WAITS);
    write("asks.yaml", ASKS);
    write("chatprobe.yaml", PLAN);
    let plan = Plan::load(&folder.path().join("chatprobe.yaml"), SECTIONS).unwrap();
    let declarations = plan.declarations();
    let subject = |scenario: &str, target: &str, mode| Subject {
        scenario: scenario.into(),
        target: target.into(),
        mode,
    };

    let [probe] = &*declarations.probes else {
        panic!("{declarations:?}");
    };
    assert_eq!(probe.subject, subject("waits", "t", Mode::Probe));
    assert_eq!(probe.every, Duration::from_secs(90));
    assert_eq!(probe.objectives.steps.within, Duration::from_millis(700));
    assert!(probe.scenario.callbacks && probe.scenario.agent_join);
    let steps = probe.scenario.steps.iter();
    let steps: Vec<_> = steps
        .map(|step| (&*step.name, step.observes, step.is_request))
        .collect();
    let join = Some(Observation::AgentJoin);
    assert_eq!(steps, [("open", None, true), ("join", join, false)]);

    let [burst] = &*declarations.bursts else {
        panic!("{declarations:?}");
    };
    assert_eq!(&*burst.name, "rush");
    assert_eq!(burst.subject, subject("waits", "u", Mode::Burst));
    let limit = |step: Option<usize>, seconds| LatencyLimit {
        subject: step.map_or(LimitSubject::Chats, |step| {
            LimitSubject::Step(StepId::at(step))
        }),
        within: Duration::from_secs(seconds),
    };
    let limits = [limit(None, 9), limit(Some(1), 8), limit(Some(0), 2)];
    let [member] = &*burst.members else {
        panic!("{burst:?}");
    };
    assert_eq!(
        (&member.subject, &*member.limits),
        (&burst.subject, &limits[..])
    );
    assert!(!burst.is_mixed());
    let about_join = limits.map(|limit| member.scenario.is_about_join(&limit));
    assert_eq!(about_join, [false, true, false]);

    for (scenario, target, mode, may) in [
        ("waits", "t", Mode::Probe, true),
        ("waits", "u", Mode::Probe, false),
        ("asks", "t", Mode::Burst, true),
        ("asks", "v", Mode::Burst, false),
        ("none", "t", Mode::Burst, false),
    ] {
        let subject = subject(scenario, target, mode);
        assert_eq!(declarations.may_measure(&subject), may, "{subject:?}");
    }
}
