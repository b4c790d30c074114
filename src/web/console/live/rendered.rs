//! What was rendered last, for everybody who looks at the same page with the same rights.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use maud::Markup;
use tokio::time::Instant;

use crate::web::console::frame::{Viewer, as_text};

/// What was rendered is taken by all who ask within this time.
const FRESH: Duration = Duration::from_millis(900);
/// Pages that are kept; more are rendered for whoever asks.
const MOST_KEPT: usize = 256;

/// The pages by their names and the rights to them.
#[derive(Debug, Default)]
pub(in crate::web) struct Live(Mutex<HashMap<(String, Viewer), Rendered>>);

#[derive(Debug)]
struct Rendered {
    at: Instant,
    html: Arc<str>,
}

impl Live {
    pub(super) fn get(
        &self,
        page: &str,
        viewer: Viewer,
        render: impl FnOnce() -> Markup,
    ) -> Arc<str> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (page.to_owned(), viewer);
        if let Some(rendered) = kept.get(&key)
            && rendered.at.elapsed() < FRESH
        {
            return rendered.html.clone();
        }
        let html: Arc<str> = as_text(render()).into();
        kept.retain(|_, rendered| rendered.at.elapsed() < FRESH);
        if kept.len() < MOST_KEPT {
            let (at, html) = (Instant::now(), html.clone());
            kept.insert(key, Rendered { at, html });
        }
        html
    }
}
