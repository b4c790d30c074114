//! How long a chat stays in its rooms behind the messages that it publishes, by its think times.

use std::{fmt, sync::Arc, time::Duration};

use crate::{document::Place, scenario::Step, units::duration};

/// A message behind which a chat may leave sooner than deliveries may take: what is lost of it is excused then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortStay {
    /// The step that publishes.
    pub step: Arc<str>,
    /// Where it is declared.
    pub place: Place,
    /// How long the chat stays for certain at most: its think times, and the timeouts of steps that go on without what
    /// they wait for. Other steps may pass at once.
    pub stays: Duration,
    /// How long a delivery may take.
    pub within: Duration,
}

/// What was published so far, in the order of the steps.
#[derive(Debug, Default)]
pub(super) struct Publications(Vec<Publication>);

#[derive(Debug)]
struct Publication {
    step: Arc<str>,
    place: Place,
    socket: Arc<str>,
    /// `None` where it is not known.
    stays: Option<Duration>,
    /// Nothing that follows counts: the socket is closed.
    is_over: bool,
    /// The same step publishes once more later, behind which the chat leaves sooner.
    is_repeated: bool,
}

impl Publications {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// A step is performed, for certain or perhaps, in a list of steps that began when there were so many.
    pub(super) fn pass(&mut self, step: &Step, is_certain: bool, begin: usize) {
        if let Some(socket) = step.action.publishes() {
            for known in self.0.iter_mut().rev() {
                if known.step == step.name && std::mem::replace(&mut known.is_repeated, true) {
                    break;
                }
            }
            self.0.push(Publication {
                step: step.name.clone(),
                place: step.place.clone(),
                socket: socket.clone(),
                stays: Some(Duration::ZERO),
                is_over: false,
                is_repeated: false,
            });
        }
        let ends = step.action.closes().or_else(|| step.action.connects());
        let Some(socket) = ends.filter(|_| is_certain) else {
            return;
        };
        for (at, publication) in self.0.iter_mut().enumerate() {
            if publication.socket == *socket && !publication.is_over {
                publication.is_over = true;
                // How much of the list around was performed before is not looked at.
                if at < begin {
                    publication.stays = None;
                }
            }
        }
    }

    /// Those from `begin` until before `end` were there when something was begun for which the chat stays so long.
    pub(super) fn stay(&mut self, begin: usize, end: usize, time: Option<Duration>) {
        for publication in &mut self.0[begin..end] {
            if !publication.is_over {
                let stays = publication.stays.zip(time);
                publication.stays = stays.map(|(stays, time)| stays.saturating_add(time));
            }
        }
    }

    /// Forgets those from `begin` on that were published once more since: of many rounds few are left.
    pub(super) fn forget_repeated(&mut self, begin: usize) {
        let mut place = 0..;
        self.0.retain(|publication| {
            let is_before = place.next().is_some_and(|place| place < begin);
            is_before || !publication.is_repeated
        });
    }

    /// Those behind which the chat stays for less than this.
    pub(super) fn shorter_than(self, within: Duration) -> Vec<ShortStay> {
        let last = self.0.into_iter().filter(|it| !it.is_repeated);
        let all = last.filter_map(|publication| {
            Some(ShortStay {
                step: publication.step,
                place: publication.place,
                stays: publication.stays.filter(|stays| *stays < within)?,
                within,
            })
        });
        all.collect()
    }
}

/// For people, with what to do.
impl fmt::Display for ShortStay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            place,
            stays,
            within,
        } = self;
        let [stays, within] = [stays, within].map(|time| duration::exact(*time));
        write!(
            f,
            "{place}: behind `{step}` a chat may leave the room after {stays}, sooner than deliveries take at most \
             (`within: {within}`), so losses of the last messages are excused and not counted; `think` for longer than \
             {within} before the socket is closed"
        )
    }
}
