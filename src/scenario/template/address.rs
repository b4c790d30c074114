//! Addresses: how much of a text is decided by the scenario and the configuration.

use std::sync::Arc;

use super::{Body, Template, TemplatePart, parts};
use crate::{
    document::{Places, Problems},
    scenario::{EvaluationError, Names, Scope, limits::Bounded},
};

/// Variables whose values the configuration gives.
pub(super) const OF_CONFIGURATION: [&str; 2] = ["target", "callback"];
/// Variables whose values are known before a run begins.
const BEFORE_RUN: [&str; 3] = ["target", "callback", "inputs"];

/// A rendered address, or the beginning of one.
#[derive(Debug)]
pub(in crate::scenario) struct Address {
    pub(in crate::scenario) text: String,
    /// So many bytes at its beginning are text of the scenario and values of the configuration.
    pub(in crate::scenario) own: usize,
    /// Whether it is rendered to its end.
    pub(in crate::scenario) whole: bool,
}

impl Template {
    /// [Renders](Self::render) an address, with how much of it is the scenario's own.
    pub(in crate::scenario) fn render_address(
        &self,
        scope: &Arc<Scope>,
    ) -> Result<Address, EvaluationError> {
        match &self.body {
            Body::Parts(parts) => render_parts(parts, scope),
            Body::Plain(_) => self.render_whole(true, &[], scope),
            Body::Program { own, begin, .. } => self.render_whole(*own, begin, scope),
        }
    }

    /// The beginning of an address that is text of the scenario and values of the configuration.
    pub(in crate::scenario) fn render_own(
        &self,
        scope: &Arc<Scope>,
    ) -> Result<Address, EvaluationError> {
        let parts = match &self.body {
            Body::Parts(parts) => parts,
            Body::Program {
                own: false, begin, ..
            } => begin,
            Body::Plain(_) | Body::Program { .. } => return self.render_address(scope),
        };
        let count = parts.iter().take_while(|part| part.is_own()).count();
        let begin = render_parts(&parts[..count], scope)?;
        let whole = matches!(self.body, Body::Parts(_)) && count == parts.len();
        Ok(if whole { begin } else { begin.cut_off() })
    }

    /// The beginning of an address, up to the first expression whose value is not known before a run.
    pub(in crate::scenario) fn render_known(
        &self,
        scope: &Arc<Scope>,
    ) -> Result<Address, EvaluationError> {
        let Body::Parts(parts) = &self.body else {
            if self.depends_only_on(&BEFORE_RUN) {
                return self.render_address(scope);
            }
            return self.render_own(scope);
        };
        let known = |part: &&TemplatePart| match part {
            TemplatePart::Literal(_) => true,
            TemplatePart::Expression { expression, .. } => expression.depends_only_on(&BEFORE_RUN),
        };
        let count = parts.iter().take_while(known).count();
        let begin = render_parts(&parts[..count], scope)?;
        Ok(if count < parts.len() {
            begin.cut_off()
        } else {
            begin
        })
    }

    fn render_whole(
        &self,
        own: bool,
        begin: &[TemplatePart],
        scope: &Arc<Scope>,
    ) -> Result<Address, EvaluationError> {
        let text = self.render(scope)?;
        let own = if own {
            text.len()
        } else {
            let begin = render_parts(begin, scope)?.text;
            // A mark such as `{%-` cuts off white space in front of it.
            let begin = begin.trim_end();
            if text.starts_with(begin) {
                begin.len()
            } else {
                0
            }
        };
        Ok(Address {
            own,
            text,
            whole: true,
        })
    }

    /// The text with every expression replaced by `1`; `None` if it has statements.
    pub(in crate::scenario) fn outline(&self) -> Option<String> {
        match &self.body {
            Body::Plain(text) => Some(text.to_string()),
            Body::Parts(parts) => Some(
                parts
                    .iter()
                    .map(|part| match part {
                        TemplatePart::Literal(text) => text,
                        TemplatePart::Expression { .. } => "1",
                    })
                    .collect(),
            ),
            Body::Program { .. } => None,
        }
    }

    /// The text in front of the first expression, if there is any.
    pub(in crate::scenario) fn literal_begin(&self) -> Option<&str> {
        match &self.body {
            Body::Parts(parts) => match parts.first() {
                Some(TemplatePart::Literal(text)) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the text depends on these variables alone.
    fn depends_only_on(&self, variables: &[&str]) -> bool {
        match &self.body {
            Body::Plain(_) => true,
            Body::Parts(parts) => parts.iter().all(|part| match part {
                TemplatePart::Literal(_) => true,
                TemplatePart::Expression { expression, .. } => {
                    expression.depends_only_on(variables)
                }
            }),
            Body::Program { compiled, .. } => {
                compiled.roots().all(|name| variables.contains(&name))
            }
        }
    }
}

impl Address {
    fn cut_off(self) -> Self {
        Self {
            whole: false,
            ..self
        }
    }

    /// Whether the part that is there says which server is meant, whatever comes behind it.
    pub(in crate::scenario) fn names_server(&self) -> bool {
        let server = self.text.split_once("://").map(|(_, server)| server);
        self.whole || server.is_some_and(|server| server.contains(['/', '?', '#', '\\']))
    }
}

fn render_parts(parts: &[TemplatePart], scope: &Arc<Scope>) -> Result<Address, EvaluationError> {
    let mut text = Bounded::default();
    let mut own = None;
    for part in parts {
        if own.is_none() && !part.is_own() {
            own = Some(text.len());
        }
        part.render(scope, &mut text)?;
    }
    Ok(Address {
        own: own.unwrap_or(text.len()),
        text: text.into_text(),
        whole: true,
    })
}

/// The parts of a program in front of the first statement, comment or cut of white space, up to the first
/// expression with values that are not of the configuration.
pub(super) fn own_begin(text: &str, places: &Places<'_>, names: &Names) -> Vec<TemplatePart> {
    let marks = ["{%", "{#", "{{-", "-}}"];
    let end = marks.iter().filter_map(|mark| text.find(mark)).min();
    let mut begin = &text[..end.unwrap_or(text.len())];
    if text[begin.len()..].starts_with("-}}") {
        begin = &begin[..begin.rfind("{{").unwrap_or(0)];
    }
    // What is wrong with the program was noted when it was compiled.
    let parts = parts(begin, places, names, &Problems::default());
    let mut parts = parts.unwrap_or_default();
    let own = parts.iter().take_while(|part| part.is_own()).count();
    parts.truncate(own);
    parts
}

impl TemplatePart {
    pub(super) fn is_own(&self) -> bool {
        match self {
            Self::Literal(_) => true,
            Self::Expression { own, .. } => *own,
        }
    }
}
