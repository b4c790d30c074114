//! What a scenario performs, in the order in which its captures come to be known.

use std::{sync::Arc, time::Duration};

use super::{Item, Pause, Setting, SocketRules, names::Section, steps::StepReader};
use crate::document::{Mapping, Node, Problems, Value};

/// The lists of steps of a scenario, with what belongs to their course.
pub(super) struct Flow {
    pub(super) setup: Vec<Item>,
    /// `None` if there are none, which has been noted.
    pub(super) steps: Option<Vec<Item>>,
    pub(super) always: Vec<Item>,
    pub(super) teardown: Vec<Item>,
    pub(super) deadline: Option<Setting<Duration>>,
    pub(super) loop_delay: Option<Pause>,
    pub(super) correlation: Vec<Arc<str>>,
    pub(super) sockets: Arc<SocketRules>,
}

impl Flow {
    /// Reads each part with the names that are known there: chats know what the setup captured, and the
    /// teardown knows nothing of chats. `scenario`: the document that `map` has opened.
    pub(super) fn read(
        map: &mut Mapping<'_>,
        scenario: &Node,
        reader: &mut StepReader<'_>,
    ) -> Self {
        let problems = reader.problems;
        let setup = map.get("setup").map(|node| reader.read_list(node));
        let of_setup = reader.names.captured().clone();
        let loop_delay = map
            .get("loop_delay")
            .and_then(|node| Pause::read(node, None, &reader.names, problems));
        reader.names.enter(Section::Chat);
        let deadline = map
            .get("deadline")
            .and_then(|node| Setting::read(node, &reader.names, problems));
        let sockets = Arc::new(SocketRules::read(
            map,
            scenario,
            &mut reader.names,
            problems,
        ));
        reader.rules = sockets.clone();
        let steps = map.need("steps").map(|node| {
            refuse_no_steps(node, problems);
            reader.read_list(node)
        });
        reader.names.enter(Section::Cleanup);
        let always = map.get("always").map(|node| reader.read_list(node));
        sockets.check(&reader.all_sockets(), problems);
        reader.names.enter(Section::Teardown);
        reader.names.forget_captures_but(of_setup);
        let teardown = map.get("teardown").map(|node| reader.read_list(node));
        let correlation = map
            .get("correlation")
            .map(|node| reader.read_correlation(node));
        Self {
            setup: setup.unwrap_or_default(),
            steps,
            always: always.unwrap_or_default(),
            teardown: teardown.unwrap_or_default(),
            deadline,
            loop_delay,
            correlation: correlation.unwrap_or_default(),
            sockets,
        }
    }
}

fn refuse_no_steps(node: &Node, problems: &Problems) {
    if matches!(&node.value, Value::List(list) if list.is_empty()) {
        problems.add(&node.place, "a scenario needs at least one step here");
    }
}
