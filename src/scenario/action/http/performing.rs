//! How a request is sent, and what its answer means for the step.

use std::{pin::pin, sync::Arc};

use tokio::time::Instant;

use super::{Answer, HttpAction, explain_failure, streaming::EventStream, traced::KeptHttp};
use crate::{
    driver::{
        AnswerStream, HttpAnswer, HttpFailure, HttpFailureKind, HttpRequest, HttpSession, OnWire,
        Phases,
    },
    scenario::{
        EvaluationError, Reason, SessionValues, Sessions, View,
        action::{
            chat_sockets::ConnectionEvents,
            performed::{Failed, Opened, Performed, Sending, Task, Unperformed},
        },
    },
};

/// What came of one request.
pub(super) struct SentOnce {
    pub(super) performed: Performed,
    /// The answer, if somebody looks at it.
    pub(super) answer: Option<Arc<Answer>>,
    /// Its body, if that is read while it comes.
    stream: Option<Box<AnswerStream>>,
}

impl HttpAction {
    /// Sends the request, and where its answer is a redirect to follow the next one.
    pub(super) async fn send(
        &self,
        session: &mut HttpSession,
        task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        let exchanged = self.send_one(0, session, task).await?;
        Ok(exchanged.performed)
    }

    /// Sends the request and has the event stream read with which it is answered.
    pub(super) async fn send_for_stream(
        &self,
        wanted: &EventStream,
        sessions: &mut Sessions,
        task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        let (new_connection, scope) = (task.new_connection, task.scope);
        let exchanged = self.send_one(0, &mut sessions.http, task).await?;
        let mut performed = exchanged.performed;
        if performed.result.is_err() {
            return Ok(performed);
        }
        let Some(stream) = exchanged.stream else {
            let detail = "the answer is no event stream that can be read while it comes: its `content-type` is not \
                          `text/event-stream`, or it is compressed";
            performed.result = Err(Unperformed::failed(Reason::Expectation, detail));
            return Ok(performed);
        };
        sessions.sockets.begin_stream(&wanted.step);
        let events = ConnectionEvents::new(new_connection(&wanted.step));
        sessions
            .sockets
            .keep_stream(wanted.open(stream, events, scope));
        Ok(performed)
    }

    /// The same as one request of a poll that has sent so many before.
    pub(super) async fn send_one(
        &self,
        polled_before: u32,
        session: &mut HttpSession,
        task: Task<'_>,
    ) -> Result<SentOnce, EvaluationError> {
        let request = Box::new(self.render(task.scope, task.timeout)?);
        let on_wire = OnWire::default();
        let result = {
            // Pinned here: it is large, and would be copied into the future that waits for it.
            let sending = pin!(session.send_watched(&request, &on_wire));
            let until = task.until;
            until.answered(sending, || on_wire.is_set()).await
        };
        let opened = opened(&request, result.as_ref()).filter(|_| on_wire.is_set());
        let mut stream = None;
        let (mut performed, answer) = match result {
            None => (Performed::without(Unperformed::Stopped), None),
            Some(Ok(mut answer)) => {
                stream = answer.stream.take();
                self.answered(answer, task.is_traced)
            }
            Some(Err(failure)) => (unanswered(&failure), None),
        };
        performed.opened = opened;
        performed.resent = session.take_resent();
        performed.sessions = session.cookies().map(|cookies| SessionValues {
            cookies: Some(cookies.clone()),
        });
        performed.kept = Some(Box::new(KeptHttp {
            request,
            resent: performed.resent,
            phases: (performed.sent).map_or_else(Phases::default, |sent| sent.phases),
            polled: self.poll.as_ref().map_or(0, |_| polled_before + 1),
            answer: answer.clone(),
        }));
        Ok(SentOnce {
            performed,
            answer,
            stream,
        })
    }

    fn answered(&self, answer: HttpAnswer, is_traced: bool) -> (Performed, Option<Arc<Answer>>) {
        let elapsed = answer.elapsed;
        let mut performed = Performed {
            sent: Some(Sending {
                at: answer.sent_at,
                waited: answer.waited,
                phases: answer.phases,
                certificate_expires: answer.certificate_expires,
                read_delay: answer.read_delay,
            }),
            known_at: Some(answer.sent_at + elapsed),
            mark: Some(answer.sent_at),
            ..Performed::with(elapsed)
        };
        let good = self.takes_status(answer.status);
        if good && !self.is_looked_at && !is_traced {
            return (performed, None);
        }
        let answer = Answer::new(answer.status, answer.headers, answer.body, elapsed)
            .after_redirects(answer.redirects);
        if !good {
            performed.result = Err(Unperformed::Failed(Box::new(Failed {
                reason: Reason::Status,
                detail: format!("answered {}", answer.describe_status()),
                quote: Some(answer.text().into_owned()),
                unreached_since: None,
            })));
        }
        let answer = Arc::new(answer);
        performed.view = Some(answer.clone() as Arc<dyn View>);
        (performed, Some(answer))
    }
}

/// What a request may have opened that the target may have seen.
fn opened(
    request: &HttpRequest,
    result: Option<&Result<HttpAnswer, HttpFailure>>,
) -> Option<Opened> {
    if request.method.is_safe() {
        return None;
    }
    match result {
        Some(Ok(answer)) if answer.status < 400 => Some(Opened::Accepted),
        Some(Ok(_)) => None,
        Some(Err(_)) | None => Some(Opened::Unanswered),
    }
}

fn unanswered(failure: &HttpFailure) -> Performed {
    let (reason, detail) = explain_failure(failure);
    let is_late = [HttpFailureKind::Connect, HttpFailureKind::Timeout].contains(&failure.kind);
    let could_be_sent = failure.kind != HttpFailureKind::BadRequest;
    Performed {
        sent: could_be_sent.then_some(Sending {
            at: failure.sent_at,
            waited: failure.waited,
            phases: failure.phases,
            certificate_expires: failure.certificate_expires,
            read_delay: None,
        }),
        known_at: Some(Instant::now()),
        ..Performed::without(Unperformed::Failed(Box::new(Failed {
            reason,
            detail,
            quote: None,
            unreached_since: is_late.then_some(failure.sent_at),
        })))
    }
}
