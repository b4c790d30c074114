use std::io::Write;

use flate2::{
    Compression as Level,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use proptest::prelude::*;

use super::*;

const TEXT: &str = r#"{"text":"hello, hello, hello"}"#;

/// [`TEXT`], compressed by Node.js.
const BROTLI_TEXT: &[u8] = &[
    0x1b, 0x1d, 0x00, 0xf8, 0xa5, 0x45, 0x74, 0xf6, 0xfa, 0xa6, 0x24, 0x9b, 0x04, 0x93, 0x09, 0x88,
    0x00, 0x91, 0x29, 0x19, 0xea, 0x70,
];

/// 16 MiB of zeros, compressed by Node.js.
const BROTLI_BOMB: &[u8] = &[
    0xcb, 0xff, 0xff, 0x3f, 0xf8, 0x27, 0x00, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x2f, 0xff, 0xff,
    0xff, 0xf0, 0x4f, 0x00, 0xc4, 0x61, 0x11, 0x80, 0xee, 0xfd, 0x1f,
];

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Level::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Level::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn compression(header: &str) -> Compression {
    Compression::read([header.as_bytes()]).unwrap()
}

fn decode(header: &str, body: &[u8], limit: usize) -> Result<Bytes, CompressionError> {
    compression(header).decode(Bytes::copy_from_slice(body), limit)
}

#[test]
fn every_supported_coding_is_decoded() {
    let text = TEXT.as_bytes();
    for (header, body) in [
        ("gzip", gzip(text)),
        ("X-GZIP", gzip(text)),
        ("deflate", zlib(text)),
        ("deflate", raw_deflate(text)),
        ("br", BROTLI_TEXT.to_vec()),
        (" , gzip,", gzip(text)),
        ("deflate, gzip", gzip(&zlib(text))),
        ("identity, br, aws-chunked, gzip", gzip(BROTLI_TEXT)),
    ] {
        assert_eq!(decode(header, &body, 100).unwrap(), text, "{header}");
    }
}

#[test]
fn codings_of_several_headers_are_in_one_order() {
    let body = gzip(&zlib(TEXT.as_bytes()));
    let headers = [b"deflate".as_slice(), b"gzip"];
    let compression = Compression::read(headers).unwrap();
    assert_eq!(compression.decode(body.into(), 100).unwrap(), TEXT);
}

#[test]
fn a_body_without_compression_is_returned_without_a_copy() {
    for header in ["", "identity", "utf-8", "amz-1.0"] {
        let compression = compression(header);
        assert!(compression.is_none(), "{header}");
        let body = Bytes::from(TEXT);
        let decoded = compression.decode(body.clone(), 3).unwrap();
        assert_eq!(decoded.as_ptr(), body.as_ptr());
    }
    assert!(Compression::read([]).unwrap().is_none());
}

#[test]
fn an_empty_body_stays_empty() {
    assert_eq!(decode("gzip", b"", 10).unwrap(), "");
}

#[test]
fn members_of_gzip_follow_one_another_and_padding_is_ignored() {
    let mut body = gzip(b"one ");
    body.extend(gzip(b"two"));
    body.extend([0; 7]);
    assert_eq!(decode("gzip", &body, 100).unwrap(), "one two");
}

#[test]
fn a_result_may_be_as_long_as_the_limit_and_no_longer() {
    let text = vec![b'x'; 5000];
    let brotli = decode("br", BROTLI_TEXT, TEXT.len()).unwrap();
    assert_eq!(brotli.len(), TEXT.len());
    for (header, body) in [
        ("gzip", gzip(&text)),
        ("deflate", zlib(&text)),
        ("deflate", raw_deflate(&text)),
    ] {
        assert_eq!(decode(header, &body, 5000).unwrap(), text);
        let limit = 4999;
        let error = decode(header, &body, limit).unwrap_err();
        assert_eq!(error, CompressionError::TooLarge { limit }, "{header}");
    }
}

#[test]
fn a_bomb_is_refused_before_it_takes_memory() {
    let limit = 100_000;
    let once = gzip(&vec![0; 8 * 1024 * 1024]);
    let many: Vec<u8> = (0..1000).flat_map(|_| gzip(&[b'x'; 1000])).collect();
    let twice = gzip(&once);
    let cases = [
        ("gzip", &*once),
        ("gzip", &many),
        ("gzip, gzip", &twice),
        ("br", BROTLI_BOMB),
    ];
    for (header, body) in cases {
        let error = decode(header, body, limit).unwrap_err();
        assert_eq!(error, CompressionError::TooLarge { limit }, "{header}");
        assert_eq!(
            compression(header)
                .decode_beginning(Bytes::copy_from_slice(body), 10)
                .len(),
            10
        );
    }
}

#[test]
fn a_window_larger_than_brotli_has_is_refused() {
    // Window bits 0x11, 30: a large window, RFC 9841.
    let error = decode("br", &[0x11, 0x1e, 0, 0, 0, 0], 100).unwrap_err();
    assert!(
        matches!(error, CompressionError::Invalid { coding: "br", .. }),
        "{error}"
    );
}

#[test]
fn a_body_that_is_not_what_its_header_says_is_refused() {
    for header in ["gzip", "deflate", "br"] {
        let error = decode(header, b"\x07 is no beginning of any", 100).unwrap_err();
        let CompressionError::Invalid { coding, .. } = &error else {
            panic!("{header}: {error}");
        };
        assert_eq!(*coding, header);
    }
    let mut damaged = gzip(TEXT.as_bytes());
    let checksum = damaged.len() - 6;
    damaged[checksum] ^= 1;
    assert!(decode("gzip", &damaged, 100).is_err());
}

#[test]
fn a_body_whose_end_is_missing_is_refused_and_its_beginning_can_be_read() {
    let text = (0..2000)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(" ");
    for (header, body) in [
        ("gzip", gzip(text.as_bytes())),
        ("deflate", zlib(text.as_bytes())),
        ("deflate", raw_deflate(text.as_bytes())),
        ("deflate, gzip", gzip(&zlib(text.as_bytes()))),
    ] {
        let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
        let error = compression(header)
            .decode(half.clone(), 1 << 20)
            .unwrap_err();
        let CompressionError::Invalid { why, .. } = &error else {
            panic!("{header}: {error}");
        };
        assert_eq!(why, "its end is missing", "{header}");
        let beginning = compression(header).decode_beginning(half, 100);
        assert_eq!(beginning, text.as_bytes()[..100], "{header}");
    }
    let error = decode("br", &BROTLI_TEXT[..BROTLI_TEXT.len() - 4], 100).unwrap_err();
    assert!(
        matches!(error, CompressionError::Invalid { coding: "br", .. }),
        "{error}"
    );
}

#[test]
fn an_unsupported_coding_is_named() {
    let error = Compression::read([b"gzip, zstd".as_slice()]).unwrap_err();
    let coding = "zstd".to_owned();
    assert_eq!(error, CompressionError::Unsupported { coding });
    let error = Compression::read([b"gzip,gzip,gzip,gzip,gzip".as_slice()]).unwrap_err();
    assert_eq!(error, CompressionError::TooManyCodings);
}

proptest! {
    #[test]
    fn whatever_is_received_has_a_result_within_the_limit(
        header in "(gzip|deflate|br|, ?){1,4}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
        limit in 0..1000_usize,
    ) {
        if let Ok(compression) = Compression::read([header.as_bytes()]) && !compression.is_none() {
            let body = Bytes::from(body);
            if let Ok(decoded) = compression.decode(body.clone(), limit) {
                prop_assert!(decoded.len() <= limit);
            }
            prop_assert!(compression.decode_beginning(body, limit).len() <= limit);
        }
    }

    #[test]
    fn what_was_compressed_is_received_as_it_was(
        text in proptest::collection::vec(any::<u8>(), 0..2000),
    ) {
        for (header, body) in [("gzip", gzip(&text)), ("deflate", zlib(&text)), ("deflate", raw_deflate(&text))] {
            prop_assert_eq!(decode(header, &body, 2000).unwrap(), text.clone());
        }
    }
}
