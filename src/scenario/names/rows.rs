use super::Names;
use crate::document::Problems;

impl Names {
    /// Whether `rows`, and a file of them by its name, exist here.
    pub(super) fn resolve_rows(
        &self,
        field: Option<&str>,
        problems: &Problems,
    ) -> Result<(), String> {
        if self.rows.is_empty() {
            return Err(
                "`rows` needs the scenario to say `rows: { NAME: { file: FILE } }`".to_owned(),
            );
        }
        if !self.part.is_chat() {
            return Err(
                "there are no `rows` here: a row belongs to a chat, and `setup` and `teardown` run once per run"
                    .to_owned(),
            );
        }
        let names = || self.rows.iter().map(String::as_str);
        match field {
            Some(field) if !names().any(|name| name == field) => {
                let hint = problems.hint(field, names());
                Err(format!("the scenario has no rows called `{field}`{hint}"))
            }
            _ => Ok(()),
        }
    }
}
