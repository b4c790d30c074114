//! The parts of a page that change.

use std::time::Duration;

use maud::{Markup, html};

use crate::web::App;

/// How often an open page reads again what is kept, besides when something has happened to it.
pub(super) const READ_AGAIN: Duration = Duration::from_secs(5);

/// What a new configuration means for a page that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterReload {
    /// It shows what is in force.
    ShowsNew,
    /// What it shows does not depend on it.
    StaysTrue,
    /// It was made of the configuration before.
    IsOutdated,
}

/// The parts of a page that change: the script follows them at this path.
pub(super) fn followed(app: &App, path: &str, after: AfterReload, parts: &Markup) -> Markup {
    let after = match after {
        AfterReload::ShowsNew => "shows-new",
        AfterReload::StaysTrue => "stays-true",
        AfterReload::IsOutdated => "is-outdated",
    };
    html! {
        div data-live=(path) data-configuration=(configuration_of(app)) data-after-reload=(after) { (parts) }
    }
}

/// Which configuration is in force.
pub(super) fn configuration_of(app: &App) -> String {
    format!("{:016x}", app.web.scheduler.plan().fingerprint)
}
