//! Registered currencies on the wire.

use super::validate::Problems;
use crate::decode::{Number, Text};
use crate::http::error::{ApiError, Code};
use ledger::decimal::Decimal;
use ledger::limits;
use ledger::state::Registered;
use serde::Serialize;

/// Most digits behind the point: an amount of 10^18 minor units still has a third of 128 bits before it.
pub const SCALE_MAX: u32 = 18;

crate::lenient_struct! {
    /// Body of `POST /currencies`.
    pub struct CurrencyBody<'a> {
        /// Its code, as transactions name it.
        "code" code: Text<'a>,
        /// Digits behind the point.
        "scale" scale: Number<'a>,
        /// Its name for people.
        "name" name: Text<'a>,
    }
}

/// A currency to be registered, checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its code.
    pub code: String,
    /// Minor units in a major unit.
    pub precision: u64,
    /// Its name, if one was said.
    pub name: Option<String>,
}

impl CurrencyBody<'_> {
    /// What is wanted, checked.
    pub fn wanted(&self) -> Result<Wanted, ApiError> {
        let mut problems = Problems::default();
        let code = self.code.as_deref().unwrap_or_default();
        problems.text("code", code, limits::CURRENCY_BYTES_MAX);
        problems.length("name", self.name.as_deref().unwrap_or_default(), limits::CURRENCY_NAME_BYTES_MAX);
        let scale = self.scale.and_then(|number| Decimal::parse(number.0).ok()?.integer());
        let scale = scale.and_then(|scale| u32::try_from(scale).ok()).filter(|scale| *scale <= SCALE_MAX);
        if scale.is_none() {
            problems.add("scale", format!("must be a whole number from 0 to {SCALE_MAX}"));
        }
        problems.into_result(Code::TxnValidationError)?;
        let precision = 10u64.pow(scale.unwrap_or_default());
        Ok(Wanted { code: code.to_owned(), precision, name: self.name.as_deref().map(str::to_owned) })
    }
}

/// A registered currency.
#[derive(Debug, Serialize)]
pub struct CurrencyView {
    code: String,
    scale: u32,
    precision: u64,
    name: String,
    registered_at: String,
}

impl CurrencyView {
    /// The currency as it is shown.
    pub fn new(code: &str, registered: &Registered) -> CurrencyView {
        CurrencyView {
            code: code.to_owned(),
            scale: registered.precision.ilog10(),
            precision: registered.precision,
            name: registered.name.to_string(),
            registered_at: super::time::text(registered.at),
        }
    }
}

const _: () =
    assert!(10u64.pow(SCALE_MAX) <= limits::PRECISION_MAX, "every scale has a precision that can be recorded");
