use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use prometheus::Gauge;

use super::{
    MetricsError,
    family::{Family, Maker},
    seconds_since_epoch,
};

/// What is known of targets whatever is asked of them.
pub(super) struct Targets {
    certificate_expiry: Family<Gauge>,
    /// The targets of the configuration; `None` without one.
    configured: RwLock<Option<BTreeSet<Arc<str>>>>,
}

impl Targets {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            certificate_expiry: make.gauges(
                "chatprobe_target_certificate_expiry_timestamp_seconds",
                "Unix time at which the certificate expires that the target showed last; absent until it showed one.",
                &["target"],
            )?,
            configured: RwLock::default(),
        })
    }

    /// A target showed a certificate, which expires then. A run may outlive its target in the configuration, and see it
    /// come back: nothing is shown of it in between.
    pub(super) fn certificate_shown(&self, target: &str, expires: SystemTime) {
        // Held over the change, so that a series is not made behind the back of `retain`.
        let configured = (self.configured.read()).unwrap_or_else(PoisonError::into_inner);
        let targets = configured.as_ref();
        if targets.is_none_or(|targets| targets.contains(target)) {
            let gauge = self.certificate_expiry.child(&[target]);
            gauge.set(seconds_since_epoch(expires));
        }
    }

    /// Removes what is known of targets that are not among these.
    pub(super) fn retain(&self, targets: BTreeSet<Arc<str>>) {
        let mut configured = (self.configured.write()).unwrap_or_else(PoisonError::into_inner);
        self.certificate_expiry
            .retain(|labels| targets.contains(&*labels[0]));
        *configured = Some(targets);
    }
}
