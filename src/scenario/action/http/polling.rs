//! A request that is sent again until its answer says what the step waits for.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Answer, HttpAction, answer::ANSWER, performing::SentOnce};
use crate::{
    document::{Mapping, Node, Problems},
    driver::HttpSession,
    scenario::{
        EvaluationError, Expression, Names, Observation, Reason, Scope, Setting, View, WaitAction,
        action::performed::{Failed, Opened, Performed, Sending, Task, Unperformed, Until},
    },
    units::{counted, duration},
};

/// Between the beginnings of two requests, if the scenario asks for less.
const LEAST_BETWEEN: Duration = Duration::from_millis(1);

/// `poll: { until: body.agent is defined, every: 500ms }`.
#[derive(Debug)]
pub(super) struct Poll {
    /// What has to hold of an answer.
    until: Expression,
    /// From the beginning of one request to that of the next, or to its own answer if that takes longer.
    pub(super) every: Setting<Duration>,
    /// The reason of a step whose time is over before it holds.
    reason_late: Reason,
}

impl Poll {
    pub(super) fn read(node: &Node, names: &mut Names, problems: &Problems) -> Option<Self> {
        let wanted = "what is polled, such as `{ until: body.state == \"open\", every: 500ms }`";
        let mut map = Mapping::open(node, wanted, problems)?;
        names.look_at(&[&ANSWER]);
        let until = map.need("until");
        let until = until.and_then(|node| Expression::read(node, names, problems));
        names.look_at(&[]);
        let every = map.need("every");
        let every = every.and_then(|node| read_every(node, names, problems));
        map.finish();
        Some(Self {
            until: until?,
            every: every?,
            reason_late: Reason::Timeout,
        })
    }

    /// Learns what its step measures besides.
    pub(super) fn know_observation(&mut self, observed: Option<Observation>) {
        if observed.is_some() {
            self.reason_late = WaitAction::reason_late(observed);
        }
    }

    /// Whether it looks at this part of an answer.
    pub(super) fn mentions(&self, variable: &str) -> bool {
        self.until.mentions(variable)
    }

    /// The reasons for which it can fail besides those of a request.
    pub(super) fn reasons(&self) -> impl Iterator<Item = Reason> {
        let is_own = self.reason_late != Reason::Timeout;
        is_own.then_some(self.reason_late).into_iter()
    }

    /// Whether it holds of an answer, or why that cannot be told.
    fn holds(&self, answer: &Arc<Answer>, scope: &Arc<Scope>) -> Result<bool, Unperformed> {
        let mentions = |name: &str| self.mentions(name);
        if let Some(why) = answer.why_unusable(&mentions) {
            let detail = format!("`{}` cannot use {why}", self.until.source());
            return Err(Unperformed::failed(Reason::Expectation, detail));
        }
        let mut scope = (**scope).clone();
        scope.look_at(answer.clone());
        let holds = self.until.decide(&Arc::new(scope));
        holds.map_err(|error| Unperformed::failed(Reason::Template, error.to_string()))
    }

    /// Why the step fails whose time is over.
    fn late(&self, timeout: Duration, requests: u32, last: Option<&Answer>) -> Unperformed {
        let answered = last.map_or_else(String::new, |answer| {
            format!("; the last answer was {}", answer.describe_status())
        });
        Unperformed::Failed(Box::new(Failed {
            reason: self.reason_late,
            detail: format!(
                "`{}` did not hold within {}, in {}{answered}",
                self.until.source(),
                duration::exact(timeout),
                counted(requests.into(), "request"),
            ),
            quote: last.map(|answer| answer.text().into_owned()),
            unreached_since: None,
        }))
    }
}

fn read_every(node: &Node, names: &Names, problems: &Problems) -> Option<Setting<Duration>> {
    let every = Setting::read(node, names, problems)?;
    if matches!(every, Setting::Fixed(Duration::ZERO)) {
        problems.add(
            &node.place,
            "`every` is the time between two requests; it has to be above zero",
        );
        return None;
    }
    Some(every)
}

/// What the requests of a poll came to so far.
#[derive(Default)]
struct Polled {
    requests: u32,
    first_sent: Option<Sending>,
    opened: Option<Opened>,
    resent: u32,
    last_answer: Option<Arc<Answer>>,
}

impl Polled {
    fn add(&mut self, performed: &Performed, answer: Option<Arc<Answer>>) {
        self.requests += 1;
        self.first_sent = self.first_sent.or(performed.sent);
        self.opened = performed.opened.or(self.opened);
        self.resent += performed.resent;
        self.last_answer = answer.or_else(|| self.last_answer.take());
    }

    /// The last of them, as a step whose time is over.
    fn late(self, poll: &Poll, timeout: Duration, mut last: Performed) -> Performed {
        let why = poll.late(timeout, self.requests, self.last_answer.as_deref());
        last.result = Err(why);
        last.known_at = Some(Instant::now());
        self.whole(last)
    }

    /// The last of them, as what all of them came to.
    fn whole(self, mut last: Performed) -> Performed {
        last.polled = self.requests;
        last.opened = self.opened;
        last.resent = self.resent;
        if let Some(first) = self.first_sent {
            // The latency ends with the last answer, and so does what is known about its end.
            let read_delay = last.sent.and_then(|sent| sent.read_delay);
            last.sent = Some(Sending {
                read_delay,
                ..first
            });
            last.mark = last.mark.map(|_| first.at);
            if let (Ok(latency), Some(known_at)) = (&mut last.result, last.known_at) {
                *latency = known_at.saturating_duration_since(first.at);
            }
        }
        last
    }
}

impl HttpAction {
    /// Sends the request until its answer says what is waited for, an answer is none that the step takes, or its
    /// time is over.
    pub(super) async fn send_until(
        &self,
        poll: &Poll,
        session: &mut HttpSession,
        mut task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        let began = Instant::now();
        let every = poll.every.evaluate(task.scope)?.max(LEAST_BETWEEN);
        let mut polled = Polled::default();
        loop {
            let request_began = Instant::now();
            // What is computed for each request, such as `now`, is another time in each.
            let mut scope = (**task.scope).clone();
            scope.renew_moment();
            let scope = Arc::new(scope);
            let request = Task {
                scope: &scope,
                timeout: task.timeout.saturating_sub(began.elapsed()),
                is_traced: task.is_traced,
                clients: task.clients,
                new_connection: task.new_connection,
                until: Until {
                    stopped: task.until.stopped.as_mut(),
                    give_up: task.until.give_up.as_mut(),
                },
            };
            let SentOnce {
                performed: mut last,
                answer,
                ..
            } = self.send_one(polled.requests, session, request).await?;
            polled.add(&last, answer.clone());
            match (&last.result, answer) {
                (Ok(_), Some(answer)) => match poll.holds(&answer, &scope) {
                    Ok(true) => return Ok(polled.whole(last)),
                    Ok(false) => {}
                    Err(why) => {
                        last.result = Err(why);
                        return Ok(polled.whole(last));
                    }
                },
                (Err(why), _) if is_late(why) => {
                    return Ok(polled.late(poll, task.timeout, last));
                }
                _ => return Ok(polled.whole(last)),
            }
            let left = task.timeout.saturating_sub(began.elapsed());
            let pause = every.saturating_sub(request_began.elapsed()).min(left);
            tokio::select! {
                biased;
                () = task.until.stopped.as_mut() => {
                    last.result = Err(Unperformed::Stopped);
                    last.known_at = None;
                    return Ok(polled.whole(last));
                }
                () = sleep(pause) => {}
            }
            if began.elapsed() >= task.timeout {
                return Ok(polled.late(poll, task.timeout, last));
            }
        }
    }
}

/// Whether a request had no answer in its time.
fn is_late(why: &Unperformed) -> bool {
    match why {
        Unperformed::Failed(failed) => failed.reason == Reason::Timeout,
        Unperformed::Stopped => false,
    }
}
