//! TCP connections to a host with several addresses.

use std::{
    fmt::Write,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    net::TcpSocket,
    time::{Instant, sleep},
};

use super::failure::TransportFailure;
use crate::{
    arrival::{self, StampedStream},
    descriptors::{self, Permit},
    plain_words,
};

/// How long one address is tried alone, if there is time for all of them: the recommended delay of
/// [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305), section 8.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection that was opened.
pub(super) struct Dialled {
    pub(super) stream: StampedStream,
    /// Belongs to the stream, as long as that is open.
    pub(super) permit: Permit,
    /// How long the address took to answer.
    pub(super) round_trip: Duration,
}

/// Connects to the first address that answers. They are tried in their order, the families in turn, each
/// a moment after the one before or as soon as that failed: one that does not answer costs a moment only.
pub(super) async fn dial(
    addresses: &[SocketAddr],
    local: Option<IpAddr>,
    time_left: Duration,
) -> Result<Dialled, TransportFailure> {
    let mut untried = addresses.iter();
    let shares = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let delay = ATTEMPT_DELAY.min(time_left / shares.saturating_add(1));
    let mut attempts = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        if let Some(&address) = untried.next() {
            attempts.push(async move {
                let result = attempt(address, local).await;
                result.map_err(|error| (address, error))
            });
        }
        let next = async {
            if untried.len() == 0 {
                std::future::pending::<()>().await;
            } else {
                sleep(delay).await;
            }
        };
        tokio::select! {
            biased;
            result = attempts.next() => match result {
                Some(Ok(answered)) => return Ok(answered),
                Some(Err(failure)) => failures.push(failure),
                None => return Err(all_failed(&failures)),
            },
            () = next => {}
        }
    }
}

/// The addresses that can be reached from the local address, the families in turn, beginning with that
/// of the first.
pub(in crate::driver) fn interleaved(
    addresses: Vec<SocketAddr>,
    local: Option<IpAddr>,
) -> Vec<SocketAddr> {
    let reachable =
        |address: &SocketAddr| local.is_none_or(|local| local.is_ipv4() == address.is_ipv4());
    let mut addresses: Vec<_> = addresses.into_iter().filter(reachable).collect();
    let Some(first) = addresses.first().copied() else {
        return addresses;
    };
    let count = addresses.len();
    let (one, other): (Vec<_>, Vec<_>) =
        (addresses.drain(..)).partition(|address| address.is_ipv4() == first.is_ipv4());
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut ordered = Vec::with_capacity(count);
    while ordered.len() < count {
        ordered.extend(one.next());
        ordered.extend(other.next());
    }
    ordered
}

async fn attempt(address: SocketAddr, local: Option<IpAddr>) -> io::Result<Dialled> {
    let permit = descriptors::acquire_outbound().await?;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let begun = Instant::now();
    let stream = socket.connect(address).await?;
    let round_trip = begun.elapsed();
    stream.set_nodelay(true)?;
    arrival::stamp(&stream);
    Ok(Dialled {
        stream: StampedStream::new(stream),
        permit,
        round_trip,
    })
}

/// Why none of them could be connected to.
fn all_failed(failures: &[(SocketAddr, io::Error)]) -> TransportFailure {
    let mut detail = String::new();
    for (address, error) in failures {
        let gap = if detail.is_empty() { "" } else { "; " };
        let why = plain_words::of_system(error);
        let written = write!(detail, "{gap}no connection to {address}: {why}");
        debug_assert!(written.is_ok(), "a string takes everything");
    }
    let ours = failures
        .iter()
        .any(|(_, error)| descriptors::are_exhausted(error));
    if ours {
        TransportFailure::exhausted(&detail)
    } else {
        TransportFailure::connect(&detail)
    }
}
