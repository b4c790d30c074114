//! A failed chat, step by step.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    frame::{Page, Viewer},
    words::{moment, time},
};
use crate::{
    event::FrameTrace,
    history::{FailureReport, StepTrace},
    scenario::{AnswerTrace, EventTrace, Excerpt, HttpTrace, PhaseTrace, RequestTrace},
    units::counted,
    web::{App, extract::PathName},
};

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    PathName(id): PathName,
) -> Response {
    let failure = app.find_failure(&id).await;
    let page = failure.map(|failure| Page {
        path: "/runs",
        title: format!("{} failed in {}", failure.step, failure.name),
        main: page(&failure),
    });
    Page::answer_or_refusal(page, viewer)
}

fn page(failure: &FailureReport) -> Markup {
    html! {
        h1 {
            @if failure.chat == 0 { "Setup" } @else { "Chat " (failure.chat) }
            " of " a href={ "/runs/" (failure.run) } { (failure.name) }
        }
        p.note.failed {
            "Step " code { (failure.step) } ": " strong { (failure.reason) } br; (failure.detail)
        }
        dl.facts {
            div { dt { "Scenario" } dd { (failure.scenario) " on " (failure.target) } }
            div { dt { "Failed" } dd { (moment(&failure.failed_at)) } }
            div { dt { "After" } dd { (time(Some(failure.seconds))) } }
            @for (name, value) in &failure.correlation {
                div { dt { (name) } dd { code { (value) } } }
            }
        }
        @if !failure.whole {
            p.note.quiet { "The first steps are not here: too many chats were in progress to note all of them." }
        }
        h2 { "Steps" }
        @for step in &failure.steps { (one_step(step)) }
        (frames(failure))
        p { a href={ "/api/v1/failures/" (failure.id) } { "The same as JSON" } }
    }
}

fn one_step(step: &StepTrace) -> Markup {
    let (sign, class) = match step.reason {
        None if step.stopped => ("–", "stopped"),
        None => ("✓", "passed"),
        Some(_) => ("✗", "failed"),
    };
    html! {
        details open[step.reason.is_some()] {
            summary {
                span class={ "standing " (class) } { (sign) " " (step.step) }
                @if let Some(track) = &step.track { " in " code { (track) } }
                " " span.quiet {
                    @for branch in &step.branches { "branch " (branch.number) " of " (branch.of) ", " }
                    @if let Some(attempt) = step.attempt { "attempt " (attempt.number) " of " (attempt.of) ", " }
                    "after " (time(step.began)) ", took " (time(step.seconds))
                }
                @if step.stopped { " stopped, because another track failed" }
                @if let Some(reason) = &step.reason { " " strong { (reason) } }
            }
            @if let Some(detail) = &step.detail { p { (detail) } }
            (one_exchange(&step.action.http))
            @for event in &step.action.events { (one_event(event)) }
        }
    }
}

fn one_exchange(http: &HttpTrace) -> Markup {
    html! {
        @if let Some(request) = &http.request { (one_request(request, http)) }
        (phases(&http.phases))
        @if let Some(answer) = &http.answer { (one_answer(answer)) }
    }
}

fn one_request(request: &RequestTrace, http: &HttpTrace) -> Markup {
    html! {
        h3 { "Request" }
        p { code { (request.method) " " (request.url) } }
        @if http.polled > 0 {
            p.quiet { "the last of " (counted(http.polled.into(), "request")) " of the poll" }
        }
        @if http.resent > 0 {
            p.quiet { "sent again, because the connection was closed under it: " (http.resent) "×" }
        }
        (headers(&request.headers))
        @if let Some(body) = &request.body { (excerpt(body)) }
    }
}

fn phases(phases: &[PhaseTrace]) -> Markup {
    html! { @if !phases.is_empty() {
        p.quiet { @for (position, phase) in phases.iter().enumerate() {
            @if position > 0 { ", " }
            (phase.phase.replace('_', " ")) " " (time(Some(phase.seconds)))
            @if !phase.finished { " (not finished)" }
        } }
    } }
}

fn one_answer(answer: &AnswerTrace) -> Markup {
    html! {
        h3 { "Answer" }
        p { code { (answer.status) } " after " (time(Some(answer.seconds))) }
        @if !answer.redirects.is_empty() {
            p { "redirected to" }
            ol { @for address in &answer.redirects { li { code { (address) } } } }
        }
        (headers(&answer.headers))
        (excerpt(&answer.body))
    }
}

fn one_event(event: &EventTrace) -> Markup {
    html! {
        h3 { @if event.wanted { "Event that it waited for" } @else { "Event" } }
        p.quiet { "arrived after " (time(event.arrived)) }
        (excerpt(&event.event))
    }
}

/// What passed over its connections, whatever step it was at.
fn frames(failure: &FailureReport) -> Markup {
    html! { @if !failure.frames.is_empty() || failure.frames_dropped > 0 {
        h2 { "Frames" }
        @if failure.frames_dropped > 0 {
            p.note.quiet { (failure.frames_dropped) " more passed before these and are not kept." }
        }
        div.wide role="region" aria-label="Frames" tabindex="0" { table {
            caption.unseen { "Frames in the order in which they passed, and the ends of connections" }
            thead { tr {
                th.figure scope="col" { "After" } th.figure scope="col" { "Connection" } th scope="col" { "Socket" }
                th scope="col" { "What" } th.figure scope="col" { "Bytes" } th scope="col" { "Content" }
            } }
            tbody { @for frame in &failure.frames { (one_frame(frame)) } }
        } }
    } }
}

fn one_frame(frame: &FrameTrace) -> Markup {
    html! { tr {
        td.figure { (time(frame.at)) }
        td.figure { (frame.connection) }
        td { (frame.socket) }
        td { (frame.passage) @if let Some(kind) = &frame.kind { " " (kind) } }
        td.figure { @if frame.kind.is_some() { (frame.content.bytes) } }
        td.content { code { (frame.content.text) } }
    } }
}

fn headers(headers: &[(String, String)]) -> Markup {
    html! { @if !headers.is_empty() {
        ul.quiet { @for (name, value) in headers { li { code { (name) ": " (value) } } } }
    } }
}

fn excerpt(excerpt: &Excerpt) -> Markup {
    html! { @if excerpt.bytes > 0 {
        pre { (excerpt.text) }
        @if excerpt.text.len() < excerpt.bytes {
            p.quiet { "the beginning of " (excerpt.bytes) " bytes" }
        }
    } }
}
