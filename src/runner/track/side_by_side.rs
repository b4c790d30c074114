//! `together`: tracks of one chat that go on side by side.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{Interrupt, Track, stop_signal::StopSignal};
use crate::{
    inbox::{TrackSet, TrackWait},
    runner::track_group::TrackGroup,
    scenario::{NamedTrack, Together},
};

impl Track<'_> {
    pub(super) async fn together(&mut self, together: &Together) -> Result<(), Interrupt> {
        if !self.entry_applies("together", together.when.as_ref())? {
            return Ok(());
        }
        let group = self.chat.group();
        let mut tracks = self.begin_tracks(together, group);
        let ending = &self.context().ending;
        let result = tokio::select! {
            biased;
            // Before the tracks, so that each of them sees the end of the run as soon as others do.
            () = group.ending.follow(ending) => Ok(()),
            result = all_of(&mut tracks, &together.tracks, group) => result,
        };
        self.end_tracks(tracks, group);
        result
    }

    /// The tracks with what the chat knows so far, and what they had themselves.
    fn begin_tracks(&mut self, together: &Together, group: &Arc<TrackGroup>) -> Vec<(usize, Self)> {
        let positions = together.tracks.iter().map(|track| group.begin(&track.name));
        let positions: Vec<_> = positions.collect();
        let scope = Arc::make_mut(&mut self.scope);
        for (name, view) in group.views() {
            scope.capture(&name, view);
        }
        group.give_marks(std::mem::take(&mut self.timing.marks));
        let plans = || positions.iter().copied().zip(&together.tracks);
        let waiting = plans().filter(|(_, plan)| plan.waits_for_callbacks());
        let waiting = waiting.fold(TrackSet::default(), |all, (position, _)| all.with(position));
        plans()
            .map(|(position, plan)| {
                let mut track = self.begin_track(position, plan, group);
                track.rare().waits_as = Some(TrackWait::new(position, waiting));
                (position, track)
            })
            .collect()
    }

    fn begin_track(&mut self, position: usize, plan: &NamedTrack, group: &TrackGroup) -> Self {
        let mut scope = (*self.scope).clone();
        for (name, value) in group.captures(position) {
            scope.capture(&name, value);
        }
        let known = self.rare().tracks.remove(&position);
        let mut track = if let Some(mut track) = known {
            scope.set_sessions(track.scope.sessions().clone());
            track.scope = Arc::new(scope);
            track
        } else {
            let mut track = Self::new(self.chat, scope, self.grace);
            track.random = fastrand::Rng::with_seed(self.seed_of(&plan.name));
            track.timing.last_sent = self.timing.last_sent;
            track.rare().position = Some(position);
            track.stop = StopSignal::new(&self.chat.group().ending, self.grace);
            track
        };
        track.timing.due = self.timing.due;
        track.trace_beside(self);
        track
    }

    /// Goes on where the last of its tracks has come to, and keeps them.
    fn end_tracks(&mut self, tracks: Vec<(usize, Self)>, group: &TrackGroup) {
        self.timing.marks = group.take_marks();
        let mut noted = Vec::new();
        for (position, mut track) in tracks {
            noted.extend(track.tracing.take());
            self.timing.due = self.timing.due.max(track.timing.due);
            self.timing.last_sent = self.timing.last_sent.max(track.timing.last_sent);
            self.leftover.add(std::mem::take(&mut track.leftover));
            self.rare().tracks.insert(position, track);
        }
        self.add_traces(noted);
        if let Some(inbox) = &self.chat.inbox {
            inbox.drop_taken();
        }
    }

    /// Tracks of one chat must not draw the same sequence, and draw the same ones in each run with one seed.
    fn seed_of(&self, track: &str) -> u64 {
        // The hash FNV-1a.
        let hash = track.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.chat.seed() ^ hash
    }
}

/// Performs tracks side by side until all are over. The first failure ends the others.
async fn all_of(
    tracks: &mut [(usize, Track<'_>)],
    plans: &[NamedTrack],
    group: &TrackGroup,
) -> Result<(), Interrupt> {
    let mut running = FuturesUnordered::new();
    for ((position, track), plan) in tracks.iter_mut().zip(plans) {
        running.push(one_of(*position, track, plan, group));
    }
    let mut first = Ok(());
    while let Some(result) = running.next().await {
        if first.is_ok() && result.is_err() {
            // The end of the run reaches every track by itself, with its time for answers that are on their way.
            if !matches!(result, Err(Interrupt::Stopped)) {
                group.end_all();
            }
            first = result;
        }
    }
    first
}

async fn one_of(
    position: usize,
    track: &mut Track<'_>,
    plan: &NamedTrack,
    group: &TrackGroup,
) -> Result<(), Interrupt> {
    let result = track.perform_all(&plan.items).await;
    group.end(position);
    result
}
