//! What is loaded, and from where.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    followed::{AfterReload, followed},
    frame::{Page, Viewer},
};
use crate::{config::Plan, web::App};

pub(super) async fn show(State(app): State<Arc<App>>, viewer: Viewer) -> Response {
    let parts = html! {
        h1 { "Configuration" }
        @if viewer.may_change {
            p.controls {
                button data-post="/api/v1/reload/preview" data-order="configuration preview" {
                    "What would a reload change?"
                } " "
                button data-post="/api/v1/reload" data-order="configuration reload"
                    data-confirm="Put the configuration in force as it is in its files now?" { "Reload" }
            }
            ul #changes aria-live="polite" {}
        }
        (fragment(&app.web.scheduler.plan()))
    };
    let title = "Configuration".to_owned();
    let path = "/live/configuration";
    Page {
        path: "/configuration",
        title,
        main: followed(&app, path, AfterReload::ShowsNew, &parts),
    }
    .answer(viewer)
}

/// The part of the page that changes.
pub(super) fn fragment(plan: &Plan) -> Markup {
    html! { div #plan data-part {
        p { "Loaded from " code { (plan.path.display()) } "." }
        (targets(plan))
        (scenarios(plan))
        (probes(plan))
        (bursts(plan))
        (limits(plan))
    } }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn targets(plan: &Plan) -> Markup {
    html! {
        h2 { "Targets" }
        div.wide role="region" aria-label="Targets" tabindex="0" { table {
            caption.unseen { "Targets" }
            thead { tr {
                th scope="col" { "Target" } th scope="col" { "Address" } th scope="col" { "Variables" }
                th scope="col" { "Secrets" } th scope="col" { "Declared at" }
            } }
            tbody { @for target in plan.catalogue.targets.values() { tr {
                th scope="row" { (target.name) }
                td { code { (target.url) } }
                td { (list(target.variable_names())) }
                td { (list(target.secret_names())) }
                td.quiet { (target.place) }
            } } }
        } }
    }
}

fn scenarios(plan: &Plan) -> Markup {
    html! {
        h2 { "Scenarios" }
        @for scenario in plan.catalogue.scenarios.values() {
            details {
                summary { (scenario.name) }
                @if let Some(text) = &scenario.description { p { (text) } }
                p { "Steps: " (list(scenario.all_steps().iter().map(|step| &*step.name))) }
                p { "Inputs: " (list(scenario.inputs.iter().map(|input| input.name.as_str()))) }
                p { a href={ "/bursts/new?scenario=" (scenario.name) } { "Start a burst of it" } }
            }
        }
    }
}

fn probes(plan: &Plan) -> Markup {
    html! {
        h2 { "Probes" }
        ul { @for probe in &plan.probes { li {
            a href={ "/probes/" (probe.name) } { (probe.name) } ": " (probe.scenario.name) " on " (probe.target.name)
        } } }
    }
}

fn bursts(plan: &Plan) -> Markup {
    html! {
        h2 { "Bursts" }
        ul { @for burst in &plan.bursts { li {
            a href={ "/bursts/new?burst=" (burst.name) } { (burst.name) } ": "
            @let subject = burst.subject();
            (subject.scenario) " on " (subject.target) ", " code { (burst.load) }
            @if let Some(schedule) = &burst.schedule {
                ", at " code { (schedule.text) } " " (schedule.time_zone.name())
            }
        } } }
    }
}

fn limits(plan: &Plan) -> Markup {
    let caps = &plan.settings.caps;
    html! {
        h2 { "Limits" }
        dl.facts {
            div { dt { "Chats at once, of all bursts" } dd { (caps.max_active_chats) } }
            div { dt { "Starts, of one burst" } dd { (caps.max_rate) } }
        }
    }
}
