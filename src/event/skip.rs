/// Why a probe skipped a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The last chat was still running.
    Overlap,
    /// The probe is paused.
    Paused,
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Overlap, Self::Paused];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Paused => "paused",
        }
    }
}
