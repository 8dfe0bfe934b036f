//! What a value must be. A check has the type of its column, and null passes none but `isnull`.

use super::Value;
use super::json::{self, Json};
use super::moment::Told;
use super::number::Number;
use super::pattern::Pattern;
use crate::api::metadata::Metadata;
use std::cmp::Ordering;
use std::ops::Range;

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Nothing passes: comparing with null.
    Never,
    /// Null.
    Null,
    /// Not null.
    NotNull,
    /// A text.
    Text(Comparison<String>),
    /// A text that matches a pattern.
    Like(Pattern),
    /// A number.
    Number(Comparison<Number>),
    /// A time.
    Time(Comparison<i64>),
    /// JSON: below a key, what is stored contains this; of the metadata as a whole, it equals this.
    Is(Json),
    /// JSON of the metadata as a whole that is not this.
    IsNot(Json),
    /// JSON of the metadata as a whole that is one of these.
    IsOneOf(Vec<Json>),
}

/// A comparison with values of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison<T> {
    /// Equal.
    Equal(T),
    /// Not equal.
    Unequal(T),
    /// Greater.
    Greater(T),
    /// Greater or equal.
    AtLeast(T),
    /// Less.
    Less(T),
    /// Less or equal.
    AtMost(T),
    /// One of several, sorted.
    Among(Vec<T>),
    /// From one to another, both included.
    Between(T, T),
    /// From one to another, without the other.
    Within(Range<T>),
}

impl<T: Ord> Comparison<T> {
    /// Whether a value passes, from how it compares with others.
    fn passes(&self, compare: impl Fn(&T) -> Ordering) -> bool {
        match self {
            Comparison::Equal(with) => compare(with).is_eq(),
            Comparison::Unequal(with) => compare(with).is_ne(),
            Comparison::Greater(with) => compare(with).is_gt(),
            Comparison::AtLeast(with) => compare(with).is_ge(),
            Comparison::Less(with) => compare(with).is_lt(),
            Comparison::AtMost(with) => compare(with).is_le(),
            Comparison::Among(with) => with.binary_search_by(|one| compare(one).reverse()).is_ok(),
            Comparison::Between(from, to) => compare(from).is_ge() && compare(to).is_le(),
            Comparison::Within(range) => compare(&range.start).is_ge() && compare(&range.end).is_lt(),
        }
    }
}

/// Pieces of a pattern that is matched without thinking about how long it takes.
const LIGHT_PIECES: usize = 64;

impl Check {
    /// Whether holding it against one value may take long, as the time grows with the value *and* with what it is held against.
    pub fn is_heavy(&self) -> bool {
        match self {
            Check::Like(pattern) => pattern.pieces_count() > LIGHT_PIECES,
            Check::Is(wanted) => wanted.is_compound(),
            Check::IsNot(_) | Check::IsOneOf(_) => true,
            Check::Never | Check::Null | Check::NotNull | Check::Text(_) | Check::Number(_) | Check::Time(_) => false,
        }
    }

    /// Whether the value of a column passes.
    pub fn holds(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (_, Value::Missing) => false,
            (Check::Null, value) => *value == Value::Null,
            (Check::NotNull, value) => *value != Value::Null,
            (Check::Text(comparison), Value::Text(text)) => comparison.passes(|with| (**text).cmp(with.as_str())),
            (Check::Like(pattern), Value::Text(text)) => pattern.matches(text),
            (Check::Number(comparison), Value::Number(number)) => comparison.passes(|with| number.cmp(with)),
            (Check::Time(comparison), Value::Time(at)) => comparison.passes(|with| at.cmp(with)),
            _ => false,
        }
    }

    /// Whether the metadata as a whole passes; it is never null.
    pub fn holds_metadata(&self, metadata: &Metadata) -> bool {
        let stored = || match metadata.is_empty() {
            true => Some(Json::Null),
            false => Json::parse(&metadata.text()),
        };
        match self {
            Check::NotNull => true,
            Check::Is(wanted) => stored().as_ref() == Some(wanted),
            Check::IsNot(wanted) => stored().as_ref() != Some(wanted),
            Check::IsOneOf(wanted) => stored().is_some_and(|stored| wanted.contains(&stored)),
            _ => false,
        }
    }

    /// Whether the value under a key of the metadata passes. What a range cannot be compared with does not.
    pub fn holds_key(&self, stored: Option<&str>) -> bool {
        let text = || stored.and_then(json::text_of);
        match self {
            Check::Null => stored.is_none_or(|stored| stored == "null"),
            Check::NotNull => stored.is_some_and(|stored| stored != "null"),
            // A list or an object is only read where one is asked for.
            Check::Is(wanted) => stored
                .filter(|stored| json::is_compound(stored) == wanted.is_compound())
                .and_then(Json::parse)
                .is_some_and(|stored| stored.contains(wanted)),
            Check::Text(comparison) => text().is_some_and(|text| comparison.passes(|with| text.as_str().cmp(with))),
            Check::Like(pattern) => text().is_some_and(|text| pattern.matches(&text)),
            Check::Number(comparison) => {
                let number = text().and_then(|text| Number::parse(&text));
                number.is_some_and(|number| comparison.passes(|with| number.cmp(with)))
            }
            Check::Time(comparison) => {
                let told = text().and_then(|text| Told::parse(&text));
                told.is_some_and(|told| comparison.passes(|with| told.at.cmp(with)))
            }
            Check::Never | Check::IsNot(_) | Check::IsOneOf(_) => false,
        }
    }

    /// The texts of which a value must be one, if that is what is checked.
    pub fn texts(&self) -> Option<&[String]> {
        match self {
            Check::Text(Comparison::Equal(text)) => Some(std::slice::from_ref(text)),
            Check::Text(Comparison::Among(texts)) => Some(texts),
            _ => None,
        }
    }

    /// A text that stands in every text that passes, if there is one that is not empty.
    pub fn literal(&self) -> Option<String> {
        match self {
            Check::Like(pattern) => pattern.literal(),
            check => match check.texts() {
                Some([text]) if !text.is_empty() => Some(text.clone()),
                _ => None,
            },
        }
    }

    /// The times between which a value must be, if that is what is checked; the latter is not among them.
    pub fn times(&self) -> Option<Range<i64>> {
        let Check::Time(comparison) = self else { return None };
        Some(match comparison {
            Comparison::Equal(at) => *at..at.saturating_add(1),
            Comparison::Greater(at) => at.saturating_add(1)..i64::MAX,
            Comparison::AtLeast(at) => *at..i64::MAX,
            Comparison::Less(at) => i64::MIN..*at,
            Comparison::AtMost(at) => i64::MIN..at.saturating_add(1),
            Comparison::Between(from, to) => *from..to.saturating_add(1),
            Comparison::Within(range) => range.clone(),
            Comparison::Among(times) => *times.first()?..times.last()?.saturating_add(1),
            Comparison::Unequal(_) => return None,
        })
    }
}
