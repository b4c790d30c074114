//! When bytes arrived at this machine, as its kernel stamped them, and how long they then waited to be read.
//!
//! A task that is polled late reads late, so the time of a read says as much about the machine as about the peer.
//! Linux stamps each segment as it arrives (`SO_TIMESTAMPNS` of socket(7)) and returns the stamp with the bytes.
//! A [`StampedStream`] asks for it at every read, and [`ArrivalClock`] is how whoever reads through TLS, HTTP or frames
//! on top of the stream learns of it.
//!
//! - Bytes that are read together have one stamp, that of the last segment among them: bytes before it arrived then
//!   or earlier. The end of a stream is a segment too.
//! - Over TLS a record can be used once its last segment is there, so the stamp is that of the end of the record, if
//!   nothing behind it was read together with it.
//! - Segments that arrived before one that was lost on the way wait in the kernel for its repetition. A stamp
//!   that is older than the last read which left nothing behind is therefore not taken.

mod clocks;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

pub use self::stream::{StampedStream, stamp};

/// When bytes arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When the last segment of the bytes arrived; where the kernel gave no stamp, when they were read.
    pub at: Instant,
    /// From then to the end of the read; `None` where the kernel gave no stamp.
    pub read_delay: Option<Duration>,
}

/// Of one stream, when the bytes arrived that were read last. Clones tell of the same stream.
#[derive(Debug, Clone, Default)]
pub struct ArrivalClock(Arc<Mutex<Option<Arrival>>>);

impl Arrival {
    /// Bytes of whose arrival nothing is known but that they have been read by now.
    pub fn unstamped() -> Self {
        Self {
            at: Instant::now(),
            read_delay: None,
        }
    }
}

impl ArrivalClock {
    /// The arrival of what was read last; of now, if nothing was.
    pub fn latest(&self) -> Arrival {
        let latest = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.unwrap_or_else(Arrival::unstamped)
    }

    fn note(&self, arrival: Arrival) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(arrival);
    }
}
