//! A field, an operator and operands become a test; what does not fit together is refused.

use super::check::{Check, Comparison};
use super::columns::{Column, Kind, Named};
use super::json::Json;
use super::moment::Told;
use super::number::Number;
use super::operand::Operand;
use super::pattern::Pattern;
use super::{Field, Filters, Operator, Sort, Test, refuse};
use crate::http::error::ApiError;

const METADATA_PREFIX: &str = "meta_data.";

/// One condition as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name of the field.
    pub field: String,
    /// The operator.
    pub operator: Operator,
    /// What it is compared with: one value, for `in` any number, for `between` two, for `isnull` and `isnotnull` none.
    pub operands: Vec<Operand>,
}

/// The conditions as tests.
pub fn filters<C: Column>(asked: &[Asked], any: bool) -> Result<Filters<C>, ApiError> {
    let mut tests = Vec::with_capacity(asked.len());
    for one in asked {
        tests.push(test(one)?);
    }
    let by_indicator = |one: &&Asked| matches!(C::named(&one.field), Some(Named::Indicators(..)));
    if asked.iter().filter(by_indicator).count() > 1 {
        return Err(refuse("field 'indicator' can be used once"));
    }
    Ok(Filters::new(tests, any))
}

/// The column of a name; any other name stands for the time of creation.
pub fn sort<C: Column>(by: &str, order: &str) -> Result<Sort<C>, ApiError> {
    let name = by.trim().to_lowercase();
    let column = match C::named(&name) {
        Some(Named::One(column, _)) => column,
        Some(Named::Sides(..) | Named::Indicators(..)) => return Err(refuse(format!("cannot sort by '{name}'"))),
        None => C::CREATED_AT,
    };
    Ok(Sort { column, ascending: order.trim().eq_ignore_ascii_case("asc") })
}

/// Longest pattern, object or list that values are held against, in bytes: that takes as long as both are long together.
pub const COMPARED_BYTES_MAX: usize = 1_000;

/// Sees that something that values are held against is not too long.
pub fn check_length(field: &str, text: &str) -> Result<(), ApiError> {
    if text.len() <= COMPARED_BYTES_MAX {
        return Ok(());
    }
    Err(refuse(format!(
        "a pattern, object or list for field '{field}' cannot be longer than {COMPARED_BYTES_MAX} bytes"
    )))
}

fn test<C: Column>(asked: &Asked) -> Result<Test<C>, ApiError> {
    let (name, operator) = (asked.field.as_str(), asked.operator);
    let named = C::named(name);
    if let (Some(Named::Sides(..)), false) =
        (named, matches!(operator, Operator::Eq | Operator::Ne | Operator::In | Operator::IsNull | Operator::IsNotNull))
    {
        return Err(refuse(format!("field '{name}' takes the operators eq, ne, in, isnull, isnotnull")));
    }
    if let Some(key) = name.strip_prefix(METADATA_PREFIX) {
        let field = Field::Key(checked_key(name, key)?);
        return Ok(Test { field, check: key_check(asked)? });
    }
    let (field, kind) = match named {
        None => return Err(refuse(format!("invalid field '{name}' for table '{}'", C::TABLE))),
        Some(Named::One(column, kind)) => (Field::One(column), kind),
        Some(Named::Indicators(one, other)) => (Field::Either(one, other), Kind::Text),
        Some(Named::Sides(one, other)) => match operator {
            Operator::Ne | Operator::IsNull => (Field::Both(one, other), Kind::Text),
            _ => (Field::Either(one, other), Kind::Text),
        },
    };
    Ok(Test { field, check: column_check(asked, kind)? })
}

fn checked_key(name: &str, key: &str) -> Result<String, ApiError> {
    let mut bytes = key.bytes();
    let good = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if good { Ok(key.to_owned()) } else { Err(refuse(format!("invalid metadata field '{name}'"))) }
}

/// A check of a column.
fn column_check(asked: &Asked, kind: Kind) -> Result<Check, ApiError> {
    match asked.operator {
        Operator::IsNull => return Ok(Check::Null),
        Operator::IsNotNull => return Ok(Check::NotNull),
        Operator::Like | Operator::Ilike if kind != Kind::Text => {
            return Err(refuse(format!("field '{}' is no text", asked.field)));
        }
        _ => {}
    }
    if asked.operands.iter().any(Operand::is_compound) {
        return Err(refuse(format!("the value for field '{}' cannot be an object or a list", asked.field)));
    }
    match (asked.operator, kind, asked.operands.as_slice()) {
        (Operator::Like | Operator::Ilike, _, operands) => like(asked, operands),
        (Operator::Eq, Kind::Text, [Operand::Time(told)]) => {
            let whole = told.whole();
            let text = |at: i64| Operand::Time(Told { at, unit: 1 }).text().unwrap_or_default();
            Ok(Check::Text(Comparison::Within(text(whole.start)..text(whole.end))))
        }
        (Operator::Eq, Kind::Time, [Operand::Time(told)]) => Ok(Check::Time(Comparison::Within(told.whole()))),
        (_, Kind::Text, operands) => compare(asked, operands, |operand| Ok(operand.text()), Check::Text),
        (_, Kind::Number, operands) => compare(asked, operands, |operand| number(asked, operand), Check::Number),
        (_, Kind::Time, operands) => compare(asked, operands, |operand| moment(asked, operand, false), Check::Time),
        (_, Kind::Day, operands) => compare(asked, operands, |operand| moment(asked, operand, true), Check::Time),
        (_, Kind::Metadata, operands) => whole_metadata(asked, operands),
    }
}

/// A check of a key of the metadata.
fn key_check(asked: &Asked) -> Result<Check, ApiError> {
    let operands = asked.operands.as_slice();
    match (asked.operator, operands) {
        (Operator::IsNull, _) => Ok(Check::Null),
        (Operator::IsNotNull, _) => Ok(Check::NotNull),
        (Operator::Eq, [Operand::Time(told)]) => Ok(Check::Time(Comparison::Within(told.whole()))),
        (Operator::Eq, [operand]) => Ok(Check::Is(operand.json())),
        (Operator::Eq, _) => Ok(Check::Is(Json::Null)),
        (Operator::Ne | Operator::In, _) => compare(asked, operands, |operand| Ok(operand.text()), Check::Text),
        (Operator::Like | Operator::Ilike, _) => like(asked, operands),
        (Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte | Operator::Between, _) => {
            compare(asked, operands, |operand| number(asked, operand), Check::Number)
        }
    }
}

fn like(asked: &Asked, operands: &[Operand]) -> Result<Check, ApiError> {
    let Some(text) = operands.first().and_then(Operand::text) else { return Ok(Check::Never) };
    check_length(&asked.field, &text)?;
    match Pattern::parse(&text, asked.operator == Operator::Ilike) {
        Some(pattern) => Ok(Check::Like(pattern)),
        None => Err(refuse(format!("the pattern for field '{}' ends in an escape", asked.field))),
    }
}

fn whole_metadata(asked: &Asked, operands: &[Operand]) -> Result<Check, ApiError> {
    let wanted = operands.iter().filter_map(Operand::text).map(|text| {
        check_length(&asked.field, &text)?;
        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        is_json
            .then(|| Json::parse(&text))
            .flatten()
            .ok_or_else(|| refuse("the value for field 'meta_data' is not JSON"))
    });
    let mut wanted = wanted.collect::<Result<Vec<Json>, ApiError>>()?;
    match asked.operator {
        Operator::In => Ok(Check::IsOneOf(wanted)),
        Operator::Eq => Ok(wanted.pop().map_or(Check::Never, Check::Is)),
        Operator::Ne => Ok(wanted.pop().map_or(Check::Never, Check::IsNot)),
        _ => Err(refuse("field 'meta_data' takes the operators eq, ne, in, isnull, isnotnull")),
    }
}

/// A comparison with operands in the type of the field. Null is compared with nothing.
fn compare<T: Ord>(
    asked: &Asked,
    operands: &[Operand],
    typed: impl Fn(&Operand) -> Result<Option<T>, ApiError>,
    check: impl Fn(Comparison<T>) -> Check,
) -> Result<Check, ApiError> {
    let mut values = operands.iter().map(typed).collect::<Result<Vec<Option<T>>, ApiError>>()?;
    if asked.operator == Operator::In {
        let mut values: Vec<T> = values.into_iter().flatten().collect();
        values.sort_unstable();
        return Ok(check(Comparison::Among(values)));
    }
    if asked.operator == Operator::Between {
        let (to, from) = (values.pop().flatten(), values.pop().flatten());
        return Ok(from.zip(to).map_or(Check::Never, |(from, to)| check(Comparison::Between(from, to))));
    }
    let Some(value) = values.pop().flatten() else { return Ok(Check::Never) };
    Ok(check(match asked.operator {
        Operator::Ne => Comparison::Unequal(value),
        Operator::Gt => Comparison::Greater(value),
        Operator::Gte => Comparison::AtLeast(value),
        Operator::Lt => Comparison::Less(value),
        Operator::Lte => Comparison::AtMost(value),
        Operator::Eq
        | Operator::In
        | Operator::Between
        | Operator::Like
        | Operator::Ilike
        | Operator::IsNull
        | Operator::IsNotNull => Comparison::Equal(value),
    }))
}

fn number(asked: &Asked, operand: &Operand) -> Result<Option<Number>, ApiError> {
    match operand {
        Operand::Null => Ok(None),
        Operand::Number(number) => Ok(Some(number.clone())),
        Operand::Text(text) => Number::parse(text).map(Some).ok_or_else(|| not_a(asked, "number")),
        Operand::Flag(_) | Operand::Time(_) | Operand::Compound(_) => Err(not_a(asked, "number")),
    }
}

fn moment(asked: &Asked, operand: &Operand, day: bool) -> Result<Option<i64>, ApiError> {
    let told = match operand {
        Operand::Null => return Ok(None),
        Operand::Time(told) => *told,
        Operand::Text(text) => Told::parse(text.trim()).ok_or_else(|| not_a(asked, "time"))?,
        Operand::Number(_) | Operand::Flag(_) | Operand::Compound(_) => return Err(not_a(asked, "time")),
    };
    Ok(Some(if day { told.day().at } else { told.at }))
}

fn not_a(asked: &Asked, what: &str) -> ApiError {
    refuse(format!("the value for field '{}' is not a {what}", asked.field))
}
