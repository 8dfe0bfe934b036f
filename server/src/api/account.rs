//! Accounts on the wire.

use super::balance::BalanceView;
use super::identity::IdentityView;
use super::ledger::LedgerView;
use super::metadata::Metadata;
use super::validate::Problems;
use crate::decode::{RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::limits;
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `POST /accounts`.
    pub struct AccountBody<'a> {
        /// Its balance.
        "balance_id" balance_id: Text<'a>,
        /// The ledger of a balance that is to be made.
        "ledger_id" ledger_id: Text<'a>,
        /// Its owner, where its balance has none.
        "identity_id" identity_id: Text<'a>,
        /// The currency of a balance that is to be made.
        "currency" currency: Text<'a>,
        /// Its number.
        "number" number: Text<'a>,
        /// The name of the bank.
        "bank_name" bank_name: Text<'a>,
        /// Anything.
        "meta_data" metadata: RawObject<'a>,
    }
}

/// What an account is asked for with, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountAsk {
    /// The id of its balance, as sent; empty when it was not given.
    pub balance_id: String,
    /// The id of its owner, as sent.
    pub identity_id: String,
    /// Its number.
    pub number: String,
    /// The name of the bank.
    pub bank_name: String,
    /// JSON object, or empty.
    pub metadata: String,
}

impl AccountBody<'_> {
    /// The fields, checked together.
    pub fn checked(&self) -> Result<AccountAsk, ApiError> {
        let text = |field: &Option<Text<'_>>| field.as_deref().unwrap_or_default().to_owned();
        let (ledger, currency) = (text(&self.ledger_id), text(&self.currency));
        let ask = AccountAsk {
            balance_id: text(&self.balance_id),
            identity_id: text(&self.identity_id),
            number: text(&self.number),
            bank_name: text(&self.bank_name),
            metadata: self.metadata.map_or("", |object| object.0).to_owned(),
        };
        let mut problems = Problems::default();
        if ask.balance_id.is_empty() {
            if ledger.is_empty() {
                problems.add("ledger_id", "Ledger ID is required when Balance ID is not provided");
            }
            if ask.identity_id.is_empty() {
                problems.add("identity_id", "Identity ID is required when Balance ID is not provided");
            }
            if currency.is_empty() {
                problems.add("currency", "currency is required when Balance ID is not provided");
            }
        } else {
            if !ledger.is_empty() {
                problems.add("ledger_id", "either LedgerId or BalanceId must be provided, not both");
            }
            if !currency.is_empty() {
                problems.add("currency", "either Currency or BalanceId must be provided, not both");
            }
        }
        problems.length("balance_id", &ask.balance_id, limits::PARTY_BYTES_MAX);
        problems.length("ledger_id", &ledger, limits::PARTY_BYTES_MAX);
        problems.length("identity_id", &ask.identity_id, limits::PARTY_BYTES_MAX);
        problems.length("currency", &currency, limits::CURRENCY_BYTES_MAX);
        problems.length("number", &ask.number, limits::ACCOUNT_NUMBER_BYTES_MAX);
        problems.length("bank_name", &ask.bank_name, limits::BANK_NAME_BYTES_MAX);
        problems.length("meta_data", &ask.metadata, limits::METADATA_BYTES_MAX);
        problems.into_result(Code::GenValidationError)?;
        Ok(ask)
    }
}

/// The name of an account: that of its owner, as it is shown now.
pub fn name_of(owner: &IdentityView) -> String {
    let text = |field: &str| owner.text(field).unwrap_or_default().to_owned();
    match text("identity_type").as_str() {
        "organization" => text("organization_name"),
        _ => format!("{} {}", text("first_name"), text("last_name")),
    }
}

/// An account.
#[derive(Debug, Serialize)]
pub struct AccountView {
    /// Its id.
    pub account_id: String,
    /// The name of its owner.
    pub name: String,
    /// Its number.
    pub number: String,
    /// The name of the bank.
    pub bank_name: String,
    /// The currency of its balance.
    pub currency: String,
    /// Its balance.
    pub balance_id: String,
    /// Its owner.
    pub identity_id: String,
    /// The ledger of its balance.
    pub ledger_id: String,
    /// The ledger; only when asked for.
    pub ledger: Option<LedgerView>,
    /// The balance; only when asked for.
    pub balance: Option<BalanceView>,
    /// The owner; only when asked for.
    pub identity: Option<IdentityView>,
    /// When it was made.
    pub created_at: String,
    /// What its maker noted, or null.
    pub meta_data: Option<Metadata>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::identity::Fields;

    #[test]
    fn names_are_those_of_owners() {
        let named = |detail: &str| name_of(&Fields::parse(detail).expect("fields").view("idt_1".into(), 0));
        let person = r#"{"identity_type":"individual","first_name":"Ada","last_name":"Obi","organization_name":"x"}"#;
        assert_eq!(named(person), "Ada Obi");
        assert_eq!(named(r#"{"identity_type":"organization","organization_name":"Acme","first_name":"x"}"#), "Acme");
        assert_eq!(named(r#"{"identity_type":"Organization","organization_name":"Acme"}"#), " ");
        assert_eq!(named("{}"), " ");
    }
}
