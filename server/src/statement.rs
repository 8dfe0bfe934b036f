//! Statements: what a balance was, what happened to it, and what it is then. How they are asked for and sent is in
//! [`crate::http::statements`]; here they are made from the books and written in each of their forms.
//!
//! A statement has a section for each of its balances: its opening, its lines in the order in which they count, its closing. The
//! closing is not the sum of the lines: it is read from the figures of the rows, and compared with that sum while the lines are
//! read. When the two differ nothing that looks whole is sent.

pub mod camt;
pub mod csv;
pub mod json;
pub mod pdf;
pub mod pending;
pub mod section;

use crate::http::error::{ApiError, Code};
use crate::http::openapi::Schema;
use axum::http::HeaderValue;

/// The form of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A page of lines as JSON.
    Json,
    /// All lines, as comma-separated values.
    Csv,
    /// All lines, as ISO 20022 `camt.053.001.08`.
    Camt,
    /// All lines, typeset.
    Pdf,
}

impl Form {
    /// The words that ask for a form.
    pub const WORDS: Schema = Schema::Choice(&["json", "csv", "camt053", "pdf"]);

    /// The form that a request asks for: by a word, or else by what it accepts.
    pub fn asked(word: Option<&str>, accept: &str) -> Result<Form, ApiError> {
        match word {
            Some("json") => return Ok(Form::Json),
            Some("csv") => return Ok(Form::Csv),
            Some("camt053") => return Ok(Form::Camt),
            Some("pdf") => return Ok(Form::Pdf),
            Some(_) => {
                let message = "format: must be json, csv, camt053 or pdf";
                return Err(ApiError::new(Code::GenValidationError, message));
            }
            None => {}
        }
        // A browser accepts XML too, and means to look at it.
        if accept.contains("text/html") {
            return Ok(Form::Json);
        }
        let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let known = kinds.filter_map(|kind| match kind.to_ascii_lowercase().as_str() {
            "application/json" | "*/*" | "application/*" => Some(Form::Json),
            "text/csv" => Some(Form::Csv),
            "application/xml" | "text/xml" => Some(Form::Camt),
            "application/pdf" => Some(Form::Pdf),
            _ => None,
        });
        Ok(known.into_iter().next().unwrap_or(Form::Json))
    }

    /// Its content type.
    pub const fn content_type(self) -> HeaderValue {
        match self {
            Form::Json => crate::http::answer::JSON,
            Form::Csv => HeaderValue::from_static("text/csv; charset=utf-8; header=present"),
            Form::Camt => HeaderValue::from_static("application/xml; charset=utf-8"),
            Form::Pdf => HeaderValue::from_static("application/pdf"),
        }
    }

    /// The end of the name of its file.
    pub const fn extension(self) -> &'static str {
        match self {
            Form::Json => "json",
            Form::Csv => "csv",
            Form::Camt => "xml",
            Form::Pdf => "pdf",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_asked_for_by_a_word_or_by_what_is_accepted() {
        for (word, accept, form) in [
            (None, "", Form::Json),
            (None, "text/html, */*;q=0.8", Form::Json),
            (None, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Json),
            (None, "text/csv", Form::Csv),
            (None, "image/png, Application/XML; q=0.9", Form::Camt),
            (None, "application/pdf, text/csv", Form::Pdf),
            (Some("camt053"), "application/pdf", Form::Camt),
            (Some("pdf"), "", Form::Pdf),
            (Some("csv"), "", Form::Csv),
            (Some("json"), "text/csv", Form::Json),
        ] {
            assert_eq!(Form::asked(word, accept).expect("it is known"), form, "{word:?} {accept}");
        }
        assert!(Form::asked(Some("xlsx"), "").is_err());
    }
}
