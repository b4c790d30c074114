//! The server's side of the protocol, byte by byte, so that a test can break every rule.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::driver::http::tests::server::Peer;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// Says that a frame ends its message.
pub(super) const FIN: u8 = 0x80;

/// A frame as a client sent it.
#[derive(Debug, PartialEq)]
pub(super) struct ClientFrame {
    pub(super) first_byte: u8,
    pub(super) payload: Vec<u8>,
}

impl ClientFrame {
    /// The code and the reason of a close frame.
    pub(super) fn close(&self) -> (u16, String) {
        assert_eq!(self.first_byte, FIN | CLOSE);
        let code = u16::from_be_bytes([self.payload[0], self.payload[1]]);
        (code, String::from_utf8(self.payload[2..].to_vec()).unwrap())
    }
}

/// The value of a header of a request.
pub(super) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = request.lines();
    let line = lines.find(|line| line.starts_with(&format!("{name}: ")))?;
    Some(&line[name.len() + 2..])
}

/// The head of a valid answer to a request, with these lines in it.
pub(super) fn switching(request: &str, more: &str) -> String {
    let key = header(request, "sec-websocket-key").unwrap();
    let joined = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, joined.as_bytes()));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: \
         {accept}\r\n{more}\r\n"
    )
}

/// Reads the request and answers with 101 and these lines; whether there was one.
pub(super) async fn switch<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<S>,
    more: &str,
) -> bool {
    let Some(request) = peer.request().await else {
        return false;
    };
    peer.write(switching(&request, more)).await
}

/// A frame of a server.
pub(super) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    if let Ok(short) = u8::try_from(payload.len())
        && short < 126
    {
        frame.push(short);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        frame.push(126);
        frame.extend(length.to_be_bytes());
    } else {
        frame.push(127);
        frame.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
    }
    frame.extend(payload);
    frame
}

/// A message of text in one frame.
pub(super) fn say(text: &str) -> Vec<u8> {
    frame(FIN | TEXT, text.as_bytes())
}

/// A close frame.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.as_bytes());
    frame(FIN | CLOSE, &payload)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Reads one frame; `None` if the client closed the connection.
    pub(super) async fn frame(&mut self) -> Option<ClientFrame> {
        let first_byte = self.stream.read_u8().await.ok()?;
        let second = self.stream.read_u8().await.ok()?;
        assert_ne!(second & 0x80, 0, "a frame of a client is masked");
        let length = match second & 0x7f {
            126 => u64::from(self.stream.read_u16().await.ok()?),
            127 => self.stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut mask = [0; 4];
        self.stream.read_exact(&mut mask).await.ok()?;
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Some(ClientFrame {
            first_byte,
            payload,
        })
    }

    /// Reads frames until one has these first bits.
    pub(super) async fn frame_like(&mut self, first_byte: u8) -> Option<ClientFrame> {
        loop {
            let frame = self.frame().await?;
            if frame.first_byte == first_byte {
                return Some(frame);
            }
        }
    }

    /// Waits until the client has closed the connection, whatever it says before.
    pub(super) async fn until_gone(&mut self) {
        while self.frame().await.is_some() {}
    }

    /// Sends back whatever comes, a close included.
    pub(super) async fn echo(&mut self) {
        while let Some(frame) = self.frame().await {
            let answer = self::frame(frame.first_byte, &frame.payload);
            if !self.write(answer).await || frame.first_byte == FIN | CLOSE {
                return;
            }
        }
    }

    /// Keeps the connection and reads nothing.
    pub(super) async fn ignore(self) {
        let _kept = self;
        std::future::pending::<()>().await;
    }
}

impl<S: AsyncWrite + Unpin> Peer<S> {
    /// Writes byte by byte.
    pub(super) async fn trickle(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.stream.write_all(&[*byte]).await.unwrap();
            self.stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
    }
}
