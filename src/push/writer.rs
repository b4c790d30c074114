//! Sends what waits to the receiver, a batch at a time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::Method;
use tokio::time::sleep;

use super::{
    PushSettings,
    address::PushFormat,
    counters::PushCounters,
    influx,
    queue::{PushEntry, PushQueue},
    remote_write,
    reply::Reply,
};
use crate::{
    driver::{HttpBody, HttpDriver, HttpRequest, HttpSession},
    event::PushLoss,
    line_budget::LineBudget,
    target::Redaction,
};

/// Samples of a batch, of which an entry alone may have more: what Prometheus itself sends at once.
const MOST_SAMPLES: u64 = 2_000;
/// What is read of an answer, in bytes.
const MOST_ANSWER: usize = 64 * 1024;
/// The first pause before a batch is sent again. Each following one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sends what waits to the receiver.
pub(super) struct PushWriter {
    settings: Arc<PushSettings>,
    headers: Vec<(String, String)>,
    redaction: Redaction,
    session: HttpSession,
    queue: Arc<PushQueue>,
    counters: Arc<PushCounters>,
    lines: LineBudget,
}

impl PushWriter {
    pub(super) fn new(
        settings: Arc<PushSettings>,
        http: &HttpDriver,
        queue: Arc<PushQueue>,
        counters: Arc<PushCounters>,
    ) -> Self {
        Self {
            headers: settings.headers(),
            redaction: settings.redaction(),
            session: http.client(&settings.endpoint()).session(),
            settings,
            queue,
            counters,
            lines: LineBudget::default(),
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) async fn write(mut self) {
        while let Some(entries) = self.queue.take(MOST_SAMPLES).await {
            self.deliver(&entries).await;
            self.queue.settle();
        }
    }

    /// Sends a batch until the receiver takes or refuses it.
    async fn deliver(&mut self, entries: &[PushEntry]) {
        let samples = entries.iter().map(PushEntry::samples).sum();
        let body: Bytes = match self.settings.receiver.format {
            PushFormat::Influx => influx::body(entries).into(),
            PushFormat::RemoteWrite => match remote_write::body(entries) {
                Ok(body) => body.into(),
                Err(error) => return self.refused(samples, &error.to_string()),
            },
        };
        let mut pause = FIRST_PAUSE;
        let mut failed = false;
        loop {
            match Reply::of(self.session.send(&self.request(body.clone())).await) {
                Reply::Taken => {
                    self.counters.write(samples);
                    if failed {
                        tracing::info!("results of runs reach {} again", self.receiver());
                    }
                    return;
                }
                Reply::Refused(why) => return self.refused(samples, &why),
                Reply::Later { why, after } => {
                    let why = self.redaction.redact(why);
                    self.counters.note_trouble(&why);
                    if !failed {
                        self.tell_outage(&why);
                    }
                    failed = true;
                    // Many who were turned away together must not come back together.
                    let own = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
                    sleep(after.unwrap_or_default().max(own)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.counters.retry();
                }
            }
        }
    }

    fn request(&self, body: Bytes) -> HttpRequest {
        HttpRequest {
            method: Method::POST,
            url: self.settings.receiver.url.clone(),
            headers: self.headers.clone(),
            query: Vec::new(),
            body: Some(HttpBody::Text(body)),
            timeout: self.settings.timeout,
            body_limit: Some(MOST_ANSWER),
            redirects: None,
            streams_events: false,
        }
    }

    fn refused(&mut self, samples: u64, why: &str) {
        self.counters.lose(PushLoss::Refused, samples);
        let why = self.redaction.redact(why.to_owned());
        self.counters.note_trouble(&why);
        if let Some(untold) = self.lines.admit() {
            tracing::error!(
                samples,
                untold,
                "{} refuses results of runs, which are lost: {why}",
                self.receiver(),
            );
        }
    }

    fn tell_outage(&mut self, why: &str) {
        if let Some(untold) = self.lines.admit() {
            tracing::warn!(
                untold,
                "{} does not take results of runs, which wait in memory: {why}",
                self.receiver(),
            );
        }
    }

    fn receiver(&self) -> String {
        self.settings.shown()
    }
}
