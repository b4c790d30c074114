//! Tracks that go on side by side, and what waits for others.

use std::{sync::Arc, time::Duration};

use super::{Counter, Ends};
use crate::scenario::{Expression, Item, Setting, Together, extent::Extent};

impl<'a> Counter<'a> {
    pub(super) fn count_together(&mut self, together: &'a Together) -> Extent {
        let applies = self.applies(together.when.as_ref());
        if applies.most == Some(0) {
            return Extent::NONE;
        }
        // Nobody knows how far the others are when one of them ends the chat.
        let mut items = together.tracks.iter().flat_map(|track| &track.items);
        let may_end = items.any(|item| item.has(|item| matches!(item, Item::End(_))));
        if applies.least == 0 || may_end {
            return self.count_uncertain(|counter| counter.count_tracks(together));
        }
        self.count_tracks(together)
    }

    fn count_tracks(&mut self, together: &'a Together) -> Extent {
        let before = self.captures.clone();
        let mut extent = Extent::NONE;
        let mut captured: Vec<Arc<str>> = Vec::new();
        let mut may_end = false;
        let begin = self.published.count();
        for track in &together.tracks {
            self.track = Some(track.name.clone());
            let around = std::mem::replace(&mut self.ends, Ends::No);
            extent = extent.beside(self.count_all(&track.items));
            may_end |= std::mem::replace(&mut self.ends, around) != Ends::No;
            // What it has captured is there for the others once all are over.
            let all = std::mem::replace(&mut self.captures, before.clone());
            let own = all.difference(&before);
            captured.extend(own.map(|name| Arc::from(format!("{}.{name}", track.name))));
        }
        self.track = None;
        // How long the other tracks stay is not known.
        let end = self.published.count();
        self.published.stay(begin, end, None);
        self.captures.extend(captured);
        if may_end {
            self.ends = Ends::Maybe;
        }
        extent
    }

    /// What waits for others and sends nothing.
    pub(super) fn count_wait(
        &mut self,
        when: Option<&'a Expression>,
        timeout: &Setting<Duration>,
    ) -> Extent {
        if self.applies(when).most == Some(0) {
            return Extent::NONE;
        }
        Extent {
            longest: self.time_of(timeout),
            ..Extent::NONE
        }
    }
}
