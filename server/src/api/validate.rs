//! Rules of fields: all are checked, the failures are told in one message, by name of field.

use crate::http::error::{ApiError, Code, Legacy};
use std::collections::BTreeMap;

/// What is wrong with the fields of a request: the first failure of each.
#[derive(Debug, Default)]
pub struct Problems(BTreeMap<&'static str, String>);

impl Problems {
    /// Notes a failure, unless the field has one.
    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.entry(field).or_insert_with(|| message.into());
    }

    /// Checks that a text is not empty, and not longer than a limit.
    pub fn text(&mut self, field: &'static str, text: &str, bytes_max: usize) {
        if text.is_empty() {
            self.add(field, "cannot be blank");
        }
        self.length(field, text, bytes_max);
    }

    /// Checks that a text is not longer than a limit.
    pub fn length(&mut self, field: &'static str, text: &str, bytes_max: usize) {
        if text.len() > bytes_max {
            self.add(field, format!("cannot be longer than {bytes_max} bytes"));
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `field: message` parts, by name of field.
    pub fn message(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|(field, message)| format!("{field}: {message}")).collect();
        parts.join("; ") + "."
    }

    /// The error, when there are any. The message stands under `errors`.
    pub fn into_result(self, code: Code) -> Result<(), ApiError> {
        if self.is_empty() { Ok(()) } else { Err(ApiError::new(code, self.message()).legacy(Legacy::Errors)) }
    }
}
