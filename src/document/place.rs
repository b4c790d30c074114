use std::{fmt, sync::Arc};

/// Where something was written: `config/chatprobe.yaml:12:5`, both counted from one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, or a word for what is not a file (`--load`, `request`).
    pub source: Arc<str>,
    /// The line, from one; zero where the source has no lines.
    pub line: usize,
    /// The column in characters, from one.
    pub column: usize,
}

impl Place {
    /// The whole of a source, where no line is to blame.
    pub fn whole(source: impl Into<Arc<str>>) -> Self {
        Self {
            source: source.into(),
            line: 0,
            column: 0,
        }
    }

    /// The place `columns` further to the right.
    #[must_use]
    pub fn right(&self, columns: usize) -> Self {
        Self {
            column: self.column + columns,
            ..self.clone()
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            f.write_str(&self.source)
        } else {
            write!(f, "{}:{}:{}", self.source, self.line, self.column)
        }
    }
}
