//! Expressions that are evaluated without the engine: names, constants, and what most scenarios make of them. Starting the
//! engine takes ten times as long as comparing two texts, and a chat does so for each of its answers and events.

use std::fmt::Write as _;

use minijinja::{
    Value,
    machinery::ast::{BinOpKind, CallArg, Expr, UnaryOpKind},
    value::ValueKind,
};

use super::{Undefined, budget, instructions, is_global};
use crate::scenario::{Scope, SessionValues};

/// An expression that means here what it means to the engine.
#[derive(Debug)]
pub(super) enum Direct {
    Constant(Value),
    /// `a.b["c"]`
    Path(Box<[Box<str>]>),
    /// `a == b`
    Equal(Box<[Self; 2]>),
    /// `a in [1, 2]`
    OneOf(Box<Self>, Box<[Value]>),
    /// `a and b`
    Both(Box<[Self; 2]>),
    /// `a or b`
    Either(Box<[Self; 2]>),
    /// `not a`
    Not(Box<Self>),
    /// `a is defined`
    Defined(Box<Self>),
    /// `a | default(1)`
    Default(Box<Self>, Value),
    /// `a ~ b`
    Concatenation(Box<[Self; 2]>),
    /// `yes if condition else no`
    Choice(Box<Choice>),
}

#[derive(Debug)]
pub(super) struct Choice {
    condition: Direct,
    yes: Direct,
    no: Direct,
}

impl Direct {
    /// `None` if there is something in it that the engine has to evaluate.
    pub(super) fn read(expression: &Expr<'_>) -> Option<Self> {
        Some(match expression {
            Expr::Const(constant) => Self::Constant(small(constant.value.clone())?),
            Expr::Var(name) => Self::Path([root(name.id)?].into()),
            Expr::GetAttr(field) => Self::field(&field.expr, field.name)?,
            Expr::GetItem(item) => {
                let name = small(item.subscript_expr.as_const()?)?;
                Self::field(&item.expr, name.as_str()?)?
            }
            Expr::UnaryOp(operation) => match operation.op {
                UnaryOpKind::Not => Self::Not(Self::boxed(&operation.expr)?),
                UnaryOpKind::Neg => return None,
            },
            Expr::BinOp(operation) => {
                let (left, right) = (&operation.left, &operation.right);
                match operation.op {
                    BinOpKind::Eq => Self::Equal(Self::pair(left, right)?),
                    BinOpKind::Ne => Self::Not(Box::new(Self::Equal(Self::pair(left, right)?))),
                    BinOpKind::In => Self::OneOf(Self::boxed(left)?, items(right)?),
                    BinOpKind::ScAnd => Self::Both(Self::pair(left, right)?),
                    BinOpKind::ScOr => Self::Either(Self::pair(left, right)?),
                    BinOpKind::Concat => Self::Concatenation(Self::pair(left, right)?),
                    _ => return None,
                }
            }
            Expr::Test(test) if test.name == "defined" && test.args.is_empty() => {
                Self::Defined(Self::boxed(&test.expr)?)
            }
            Expr::Filter(filter) if matches!(filter.name, "default" | "d") => {
                let [CallArg::Pos(default)] = &filter.args[..] else {
                    return None;
                };
                let value = Self::boxed(filter.expr.as_ref()?)?;
                Self::Default(value, small(default.as_const()?)?)
            }
            Expr::IfExpr(choice) => Self::Choice(Box::new(Choice {
                condition: Self::read(&choice.test_expr)?,
                yes: Self::read(&choice.true_expr)?,
                no: Self::read(choice.false_expr.as_ref()?)?,
            })),
            _ => return None,
        })
    }

    fn field(of: &Expr<'_>, name: &str) -> Option<Self> {
        let Self::Path(names) = Self::read(of)? else {
            return None;
        };
        let names = names.into_iter().chain([name.into()]);
        Some(Self::Path(names.collect()))
    }

    fn boxed(expression: &Expr<'_>) -> Option<Box<Self>> {
        Self::read(expression).map(Box::new)
    }

    fn pair(left: &Expr<'_>, right: &Expr<'_>) -> Option<Box<[Self; 2]>> {
        Some(Box::new([Self::read(left)?, Self::read(right)?]))
    }

    /// The names of `a.b.c`.
    pub(super) fn path(&self) -> Option<&[Box<str>]> {
        match self {
            Self::Path(names) => Some(names),
            _ => None,
        }
    }

    /// Its value, `None` if that takes the engine: an error, or a value that has to be accounted for.
    pub(super) fn value(&self, scope: &Scope, undefined: Undefined) -> Option<Value> {
        let value = self.value_or_undefined(scope, undefined)?;
        let is_error = value.is_undefined() && undefined == Undefined::Refused;
        (!is_error).then_some(value)
    }

    fn value_or_undefined(&self, scope: &Scope, undefined: Undefined) -> Option<Value> {
        let of = |expression: &Self| expression.value(scope, undefined);
        Some(match self {
            Self::Constant(value) => value.clone(),
            Self::Path(names) => find(names, scope, undefined)?,
            Self::Equal(operands) => {
                let [left, right] = &**operands;
                let operand = |of: &Self| of.operand(scope, undefined);
                let (left, right) = (operand(left)?, operand(right)?);
                // Two large values take long to compare, which the engine accounts for.
                let is_quick = left.is_small() || right.is_small();
                is_quick.then(|| left.equals(&right))?.into()
            }
            Self::OneOf(value, items) => items.contains(&of(value)?).into(),
            Self::Both(operands) => {
                let [left, right] = &**operands;
                let value = of(left)?;
                if value.is_true() { of(right)? } else { value }
            }
            Self::Either(operands) => {
                let [left, right] = &**operands;
                let value = of(left)?;
                if value.is_true() { value } else { of(right)? }
            }
            Self::Not(operand) => (!of(operand)?.is_true()).into(),
            Self::Defined(operand) => {
                let value = operand.value_or_undefined(scope, undefined)?;
                (!value.is_undefined()).into()
            }
            Self::Default(operand, default) => {
                let value = operand.value_or_undefined(scope, undefined)?;
                if value.is_undefined() {
                    default.clone()
                } else {
                    value
                }
            }
            Self::Concatenation(_) => self.text(scope, undefined)?.into(),
            Self::Choice(choice) => {
                if of(&choice.condition)?.is_true() {
                    of(&choice.yes)?
                } else {
                    of(&choice.no)?
                }
            }
        })
    }
}

/// What is compared.
enum Operand {
    Value(Value),
    /// What a concatenation makes, of which nobody needs a value.
    Text(String),
}

impl Direct {
    fn operand(&self, scope: &Scope, undefined: Undefined) -> Option<Operand> {
        Some(match self {
            Self::Concatenation(_) => Operand::Text(self.text(scope, undefined)?),
            _ => Operand::Value(self.value(scope, undefined)?),
        })
    }

    fn text(&self, scope: &Scope, undefined: Undefined) -> Option<String> {
        let mut text = String::with_capacity(budget::SMALL);
        self.write(scope, undefined, &mut text)?;
        Some(text)
    }

    /// Appends what is put together: short texts and whole numbers behind each other.
    fn write(&self, scope: &Scope, undefined: Undefined, text: &mut String) -> Option<()> {
        let Self::Concatenation(operands) = self else {
            let value = self.value(scope, undefined)?;
            let short = budget::is_small(&value).then_some(&value)?;
            return match short.as_str() {
                Some(short) => text.write_str(short).ok(),
                None if short.is_integer() => write!(text, "{short}").ok(),
                None => None,
            };
        };
        for operand in &**operands {
            let begin = text.len();
            operand.write(scope, undefined, text)?;
            if text.len() - begin > budget::SMALL {
                return None;
            }
        }
        Some(())
    }
}

impl Operand {
    fn is_small(&self) -> bool {
        match self {
            Self::Value(value) => budget::is_small(value),
            Self::Text(text) => text.len() <= budget::SMALL,
        }
    }

    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            // Bytes are no text, whatever is in them.
            (Self::Text(text), Self::Value(value)) | (Self::Value(value), Self::Text(text)) => {
                value.kind() == ValueKind::String && value.as_str() == Some(text)
            }
        }
    }
}

/// The name of a variable; `None` for what is made whenever somebody looks for it, and what is the same everywhere.
fn root(name: &str) -> Option<Box<str>> {
    let is_variable = !SessionValues::NAMES.contains(&name) && !is_global(name);
    is_variable.then(|| name.into())
}

/// A constant that takes no time to compare or to copy.
fn small(constant: Value) -> Option<Value> {
    budget::is_small(&constant).then_some(constant)
}

fn items(list: &Expr<'_>) -> Option<Box<[Value]>> {
    let Expr::List(list) = list else {
        return None;
    };
    let constants = list.as_const()?;
    if !instructions::is_small_list(&constants) {
        return None;
    }
    let items = constants.try_iter().ok()?;
    items.map(small).collect()
}

fn find(names: &[Box<str>], scope: &Scope, undefined: Undefined) -> Option<Value> {
    if let [name, field] = names
        && let Some(value) = scope.field_of(name, field)
    {
        return Some(value);
    }
    let (first, fields) = names.split_first()?;
    let mut value = scope.value_of(first).unwrap_or(Value::UNDEFINED);
    for field in fields {
        if value.is_undefined() {
            match undefined {
                Undefined::Allowed => break,
                Undefined::Refused => return None,
            }
        }
        value = value.get_attr(field).ok()?;
    }
    // The engine reports the error that an invalid value holds.
    (value.kind() != ValueKind::Invalid).then_some(value)
}

#[cfg(test)]
mod tests;
