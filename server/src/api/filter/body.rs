//! Filters in a JSON body.

use super::columns::Column;
use super::compile::{self, Asked};
use super::json;
use super::operand::Operand;
use super::{NO_LOGIC, Operator, Wanted, is_any, refuse};
use crate::decode::Text;
use crate::http::error::{ApiError, Code};
use serde_json::value::RawValue;

/// Rows of a page unless asked for, and when too many are.
pub const PAGE_DEFAULT: usize = 20;
/// Most rows of a page; who asks for more gets [`PAGE_DEFAULT`].
pub const PAGE_MAX: usize = 100;

/// Most conditions of one body.
pub const CONDITIONS_MAX: usize = 1_000;

/// How deep the lists and objects of a body may be nested; also those under keys that nobody knows.
pub const DEPTH_MAX: usize = 10_000;

/// Whether the first JSON value of a body is nested too deep.
pub fn is_too_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
        if depth == 0 && matches!(byte, b']' | b'}') && !in_text {
            return false;
        }
    }
    false
}

crate::lenient_struct! {
    /// Body of `POST /{collection}/filter`.
    pub struct FilterBody<'a> {
        /// The conditions.
        "filters" filters: Vec<ConditionBody<'a>>,
        /// How they are joined.
        "logical_operator" logic: Text<'a>,
        /// Rows of the page.
        "limit" limit: i64,
        /// Rows before the page.
        "offset" offset: i64,
        /// The column by which rows are sorted.
        "sort_by" sort_by: Text<'a>,
        /// `asc` or `desc`.
        "sort_order" sort_order: Text<'a>,
        /// Whether all matches are counted.
        "include_count" count: bool,
    }
}

crate::lenient_struct! {
    /// One condition.
    pub struct ConditionBody<'a> {
        /// The name of the field.
        "field" field: Text<'a>,
        /// The operator.
        "operator" operator: Text<'a>,
        /// What it is compared with.
        "value" value: &'a RawValue,
        /// What it is compared with, by `in` and `between`.
        "values" values: Vec<&'a RawValue>,
    }
}

impl FilterBody<'_> {
    /// What is asked for.
    pub fn wanted<C: Column>(&self) -> Result<Wanted<C>, ApiError> {
        let any = is_any(self.logic.as_deref().unwrap_or_default())
            .ok_or_else(|| ApiError::new(Code::GenValidationError, NO_LOGIC))?;
        let conditions = self.filters.as_deref().unwrap_or_default();
        if conditions.len() > CONDITIONS_MAX {
            let message = format!("filters: at most {CONDITIONS_MAX} conditions; use 'in' to compare with many values");
            return Err(ApiError::new(Code::GenValidationError, message));
        }
        let mut tests = Vec::new();
        for condition in conditions {
            let asked = condition.asked()?;
            // Whether the field is known is told before what is wrong with a later condition.
            compile::filters::<C>(std::slice::from_ref(&asked), any)?;
            tests.push(asked);
        }
        let page = self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_DEFAULT);
        Ok(Wanted {
            filters: compile::filters(&tests, any)?,
            sort: compile::sort(
                self.sort_by.as_deref().unwrap_or_default(),
                self.sort_order.as_deref().unwrap_or_default(),
            )?,
            limit: if (1..=PAGE_MAX).contains(&page) { page } else { PAGE_DEFAULT },
            offset: self.offset.and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0),
            count: self.count.unwrap_or(false),
        })
    }
}

impl ConditionBody<'_> {
    fn asked(&self) -> Result<Asked, ApiError> {
        let field = self.field.as_deref().unwrap_or_default().to_owned();
        let word = self.operator.as_deref().unwrap_or_default();
        let operator = Operator::of(word).ok_or_else(|| {
            let known = Operator::ALL.map(|(word, _)| word).join(", ");
            refuse(format!("invalid operator '{word}' for field '{field}': must be one of {known}"))
        })?;
        let values = self.values.as_deref().unwrap_or_default();
        let raw: Vec<Option<&RawValue>> = match operator {
            Operator::IsNull | Operator::IsNotNull => Vec::new(),
            Operator::In if values.is_empty() => {
                return Err(refuse(format!("operator 'in' for field '{field}' needs 'values'")));
            }
            Operator::Between if values.len() != 2 => {
                let count = values.len();
                return Err(refuse(format!("operator 'between' for field '{field}' needs 2 values, not {count}")));
            }
            Operator::In | Operator::Between => values.iter().map(|value| Some(*value)).collect(),
            _ => vec![self.value],
        };
        for compound in raw.iter().flatten().map(|raw| raw.get()).filter(|raw| json::is_compound(raw)) {
            compile::check_length(&field, compound)?;
        }
        let operands = raw.into_iter().map(Operand::of_json).collect::<Option<Vec<Operand>>>();
        let operands =
            operands.ok_or_else(|| refuse(format!("the value for field '{field}' cannot be compared with")))?;
        Ok(Asked { field, operator, operands })
    }
}
