//! What the WebSocket library says, in words for whoever reads why a chat failed.

use std::io::ErrorKind;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{
    Error,
    error::{CapacityError, ProtocolError},
    protocol::frame::coding::Data,
};

use super::closed::{ClosedBy, ClosedSocket, ClosedWhy};
use crate::plain_words;

/// Codes of close frames: RFC 6455, section 7.4.1.
const PROTOCOL_ERROR: u16 = 1002;
const NOT_TEXT: u16 = 1007;
const TOO_LARGE: u16 = 1009;

/// The end of a socket by this error.
pub(super) fn end_of(error: &Error, at: Instant) -> ClosedSocket {
    let (why, reason) = match error {
        Error::ConnectionClosed | Error::AlreadyClosed => (ClosedWhy::EndOfFile, String::new()),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            (ClosedWhy::EndOfFile, String::new())
        }
        // A TLS connection closed without its goodbye.
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            (ClosedWhy::EndOfFile, String::new())
        }
        Error::Io(error) => (ClosedWhy::Broken, plain_words::of_system(error)),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            let reason = format!("at least {size} bytes, and at most {max_size} are taken");
            (ClosedWhy::TooLarge, reason)
        }
        Error::Utf8(_) => (ClosedWhy::NotText, String::new()),
        Error::Protocol(error) => (ClosedWhy::Protocol, of_violation(error).to_owned()),
        error => (ClosedWhy::Protocol, error.to_string()),
    };
    let code = match why {
        ClosedWhy::TooLarge => Some(TOO_LARGE),
        ClosedWhy::NotText => Some(NOT_TEXT),
        ClosedWhy::Protocol => Some(PROTOCOL_ERROR),
        _ => None,
    };
    ClosedSocket {
        by: if code.is_some() {
            ClosedBy::Us
        } else {
            ClosedBy::Network
        },
        code,
        reason,
        at,
        why,
    }
}

fn of_violation(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::NonZeroReservedBits => {
            "its reserved bits are set, as with an extension that was not agreed on"
        }
        ProtocolError::MaskedFrameFromServer => "it is masked, which only those of clients are",
        ProtocolError::FragmentedControlFrame => "it is a ping, pong or close in fragments",
        ProtocolError::ControlFrameTooBig => "it is a ping, pong or close with more than 125 bytes",
        ProtocolError::UnknownControlFrameType(_)
        | ProtocolError::UnknownDataFrameType(_)
        | ProtocolError::InvalidOpcode(_) => "its type is not known",
        ProtocolError::UnexpectedContinueFrame => "it continues a message that was not begun",
        ProtocolError::ExpectedFragment(Data::Text | Data::Binary) => {
            "it begins a message before the one before is complete"
        }
        ProtocolError::ReceivedAfterClosing => "it comes after a close",
        ProtocolError::InvalidCloseSequence => "it is a close with half a code",
        _ => "it is not a valid frame",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_no_words_of_the_library() {
        let at = Instant::now();
        for error in [
            Error::ConnectionClosed,
            Error::Io(ErrorKind::ConnectionReset.into()),
            Error::Io(ErrorKind::UnexpectedEof.into()),
            Error::Utf8("invalid utf-8 sequence".to_owned()),
            Error::Protocol(ProtocolError::NonZeroReservedBits),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
            Error::Protocol(ProtocolError::UnknownDataFrameType(3)),
        ] {
            let closed = end_of(&error, at);
            assert!(!closed.reason.contains(&error.to_string()), "{closed}");
            assert_eq!(closed.code.is_some(), closed.by == ClosedBy::Us, "{closed}");
        }
    }
}
