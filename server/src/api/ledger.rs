//! Ledgers on the wire.

use super::metadata::Metadata;
use super::validate::Problems;
use crate::decode::{RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::command::CreateLedger;
use ledger::limits;
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `POST /ledgers` and `PUT /ledgers/{id}`.
    pub struct LedgerBody<'a> {
        /// The name.
        "name" name: Text<'a>,
        /// Anything.
        "meta_data" metadata: RawObject<'a>,
    }
}

impl LedgerBody<'_> {
    /// The name, checked.
    pub fn checked_name(&self) -> Result<String, ApiError> {
        let name = self.name.as_deref().unwrap_or_default();
        let mut problems = Problems::default();
        problems.text("name", name, limits::LEDGER_NAME_BYTES_MAX);
        problems.length("meta_data", self.metadata.map_or("", |object| object.0), limits::METADATA_BYTES_MAX);
        problems.into_result(Code::GenValidationError)?;
        Ok(name.to_owned())
    }

    /// The command to make the ledger.
    pub fn command(&self) -> Result<CreateLedger, ApiError> {
        let name = self.checked_name()?;
        Ok(CreateLedger { name, metadata: self.metadata.map_or("", |object| object.0).to_owned() })
    }
}

/// A ledger.
#[derive(Debug, Serialize)]
pub struct LedgerView {
    /// Its id.
    pub ledger_id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// What its maker noted, or null.
    pub meta_data: Option<Metadata>,
}
