//! Why the service cannot start.

use std::{io, net::SocketAddr};

use crate::{
    plain_words, record::MetricsError, scenario::DriverError, simulator, web::AccessError,
};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// An address is taken or is not ours.
    #[error(
        "cannot listen on {address} for {what}: {}; {}",
        plain_words::of_system(error),
        remedy(error, setting)
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What was to be served there.
        what: &'static str,
        /// The setting that names it.
        setting: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The admin API would be open to strangers, or its token cannot be had.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There are no metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Targets cannot be reached.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A thread that has to be cannot be started.
    #[error("cannot start a thread: {}", plain_words::of_system(.0))]
    Thread(io::Error),
    /// The simulator cannot be set up.
    #[error(transparent)]
    Simulator(#[from] simulator::Error),
}

/// What to do about an address on which nobody can listen.
fn remedy(error: &io::Error, setting: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("stop what listens there, or change `{setting}`"),
        io::ErrorKind::PermissionDenied => format!("take a port from 1024 on for `{setting}`"),
        io::ErrorKind::AddrNotAvailable => {
            format!("`ip address` lists the addresses that there are; change `{setting}`")
        }
        _ => format!("change `{setting}`"),
    }
}
