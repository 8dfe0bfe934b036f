//! Filters in a query string: `<field>_<operator>=<value>`.

use super::columns::Column;
use super::compile::{self, Asked};
use super::operand::Operand;
use super::{Filters, NO_LOGIC, Operator, is_any};
use crate::http::error::{ApiError, Code, Legacy};
use crate::http::parameters::Parameters;
use serde_json::{Value, json};

/// Most filters of a query string.
pub const FILTERS_MAX: usize = 20;
/// Most values of one `in`.
pub const IN_VALUES_MAX: usize = 100;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1000;

/// Keys that never are filters.
const SKIPPED: [&str; 12] = [
    "page",
    "pagesize",
    "per_page",
    "limit",
    "offset",
    "sort",
    "order",
    "order_by",
    "order_dir",
    "logical_operator",
    "instance_id",
    "org_id",
];

/// The filters of a query string.
pub fn filters<C: Column>(query: &Parameters) -> Result<Filters<C>, ApiError> {
    let mut problems = Problems(Vec::new());
    let any = match query.get("logical_operator").map_or(Some(false), |word| is_any(&word)) {
        Some(any) => any,
        None => {
            problems.add("logical_operator", NO_LOGIC);
            false
        }
    };
    let mut seen: Vec<String> = Vec::new();
    let mut asked = Vec::new();
    for (key, value) in query.pairs() {
        let Some((field, operator)) = condition_of(&key) else { continue };
        if seen.iter().any(|before| *before == key) {
            continue;
        }
        seen.push(key.to_string());
        match operands(operator, &value) {
            Ok(operands) => asked.push(Asked { field: field.to_owned(), operator, operands }),
            Err(message) => problems.add(&key, message),
        }
    }
    if seen.len() > FILTERS_MAX {
        problems.add("filters", format!("too many filters: at most {FILTERS_MAX}"));
    }
    problems.into_result()?;
    compile::filters(&asked, any)
}

/// Field and operator of a key; `None` when it is no filter.
fn condition_of(key: &str) -> Option<(&str, Operator)> {
    if SKIPPED.iter().any(|skipped| key.eq_ignore_ascii_case(skipped)) {
        return None;
    }
    let (field, suffix) = key.rsplit_once('_')?;
    let operator = match suffix.to_ascii_lowercase().as_str() {
        "neq" => Operator::Ne,
        "gteq" => Operator::Gte,
        "lteq" => Operator::Lte,
        word => Operator::of(word)?,
    };
    Some((field, operator))
}

fn operands(operator: Operator, value: &str) -> Result<Vec<Operand>, String> {
    let values: Vec<&str> = match operator {
        Operator::IsNull | Operator::IsNotNull => return Ok(Vec::new()),
        Operator::In => value.split(',').map(str::trim).collect(),
        Operator::Between => value.split('|').collect(),
        _ => vec![value],
    };
    if operator == Operator::In && values.len() > IN_VALUES_MAX {
        return Err(format!("too many values: at most {IN_VALUES_MAX}"));
    }
    if operator == Operator::Between && values.len() != 2 {
        return Err(format!("between needs 2 values separated by '|', not {}", values.len()));
    }
    if values.iter().any(|value| value.len() > VALUE_BYTES_MAX) {
        return Err(format!("value too long: at most {VALUE_BYTES_MAX} bytes"));
    }
    Ok(values.into_iter().map(Operand::of_text).collect())
}

/// What is wrong, by parameter.
struct Problems(Vec<Value>);

impl Problems {
    fn add(&mut self, parameter: &str, message: impl Into<String>) {
        self.0.push(json!({"Param": parameter, "Message": message.into()}));
    }

    fn into_result(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let error = ApiError::new(Code::GenValidationError, "invalid filter parameters");
        Err(error.legacy(Legacy::ErrorsList).details(Value::Array(self.0)))
    }
}
