//! How a socket is opened, and what the answer of the target means for the step.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::ConnectAction;
use crate::{
    driver::{
        Cookies, FrameLimits, HandshakeAnswer, OnWire, OpenedSocket, Opening, PingSettings,
        SocketFailure, SocketFailureKind,
    },
    scenario::{
        EvaluationError, Scope, SessionValues, Sessions,
        action::{
            Performed, Sending, Task, Unperformed,
            chat_sockets::{ConnectionEvents, failed},
            websocket::{handshake::Handshake, watcher::Watcher},
        },
    },
};

impl ConnectAction {
    pub(super) async fn connect(
        &self,
        sessions: &mut Sessions,
        task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        let cookies = sessions.http.cookies();
        let opening = Box::new(self.opening(task.scope, task.timeout, cookies)?);
        let room = match &self.member_of {
            Some(room) => Some(Arc::from(room.render(task.scope)?)),
            None => None,
        };
        sessions.sockets.begin(&self.name);
        let events = ConnectionEvents::new((task.new_connection)(&self.name));
        let events = Arc::new(events);
        let name = self.name.clone();
        let watcher = Watcher::new(events.clone(), room, name, &self.rules, task.scope);
        let on_wire = OnWire::default();
        let result = {
            let opened = pin!(
                task.clients
                    .websocket
                    .open(&opening, Box::new(watcher), &on_wire)
            );
            task.until.answered(opened, || on_wire.is_set()).await
        };
        let Some(result) = result else {
            return Ok(Performed::without(Unperformed::Stopped));
        };
        let (performed, cookies) = match result {
            Ok(opened) => {
                let performed = performed(&opened);
                sessions.sockets.keep(&self.name, opened.socket, events);
                let cookies = opened.answer.cookies;
                (performed, cookies)
            }
            Err(failure) => self.refused(&failure),
        };
        Ok(keeping(performed, sessions, cookies))
    }

    fn opening(
        &self,
        scope: &Arc<Scope>,
        timeout: Duration,
        cookies: Option<&Arc<Cookies>>,
    ) -> Result<Opening, EvaluationError> {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| Ok((name.clone(), value.render(scope)?)));
        let protocols = self.protocols.iter().map(|protocol| protocol.render(scope));
        let heartbeats = self.rules.heartbeats_of(&self.name);
        let heartbeats = heartbeats.map(|heartbeat| heartbeat.interval(scope));
        let ping = match &self.ping {
            Some(ping) => Some(PingSettings {
                every: self.above_zero(ping.every.evaluate(scope)?)?,
                within: self.above_zero(ping.within.evaluate(scope)?)?,
            }),
            None => None,
        };
        Ok(Opening {
            url: self.url.render(scope)?,
            headers: headers.collect::<Result<_, EvaluationError>>()?,
            cookies: cookies.cloned(),
            protocols: protocols.collect::<Result<_, _>>()?,
            timeout,
            limits: self.limits(),
            ping,
            heartbeats: heartbeats.collect::<Result<_, _>>()?,
        })
    }

    fn limits(&self) -> FrameLimits {
        let limits = FrameLimits::default();
        FrameLimits {
            message: self.max_message.unwrap_or(limits.message),
            waiting: self
                .max_message
                .map_or(limits.waiting, |most| most.max(limits.waiting)),
            ..limits
        }
    }

    fn above_zero(&self, time: Duration) -> Result<Duration, EvaluationError> {
        if time.is_zero() {
            return Err(EvaluationError {
                place: self.place.clone(),
                message: "the times of `ping` are more than `0s`".to_owned(),
                exceeded: false,
            });
        }
        Ok(time)
    }

    /// What a socket comes to that was not opened, and the cookies that the target set meanwhile.
    fn refused(&self, failure: &SocketFailure) -> (Performed, Option<Arc<Cookies>>) {
        let could_be_sent = !matches!(failure.kind, SocketFailureKind::BadRequest);
        let known_at = Instant::now();
        let elapsed = known_at.saturating_duration_since(failure.sent_at);
        let answer: Option<&HandshakeAnswer> = match &failure.kind {
            SocketFailureKind::Status(answer) | SocketFailureKind::Handshake(answer) => {
                Some(answer)
            }
            _ => None,
        };
        let is_expected =
            self.expects_status && matches!(failure.kind, SocketFailureKind::Status(_));
        let performed = if is_expected {
            Performed {
                mark: Some(failure.sent_at),
                ..Performed::with(elapsed)
            }
        } else {
            Performed::without(failed(failure))
        };
        let performed = Performed {
            sent: could_be_sent.then_some(Sending {
                at: failure.sent_at,
                waited: failure.waited,
                phases: failure.phases,
                certificate_expires: failure.certificate_expires,
                read_delay: None,
            }),
            known_at: Some(known_at),
            view: answer.map(|answer| Arc::new(Handshake::new(answer, elapsed)) as _),
            ..performed
        };
        let cookies = answer.and_then(|answer| answer.cookies.clone());
        (performed, cookies)
    }
}

fn performed(opened: &OpenedSocket) -> Performed {
    Performed {
        sent: Some(Sending {
            at: opened.sent_at,
            waited: opened.waited,
            phases: opened.phases,
            certificate_expires: opened.certificate_expires,
            read_delay: opened.read_delay,
        }),
        known_at: Some(opened.sent_at + opened.elapsed),
        mark: Some(opened.sent_at),
        view: Some(Arc::new(Handshake::new(&opened.answer, opened.elapsed))),
        ..Performed::with(opened.elapsed)
    }
}

/// Keeps the cookies that the answer set, if cookies are kept.
fn keeping(
    performed: Performed,
    sessions: &mut Sessions,
    cookies: Option<Arc<Cookies>>,
) -> Performed {
    let Some(cookies) = cookies else {
        return performed;
    };
    sessions.http.keep(cookies.clone());
    Performed {
        sessions: Some(SessionValues {
            cookies: Some(cookies),
        }),
        ..performed
    }
}
