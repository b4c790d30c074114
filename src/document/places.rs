use std::cell::OnceCell;

use super::{Node, Place, Value};

/// So many bytes of a text lie between two columns that are remembered.
const STRIDE: usize = 1_024;

/// The places of the characters of a node's text. To ask for many of them takes no longer for a long text: it is
/// counted once.
#[derive(Debug)]
pub struct Places<'a> {
    node: &'a Node,
    /// How many characters stand in front of every [`STRIDE`]th byte, rounded down to the beginning of a character.
    columns: OnceCell<Vec<usize>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(node: &'a Node) -> Self {
        Self {
            node,
            columns: OnceCell::new(),
        }
    }

    /// The place of the character `offset` bytes into the text.
    pub fn at(&self, offset: usize) -> Place {
        let place = &self.node.place;
        match (self.node.text_begins, &self.node.value) {
            (Some(begin), Value::Text(text)) if text.is_char_boundary(offset) => {
                place.right(begin + self.characters(text, offset))
            }
            (Some(begin), Value::Text(_)) => place.right(begin),
            _ => place.clone(),
        }
    }

    /// How many characters stand in front of a byte.
    fn characters(&self, text: &str, offset: usize) -> usize {
        let columns = self.columns.get_or_init(|| {
            let mut counted = 0;
            let mut columns = vec![counted];
            for stride in 1..=text.len() / STRIDE {
                counted += between(text, (stride - 1) * STRIDE, stride * STRIDE);
                columns.push(counted);
            }
            columns
        });
        let stride = offset / STRIDE;
        columns[stride] + between(text, stride * STRIDE, offset)
    }
}

/// How many characters begin between two bytes, of which each is rounded down to the beginning of a character.
fn between(text: &str, from: usize, to: usize) -> usize {
    let [from, to] = [from, to].map(|byte| text.floor_char_boundary(byte));
    text[from..to].chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    #[test]
    fn every_character_has_its_column_however_long_the_text() {
        let text = "aä☃".repeat(2_000);
        let node = parse("a.yaml", &format!("'{text}'")).unwrap();
        let places = Places::new(&node);
        for (column, (offset, _)) in text.char_indices().enumerate() {
            // Lines and columns are counted from one, and the text begins behind a quote.
            assert_eq!(places.at(offset).column, column + 2);
        }
        assert_eq!(places.at(text.len()).column, 6_002);
        assert_eq!(places.at(text.len() + 1).column, 2);
        assert_eq!(places.at(2).column, 2, "within a character");
    }

    #[test]
    fn where_columns_cannot_be_told_there_is_the_place_of_the_whole() {
        let node = parse("a.yaml", "'a\n  b'").unwrap();
        assert_eq!(&Places::new(&node).at(2), &node.place);
    }
}
