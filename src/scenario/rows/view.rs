//! `rows` as the expressions of one chat see it.

use std::sync::Arc;

use minijinja::{
    Value,
    value::{Enumerator, Object},
};

use super::{RowsOfRun, Table};

/// `rows`.
#[derive(Debug)]
pub(in crate::scenario) struct RowsView {
    pub(super) rows: Arc<RowsOfRun>,
    pub(super) ordinal: u64,
}

impl Object for RowsView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let (index, source) = self.rows.sources.find(key)?;
        let row = source.row(index, self.rows.seed, self.ordinal)?;
        let table = source.table().clone();
        Some(Value::from_object(RowView { table, row }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let sources = self.rows.sources.iter();
        Enumerator::Values(sources.map(|source| Value::from(&*source.name)).collect())
    }
}

/// `rows.NAME`.
#[derive(Debug)]
struct RowView {
    table: Arc<Table>,
    row: usize,
}

impl Object for RowView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let column = self.table.column(key)?;
        self.table.value(self.row, column).map(Value::from)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let columns = self.table.columns().iter();
        Enumerator::Values(columns.map(|column| Value::from(&**column)).collect())
    }
}
