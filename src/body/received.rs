//! How much there is of a body, and whether it can be used.

use bytes::Bytes;

use super::{Compression, CompressionError};

/// What is kept of a body that nobody looks at, or that cannot be used: enough for a failure to quote, in
/// bytes.
pub const KEPT_BYTES: usize = 8 * 1024;

/// A body as it was received.
#[derive(Debug, Clone)]
pub struct Received {
    kept: Bytes,
    length: u64,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    /// All of it is there, decompressed.
    Whole,
    /// All of it was received and its beginning is there, as it was received.
    Beginning(Compression),
    /// It cannot be used. In a box: that is rare.
    Unusable(Box<Unusable>),
}

/// Why a body cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is more of it than may be kept.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// It cannot be decompressed.
    #[error("{0}")]
    Compressed(#[from] CompressionError),
}

impl Unusable {
    /// Whether a higher limit might help.
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. } | Self::Compressed(CompressionError::TooLarge { .. })
        )
    }
}

impl Received {
    /// A body that is there as it was before it was sent.
    pub fn whole(body: Bytes) -> Self {
        Self {
            length: length(&body),
            kept: body,
            state: State::Whole,
        }
    }

    /// A body that arrived as a whole, decompressed to at most `limit` bytes.
    pub fn decompressed(
        body: Bytes,
        compression: Result<Compression, CompressionError>,
        limit: usize,
    ) -> Self {
        let compression = match compression {
            Ok(compression) if compression.is_none() || body.is_empty() => {
                return Self::whole(body);
            }
            Ok(compression) => compression,
            Err(error) => return Self::unusable(Bytes::new(), length(&body), error.into()),
        };
        match compression.decode(body.clone(), limit) {
            Ok(decoded) => Self::whole(decoded),
            Err(error) => {
                let length = length(&body);
                let beginning = compression.decode_beginning(body, KEPT_BYTES);
                Self::unusable(beginning, length, error.into())
            }
        }
    }

    /// The beginning of a body that had `length` bytes and that nobody looks at.
    pub fn beginning_of(
        mut kept: Bytes,
        length: u64,
        compression: Result<Compression, CompressionError>,
    ) -> Self {
        // Of what cannot be read there is nothing to show.
        let compression = compression.unwrap_or_else(|_| {
            kept.clear();
            Compression::default()
        });
        if compression.is_none() && self::length(&kept) == length {
            return Self::whole(kept);
        }
        kept.truncate(KEPT_BYTES);
        Self {
            kept,
            length,
            state: State::Beginning(compression),
        }
    }

    /// The beginning of a body that is longer than `limit` bytes, of which `length` were received.
    pub fn too_large(
        kept: Bytes,
        length: u64,
        compression: Result<Compression, CompressionError>,
        limit: usize,
    ) -> Self {
        let beginning = Self::beginning_of(kept, length, compression).beginning();
        Self::unusable(beginning, length, Unusable::TooLarge { limit })
    }

    fn unusable(kept: Bytes, length: u64, why: Unusable) -> Self {
        Self {
            kept,
            length,
            state: State::Unusable(Box::new(why)),
        }
    }

    /// All of it, if that is there.
    pub fn as_whole(&self) -> Option<&Bytes> {
        matches!(self.state, State::Whole).then_some(&self.kept)
    }

    /// What is there of it, decompressed as far as it can be.
    pub fn beginning(&self) -> Bytes {
        match &self.state {
            State::Beginning(compression) if !compression.is_none() => {
                compression.decode_beginning(self.kept.clone(), KEPT_BYTES)
            }
            State::Whole | State::Beginning(_) | State::Unusable(_) => self.kept.clone(),
        }
    }

    /// Its length in bytes: decompressed where it is whole, else as it was received.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Why it cannot be used, if it cannot.
    pub fn why_unusable(&self) -> Option<&Unusable> {
        match &self.state {
            State::Unusable(why) => Some(why),
            State::Whole | State::Beginning(_) => None,
        }
    }
}

fn length(body: &Bytes) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}
