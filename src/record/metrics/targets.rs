use std::time::SystemTime;

use prometheus::Gauge;

use super::{
    MetricsError,
    family::{Family, Maker},
    seconds_since_epoch,
};

/// What is known of targets whatever is asked of them.
pub(super) struct Targets {
    certificate_expiry: Family<Gauge>,
}

impl Targets {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            certificate_expiry: make.gauges(
                "chatprobe_target_certificate_expiry_timestamp_seconds",
                "Unix time at which the certificate expires that the target showed last; absent until it showed one.",
                &["target"],
            )?,
        })
    }

    pub(super) fn certificate_shown(&self, target: &str, expires: SystemTime) {
        let gauge = self.certificate_expiry.child(&[target]);
        gauge.set(seconds_since_epoch(expires));
    }

    /// Removes what is known of targets that are not kept.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.certificate_expiry.retain(|labels| keep(&labels[0]));
    }
}
