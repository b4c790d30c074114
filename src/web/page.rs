//! The page for people.

use std::{
    fmt::{self, Display, Write as _},
    sync::Arc,
};

use axum::{
    extract::State,
    http::header,
    response::{Html, IntoResponse},
};

use super::{App, api::ProbeView, health::Stage};
use crate::{
    event::Verdict,
    runner::{RunReport, RunState},
    scheduler::RunEntry,
};

const STYLE: &str = include_str!("page.css");

/// Nothing but our own style: whatever a name or a failure of a target says, it is text.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What can be looked at without an id.
const LINKS: [(&str, &str); 9] = [
    ("/metrics", "what was measured, for Prometheus"),
    ("/healthz", "whether the process serves"),
    ("/readyz", "whether everything is in place"),
    ("/api/v1/openapi.json", "the admin API"),
    ("/api/v1/runs", "runs in progress and the last ones"),
    ("/api/v1/probes", "probes"),
    ("/api/v1/bursts", "bursts in the configuration"),
    ("/api/v1/scenarios", "scenarios"),
    ("/api/v1/targets", "targets"),
];

/// A page with what is going on.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "show_page",
    tag = "pages",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub(super) async fn show(State(app): State<Arc<App>>) -> impl IntoResponse {
    let scheduler = &app.web.scheduler;
    let runs = scheduler.runs();
    let active: Vec<_> = runs
        .iter()
        .filter(|entry| matches!(entry, RunEntry::Active(_)))
        .map(RunEntry::report)
        .collect();
    let page = Page {
        stage: app.stage(),
        probes: ProbeView::all(scheduler),
        runs: active,
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(page.to_string()))
}

/// How the page looks.
#[utoipa::path(
    get,
    path = "/page.css",
    operation_id = "show_style",
    tag = "pages",
    responses((status = 200, description = "The style", body = String, content_type = "text/css")),
)]
pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

struct Page {
    stage: Stage,
    probes: Vec<ProbeView>,
    runs: Vec<Arc<RunReport>>,
}

impl Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Starting => "starting",
            Stage::Ready => "ready",
            Stage::ShuttingDown => "shutting down",
        };
        let version = env!("CARGO_PKG_VERSION");
        write!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>chatprobe</title>\n<link rel=\"stylesheet\" href=\"/page.css\">\n</head>\n\
             <body>\n<main>\n<h1>chatprobe <small>{version}, {stage}</small></h1>\n"
        )?;
        self.write_probes(f)?;
        self.write_runs(f)?;
        f.write_str("<h2>Endpoints</h2>\n<ul>\n")?;
        for (path, what) in LINKS {
            writeln!(f, "<li><a href=\"{path}\">{path}</a>: {what}</li>")?;
        }
        f.write_str("</ul>\n</main>\n</body>\n</html>\n")
    }
}

impl Page {
    fn write_probes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<h2>Probes</h2>\n")?;
        if self.probes.is_empty() {
            return f.write_str("<p>There are none.</p>\n");
        }
        f.write_str(
            "<div class=\"wide\"><table>\n<tr><th>Probe</th><th>Every</th><th>Latest result</th><th>Began</th></tr>\n",
        )?;
        for ProbeView {
            status,
            latest_result,
        } in &self.probes
        {
            let (name, every) = (Escaped(&status.name), Escaped(&status.every));
            let paused = if status.paused { ", paused" } else { "" };
            write!(f, "<tr><td>{name}</td><td>{every}{paused}</td>")?;
            match latest_result {
                None => f.write_str("<td>none yet</td><td></td></tr>\n")?,
                Some(result) => {
                    let word = result.verdict.map_or("unknown", Verdict::as_str);
                    let id = Escaped(&result.run);
                    write!(
                        f,
                        "<td><a class=\"{word}\" href=\"/api/v1/runs/{id}\">{word}</a>"
                    )?;
                    if let Some(failure) = &result.failure {
                        write!(f, " {}", Escaped(failure))?;
                    }
                    writeln!(f, "</td><td>{}</td></tr>", Escaped(&result.started_at))?;
                }
            }
        }
        f.write_str("</table></div>\n")
    }

    fn write_runs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<h2>Runs in progress</h2>\n")?;
        if self.runs.is_empty() {
            return f.write_str("<p>There are none.</p>\n");
        }
        f.write_str(
            "<div class=\"wide\"><table>\n<tr><th>Run</th><th>State</th><th>Load</th><th>Chats</th></tr>\n",
        )?;
        for run in &self.runs {
            let (id, name, load) = (Escaped(&run.id), Escaped(&run.name), Escaped(&run.load));
            let state = state_word(run.state);
            let chats = &run.chats;
            writeln!(
                f,
                "<tr><td><a href=\"/api/v1/runs/{id}\">{name}</a></td><td>{state}</td><td>{load}</td>\
                 <td>{} in progress, {} passed, {} failed</td></tr>",
                chats.in_progress, chats.passed, chats.failed
            )?;
        }
        f.write_str("</table></div>\n")
    }
}

fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::SettingUp => "setting up",
        RunState::Running => "running",
        RunState::Paused => "paused",
        RunState::Finishing => "finishing",
        RunState::TearingDown => "tearing down",
        RunState::Ended => "ended",
        RunState::Interrupted => "interrupted",
    }
}

/// Text that means itself in HTML, in quotes as well.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_stays_text() {
        assert_eq!(
            Escaped("<img src=\"x\" alt='&'>").to_string(),
            "&lt;img src=&quot;x&quot; alt=&#39;&amp;&#39;&gt;"
        );
    }
}
