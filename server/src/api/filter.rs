//! Filters: what lists may be asked for, as one typed value, whether it came as a JSON body ([`body`]) or in a query
//! string ([`query`]).
//!
//! Both read *operands* (values with the type they were sent in), and [`compile`] turns a field, an operator and operands
//! into a [`Test`] that already has the type of its column: a value that does not fit is refused there, before any row is
//! looked at. A test follows the three-valued logic of SQL: what is null matches only `isnull`.
//!
//! Text is compared byte by byte and `ilike` folds letters as Unicode says; no locale is involved. Numbers are compared
//! exactly, whatever their size.

pub mod account_columns;
pub mod body;
pub mod check;
pub mod columns;
pub mod compile;
pub mod json;
pub mod moment;
pub mod number;
pub mod operand;
pub mod pattern;
pub mod query;

use super::metadata::Metadata;
use crate::http::error::{ApiError, Code};
use check::Check;
use columns::Column;
use number::Number;
use serde_json::json;
use std::borrow::Cow;

/// What a test does with the value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// One of several.
    In,
    /// From one to another, both included.
    Between,
    /// A pattern.
    Like,
    /// A pattern, in any letter case.
    Ilike,
    /// Null.
    IsNull,
    /// Not null.
    IsNotNull,
}

impl Operator {
    /// All operators.
    pub const ALL: [(&'static str, Operator); 12] = [
        ("eq", Operator::Eq),
        ("ne", Operator::Ne),
        ("gt", Operator::Gt),
        ("gte", Operator::Gte),
        ("lt", Operator::Lt),
        ("lte", Operator::Lte),
        ("in", Operator::In),
        ("between", Operator::Between),
        ("like", Operator::Like),
        ("ilike", Operator::Ilike),
        ("isnull", Operator::IsNull),
        ("isnotnull", Operator::IsNotNull),
    ];

    /// The operator of a word.
    pub fn of(word: &str) -> Option<Operator> {
        Operator::ALL.iter().find(|(known, _)| *known == word).map(|(_, operator)| *operator)
    }
}

/// What a test looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field<C> {
    /// One column.
    One(C),
    /// Two columns, of which one has to match.
    Either(C, C),
    /// Two columns, which both have to match.
    Both(C, C),
    /// A key of the metadata.
    Key(String),
}

/// Conditions that a row is held against without thinking about how long it takes.
const LIGHT_TESTS: usize = 20;

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test<C> {
    /// What is looked at.
    pub field: Field<C>,
    /// What it must be.
    pub check: Check,
}

/// Conditions, all of which or one of which must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filters<C> {
    /// The conditions, those that cost least first.
    pub tests: Vec<Test<C>>,
    /// Whether one is enough.
    pub any: bool,
}

/// The value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// There is nothing that could have a value; not even `isnull` matches.
    Missing,
    /// Null.
    Null,
    /// A text.
    Text(Cow<'a, str>),
    /// A number.
    Number(Number),
    /// Microseconds since 1970.
    Time(i64),
}

/// Something that stands at one row, and tells the values of its columns when they are asked for.
pub trait Subject {
    /// Its columns.
    type Column: Column;

    /// The value of a column.
    fn value(&mut self, column: Self::Column) -> Result<Value<'_>, ApiError>;

    /// The metadata.
    fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError>;
}

impl<C: Column> Filters<C> {
    /// Conditions in the order in which they are tested best.
    pub fn new(mut tests: Vec<Test<C>>, any: bool) -> Filters<C> {
        tests.sort_by_key(|test| match &test.field {
            Field::One(column) | Field::Either(column, _) | Field::Both(column, _) => column.cost(),
            Field::Key(_) => u8::MAX,
        });
        Filters { tests, any }
    }

    /// Whether there are no conditions.
    pub const fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// The conditions that every match fulfils: all of them, or none when one is enough.
    pub fn required(&self) -> &[Test<C>] {
        if self.any && self.tests.len() > 1 { &[] } else { &self.tests }
    }

    /// Whether testing one row may take long.
    pub fn are_heavy(&self) -> bool {
        self.tests.len() > LIGHT_TESTS || self.tests.iter().any(|test| test.check.is_heavy())
    }

    /// Whether a row matches.
    pub fn hold<S: Subject<Column = C>>(&self, subject: &mut S) -> Result<bool, ApiError> {
        for test in &self.tests {
            if test.holds(subject)? == self.any {
                return Ok(self.any);
            }
        }
        Ok(!self.any || self.tests.is_empty())
    }
}

impl<C: Column> Test<C> {
    fn holds<S: Subject<Column = C>>(&self, subject: &mut S) -> Result<bool, ApiError> {
        let holds = |subject: &mut S, column: C| match column.is_metadata() {
            true => Ok(self.check.holds_metadata(&*subject.metadata()?)),
            false => Ok::<bool, ApiError>(self.check.holds(&subject.value(column)?)),
        };
        match &self.field {
            Field::One(column) => holds(subject, *column),
            Field::Either(one, other) => Ok(holds(subject, *one)? || holds(subject, *other)?),
            Field::Both(one, other) => Ok(holds(subject, *one)? && holds(subject, *other)?),
            Field::Key(key) => Ok(self.check.holds_key(subject.metadata()?.get(key))),
        }
    }
}

/// By which column rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort<C> {
    /// The column.
    pub column: C,
    /// Whether the least come first.
    pub ascending: bool,
}

/// All that is asked of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<C> {
    /// Which rows.
    pub filters: Filters<C>,
    /// In which order.
    pub sort: Sort<C>,
    /// Rows of the page.
    pub limit: usize,
    /// Rows before the page.
    pub offset: usize,
    /// Whether all matches are counted.
    pub count: bool,
}

/// A filter that makes no sense.
pub(crate) fn refuse(message: impl AsRef<str>) -> ApiError {
    ApiError::new(Code::GenBadRequest, format!("Invalid filter: {}", message.as_ref())).details(json!({}))
}

/// What is said of a word that joins no conditions.
pub(crate) const NO_LOGIC: &str = "invalid logical_operator: must be 'and' or 'or'";

/// Whether one condition is enough, from the word that joins them.
pub(crate) fn is_any(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "" | "and" => Some(false),
        "or" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
