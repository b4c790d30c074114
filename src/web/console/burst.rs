//! The form for a new burst.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, PreEscaped, Render as _, html};
use serde::Deserialize;

use super::{
    followed::{AfterReload, followed},
    frame::{Page, Viewer},
};
use crate::{
    config::{Burst, Plan},
    load::Threshold,
    printable,
    scenario::{self, Input, InputKind, Parameter, Scenario},
    web::{App, extract::QueryParameters, refusal::Refusal},
};

/// What the form is for: a burst of the configuration, or a scenario.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct About {
    burst: String,
    scenario: String,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    QueryParameters(about): QueryParameters<About>,
) -> Result<Response, Refusal> {
    let plan = app.web.scheduler.plan();
    let burst = plan.bursts.iter().find(|burst| *burst.name == *about.burst);
    let scenarios = plan.catalogue.scenarios.values();
    let scenario = match burst {
        Some(burst) => Some(&burst.mix.members()[0].chats.scenario),
        None => scenarios
            .clone()
            .find(|scenario| *scenario.name == *about.scenario)
            .or_else(|| scenarios.clone().next()),
    };
    let parts = html! {
        h1 { "New burst" }
        (choose(&plan, burst.map(|burst| &**burst), scenario.map(|scenario| &**scenario)))
        @match scenario {
            None => p { "The configuration has no scenario." },
            Some(scenario) => (form(&plan, burst.map(|burst| &**burst), scenario, viewer)),
        }
    };
    let title = "New burst".to_owned();
    let path = "/live/configuration";
    Ok(Page {
        path: "/bursts/new",
        title,
        main: followed(&app, path, AfterReload::IsOutdated, &parts),
    }
    .answer(viewer))
}

/// The form depends on what it is for, which is chosen first.
fn choose(plan: &Plan, burst: Option<&Burst>, scenario: Option<&Scenario>) -> Markup {
    html! {
        @if !plan.bursts.is_empty() {
            form.controls method="get" {
                label { "Like the burst " select name="burst" {
                    option value="" { "none" }
                    @for known in &plan.bursts {
                        option value=(known.name) selected[burst.is_some_and(|burst| burst.name == known.name)] {
                            (known.name)
                        }
                    }
                } }
                button { "Fill in" }
            }
        }
        form.controls method="get" {
            label { "With the scenario " select name="scenario" {
                @for known in plan.catalogue.scenarios.values() {
                    option value=(known.name) selected[scenario.is_some_and(|scenario| scenario.name == known.name)] {
                        (known.name)
                    }
                }
            } }
            button { "Choose" }
        }
    }
}

fn form(plan: &Plan, burst: Option<&Burst>, scenario: &Scenario, viewer: Viewer) -> Markup {
    let load = burst.map_or("{ chats: 10, ramp: 10s }".to_owned(), |burst| {
        burst.load.to_string()
    });
    let mixed = burst.filter(|burst| burst.mix.is_mixed());
    let name = mixed.map_or(&scenario.name, |mixed| &mixed.name);
    let thresholds = burst.map(|burst| &*burst.thresholds).unwrap_or_default();
    let thresholds: Vec<_> = thresholds.iter().map(Threshold::written).collect();
    html! {
        form #burst data-burst=(name) data-mixed=[mixed.map(|mixed| &*mixed.name)] {
            h2 { (name) }
            @if let Some(mixed) = mixed { (members(mixed)) }
            @else if let Some(text) = &scenario.description { p { (text) } }
            fieldset {
                legend { @if mixed.is_none() { "Target and load" } @else { "Load" } }
                @if mixed.is_none() {
                    label { span { "Target" } select name="target" {
                        @for target in plan.catalogue.targets.values() {
                            option value=(target.name)
                                selected[is_with(burst, &target.name)] { (target.name) }
                        }
                    } }
                }
                (load_profile(&load))
            }
            fieldset {
                legend { "Thresholds" }
                label { "One a line; none: every chat has to pass"
                    textarea name="thresholds" rows="3" placeholder="{ step: agent_join, p95: 10s }" {
                        (thresholds.join("\n"))
                    }
                }
            }
            @if mixed.is_none() && !scenario.inputs.is_empty() {
                fieldset {
                    legend { "Inputs" }
                    @for one in &scenario.inputs { (input(one, burst)) }
                }
            }
            p.controls {
                button type="button" #preview disabled[!viewer.may_change] { "What would it cost?" } " "
                button type="submit" disabled[!viewer.may_change] { "Start" }
            }
            @if !viewer.may_change { p.note { "To start one, sign in." } }
            div #cost aria-live="polite" {}
        }
    }
}

/// Whether the burst has chats with this target.
fn is_with(burst: Option<&Burst>, target: &str) -> bool {
    let mut members = burst.into_iter().flat_map(|burst| burst.mix.members());
    members.any(|member| *member.chats.target.name == *target)
}

/// What the chats of a mixed burst do.
fn members(mixed: &Burst) -> Markup {
    html! {
        ul { @for member in mixed.mix.members() { li {
            (member.weight) " × " (member.chats.scenario.name) " on " (member.chats.target.name)
        } } }
    }
}

fn load_profile(load: &str) -> Markup {
    let profiles = [
        (
            "{ chats: 100, ramp: 10s }",
            "so many chats, evenly over a ramp",
        ),
        (
            "{ rate: 5/s, for: 1m }",
            "so many starts a second, whatever the target does",
        ),
        (
            "{ customers: 20, for: 5m, ramp: 30s }",
            "so many customers at any time, chat after chat",
        ),
        (
            "{ search: { from: 5/s, to: 500/s, hold: 1m } }",
            "more and more, until a threshold breaks",
        ),
    ];
    html! {
        label { span { "Load profile" } input name="load" required value=(load) size="50" list="profiles"; }
        datalist #profiles { @for (profile, _) in profiles { option value=(profile) {} } }
        ul.quiet { @for (profile, meaning) in profiles {
            li { button.link type="button" data-load=(profile) { code { (profile) } } ": " (meaning) }
        } }
    }
}

fn input(input: &Input, burst: Option<&Burst>) -> Markup {
    let inputs = burst.map(|burst| &burst.mix.members()[0].chats.inputs);
    let set = inputs.and_then(|inputs| scenario::Parameters::behind(inputs)?.get(&input.name));
    let set = set.or(input.default.as_ref());
    let value = set.map(Parameter::sent).unwrap_or_default();
    let holds = set.is_some_and(|set| set.value.is_true());
    let name = format!("input.{}", input.name);
    let kind = match input.kind {
        InputKind::Boolean => "boolean",
        InputKind::Integer | InputKind::Number => "number",
        InputKind::Duration => "duration",
        InputKind::Text => "text",
    };
    html! { label {
        span { (input.name) }
        @if kind == "boolean" {
            select name=(name) data-kind=(kind) {
                @for (word, chosen) in [("false", !holds), ("true", holds)] { option selected[chosen] { (word) } }
            }
        } @else {
            input name=(name) data-kind=(kind) value=(as_it_is(&value)) required[input.default.is_none()]
                inputmode=[(kind == "number").then_some("decimal")];
        }
        small.quiet { (kind) @if let Some(text) = &input.description { ": " (text) } }
    } }
}

/// The value of a field, which is sent back: what pages show as an escape is a reference to the character here,
/// and stays inside the field.
fn as_it_is(value: &str) -> PreEscaped<String> {
    let PreEscaped(escaped) = value.render();
    let written = escaped.chars().map(|character| {
        if printable::is_deceptive(character) {
            format!("&#{};", u32::from(character))
        } else {
            character.to_string()
        }
    });
    PreEscaped(written.collect())
}

#[cfg(test)]
mod tests {
    use super::{PreEscaped, as_it_is};

    #[test]
    fn a_field_sends_back_what_it_was_filled_with() {
        let PreEscaped(written) = as_it_is("a\u{202e}b \"<c>\n");
        assert_eq!(written, "a&#8238;b &quot;&lt;c&gt;&#10;");
    }
}
