//! web (a stand-in until the real one lands)
use crate::{config::Admin, record::Metrics, scheduler::Scheduler};
use std::{net::SocketAddr, path::Path, sync::Arc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
/// a
#[derive(Debug)]
pub struct Access;
/// a
#[derive(Debug, thiserror::Error)]
pub enum AccessError {}
impl Access {
    /// a
    pub fn from_environment(_: &Admin, _: &Path) -> Result<Self, AccessError> {
        Ok(Self)
    }
    /// a
    pub fn allows_listening_on(&self, _: SocketAddr) -> Result<(), AccessError> {
        Ok(())
    }
}
/// a
#[derive(Debug, Clone, Default)]
pub struct Readiness;
impl Readiness {
    /// a
    pub fn set_ready(&self) {}
    /// a
    pub fn set_closing(&self) {}
    /// a
    pub fn set_broken(&self, _: &'static str) {}
}
/// a
pub struct Web {
    metrics: Arc<Metrics>,
}
impl Web {
    /// a
    pub fn new(_: Scheduler, metrics: Arc<Metrics>, _: Access, _: Readiness) -> Self {
        Self { metrics }
    }
    /// a
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> std::io::Result<()> {
        let m = self.metrics;
        let app = axum::Router::new().route(
            "/metrics",
            axum::routing::get(move || {
                let m = m.clone();
                async move { m.render().unwrap_or_default() }
            }),
        );
        axum::serve(listener, app)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await
    }
}
