use std::sync::LazyLock;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};

use crate::report::chart;

/// The style of reports and their charts.
pub static STYLE: LazyLock<String> =
    LazyLock::new(|| format!("{}{}", include_str!("style.css"), chart::STYLE));

/// The Content-Security-Policy of a report: its own style by its digest, and nothing else.
pub fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let digest = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    });
    &POLICY
}
