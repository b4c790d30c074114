//! Where frames end in a stream of bytes, and what a close frame says.

use tokio_tungstenite::tungstenite::{Utf8Bytes, protocol::CloseFrame};

/// The longest header of a frame, in bytes: RFC 6455, section 5.2.
const LONGEST_HEADER: usize = 14;

/// The longest content of a control frame, in bytes: section 5.5.
const LONGEST_CONTROL: usize = 125;

/// Opcodes: section 5.2.
const CLOSE: u8 = 0x8;

/// Follows the frames of a stream as they are read, without a look at their contents, but for that of the first close
/// frame. Bytes that are not frames make no difference: the library refuses them.
#[derive(Debug, Default)]
pub(super) struct FrameBoundary {
    header: [u8; LONGEST_HEADER],
    /// How much of the header is there.
    known: usize,
    /// How much of the content is missing, once the header is there.
    missing: u64,
    /// Fragments of a message came, and not its last one.
    in_message: bool,
    /// What is missing belongs to the first close frame.
    in_close: bool,
    /// The content of the first close frame, as far as it was read. In a box: most sockets have none for most of their life.
    close: Option<Box<CloseContent>>,
}

#[derive(Debug)]
struct CloseContent {
    bytes: [u8; LONGEST_CONTROL],
    length: usize,
}

impl FrameBoundary {
    /// Whether what was read ends with a whole message.
    pub(super) fn is_reached(&self) -> bool {
        self.known == 0 && self.missing == 0 && !self.in_message
    }

    /// What the first close frame says, once its code was read, whether the code may be sent or not.
    pub(super) fn close_frame(&self) -> Option<CloseFrame> {
        let content = self.close.as_deref()?;
        let (code, reason) = content.bytes[..content.length].split_first_chunk()?;
        Some(CloseFrame {
            code: u16::from_be_bytes(*code).into(),
            reason: Utf8Bytes::from(String::from_utf8_lossy(reason).into_owned()),
        })
    }

    /// These bytes were read.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let content = usize::try_from(self.missing).unwrap_or(usize::MAX);
            let content = content.min(bytes.len());
            // It is no more than is missing.
            self.missing -= content as u64;
            if self.in_close
                && let Some(close) = &mut self.close
            {
                close.add(&bytes[..content]);
            }
            bytes = &bytes[content..];
            while self.missing == 0
                && let Some((byte, rest)) = bytes.split_first()
            {
                bytes = rest;
                self.header[self.known] = *byte;
                self.known += 1;
                if self.known == self.length_of_header() {
                    self.begin();
                    break;
                }
            }
        }
    }

    /// Of the header that is begun, as far as that can be told.
    fn length_of_header(&self) -> usize {
        if self.known < 2 {
            return 2;
        }
        let length = match self.header[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        length + mask
    }

    /// The header is there, and the content begins.
    fn begin(&mut self) {
        let [first, second, length @ ..] = self.header;
        self.missing = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([length[0], length[1]])),
            127 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&length[..8]);
                u64::from_be_bytes(bytes)
            }
            short => u64::from(short),
        };
        let is_control = first & 0x08 != 0;
        if !is_control {
            self.in_message = first & 0x80 == 0;
        }
        self.in_close = first & 0x0f == CLOSE && self.close.is_none();
        if self.in_close {
            self.close = Some(Box::new(CloseContent {
                bytes: [0; LONGEST_CONTROL],
                length: 0,
            }));
        }
        self.known = 0;
    }
}

impl CloseContent {
    /// What is more than a close frame may have is left out.
    fn add(&mut self, bytes: &[u8]) {
        let rest = &mut self.bytes[self.length..];
        let length = rest.len().min(bytes.len());
        rest[..length].copy_from_slice(&bytes[..length]);
        self.length += length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame and whether a message may end with it.
    fn frame(first: u8, length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![first];
        if length < 126 {
            frame.push(mask | u8::try_from(length).unwrap());
        } else if let Ok(length) = u16::try_from(length) {
            frame.push(mask | 0x7e);
            frame.extend(length.to_be_bytes());
        } else {
            frame.push(mask | 0x7f);
            frame.extend((length as u64).to_be_bytes());
        }
        frame.extend(vec![0xff; length + if masked { 4 } else { 0 }]);
        frame
    }

    fn frames() -> impl Strategy<Value = Vec<(u8, usize, bool)>> {
        let first = prop::sample::select(vec![0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8a]);
        let length = prop_oneof![
            0_usize..130,
            Just(125),
            Just(126),
            Just(65_535),
            Just(65_536)
        ];
        prop::collection::vec((first, length, any::<bool>()), 0..6)
    }

    proptest! {
        #[test]
        fn a_boundary_is_where_a_message_ends_however_it_is_read(
            frames in frames(),
            piece in 1_usize..70_000,
        ) {
            let mut in_message = false;
            let mut boundary = FrameBoundary::default();
            prop_assert!(boundary.is_reached());
            for (first, length, masked) in frames {
                let bytes = frame(first, length, masked);
                let all_but_one = bytes.len() - 1;
                for piece in bytes[..all_but_one].chunks(piece) {
                    boundary.pass(piece);
                }
                prop_assert!(!boundary.is_reached(), "a byte is missing");
                boundary.pass(&bytes[all_but_one..]);
                if first & 0x08 == 0 {
                    in_message = first & 0x80 == 0;
                }
                prop_assert_eq!(boundary.is_reached(), !in_message);
            }
        }

        #[test]
        fn a_close_frame_says_what_it_says_however_it_is_read(
            before in 0_usize..130,
            code in any::<u16>(),
            reason in "[a-zä]{0,60}",
            piece in 1_usize..200,
        ) {
            let mut bytes = frame(0x81, before, false);
            let mut content = code.to_be_bytes().to_vec();
            content.extend(reason.as_bytes());
            bytes.extend([0x88, u8::try_from(content.len()).unwrap()]);
            bytes.extend(content);
            // The first one counts.
            bytes.extend([0x88, 2, 0, 0]);
            let mut boundary = FrameBoundary::default();
            for piece in bytes.chunks(piece) {
                boundary.pass(piece);
            }
            let said = boundary.close_frame().unwrap();
            prop_assert_eq!((u16::from(said.code), said.reason.as_str()), (code, &*reason));
        }

        #[test]
        fn any_bytes_can_be_passed(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut apart = FrameBoundary::default();
            for part in &parts {
                apart.pass(part);
            }
            let mut together = FrameBoundary::default();
            together.pass(&parts.concat());
            prop_assert_eq!(apart.is_reached(), together.is_reached());
        }
    }
}
