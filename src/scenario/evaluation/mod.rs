//! Expressions and templates of minijinja, compiled so that every step of them is bounded.
//!
//! minijinja bounds how many steps an evaluation takes, and not what one of them does: a text that is doubled with `~`
//! takes a gigabyte after thirty. So its instructions are changed when they are compiled: what operators go through and make is
//! [accounted for](budget), and filters and tests are [wrapped](builtins).

mod budget;
mod builtin;
mod builtins;
mod comparisons;
mod direct;
mod functions;
mod instructions;
mod operands;
mod replacements;
mod xml;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    sync::{Arc, LazyLock},
};

use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, escape_formatter,
    machinery::{self, CodeGenerator, Instructions},
    syntax::SyntaxConfig,
    value::ValueKind,
};
use self_cell::self_cell;

use self::{budget::exceeded, direct::Direct};
pub(super) use self::{
    builtins::{is_filter, is_test},
    functions::hexadecimal,
    operands::AS_WRITTEN,
};
use super::{
    Scope,
    limits::{self, Bounded, TEXT_TOO_LONG},
};

/// For predicates and captures: a missing field is merely undefined, however deep it lies, so that
/// `event.body.text == "x"` is false for an event without a body.
static LENIENT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::Chainable));

/// For what goes out in requests: printing something undefined is an error, not an empty string.
static STRICT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::Strict));

fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(undefined);
    environment.set_formatter(write_value);
    environment.set_fuel(Some(limits::MOST_STEPS));
    environment.set_recursion_limit(limits::MOST_FRAMES);
    builtins::add_to(&mut environment);
    operands::add_filters_to(&mut environment);
    environment
}

/// What an expression does about something undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undefined {
    /// It is a value like any other.
    Allowed,
    /// Using it is an error.
    Refused,
}

impl Undefined {
    fn environment(self) -> &'static Environment<'static> {
        match self {
            Self::Allowed => &LENIENT,
            Self::Refused => &STRICT,
        }
    }
}

/// Whether a name stands for the same everywhere, as `range` does. minijinja lists it as a variable too.
pub(super) fn is_global(name: &str) -> bool {
    LENIENT.globals().any(|(global, _)| global == name)
}

/// An expression or a template that is ready to be evaluated.
pub(super) struct Compiled {
    /// The same without the engine, if it is that simple.
    direct: Option<Box<Direct>>,
    code: OwnedCode,
    undefined: Undefined,
    /// Dotted paths of the variables that it uses.
    variables: BTreeSet<String>,
}

self_cell! {
    struct OwnedCode {
        owner: Box<str>,

        #[covariant]
        dependent: Code,
    }
}

struct Code<'source> {
    instructions: Instructions<'source>,
    /// Those of `{% block %}`, by name.
    blocks: BTreeMap<&'source str, Instructions<'source>>,
}

/// The name that minijinja knows every template by.
const TEMPLATE: &str = "template";

impl Compiled {
    /// Compiles a bare expression.
    ///
    /// # Errors
    /// It is none. The range of the error is in `source`.
    pub(super) fn expression(source: &str, undefined: Undefined) -> Result<Self, Error> {
        let is_expression = true;
        let safe = instructions::unfolded(source, is_expression);
        if safe.is_some() {
            machinery::parse_expr(source)?;
        }
        let safe = safe.unwrap_or_else(|| source.to_owned());
        let environment = undefined.environment();
        let compiled = environment.compile_expression(&safe)?;
        let variables = compiled.undeclared_variables(true).into_iter().collect();
        let direct = Direct::read(&machinery::parse_expr(&safe)?).map(Box::new);
        let code = OwnedCode::try_new(safe.into(), |source| {
            let parsed = machinery::parse_expr(source)?;
            let mut generator = CodeGenerator::new("<expression>", source);
            generator.compile_expr(&parsed);
            Ok::<_, Error>(Code::bounded(generator))
        })?;
        Ok(Self {
            direct,
            code,
            undefined,
            variables,
        })
    }

    /// Compiles text with `{{ expressions }}` and `{% statements %}`.
    ///
    /// # Errors
    /// It is no template. The range of the error is in `source`.
    pub(super) fn template(source: &str, undefined: Undefined) -> Result<Self, Error> {
        let is_expression = false;
        let safe = instructions::unfolded(source, is_expression);
        if safe.is_some() {
            machinery::parse(source, TEMPLATE, SyntaxConfig::default())?;
        }
        let safe = safe.unwrap_or_else(|| source.to_owned());
        let environment = undefined.environment();
        let variables = environment
            .template_from_named_str(TEMPLATE, &safe)?
            .undeclared_variables(true);
        let code = OwnedCode::try_new(safe.into(), |source| {
            let parsed = machinery::parse(source, TEMPLATE, SyntaxConfig::default())?;
            let mut generator = CodeGenerator::new(TEMPLATE, source);
            generator.compile_stmt(&parsed);
            Ok::<_, Error>(Code::bounded(generator))
        })?;
        Ok(Self {
            direct: None,
            code,
            undefined,
            variables: variables.into_iter().collect(),
        })
    }

    /// Dotted paths of the variables that it uses, as in `event.id`.
    pub(super) fn variables(&self) -> &BTreeSet<String> {
        &self.variables
    }

    /// The variables that it uses, without the dots.
    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        let roots = self.variables.iter().map(|path| path.split('.').next());
        roots.map(Option::unwrap_or_default)
    }

    /// The names of an expression that is `a.b.c` and nothing else.
    pub(super) fn path(&self) -> Option<&[Box<str>]> {
        self.direct.as_ref()?.path()
    }

    /// The value of an expression in a scope.
    pub(super) fn evaluate(&self, scope: &Arc<Scope>) -> Result<Value, Error> {
        let direct = self.direct.as_ref();
        if let Some(value) = direct.and_then(|direct| direct.value(scope, self.undefined)) {
            return Ok(value);
        }
        let mut nothing = String::new();
        let value = self.run(scope, &mut nothing)?;
        // An expression leaves its value behind.
        Ok(value.unwrap_or_default())
    }

    /// The text of a template in a scope.
    pub(super) fn render(&self, scope: &Arc<Scope>) -> Result<String, Error> {
        let mut text = String::new();
        self.run(scope, &mut text)?;
        if text.len() > limits::MOST_TEXT {
            return Err(exceeded(TEXT_TOO_LONG));
        }
        Ok(text)
    }

    fn run(&self, scope: &Arc<Scope>, text: &mut String) -> Result<Option<Value>, Error> {
        let Code {
            instructions,
            blocks,
        } = self.code.borrow_dependent();
        let (value, _) = machinery::eval(
            self.undefined.environment(),
            instructions,
            Value::from_dyn_object(scope.clone()),
            blocks,
            &mut machinery::make_string_output(text),
            AutoEscape::None,
        )?;
        Ok(value)
    }
}

impl<'source> Code<'source> {
    fn bounded(generator: CodeGenerator<'source>) -> Self {
        let (instructions, blocks) = generator.finish();
        let blocks = blocks.iter();
        Self {
            instructions: instructions::bounded(&instructions),
            blocks: blocks
                .map(|(name, block)| (*name, instructions::bounded(block)))
                .collect(),
        }
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled")
            .field(self.code.borrow_owner())
            .finish()
    }
}

/// The word for a boolean; minijinja's own are `True` and `False`.
pub(super) fn boolean_word(value: &Value) -> Option<&'static str> {
    let is_boolean = value.kind() == ValueKind::Bool;
    is_boolean.then_some(if value.is_true() { "true" } else { "false" })
}

/// Writes a value as templates do: booleans as YAML and JSON do, anything else as minijinja does.
fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    if let Some(word) = boolean_word(value) {
        return Ok(out.write_str(word)?);
    }
    let is_escaped = !matches!(state.auto_escape(), AutoEscape::None);
    if is_escaped && !value.is_safe() {
        budget::charge_text_of(state, value)?;
        return escape_formatter(out, state, value);
    }
    if let Some(text) = value.as_str() {
        if !budget::is_small(value) {
            budget::charge(state, text.len())?;
        }
        return Ok(out.write_str(text)?);
    }
    if budget::is_small(value) {
        return Ok(write!(out, "{value}")?);
    }
    budget::charge_value(state, value)?;
    let mut text = Bounded::default();
    write!(text, "{value}").map_err(|_| exceeded(TEXT_TOO_LONG))?;
    let text = text.into_text();
    budget::charge(state, text.len())?;
    Ok(out.write_str(&text)?)
}

#[cfg(test)]
mod tests;
