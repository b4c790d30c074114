//! A server's end of one connection on a thread of its own, which knows when it writes.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use rustls::{ServerConnection, StreamOwned};

use super::tls::server_config;

/// Plain TCP or TLS.
pub(in crate::driver) trait BlockingStream: Read + Write + Send {}

impl<S: Read + Write + Send> BlockingStream for S {}

pub(in crate::driver) fn accept(listener: &TcpListener, secure: bool) -> Box<dyn BlockingStream> {
    let (stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    if secure {
        let session = ServerConnection::new(server_config()).unwrap();
        Box::new(StreamOwned::new(session, stream))
    } else {
        Box::new(stream)
    }
}

/// Reads the head of a request.
pub(in crate::driver) fn read_head(stream: &mut dyn BlockingStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Writes in one go, so that it arrives in one segment.
pub(in crate::driver) fn write(stream: &mut dyn BlockingStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
    stream.flush().unwrap();
}
