use std::sync::Arc;

use hyper::HeaderMap;

use crate::{body::Received, driver::Cookies};

/// What a target answered to the opening of a socket.
#[derive(Debug, Clone)]
pub struct HandshakeAnswer {
    /// The status code: 101 if it opened the socket.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The subprotocol that the target chose.
    pub protocol: Option<String>,
    /// The beginning of its body; empty with 101.
    pub body: Received,
    /// The cookies of the opening with what the answer sets, if there were any.
    pub cookies: Option<Arc<Cookies>>,
}
