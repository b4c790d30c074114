//! What filters take that compare the items of a value with each other.

use minijinja::{Error, State, Value};

use super::budget;

/// Accounts for so many rounds in which every item is compared with another one. Where the case of letters does not
/// matter, minijinja copies both texts for it: one that is long may be compared with each of many that are short.
pub(super) fn charge(
    state: &mut State<'_, '_>,
    value: &Value,
    arguments: &[Value],
    rounds: fn(usize) -> u32,
) -> Result<(), Error> {
    let compared = Compared::of(arguments);
    let (mut items, mut weight, mut longest) = (0_usize, 0_usize, 0);
    for item in value.try_iter().into_iter().flatten() {
        items += 1;
        for path in compared.paths() {
            let key = compared.key(value, &item, path);
            weight = weight.saturating_add(budget::charge_value(state, &key)?);
            longest = longest.max(key.as_str().map_or(0, str::len));
        }
    }
    let copied = if compared.case_sensitive {
        0
    } else {
        items.saturating_mul(longest)
    };
    let rounds = rounds(items) as usize;
    budget::charge(state, rounds.saturating_mul(weight.saturating_add(copied)))
}

/// What such a filter compares.
struct Compared {
    /// Paths in an item, with commas in between.
    attribute: Option<String>,
    /// What an item has that lacks it.
    default: Value,
    case_sensitive: bool,
    /// Of a mapping, fields instead of their names.
    by_value: bool,
}

impl Compared {
    fn of(arguments: &[Value]) -> Self {
        let named = arguments.last().filter(|last| last.is_kwargs());
        let named = |name| named.and_then(|named| named.get_attr(name).ok());
        let first = arguments
            .first()
            .filter(|first| !first.is_kwargs())
            .cloned();
        let attribute = first.or_else(|| named("attribute"));
        Self {
            attribute: attribute
                .as_ref()
                .and_then(Value::as_str)
                .map(str::to_owned),
            default: named("default").unwrap_or_default(),
            case_sensitive: named("case_sensitive").is_some_and(|value| value.is_true()),
            by_value: named("by").is_some_and(|by| by.as_str() == Some("value")),
        }
    }

    /// The attribute as a whole, as `groupby` takes it, and as the list that `sort` takes it for.
    fn paths(&self) -> impl Iterator<Item = Option<&str>> {
        let attribute = self.attribute.as_deref();
        let list = attribute.filter(|attribute| attribute.contains(','));
        let listed = list.into_iter().flat_map(|list| list.split(','));
        std::iter::once(attribute).chain(listed.map(|path| Some(path.trim())))
    }

    fn key(&self, value: &Value, item: &Value, path: Option<&str>) -> Value {
        let Some(path) = path else {
            let field = self.by_value.then(|| value.get_item(item).ok()).flatten();
            return field.unwrap_or_else(|| item.clone());
        };
        let mut found = item.clone();
        for name in path.split('.') {
            let field = match name.parse() {
                Ok(index) => found.get_item_by_index(index),
                Err(_) => found.get_attr(name),
            };
            found = field.unwrap_or_default();
        }
        if found.is_undefined() {
            self.default.clone()
        } else {
            found
        }
    }
}
