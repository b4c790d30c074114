//! How the requests on one path are read.

use std::{sync::Arc, time::Duration};

use minijinja::{Value, value::ValueKind};
use tokio::time::Instant;

use super::{CallbackRefusal, Request, key_registry::KeyRegistry};
use crate::{
    body::bytes_in_memory,
    event::Fate,
    inbox::{Identity, Inbound, Incoming, Owner},
    scenario::{
        Callbacks, Delivery, EventView, InboundSource, Scenario, Scope, VerificationAnswer,
        key_text, note_confidential,
    },
    target::Target,
};

/// Events in one delivery.
const MOST_EVENTS: usize = 1_000;
/// What is shown of the detail of a refusal, in characters.
const LONGEST_DETAIL: usize = 1_000;

/// The path of one run: whose its events are, and how they are read.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) owner: Arc<Owner>,
    pub(super) registry: Arc<KeyRegistry>,
    pub(super) scenario: Arc<Scenario>,
    pub(super) target: Arc<Target>,
    pub(super) scope: Scope,
}

/// What became of a request that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reception {
    /// Its events are on their way.
    Taken,
    /// It only asked whether this is the right receiver.
    Verified(VerificationAnswer),
}

/// A request that was refused, and why, for people.
pub(super) struct Refused {
    pub(super) refusal: CallbackRefusal,
    pub(super) reason: String,
}

impl From<CallbackRefusal> for Refused {
    fn from(refusal: CallbackRefusal) -> Self {
        let reason = refusal.to_string();
        Self { refusal, reason }
    }
}

impl Route {
    /// Takes a request whose body, decompressed, may have at most so many bytes. It is decompressed once, whatever
    /// becomes of it.
    pub(super) fn take(
        &self,
        arrived: Instant,
        request: &Request<'_>,
        most: usize,
    ) -> Result<Reception, Refused> {
        let Some(callbacks) = &self.scenario.callbacks else {
            return Err(CallbackRefusal::NoSuchPath.into());
        };
        let content = request.content(most)?;
        self.take_content(callbacks, arrived, request, &content)
            .map_err(|refusal| {
                let reason = self.explain(&refusal, request, &content);
                Refused { refusal, reason }
            })
    }

    /// Takes a request; `content` is its body without compression.
    fn take_content(
        &self,
        callbacks: &Callbacks,
        arrived: Instant,
        request: &Request<'_>,
        content: &[u8],
    ) -> Result<Reception, CallbackRefusal> {
        let read = request.event(content);
        let delivery = callbacks.looks_at_delivery().then(|| {
            let event = read.as_ref().ok().cloned().flatten();
            let raw_body = callbacks.looks_at_raw_body().then_some(content);
            Arc::new(request.as_seen(&event.unwrap_or_default(), raw_body))
        });
        if let Some(delivery) = &delivery
            && let Some(answer) = self.verify(callbacks, delivery)?
        {
            self.owner.verified();
            return Ok(Reception::Verified(answer));
        }
        let Some(event) = read? else {
            self.owner.verified();
            return Ok(Reception::Verified(VerificationAnswer::default()));
        };
        if let (Some(accept), Some(delivery)) = (&callbacks.accept, &delivery) {
            let accepted = accept.evaluate(&self.scope_of(event.clone(), Some(delivery)));
            match accepted {
                Ok(value) if value.is_true() => {}
                Ok(_) => return Err(CallbackRefusal::NotAccepted),
                Err(error) => return Err(CallbackRefusal::AcceptBroken(error.to_string())),
            }
        }
        let kept = delivery.filter(|_| callbacks.keeps_delivery());
        self.take_all(callbacks, event, arrived, kept)?;
        Ok(Reception::Taken)
    }

    /// Why a request was refused, for people. Details quote what expressions saw: they are shown without secrets of the
    /// target, and without what the request has under confidential names.
    fn explain(&self, refusal: &CallbackRefusal, request: &Request<'_>, content: &[u8]) -> String {
        let Some(detail) = refusal.detail() else {
            return refusal.to_string();
        };
        let mut values = request.confidential_values(content);
        note_confidential(detail, &mut values);
        let detail = self.target.redact_besides(detail.to_owned(), &values);
        let shown: String = detail.chars().take(LONGEST_DETAIL).collect();
        format!("{refusal}: {shown}")
    }

    fn scope_of(&self, event: Value, delivery: Option<&Arc<Delivery>>) -> Arc<Scope> {
        let mut scope = self.scope.clone();
        scope.look_at(Arc::new(EventView {
            event,
            name: EventView::EVENT,
            elapsed: Duration::ZERO,
            delivery: delivery.cloned(),
        }));
        Arc::new(scope)
    }

    /// The answer to a request that only asks whether this is the right receiver.
    fn verify(
        &self,
        callbacks: &Callbacks,
        delivery: &Arc<Delivery>,
    ) -> Result<Option<VerificationAnswer>, CallbackRefusal> {
        if callbacks.verify.is_empty() {
            return Ok(None);
        }
        let scope = self.scope_of(delivery.whole.clone(), Some(delivery));
        let mut verify = callbacks.verify.iter();
        let Some(found) = verify.find(|verification| verification.when.holds(&scope)) else {
            return Ok(None);
        };
        let answer = found.answer(&scope);
        answer
            .map(Some)
            .map_err(|error| CallbackRefusal::AnswerBroken(error.to_string()))
    }

    /// Takes the event or the events of a delivery.
    fn take_all(
        &self,
        callbacks: &Callbacks,
        event: Value,
        arrived: Instant,
        delivery: Option<Arc<Delivery>>,
    ) -> Result<(), CallbackRefusal> {
        let listed = self.listed(callbacks, &event, delivery.as_ref())?;
        let is_more = listed.is_some() && callbacks.keeps_whole();
        let delivery = delivery.map(|delivery| weighed(delivery, callbacks, is_more));
        let delivery = delivery.as_ref();
        match listed {
            None => self.take_one(callbacks, event, arrived, delivery),
            Some(events) => events
                .into_iter()
                .for_each(|event| self.take_one(callbacks, event, arrived, delivery)),
        }
        Ok(())
    }

    /// The events in a delivery that brings several; `None` if it is one event itself.
    fn listed(
        &self,
        callbacks: &Callbacks,
        event: &Value,
        delivery: Option<&Arc<Delivery>>,
    ) -> Result<Option<Vec<Value>>, CallbackRefusal> {
        if let Some(expression) = &callbacks.events {
            let scope = self.scope_of(event.clone(), delivery);
            let found = expression
                .evaluate(&scope)
                .map_err(|error| CallbackRefusal::EventsBroken(error.to_string()))?;
            if !found.is_undefined() && !found.is_none() {
                return split(&found).map(Some);
            }
        }
        if event.kind() != ValueKind::Seq {
            return Ok(None);
        }
        // A list that has no key of its own is as many events.
        let events = split(event)?;
        let scope = self.scope_of(event.clone(), delivery);
        let is_event = events.is_empty() || key(callbacks, &scope).is_some();
        Ok((!is_event).then_some(events))
    }

    fn take_one(
        &self,
        callbacks: &Callbacks,
        event: Value,
        arrived: Instant,
        delivery: Option<&Arc<Delivery>>,
    ) {
        let scope = self.scope_of(event.clone(), delivery);
        let Some(key) = key(callbacks, &scope) else {
            return self.owner.pass(&self.owner, Fate::Unknown);
        };
        let identity = callbacks.id.as_ref().and_then(|id| {
            let value = id.evaluate(&scope).ok()?;
            let there = !value.is_undefined() && !value.is_none();
            let text = || key_text(&value).unwrap_or_else(|| value.to_string());
            there.then(|| Box::new(Identity::of(text(), &event, &callbacks.volatile)))
        });
        let incoming = Incoming {
            inbound: Inbound {
                arrived,
                source: InboundSource::Callback,
                bytes: bytes_in_memory(&event),
                event,
                delivery: delivery.cloned(),
            },
            identity,
            through: self.owner.clone(),
        };
        self.registry.deliver(&key, incoming);
    }
}

/// A delivery as events are kept with it, and what it takes besides them. `is_more`: the events were found in what is
/// kept of it, so that it may be more than they are.
fn weighed(mut delivery: Arc<Delivery>, callbacks: &Callbacks, is_more: bool) -> Arc<Delivery> {
    let kept = Arc::make_mut(&mut delivery);
    // No expression looks at it once the delivery was accepted.
    kept.raw_body = Value::UNDEFINED;
    if !callbacks.keeps_whole() {
        kept.whole = Value::UNDEFINED;
    }
    let parts = [&kept.method, &kept.query, &kept.headers];
    let whole = is_more.then_some(&kept.whole);
    let parts = parts.into_iter().chain(whole);
    kept.bytes = size_of::<Delivery>() + parts.map(bytes_in_memory).sum::<usize>();
    delivery
}

fn key(callbacks: &Callbacks, scope: &Arc<Scope>) -> Option<String> {
    key_text(&callbacks.key.evaluate(scope).ok()?)
}

/// The events in a value: the elements of a list, and of lists within it; anything else is one.
fn split(value: &Value) -> Result<Vec<Value>, CallbackRefusal> {
    fn append(value: &Value, events: &mut Vec<Value>) -> Result<(), CallbackRefusal> {
        if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
            events.push(value.clone());
            return Ok(());
        }
        for element in value.try_iter().into_iter().flatten() {
            if events.len() >= MOST_EVENTS {
                return Err(CallbackRefusal::TooMany(MOST_EVENTS));
            }
            append(&element, events)?;
        }
        Ok(())
    }
    let mut events = Vec::new();
    append(value, &mut events)?;
    Ok(events)
}
