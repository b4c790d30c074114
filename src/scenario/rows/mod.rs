//! Rows of files that chats take by their numbers: `rows.accounts.user`.

mod table;
mod view;

use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    path::PathBuf,
    sync::Arc,
};

use minijinja::Value as Variable;

pub use table::{Table, TableError};
pub(super) use view::RowsView;

use super::is_name;
use crate::document::{Entry, Mapping, Node, Place, Problems, Value};

/// The most files of one scenario.
const MOST_SOURCES: usize = 10;

/// The files of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Rows(Vec<RowSource>);

/// One file.
#[derive(Debug, Clone)]
pub struct RowSource {
    /// By which expressions know it.
    pub name: Arc<str>,
    /// As it is written; relative to the folder of the scenario.
    pub file: PathBuf,
    /// Where it is written.
    pub place: Place,
    take: Take,
    /// The columns that expressions name, and where they first do.
    pub columns: BTreeMap<String, Place>,
    /// Empty until the file is read.
    table: Arc<Table>,
}

/// Which row a chat takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// The one with its number; there are no more chats than rows.
    Once,
    /// The same, from the first one on after the last.
    Cycle,
    /// Any.
    Random,
}

/// The rows as the chats of one run take them.
#[derive(Debug, Default)]
pub struct RowsOfRun {
    sources: Rows,
    seed: u64,
}

impl Rows {
    /// Reads `rows: { NAME: { file: FILE, take: once } }`.
    pub(super) fn read(node: &Node, problems: &Problems) -> Self {
        let entries = node.entries("a mapping of names and files", problems);
        if entries.len() > MOST_SOURCES {
            problems.add(
                &node.place,
                format!(
                    "{} files of rows are more than {MOST_SOURCES}",
                    entries.len()
                ),
            );
            return Self::default();
        }
        let sources = entries.iter();
        Self(
            sources
                .filter_map(|entry| RowSource::read(entry, problems))
                .collect(),
        )
    }

    /// The names of files that a scenario declares, also of those with problems.
    pub(super) fn declared(scenario: &Node) -> Vec<String> {
        match scenario.find("rows").map(|node| &node.value) {
            Some(Value::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// Notes which columns expressions name, by source and column.
    pub(super) fn use_columns(&mut self, used: BTreeMap<(String, String), Place>) {
        for ((source, column), place) in used {
            if let Some(source) = self.0.iter_mut().find(|known| *known.name == *source) {
                source.columns.insert(column, place);
            }
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &RowSource> {
        self.0.iter()
    }

    /// Each of them, to be filled.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut RowSource> {
        self.0.iter_mut()
    }

    fn find(&self, name: &str) -> Option<(usize, &RowSource)> {
        let mut sources = self.0.iter().enumerate();
        sources.find(|(_, source)| *source.name == *name)
    }

    /// The file whose rows run out first, and for how many chats it has some; none if all of them go on for ever.
    pub fn shortest(&self) -> Option<(&RowSource, u64)> {
        let once = self.0.iter().filter(|source| source.take == Take::Once);
        let counted = once.map(|source| (source, source.table.rows()));
        counted.min_by_key(|(_, rows)| *rows)
    }

    /// Adds what the files hold to what tells one scenario from another.
    pub(super) fn hash_contents(&self, hasher: &mut impl Hasher) {
        for source in &self.0 {
            source.table.content().hash(hasher);
        }
    }
}

impl RowSource {
    fn read(entry: &Entry, problems: &Problems) -> Option<Self> {
        let name = entry.key.as_str();
        if !is_name(name) {
            problems.add(
                &entry.place,
                format!("`{name}` cannot be a name; use letters, digits and `_`, a letter first"),
            );
            return None;
        }
        let mut map = Mapping::open(&entry.node, "a mapping with `file` and `take`", problems)?;
        let file = map.need("file");
        let take = map.get("take").map(|node| Take::read(node, problems));
        map.finish();
        let file = file?;
        let path = file.text("the path of a CSV file", problems)?;
        Some(Self {
            name: name.into(),
            file: path.into(),
            place: file.place.clone(),
            take: match take {
                Some(take) => take?,
                None => Take::Once,
            },
            columns: BTreeMap::new(),
            table: Arc::default(),
        })
    }

    /// Takes what the file holds, unless it lacks a column that an expression names, which is noted.
    pub fn fill(&mut self, table: Table, problems: &Problems) {
        let known = || table.columns().iter().map(|column| &**column);
        for (column, place) in &self.columns {
            if known().any(|known| known == column) {
                continue;
            }
            let mut hint = problems.hint(column, known());
            if hint.is_empty() {
                let columns: Vec<_> = known().take(10).map(|name| format!("`{name}`")).collect();
                hint = format!("; it begins with {}", columns.join(", "));
            }
            let file = self.file.display();
            problems.add(place, format!("`{file}` has no column `{column}`{hint}"));
        }
        self.table = Arc::new(table);
    }

    /// What the file holds.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The row of the chat with this ordinal, from zero, by the place of the file among those of the scenario.
    fn row(&self, index: usize, seed: u64, ordinal: u64) -> Option<usize> {
        let rows = self.table.rows();
        if rows == 0 {
            return None;
        }
        let row = match self.take {
            Take::Once => ordinal,
            Take::Cycle => ordinal % rows,
            Take::Random => {
                // Neighbours must not draw neighbouring sequences, and no file the sequence of another, or of the pauses.
                let of_file = (index as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93);
                let of_chat = ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let seed = seed.wrapping_add(of_file).rotate_left(17) ^ of_chat;
                fastrand::Rng::with_seed(seed).u64(..rows)
            }
        };
        usize::try_from(row).ok().filter(|_| row < rows)
    }
}

impl Take {
    fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let word = match &node.value {
            Value::Text(word) => word.as_str(),
            _ => "",
        };
        match word {
            "once" => Some(Self::Once),
            "cycle" => Some(Self::Cycle),
            "random" => Some(Self::Random),
            _ => {
                let what = node.shown();
                problems.add(
                    &node.place,
                    format!("{what} is no way to take rows; write `once`, `cycle` or `random`"),
                );
                None
            }
        }
    }
}

impl RowsOfRun {
    /// The rows of a run with this seed.
    pub fn new(sources: Rows, seed: u64) -> Self {
        Self { sources, seed }
    }

    /// What expressions of the chat with this ordinal see as `rows`, if the scenario has any.
    pub(super) fn view(self: &Arc<Self>, ordinal: u64) -> Option<RowsView> {
        let rows = self.clone();
        (!self.sources.0.is_empty()).then_some(RowsView { rows, ordinal })
    }

    /// What nobody may see of the rows of the chat with this ordinal: names of columns and values.
    pub(super) fn confidential(&self, ordinal: u64) -> impl Iterator<Item = (&str, Variable)> {
        let sources = self.sources.0.iter().enumerate();
        sources.flat_map(move |(index, source)| {
            let table = &*source.table;
            let row = source.row(index, self.seed, ordinal);
            table.confidential().iter().filter_map(move |column| {
                let value = table.value(row?, *column)?;
                Some((&*table.columns()[*column], Variable::from(value)))
            })
        })
    }
}

#[cfg(test)]
mod tests;
