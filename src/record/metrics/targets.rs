use prometheus::Gauge;

use super::{
    MetricsError,
    family::{Family, Maker},
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

    /// When the certificate of a target expires, for a run that was shown one.
    pub(super) fn certificate_expiry(&self, target: &str) -> Gauge {
        self.certificate_expiry.child(&[target])
    }

    /// Removes what is known of targets that are not kept.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.certificate_expiry.retain(|labels| keep(&labels[0]));
    }
}
