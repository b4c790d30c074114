use std::time::Duration;

/// No wait needs longer, and the clock cannot count much further.
pub(super) const FOREVER: Duration = Duration::from_hours(365 * 24);
