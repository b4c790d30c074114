//! The steps from which waits count, also those of other tracks.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::Track;
use crate::{runner::track_group::TrackGroup, scenario::StepId};

impl Track<'_> {
    /// Marks a step with a moment.
    pub(super) fn mark(&mut self, step: StepId, at: Instant) {
        match self.group() {
            Some((group, _)) => group.mark(step, at),
            None => self.timing.marks.set(step, at),
        }
    }

    /// The moment of a step, if it has passed.
    pub(super) fn marked(&self, step: StepId) -> Option<Instant> {
        match self.group() {
            Some((group, _)) => group.marked(step),
            None => self.timing.marks.of(step),
        }
    }

    /// From when a wait counts that answers a step of another track: it waits until that has passed. Without that by the
    /// deadline, or once the other tracks are over, it is the latest request of this one.
    pub(super) async fn await_mark(&self, step: StepId, deadline: Instant) -> Instant {
        let Some((group, position)) = self.group() else {
            return self.timing.last_sent;
        };
        let passed = until_some(group, || {
            let at = group.look_at(position, step);
            let is_certain = at.mark.is_some() || at.are_others_over;
            is_certain.then_some(at.mark)
        });
        let passed = timeout_at(deadline, passed).await.ok().flatten();
        passed.unwrap_or(self.timing.last_sent)
    }

    /// The latest pass of a step of another track which an event that arrived then answers. Its answer may overtake the
    /// event, so one that is in progress is waited for.
    pub(super) async fn await_later_mark(
        &self,
        step: StepId,
        arrived: Instant,
        deadline: Instant,
    ) -> Option<Instant> {
        let (group, position) = self.group()?;
        let over = until_some(group, || {
            let at = group.look_at(position, step);
            (!at.is_performed).then_some(())
        });
        // Without an outcome by then, the pass before it counts.
        let _ = timeout_at(deadline, over).await;
        group.marked(step).filter(|mark| *mark <= arrived)
    }

    /// Whether a capture of this track goes by this name outside of it.
    pub(super) fn is_known_as(&self, named: &str, capture: &str) -> bool {
        match self.group() {
            Some((group, position)) => {
                let own = named.strip_prefix(&*group.name(position));
                own.and_then(|own| own.strip_prefix('.')) == Some(capture)
            }
            None => named == capture,
        }
    }
}

/// Waits for changes of a group until there is something.
async fn until_some<T>(group: &Arc<TrackGroup>, mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        let mut changed = std::pin::pin!(group.changed());
        // What changes from here on is not missed.
        changed.as_mut().enable();
        if let Some(found) = look() {
            return found;
        }
        changed.await;
    }
}
