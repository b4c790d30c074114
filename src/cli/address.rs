use std::net::SocketAddr;

/// Reads where to listen: a numeric address and a port.
pub(super) fn listening_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().unwrap_or(text);
        let port = port.parse::<u16>().unwrap_or(4000);
        format!(
            "expected an address of this computer and a port, without a host name; write for instance `127.0.0.1:{port}`"
        )
    })
}
