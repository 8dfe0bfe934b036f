//! The columns of accounts that filters and sorting may name.

use super::columns::{Column, Kind, Named};

/// Columns of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountColumn {
    /// `account_id`
    Id,
    /// `name`
    Name,
    /// `number`
    Number,
    /// `bank_name`
    Bank,
    /// `currency`
    Currency,
    /// `ledger_id`
    Ledger,
    /// `identity_id`
    Identity,
    /// `balance_id`
    Balance,
    /// `created_at`
    CreatedAt,
    /// `meta_data`
    Metadata,
}

impl Column for AccountColumn {
    const TABLE: &'static str = "accounts";
    const ALL: &'static [(&'static str, Named<Self>)] = &[
        ("account_id", Named::One(AccountColumn::Id, Kind::Text)),
        ("name", Named::One(AccountColumn::Name, Kind::Text)),
        ("number", Named::One(AccountColumn::Number, Kind::Text)),
        ("bank_name", Named::One(AccountColumn::Bank, Kind::Text)),
        ("currency", Named::One(AccountColumn::Currency, Kind::Text)),
        ("ledger_id", Named::One(AccountColumn::Ledger, Kind::Text)),
        ("identity_id", Named::One(AccountColumn::Identity, Kind::Text)),
        ("balance_id", Named::One(AccountColumn::Balance, Kind::Text)),
        ("created_at", Named::One(AccountColumn::CreatedAt, Kind::Time)),
        ("meta_data", Named::One(AccountColumn::Metadata, Kind::Metadata)),
    ];
    const CREATED_AT: Self = AccountColumn::CreatedAt;

    fn is_metadata(self) -> bool {
        self == AccountColumn::Metadata
    }

    fn cost(self) -> u8 {
        match self {
            AccountColumn::Number | AccountColumn::Currency | AccountColumn::CreatedAt => 0,
            AccountColumn::Id | AccountColumn::Ledger | AccountColumn::Identity | AccountColumn::Balance => 1,
            AccountColumn::Bank | AccountColumn::Metadata => 2,
            AccountColumn::Name => 3,
        }
    }
}
