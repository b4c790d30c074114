//! The instructions of minijinja's compiler, with those in between that account for what the others take.

use std::collections::BTreeSet;

use minijinja::{
    Value,
    machinery::{Instruction, Instructions, Token, tokenize},
    syntax::SyntaxConfig,
    value::ValueKind,
};

use super::operands::{
    AS_IT_IS, CALLABLE, CHARGE, CHARGE_EACH, INDEXABLE, KEEP, REPEATABLE, REPEATABLE_BY,
    SEARCHABLE, SETTABLE, SLICEABLE,
};
use crate::scenario::{SessionValues, limits::weigh};

/// Below it an index takes no time, in characters or items.
const SMALL_INDEX: i64 = 1_000;
/// A constant that weighs less takes no time to go through, in bytes.
const SMALL_CONSTANT: usize = 1_000;
/// A shorter text of a template takes no more than the step that writes it, in bytes.
const SMALL_RAW: usize = 64;

/// The source such that the compiler does not carry out any `*` of constants, which would take its memory when the
/// source is read; `None` if there is none to carry out.
pub(super) fn unfolded(source: &str, is_expression: bool) -> Option<String> {
    // Only texts and lists become larger.
    if !source.contains('*') || !source.contains(['\'', '"', '[', '(']) {
        return None;
    }
    let mut unfolded = String::with_capacity(source.len() + 16);
    let mut at = 0;
    let mut previous = None;
    for token in tokenize(source, is_expression, SyntaxConfig::default()) {
        // The parser reports the error of such a source.
        let Ok((token, span)) = token else {
            return None;
        };
        // Otherwise it passes on the items of a list.
        let multiplies = !matches!(
            previous,
            None | Some(Token::ParenOpen | Token::BracketOpen | Token::Comma)
        );
        if matches!(token, Token::Mul) && multiplies {
            let begin = span.start_offset as usize;
            unfolded.push_str(source.get(at..begin)?);
            unfolded.push_str(" | ");
            unfolded.push_str(AS_IT_IS);
            unfolded.push(' ');
            at = begin;
        }
        previous = Some(token);
    }
    (at > 0).then(|| unfolded + &source[at..])
}

/// The same instructions, each of which accounts for what it takes.
pub(super) fn bounded<'source>(code: &Instructions<'source>) -> Instructions<'source> {
    let all: Vec<_> = (0..).map_while(|at| code.get(at)).cloned().collect();
    let mut targets = BTreeSet::new();
    for instruction in &mut all.clone() {
        targets.extend(target(instruction).map(|target| *target));
    }
    let mut bounded = Instructions::new(code.name(), code.source());
    let mut count = 0_u32;
    // Where each instruction begins now, and where they end.
    let mut begins = Vec::with_capacity(all.len() + 1);
    let mut before: Option<&Instruction<'_>> = None;
    for (at, instruction) in (0_u32..).zip(&all) {
        begins.push(count);
        let constant = match before {
            // Who jumps here may have left another value behind.
            Some(Instruction::LoadConst(value)) if !targets.contains(&at) => Some(value),
            _ => None,
        };
        before = Some(instruction);
        let next = all.get(at as usize + 1);
        let all = if is_bounded(instruction, constant, next) {
            vec![instruction.clone()]
        } else {
            surrounded(instruction, constant)
        };
        for instruction in all {
            bounded.add(instruction);
            count += 1;
        }
    }
    begins.push(count);
    for at in 0..count {
        if let Some(target) = bounded.get_mut(at).and_then(target) {
            *target = begins[*target as usize];
        }
    }
    bounded
}

/// Where an instruction may go on.
fn target<'a>(instruction: &'a mut Instruction<'_>) -> Option<&'a mut u32> {
    match instruction {
        Instruction::Iterate(target)
        | Instruction::Jump(target)
        | Instruction::JumpIfFalse(target)
        | Instruction::JumpIfFalseOrPop(target)
        | Instruction::JumpIfTrueOrPop(target)
        | Instruction::BuildMacro(_, target, _) => Some(target),
        _ => None,
    }
}

fn filter<'source>(name: &'static str, arguments: u16) -> Instruction<'source> {
    // minijinja remembers the filters of a template under numbers; this stands for none.
    let no_number = u8::MAX;
    Instruction::ApplyFilter(name, Some(arguments), no_number)
}

/// What an instruction takes that minijinja does not bound.
enum Takes {
    /// Nothing, or something that is bounded elsewhere.
    Nothing,
    /// What it makes.
    Result,
    /// A text of the template, which it writes.
    Raw,
    /// What it repeats.
    Product,
    /// What it goes through, and what it makes.
    Slice,
    /// The time to find a value in another one.
    Search,
    /// The time to compare two values: no longer than to go through the right one.
    RightOperand,
    /// The same in a chain such as `1 < x < 3`, where it may be a search too.
    BothOperands,
    /// The time to find an item.
    Item,
    /// What becomes a field of a namespace.
    Field,
    /// Names and values of so many fields.
    Fields(usize),
    /// So many values on top of the stack, of each of which it goes through all.
    Values(usize),
    /// What `loop.changed` compares and keeps.
    Arguments,
}

/// Every instruction there is: one that a version of minijinja adds does not get in without a thought.
#[expect(
    clippy::match_same_arms,
    reason = "what belongs together stands together, on one line"
)]
fn takes(instruction: &Instruction<'_>) -> Takes {
    use Instruction as I;

    match instruction {
        I::Add
        | I::StringConcat
        | I::BuildList(_)
        | I::BuildTuple(_)
        | I::CallFunction(..)
        | I::CallObject(_) => Takes::Result,
        I::CallMethod("changed" | "cycle", _) => Takes::Arguments,
        I::CallMethod(..) => Takes::Result,
        // The same name may stand in it several times.
        I::BuildMap(fields) => Takes::Fields(*fields),
        I::EmitRaw(_) => Takes::Raw,
        I::Mul => Takes::Product,
        I::Slice => Takes::Slice,
        I::Eq | I::Ne | I::Gt | I::Gte | I::Lt | I::Lte => Takes::RightOperand,
        I::In => Takes::Search,
        I::CompareAndPreserve(_) => Takes::BothOperands,
        I::GetItem => Takes::Item,
        I::SetAttr(_) => Takes::Field,
        I::UnpackLists(count) | I::MergeKwargs(count) => Takes::Values(*count),
        I::Include(_) => Takes::Values(1),
        // Filters, tests and the formatter account for themselves.
        I::ApplyFilter(..) | I::PerformTest(..) | I::Emit => Takes::Nothing,
        // It is made whenever somebody looks for it.
        I::Lookup(name) if SessionValues::NAMES.contains(name) => Takes::Result,
        I::StoreLocal(_) | I::Lookup(_) | I::GetAttr(_) | I::LoadConst(_) => Takes::Nothing,
        I::BuildKwargs(_) | I::UnpackList(_) | I::DupTop | I::DiscardTop | I::Swap => {
            Takes::Nothing
        }
        I::Sub | I::Div | I::IntDiv | I::Rem | I::Pow | I::Neg | I::Not => Takes::Nothing,
        I::PushLoop(_) | I::Iterate(_) | I::PushDidNotIterate | I::FastRecurse => Takes::Nothing,
        I::PushWith | I::PopFrame | I::PopLoopFrame => Takes::Nothing,
        I::Jump(_) | I::JumpIfFalse(_) => Takes::Nothing,
        I::JumpIfFalseOrPop(_) | I::JumpIfTrueOrPop(_) => Takes::Nothing,
        I::PushAutoEscape | I::PopAutoEscape => Takes::Nothing,
        I::BeginCapture(_) | I::EndCapture => Takes::Nothing,
        I::CallBlock(_) | I::LoadBlocks | I::FastSuper => Takes::Nothing,
        I::ExportLocals | I::BuildMacro(..) | I::Return | I::IsUndefined => Takes::Nothing,
        I::Enclose(_) | I::GetClosure => Takes::Nothing,
    }
}

/// Has a filter look at so many values on top of the stack, which stay where they are.
fn look_at<'source>(count: usize, name: &'static str) -> [Instruction<'source>; 4] {
    [
        Instruction::BuildTuple(Some(count)),
        filter(name, 1),
        Instruction::UnpackLists(1),
        // How many there are.
        Instruction::DiscardTop,
    ]
}

/// Whether an instruction takes no more than a step. `constant` is on top of the stack, if it is known.
fn is_bounded(
    instruction: &Instruction<'_>,
    constant: Option<&Value>,
    next: Option<&Instruction<'_>>,
) -> bool {
    use Instruction as I;

    match instruction {
        // A loop makes no list of it.
        I::CallFunction("range", _) => matches!(next, Some(I::PushLoop(_))),
        I::EmitRaw(text) => text.len() <= SMALL_RAW,
        // The result is a number.
        I::Add => constant.is_some_and(Value::is_number),
        I::In => constant.is_some_and(is_small_list),
        I::Eq | I::Ne | I::Gt | I::Gte | I::Lt | I::Lte => constant.is_some_and(is_small),
        I::GetItem => constant.is_some_and(is_found_at_once),
        _ => false,
    }
}

/// An instruction with what belongs in front of it and behind it. `constant` is on top of the stack, if it is known.
fn surrounded<'source>(
    instruction: &Instruction<'source>,
    constant: Option<&Value>,
) -> Vec<Instruction<'source>> {
    use Instruction as I;

    let same = instruction.clone();
    let keep = filter(KEEP, 1);
    let charge_both = [I::Swap, filter(CHARGE, 1), I::Swap, filter(CHARGE, 1)];
    match (takes(instruction), instruction) {
        (Takes::Result, _) => vec![same, keep],
        // As a value, it is written by the formatter, which accounts for it.
        (Takes::Raw, I::EmitRaw(text)) => {
            let text = Value::from_safe_string((*text).to_owned());
            vec![I::LoadConst(text), I::Emit]
        }
        (Takes::Product, _) => {
            let number = constant.filter(|count| count.is_number());
            let look = match number {
                Some(count) => [
                    I::Swap,
                    I::LoadConst(count.clone()),
                    filter(REPEATABLE_BY, 2),
                    I::Swap,
                ],
                None => look_at(2, REPEATABLE),
            };
            [&look[..], &[same, keep]].concat()
        }
        (Takes::Slice, _) => [&look_at(4, SLICEABLE)[..], &[same, keep]].concat(),
        (Takes::Search, _) => {
            let charge_left = [I::Swap, filter(CHARGE, 1), I::Swap];
            [&charge_left[..], &[filter(SEARCHABLE, 1), same]].concat()
        }
        (Takes::RightOperand | Takes::Values(1), _) => vec![filter(CHARGE, 1), same],
        (Takes::BothOperands, _) => [&charge_both[..], &[same]].concat(),
        (Takes::Item, _) => {
            let of_value = [I::Swap, filter(INDEXABLE, 1), I::Swap];
            [&[filter(CHARGE, 1)][..], &of_value, &[same]].concat()
        }
        (Takes::Field, _) => vec![I::Swap, filter(SETTABLE, 1), I::Swap, same],
        (Takes::Fields(count), _) => [&look_at(2 * count, CHARGE)[..], &[same]].concat(),
        (Takes::Values(count), _) => [&look_at(count, CHARGE_EACH)[..], &[same]].concat(),
        (Takes::Arguments, I::CallMethod(name, count)) => {
            // The object is one of them. Their number is left on the stack, where the call finds it.
            let tuple = I::BuildTuple(count.map(usize::from));
            let call = I::CallMethod(name, None);
            vec![tuple, filter(CALLABLE, 1), I::UnpackLists(1), call, keep]
        }
        (Takes::Nothing | Takes::Raw | Takes::Arguments, _) => vec![same],
    }
}

/// Whether a constant is compared in no time, whatever it is compared with.
fn is_small(constant: &Value) -> bool {
    weigh(constant, SMALL_CONSTANT).is_ok()
}

/// Whether a constant is a list that is gone through in no time, whatever is looked for.
pub(super) fn is_small_list(constant: &Value) -> bool {
    constant.kind() == ValueKind::Seq && is_small(constant)
}

/// Whether an item with this index is found in no time.
fn is_found_at_once(index: &Value) -> bool {
    let is_found = |index| (0..SMALL_INDEX).contains(&index);
    match index.as_str() {
        Some(name) => name.len() < SMALL_CONSTANT,
        None => index.as_i64().is_some_and(is_found),
    }
}
