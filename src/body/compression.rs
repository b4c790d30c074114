//! Decompression of a body according to its `Content-Encoding`, with a limit on the result.

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Read};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// Codings of one body, one applied to the result of the other. Nobody uses more than two.
const MOST_CODINGS: usize = 4;

/// Of the name of an unsupported coding in a message, in characters: it comes from outside.
const MOST_NAME: usize = 40;

/// What one coding may take of another when only the beginning is asked for, in bytes.
const BETWEEN_CODINGS: usize = 64 * 1024;

/// The input buffer of the brotli decoder, in bytes.
const BROTLI_BUFFER: usize = 4096;

/// The codings of a body, in the order in which they were applied.
///
/// The value for a body without any is made, and used, without an allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compression(Vec<Coding>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

/// A body that cannot be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// A compression that is not supported.
    #[error("it is compressed with `{coding}`; gzip, deflate and br are supported")]
    Unsupported {
        /// The name of the coding, shortened.
        coding: String,
    },
    /// More codings than anybody uses.
    #[error("it is compressed more than {MOST_CODINGS} times")]
    TooManyCodings,
    /// The result is larger than allowed. A few bytes can stand for gigabytes, so it is never made whole.
    #[error("it has more than {limit} bytes when decompressed")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The bytes are not what the header says, or not all of it.
    #[error("it is not valid {coding}: {why}")]
    Invalid {
        /// The name of the coding.
        coding: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Compression {
    /// Reads the values of all `Content-Encoding` headers of a message, in their order.
    ///
    /// A value that names no compression, such as `identity`, `aws-chunked` or `utf-8`, changes nothing.
    pub fn read<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, CompressionError> {
        let mut codings = Vec::new();
        for name in headers
            .into_iter()
            .flat_map(|value| value.split(|&byte| byte == b','))
        {
            let Some(coding) = Coding::named(name.trim_ascii())? else {
                continue;
            };
            if codings.len() == MOST_CODINGS {
                return Err(CompressionError::TooManyCodings);
            }
            codings.push(coding);
        }
        Ok(Self(codings))
    }

    /// Whether a body is as it was before it was sent.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The body before compression; it may have at most `limit` bytes.
    ///
    /// A body that is not compressed is returned as it is, whatever its size. So is an empty one: the
    /// answer to a HEAD request names the coding of a body that it does not have.
    pub fn decode(&self, body: Bytes, limit: usize) -> Result<Bytes, CompressionError> {
        if body.is_empty() {
            return Ok(body);
        }
        self.0.iter().rev().try_fold(body, |body, coding| {
            let mut text = Vec::new();
            match coding.expand(&body, limit.saturating_add(1), &mut text) {
                _ if text.len() > limit => Err(CompressionError::TooLarge { limit }),
                Ok(()) => Ok(text.into()),
                Err(error) => Err(coding.invalid(&error)),
            }
        })
    }

    /// What can be read of a body of which only the beginning, or a damaged form, is there: at most
    /// `most` bytes.
    pub fn decode_beginning(&self, body: Bytes, most: usize) -> Bytes {
        let mut beginning = self.0.iter().rev().fold(body, |body, coding| {
            let mut text = Vec::new();
            // What was decoded before the end or the damage is what is asked for.
            let enough = most.max(BETWEEN_CODINGS);
            coding.expand(&body, enough, &mut text).ok();
            text.into()
        });
        beginning.truncate(most);
        beginning
    }
}

impl Coding {
    /// `None` if the name stands for no compression.
    fn named(name: &[u8]) -> Result<Option<Self>, CompressionError> {
        let is = |names: &[&str]| {
            (names.iter()).any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        };
        Ok(Some(if is(&["gzip", "x-gzip"]) {
            Self::Gzip
        } else if is(&["deflate"]) {
            Self::Deflate
        } else if is(&["br"]) {
            Self::Brotli
        } else if is(&[
            "compress",
            "x-compress",
            "zstd",
            "dcb",
            "dcz",
            "bzip2",
            "xz",
            "lzma",
        ]) {
            let name = String::from_utf8_lossy(name);
            return Err(CompressionError::Unsupported {
                coding: name.chars().take(MOST_NAME).collect(),
            });
        } else {
            return Ok(None);
        }))
    }

    /// Appends what the bytes stand for, at most `most` bytes; they are there even if an error follows.
    fn expand(self, bytes: &[u8], most: usize, text: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Gzip => expand_gzip(bytes, most, text),
            Self::Deflate => expand_deflate(bytes, most, text),
            Self::Brotli => {
                let mut decoder = Decompressor::new(bytes, BROTLI_BUFFER);
                // With large windows, which the coding `br` does not have, a few bytes can ask for a gigabyte.
                decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
                read_most(decoder, most, text)
            }
        }
    }

    fn invalid(self, error: &io::Error) -> CompressionError {
        let why = match error.kind() {
            ErrorKind::UnexpectedEof => "its end is missing".to_owned(),
            _ => error.to_string(),
        };
        CompressionError::Invalid {
            coding: self.name(),
            why,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
        }
    }
}

/// Members may follow one another (RFC 1952, section 2.2); what follows them and is none, such as
/// padding, is ignored as browsers do.
fn expand_gzip(mut bytes: &[u8], most: usize, text: &mut Vec<u8>) -> io::Result<()> {
    const MAGIC: &[u8] = &[0x1f, 0x8b];
    loop {
        let mut decoder = GzDecoder::new(bytes);
        read_most(&mut decoder, most, text)?;
        bytes = decoder.into_inner();
        if text.len() >= most || !bytes.starts_with(MAGIC) {
            return Ok(());
        }
    }
}

/// By RFC 9110 `deflate` has a zlib header; many servers leave it out, and browsers accept both.
fn expand_deflate(bytes: &[u8], most: usize, text: &mut Vec<u8>) -> io::Result<()> {
    if !has_zlib_header(bytes) {
        return read_most(DeflateDecoder::new(bytes), most, text);
    }
    let before = text.len();
    read_most(ZlibDecoder::new(bytes), most, text).or_else(|error| {
        // One in a thousand streams without a header begins like one.
        let mut raw = Vec::new();
        read_most(DeflateDecoder::new(bytes), most - before, &mut raw).map_err(|_| error)?;
        text.truncate(before);
        text.append(&mut raw);
        Ok(())
    })
}

/// RFC 1950, section 2.2: method 8, a window of at most 32 KiB, and a checksum of the two bytes.
fn has_zlib_header(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8
            && method >> 4 <= 7
            && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

/// Reads on until there are `most` bytes.
fn read_most(decoder: impl Read, most: usize, text: &mut Vec<u8>) -> io::Result<()> {
    let left = most.saturating_sub(text.len());
    let left = u64::try_from(left).unwrap_or(u64::MAX);
    decoder.take(left).read_to_end(text).map(drop)
}
