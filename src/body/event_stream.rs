//! Server-sent events, as they come in pieces.

use std::{mem, sync::Arc};

/// A byte order mark, which may stand in front of the first line.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// What a server said over an event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamedEvent {
    /// Its kind; `message` if the server does not say.
    pub event: String,
    /// Its lines of data, with a line feed in between.
    pub data: String,
    /// The id that the server gave last, for this one or one before.
    pub id: Arc<str>,
}

/// An event that is longer than may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {limit} bytes")]
pub struct EventTooLong {
    /// In bytes.
    limit: usize,
}

/// Reads an event stream by the standard (<https://html.spec.whatwg.org/multipage/server-sent-events.html>, 9.2.6).
///
/// It is our own because the libraries for it keep an event of any length.
#[derive(Debug)]
pub struct EventStreamReader {
    /// The longest event, in bytes, with its field names.
    limit: usize,
    /// The line that is not over.
    line: Vec<u8>,
    /// A line feed that comes next belongs to the end of line before it.
    skips_line_feed: bool,
    is_first_line: bool,
    event: String,
    data: String,
    has_data: bool,
    id: Arc<str>,
    /// Of the lines of the event that is not over.
    length: usize,
}

impl EventStreamReader {
    /// A reader of events of so many bytes at most.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            skips_line_feed: false,
            is_first_line: true,
            event: String::new(),
            data: String::new(),
            has_data: false,
            id: "".into(),
            length: 0,
        }
    }

    /// The events that are complete with these bytes. One that is not when the stream ends is none.
    ///
    /// # Errors
    /// An event is longer than the limit; `events` has those before it. Nothing is read from then on.
    pub fn read(
        &mut self,
        bytes: &[u8],
        events: &mut Vec<StreamedEvent>,
    ) -> Result<(), EventTooLong> {
        for byte in bytes {
            let follows_return = mem::take(&mut self.skips_line_feed);
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => {
                    self.skips_line_feed = *byte == b'\r';
                    events.extend(self.end_line());
                }
                byte => {
                    self.length += 1;
                    if self.length > self.limit {
                        return Err(EventTooLong { limit: self.limit });
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Option<StreamedEvent> {
        let line = mem::take(&mut self.line);
        if line.starts_with(b":") {
            // A comment belongs to no event, and some servers keep a stream alive with nothing else.
            self.length -= line.len();
            return None;
        }
        let is_first = mem::take(&mut self.is_first_line);
        let line = match line.strip_prefix(MARK) {
            Some(rest) if is_first => rest,
            _ => &line,
        };
        if line.is_empty() {
            return self.end_event();
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = value.into(),
            // It is none of ours.
            _ => {}
        }
        None
    }

    /// One without data says nothing.
    fn end_event(&mut self) -> Option<StreamedEvent> {
        self.length = 0;
        let (event, data) = (mem::take(&mut self.event), mem::take(&mut self.data));
        mem::take(&mut self.has_data).then(|| StreamedEvent {
            event: if event.is_empty() {
                "message".to_owned()
            } else {
                event
            },
            data,
            id: self.id.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(
        reader: &mut EventStreamReader,
        bytes: &[u8],
    ) -> Result<Vec<StreamedEvent>, EventTooLong> {
        let mut events = Vec::new();
        reader.read(bytes, &mut events).map(|()| events)
    }

    fn events(text: &str) -> Vec<(String, String, String)> {
        let events = read(&mut EventStreamReader::new(1_000), text.as_bytes()).unwrap();
        let parts = |event: StreamedEvent| (event.event, event.data, event.id.to_string());
        events.into_iter().map(parts).collect()
    }

    fn event(event: &str, data: &str, id: &str) -> (String, String, String) {
        (event.to_owned(), data.to_owned(), id.to_owned())
    }

    #[test]
    fn events_are_read_by_the_standard() {
        for (text, expected) in [
            ("data: a\n\n", vec![event("message", "a", "")]),
            (
                "data:a\ndata\ndata: b\n\n",
                vec![event("message", "a\n\nb", "")],
            ),
            (
                "data:  two spaces\n\n",
                vec![event("message", " two spaces", "")],
            ),
            ("event: token\ndata: x\n\n", vec![event("token", "x", "")]),
            (": keep-alive\n\nretry: 5\n\nevent: none\n\n", vec![]),
            (
                "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
                vec![
                    event("message", "a", "1"),
                    event("message", "b", "1"),
                    event("message", "c", ""),
                ],
            ),
            ("id: x\0y\ndata: a\n\n", vec![event("message", "a", "")]),
            (
                "\u{feff}data: a\n\n\u{feff}data: b\n\n",
                vec![event("message", "a", "")],
            ),
            (
                "data: a\r\ndata: b\r\n\r\n",
                vec![event("message", "a\nb", "")],
            ),
            (
                "data: a\r\rdata: b\r\r",
                vec![event("message", "a", ""), event("message", "b", "")],
            ),
            (
                "data: {\"a\": 1}\n\ndata: not over\n",
                vec![event("message", "{\"a\": 1}", "")],
            ),
            ("data\n\n", vec![event("message", "", "")]),
        ] {
            assert_eq!(events(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_event_is_no_longer_than_the_limit_and_those_before_do_not_count() {
        let mut reader = EventStreamReader::new(10);
        let two = read(&mut reader, b"data: 1234\n\ndata: 5678\n\n");
        assert_eq!(two.unwrap().len(), 2);
        let mut events = Vec::new();
        let too_long = reader.read(b"data: 12\n\ndata: 1\ndata", &mut events);
        assert_eq!(too_long, Err(EventTooLong { limit: 10 }));
        assert_eq!(events.len(), 1, "what was complete is not lost");
        let mut reader = EventStreamReader::new(10);
        assert!(read(&mut reader, b"data: 12345").is_err());
    }

    #[test]
    fn a_stream_may_be_kept_alive_with_comments_alone() {
        let mut reader = EventStreamReader::new(10);
        for _ in 0..100 {
            assert_eq!(read(&mut reader, b": ping\n"), Ok(Vec::new()));
        }
        assert_eq!(read(&mut reader, b"data: 1234\n\n").unwrap().len(), 1);
        assert!(read(&mut reader, b": longer than it").is_err());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_in_which_pieces_they_come(
            text in "(data: ?[a-c]{0,3}|event:x|id: 7|:c|\r|\n|\r\n){0,12}",
            cuts in prop::collection::vec(1_usize..6, 0..20),
        ) {
            let whole = read(&mut EventStreamReader::new(1_000), text.as_bytes()).unwrap();
            let mut reader = EventStreamReader::new(1_000);
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.extend(read(&mut reader, piece).unwrap());
                rest = after;
            }
            pieces.extend(read(&mut reader, rest).unwrap());
            prop_assert_eq!(pieces, whole);
        }

        #[test]
        fn bytes_of_any_kind_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&mut EventStreamReader::new(50), &bytes);
        }
    }
}
