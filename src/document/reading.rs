//! What readers of a document ask a node for.

use std::{borrow::Cow, ops::RangeInclusive, time::Duration};

use super::{Entry, Node, Number, Place, Places, Problems, Value, scalar};
use crate::units::duration;

impl Node {
    /// Text from outside of YAML, such as an argument: text as it is, and a number or a boolean where
    /// one of them is wanted.
    pub fn untyped(place: Place, text: impl Into<String>) -> Self {
        Self {
            place,
            value: Value::Text(text.into()),
            text_begins: None,
            written: None,
            is_untyped: true,
        }
    }

    /// Replaces text by what the environment makes of it. Without quotes that is what it looks like, in
    /// quotes it is [untyped](Self::untyped). It is never nothing.
    pub fn take_outside(&mut self, text: String) {
        let is_plain = self.text_begins == Some(0);
        self.value = if is_plain {
            scalar::from_outside(&text)
        } else {
            Value::Text(text.clone())
        };
        self.written = scalar::is_other_than_text(&self.value).then(|| text.into());
        self.is_untyped = true;
        // Columns in the new text are not those of the source.
        self.text_begins = None;
    }

    /// A document without the keys at its top that begin with `x-`: they hold what anchors name.
    pub fn without_extensions(&self) -> Cow<'_, Self> {
        let is_extension = |entry: &Entry| entry.key.starts_with("x-");
        match &self.value {
            Value::Map(entries) if entries.iter().any(is_extension) => {
                let mut rest = self.clone();
                if let Value::Map(entries) = &mut rest.value {
                    entries.retain(|entry| !is_extension(entry));
                }
                Cow::Owned(rest)
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// The value where text is not wanted: [untyped](Self::untyped) text is what it would be without
    /// quotes.
    pub fn typed(&self) -> Cow<'_, Value> {
        match &self.value {
            Value::Text(text) if self.is_untyped => Cow::Owned(scalar::from_outside(text)),
            value => Cow::Borrowed(value),
        }
    }

    /// What was written, if this is a scalar for which anything was.
    pub fn as_written(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Number(number) => Some(number.as_written()),
            Value::Null | Value::Boolean(_) => self.written.as_deref(),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The place of the character `offset` bytes into this node's text.
    pub fn place_in_text(&self, offset: usize) -> Place {
        self.places().at(offset)
    }

    /// The places of all characters of this node's text.
    pub fn places(&self) -> Places<'_> {
        Places::new(self)
    }

    /// What this is, for messages that expected something else.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Boolean(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Notes that `wanted` was expected here.
    pub fn expected(&self, wanted: &str, problems: &Problems) {
        let found = if self.is_untyped {
            self.shown()
        } else {
            Cow::Borrowed(self.kind())
        };
        problems.add(&self.place, format!("expected {wanted}, found {found}"));
    }

    /// Text; anything else is a problem.
    pub fn text(&self, wanted: &str, problems: &Problems) -> Option<&str> {
        match (&self.value, self.as_written()) {
            (Value::Text(text), _) => Some(text),
            // Of the environment, which has no types.
            (_, Some(text)) if self.is_untyped => Some(text),
            _ => {
                self.expected(wanted, problems);
                None
            }
        }
    }

    /// What this is, with the value itself where that is a number or text.
    pub fn shown(&self) -> Cow<'static, str> {
        match &self.value {
            Value::Number(number) => Cow::Owned(number.as_written().to_owned()),
            Value::Text(text) => Cow::Owned(format!("`{text}`")),
            _ => Cow::Borrowed(self.kind()),
        }
    }

    /// A scalar as it was written, be it text, a number, a boolean or the word `null`.
    pub fn scalar_text(&self, wanted: &str, problems: &Problems) -> Option<String> {
        let text = self.as_written();
        if text.is_none() {
            self.expected(wanted, problems);
        }
        text.map(str::to_owned)
    }

    /// A boolean; anything else is a problem.
    pub fn boolean(&self, problems: &Problems) -> Option<bool> {
        if let Value::Boolean(value) = *self.typed() {
            return Some(value);
        }
        self.expected("`true` or `false`", problems);
        None
    }

    /// A whole number of at least `least`; anything else is a problem.
    pub fn whole_number(&self, least: u64, problems: &Problems) -> Option<u64> {
        self.whole_number_in(least..=u64::MAX, problems)
    }

    /// A whole number in this range; anything else is a problem.
    pub fn whole_number_in(&self, range: RangeInclusive<u64>, problems: &Problems) -> Option<u64> {
        let typed = self.typed();
        let number = match &*typed {
            Value::Number(number) => Some(number),
            _ => None,
        };
        let whole = number.and_then(Number::whole);
        if let Some(value) = whole.and_then(|whole| u64::try_from(whole).ok())
            && range.contains(&value)
        {
            return Some(value);
        }
        // The message for a number that is too large names the maximum, also where it is that of the type.
        let is_large = number.is_some_and(|number| {
            let fits = whole.is_some_and(|whole| whole <= i128::from(u64::MAX));
            number.is_whole() && number.approximate() > 0.0 && !fits
        });
        let most = match range.end() {
            &u64::MAX if !is_large => String::new(),
            most => format!(" and at most {most}"),
        };
        problems.add(
            &self.place,
            format!(
                "expected a whole number of at least {}{most}, found {}",
                range.start(),
                self.shown()
            ),
        );
        None
    }

    /// A duration; anything else is a problem.
    pub fn duration(&self, problems: &Problems) -> Option<Duration> {
        self.parsed("a duration such as `5s`", duration::parse, problems)
    }

    /// Text that `parse` understands; its error becomes the problem.
    pub fn parsed<T, E: ToString>(
        &self,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        problems: &Problems,
    ) -> Option<T> {
        let text = self.scalar_text(wanted, problems)?;
        parse(&text)
            .map_err(|error| problems.add(&self.place, error.to_string()))
            .ok()
    }

    /// The nodes of a list; anything else is a problem.
    pub fn list(&self, wanted: &str, problems: &Problems) -> &[Self] {
        if let Value::List(nodes) = &self.value {
            return nodes;
        }
        self.expected(wanted, problems);
        &[]
    }

    /// The entries of a mapping whose keys are the user's own names; anything else is a problem.
    pub fn entries(&self, wanted: &str, problems: &Problems) -> &[Entry] {
        if let Value::Map(entries) = &self.value {
            return entries;
        }
        self.expected(wanted, problems);
        &[]
    }

    /// The node behind a key of a mapping, without reading the mapping.
    pub fn find(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.node),
            _ => None,
        }
    }
}
