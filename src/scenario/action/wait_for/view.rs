use std::{sync::Arc, time::Duration};

use minijinja::Value;

use crate::scenario::{View, action::frame::FrameView};

/// An inbound event, as expressions see it.
#[derive(Debug)]
pub struct EventView {
    /// What came.
    pub event: Value,
    /// The name by which expressions know it: see [`WaitAction::event_name`](super::WaitAction::event_name).
    pub name: &'static str,
    /// `elapsed`: from the request that it answers to its arrival.
    pub elapsed: Duration,
    /// What brought it, if the scenario looks at that.
    pub delivery: Option<Arc<Delivery>>,
}

/// The request that brought an event, as expressions see it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `method`.
    pub method: Value,
    /// `query`: the fields behind the `?` of its address.
    pub query: Value,
    /// `headers`, by names in lower case.
    pub headers: Value,
    /// `delivery`: all that it says, where it brings several events.
    pub whole: Value,
    /// `raw_body`: its body as it came, decompressed.
    pub raw_body: Value,
    /// What all this takes in memory, in bytes, besides the events that are kept with it.
    pub bytes: usize,
}

impl EventView {
    /// The name of an event that a callback brings.
    pub const EVENT: &str = "event";
}

impl View for EventView {
    fn value_of(&self, name: &str) -> Option<Value> {
        match name {
            _ if name == self.name => Some(self.event.clone()),
            "elapsed" => Some(self.elapsed.as_secs_f64().into()),
            _ => self.delivery.as_ref()?.value_of(name).cloned(),
        }
    }

    fn describe(&self, _: &dyn Fn(&str) -> bool) -> String {
        let event = match self.event.downcast_object_ref::<FrameView>() {
            Some(frame) => frame.shown(),
            None => serde_json::to_string(&self.event).unwrap_or_default(),
        };
        format!("; the {}: {event}", self.name)
    }
}

impl Delivery {
    fn value_of(&self, name: &str) -> Option<&Value> {
        Some(match name {
            "method" => &self.method,
            "query" => &self.query,
            "headers" => &self.headers,
            "delivery" => &self.whole,
            "raw_body" => &self.raw_body,
            _ => return None,
        })
    }
}
