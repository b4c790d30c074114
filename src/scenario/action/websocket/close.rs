//! The end of a socket.

use std::{collections::BTreeMap, ops::RangeInclusive, pin::pin, sync::Arc, time::Duration};

use minijinja::Value as Variable;
use tokio::time::Instant;

use super::{SOCKET, read_one_socket};
use crate::{
    document::{Mapping, Node, Problems, Value},
    driver::{ClosedSocket, OnWire},
    scenario::{
        EvaluationError, Observation, Reason, Scope, Sessions, Template, View,
        action::{
            ActionReading, Performed, Sending, Task, Unperformed,
            chat_sockets::failed,
            kind::{ActionKind, StepKey},
        },
        look::{VisibleName, VisibleNames},
    },
};

/// `close: { code: 1000, reason: TEMPLATE }`, or `close:` alone.
#[derive(Debug)]
pub struct CloseAction {
    /// The name of the socket.
    pub socket: Arc<str>,
    code: u16,
    reason: Option<Template>,
}

/// The purpose of the connection is fulfilled.
const NORMAL: u16 = 1000;

/// Codes that may be sent ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455), section 7.4); the others say what
/// happened without a close frame, or have no meaning. 1014 is what a gateway says, never a client.
const CODES: [RangeInclusive<u64>; 3] = [1000..=1003, 1007..=1013, 3000..=4999];

/// Of a reason, in bytes.
const LONGEST_REASON: usize = 123;

/// What expressions see of an end.
struct ClosedView {
    closed: ClosedSocket,
    took: Duration,
}

impl ActionKind for CloseAction {
    const KEY: &'static str = "close";
    const STEP_KEYS: &'static [StepKey] = &[SOCKET];
    const LOOK: VisibleNames = VisibleNames {
        names: &[
            VisibleName::new(
                "closed",
                "it is known in `expect` and `capture` of a `close` step",
            )
            .with_fields(&["by", "code", "reason"]),
            VisibleName::new("elapsed", "it is known in `expect` and `capture`"),
        ],
        of_chat: true,
    };

    fn read(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<Self> {
        let socket = read_one_socket(Self::KEY, node, reading);
        let (code, reason) = match &node.value {
            Value::Null | Value::Boolean(true) => (NORMAL, None),
            _ => {
                let wanted = "nothing, or a mapping such as `{ code: 1000, reason: done }`";
                let mut map = Mapping::open(node, wanted, reading.problems)?;
                let [code, reason] = ["code", "reason"].map(|key| map.get(key));
                map.finish();
                let code = code.map_or(Some(NORMAL), |node| read_code(node, reading.problems));
                let reason = reason.map(|node| read_reason(node, reading));
                (code?, reason.map_or(Some(None), |it| it.map(Some))?)
            }
        };
        Some(Self {
            socket: socket?,
            code,
            reason,
        })
    }

    fn reasons(&self, _: Option<Observation>) -> Vec<Reason> {
        vec![Reason::Timeout, Reason::Closed, Reason::Protocol]
    }

    fn requests(&self) -> u64 {
        0
    }

    async fn perform(
        &self,
        sessions: &mut Sessions,
        task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        let reason = match &self.reason {
            Some(reason) => render_reason(reason, task.scope)?,
            None => String::new(),
        };
        let began = Instant::now();
        let on_wire = OnWire::default();
        let closed = {
            // A close that has not begun leaves the socket to the chat, which closes it at its end.
            let closing = pin!(async {
                on_wire.set();
                let socket = sessions.sockets.take(&self.socket)?;
                Ok::<_, Unperformed>(socket.close(self.code, &reason, task.timeout).await)
            });
            task.until.answered(closing, || on_wire.is_set()).await
        };
        let known_at = Instant::now();
        let took = known_at.saturating_duration_since(began);
        let performed = match closed {
            None => return Ok(Performed::without(Unperformed::Stopped)),
            Some(Err(why)) => return Ok(Performed::without(why)),
            Some(Ok(Ok(closed))) => Performed {
                view: Some(Arc::new(ClosedView { closed, took })),
                ..Performed::with(took)
            },
            Some(Ok(Err(failure))) => Performed::without(failed(&failure)),
        };
        Ok(Performed {
            sent: Some(Sending::at(began)),
            known_at: Some(known_at),
            ..performed
        })
    }
}

fn read_code(node: &Node, problems: &Problems) -> Option<u16> {
    let code = node.whole_number_in(0..=u64::from(u16::MAX), problems)?;
    if !CODES.iter().any(|codes| codes.contains(&code)) {
        problems.add(
            &node.place,
            format!("{code} cannot be sent; write 1000, or a code of the target from 3000 to 4999"),
        );
        return None;
    }
    u16::try_from(code).ok()
}

fn read_reason(node: &Node, reading: &ActionReading<'_, '_>) -> Option<Template> {
    let reason = Template::read(node, reading.names, reading.problems)?;
    if reason
        .as_plain()
        .is_some_and(|text| text.len() > LONGEST_REASON)
    {
        reading.problems.add(&node.place, too_long());
        return None;
    }
    Some(reason)
}

fn render_reason(reason: &Template, scope: &Arc<Scope>) -> Result<String, EvaluationError> {
    let text = reason.render(scope)?;
    if text.len() > LONGEST_REASON {
        return Err(EvaluationError {
            place: reason.place().clone(),
            message: too_long(),
            exceeded: false,
        });
    }
    Ok(text)
}

fn too_long() -> String {
    format!("the reason of a close has at most {LONGEST_REASON} bytes")
}

impl View for ClosedView {
    fn value_of(&self, name: &str) -> Option<Variable> {
        match name {
            "closed" => Some(
                BTreeMap::from([
                    ("by", Variable::from(self.closed.by.as_str())),
                    (
                        "code",
                        self.closed.code.map_or(Variable::from(()), Variable::from),
                    ),
                    ("reason", self.closed.reason.as_str().into()),
                ])
                .into(),
            ),
            "elapsed" => Some(self.took.as_secs_f64().into()),
            _ => None,
        }
    }

    fn describe(&self, _: &dyn Fn(&str) -> bool) -> String {
        format!("; {}", self.closed)
    }
}
