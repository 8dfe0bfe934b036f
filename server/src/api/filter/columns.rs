//! The columns that filters and sorting may name, by collection.

use std::fmt::Debug;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A moment.
    Time,
    /// A day.
    Day,
    /// The metadata as a whole.
    Metadata,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<C> {
    /// A column.
    One(C, Kind),
    /// Either side of a transaction, by the id of its balance.
    Sides(C, C),
    /// Either side of a transaction, by the indicator of its balance.
    Indicators(C, C),
}

/// Columns of a collection.
pub trait Column: Copy + Eq + Debug + Send + Sync + 'static {
    /// How messages name the table.
    const TABLE: &'static str;
    /// All names.
    const ALL: &'static [(&'static str, Named<Self>)];
    /// By which rows are sorted unless they are asked for otherwise.
    const CREATED_AT: Self;

    /// What a name stands for.
    fn named(name: &str) -> Option<Named<Self>> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, named)| *named)
    }

    /// Whether it is the metadata as a whole.
    fn is_metadata(self) -> bool;

    /// Orders tests: what is at hand first, what has to be read last.
    fn cost(self) -> u8;

    /// Whether nulls are sorted as if they were empty texts.
    fn sorts_null_as_empty(self) -> bool {
        false
    }
}

/// Columns of ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerColumn {
    /// `ledger_id`
    Id,
    /// `name`
    Name,
    /// `created_at`
    CreatedAt,
    /// `meta_data`
    Metadata,
}

impl Column for LedgerColumn {
    const TABLE: &'static str = "ledgers";
    const ALL: &'static [(&'static str, Named<Self>)] = &[
        ("ledger_id", Named::One(LedgerColumn::Id, Kind::Text)),
        ("name", Named::One(LedgerColumn::Name, Kind::Text)),
        ("created_at", Named::One(LedgerColumn::CreatedAt, Kind::Time)),
        ("meta_data", Named::One(LedgerColumn::Metadata, Kind::Metadata)),
    ];
    const CREATED_AT: Self = LedgerColumn::CreatedAt;

    fn is_metadata(self) -> bool {
        self == LedgerColumn::Metadata
    }

    fn cost(self) -> u8 {
        match self {
            LedgerColumn::Id | LedgerColumn::CreatedAt => 0,
            LedgerColumn::Name | LedgerColumn::Metadata => 1,
        }
    }
}

/// Columns of balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalanceColumn {
    /// `balance_id`
    Id,
    /// `ledger_id`
    Ledger,
    /// `identity_id`
    Identity,
    /// `indicator`
    Indicator,
    /// `currency`
    Currency,
    /// `balance`
    Balance,
    /// `credit_balance`
    Credit,
    /// `debit_balance`
    Debit,
    /// `inflight_balance`
    HeldBalance,
    /// `inflight_credit_balance`
    HeldCredit,
    /// `inflight_debit_balance`
    HeldDebit,
    /// `created_at`
    CreatedAt,
    /// `meta_data`
    Metadata,
}

impl Column for BalanceColumn {
    const TABLE: &'static str = "balances";
    const ALL: &'static [(&'static str, Named<Self>)] = &[
        ("balance_id", Named::One(BalanceColumn::Id, Kind::Text)),
        ("ledger_id", Named::One(BalanceColumn::Ledger, Kind::Text)),
        ("identity_id", Named::One(BalanceColumn::Identity, Kind::Text)),
        ("indicator", Named::One(BalanceColumn::Indicator, Kind::Text)),
        ("currency", Named::One(BalanceColumn::Currency, Kind::Text)),
        ("balance", Named::One(BalanceColumn::Balance, Kind::Number)),
        ("credit_balance", Named::One(BalanceColumn::Credit, Kind::Number)),
        ("debit_balance", Named::One(BalanceColumn::Debit, Kind::Number)),
        ("inflight_balance", Named::One(BalanceColumn::HeldBalance, Kind::Number)),
        ("inflight_credit_balance", Named::One(BalanceColumn::HeldCredit, Kind::Number)),
        ("inflight_debit_balance", Named::One(BalanceColumn::HeldDebit, Kind::Number)),
        ("created_at", Named::One(BalanceColumn::CreatedAt, Kind::Time)),
        ("meta_data", Named::One(BalanceColumn::Metadata, Kind::Metadata)),
    ];
    const CREATED_AT: Self = BalanceColumn::CreatedAt;

    fn is_metadata(self) -> bool {
        self == BalanceColumn::Metadata
    }

    fn cost(self) -> u8 {
        match self {
            BalanceColumn::Indicator | BalanceColumn::Metadata => 2,
            BalanceColumn::Id | BalanceColumn::Ledger | BalanceColumn::Identity => 1,
            _ => 0,
        }
    }

    fn sorts_null_as_empty(self) -> bool {
        self == BalanceColumn::Identity
    }
}

/// Columns of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionColumn {
    /// `transaction_id`
    Id,
    /// `parent_transaction`
    Parent,
    /// `currency`
    Currency,
    /// `source`
    Source,
    /// `destination`
    Destination,
    /// The indicator of the source.
    SourceIndicator,
    /// The indicator of the destination.
    DestinationIndicator,
    /// `reference`
    Reference,
    /// `status`
    Status,
    /// `description`
    Description,
    /// `amount`, in major units
    Amount,
    /// `precision`
    Precision,
    /// `created_at`
    CreatedAt,
    /// `effective_date`
    EffectiveDate,
    /// `meta_data`
    Metadata,
}

impl Column for TransactionColumn {
    const TABLE: &'static str = "transactions";
    const ALL: &'static [(&'static str, Named<Self>)] = &[
        ("transaction_id", Named::One(TransactionColumn::Id, Kind::Text)),
        ("parent_transaction", Named::One(TransactionColumn::Parent, Kind::Text)),
        ("currency", Named::One(TransactionColumn::Currency, Kind::Text)),
        ("source", Named::One(TransactionColumn::Source, Kind::Text)),
        ("destination", Named::One(TransactionColumn::Destination, Kind::Text)),
        ("reference", Named::One(TransactionColumn::Reference, Kind::Text)),
        ("status", Named::One(TransactionColumn::Status, Kind::Text)),
        ("description", Named::One(TransactionColumn::Description, Kind::Text)),
        ("amount", Named::One(TransactionColumn::Amount, Kind::Number)),
        ("precision", Named::One(TransactionColumn::Precision, Kind::Number)),
        ("created_at", Named::One(TransactionColumn::CreatedAt, Kind::Time)),
        ("effective_date", Named::One(TransactionColumn::EffectiveDate, Kind::Time)),
        ("meta_data", Named::One(TransactionColumn::Metadata, Kind::Metadata)),
        ("balance_id", Named::Sides(TransactionColumn::Source, TransactionColumn::Destination)),
        ("indicator", Named::Indicators(TransactionColumn::SourceIndicator, TransactionColumn::DestinationIndicator)),
    ];
    const CREATED_AT: Self = TransactionColumn::CreatedAt;

    fn is_metadata(self) -> bool {
        self == TransactionColumn::Metadata
    }

    fn cost(self) -> u8 {
        match self {
            TransactionColumn::Status
            | TransactionColumn::CreatedAt
            | TransactionColumn::EffectiveDate
            | TransactionColumn::Precision => 0,
            TransactionColumn::Amount | TransactionColumn::Currency => 1,
            TransactionColumn::SourceIndicator | TransactionColumn::DestinationIndicator => 2,
            TransactionColumn::Source | TransactionColumn::Destination | TransactionColumn::Id => 3,
            TransactionColumn::Parent => 4,
            TransactionColumn::Reference | TransactionColumn::Description | TransactionColumn::Metadata => 5,
        }
    }
}

/// Columns of identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityColumn {
    /// `identity_id`
    Id,
    /// A text, by its name.
    Text(&'static str),
    /// `dob`
    BornOn,
    /// `created_at`
    CreatedAt,
    /// `meta_data`
    Metadata,
}

const fn text(name: &'static str) -> (&'static str, Named<IdentityColumn>) {
    (name, Named::One(IdentityColumn::Text(name), Kind::Text))
}

impl Column for IdentityColumn {
    const TABLE: &'static str = "identity";
    const ALL: &'static [(&'static str, Named<Self>)] = &[
        ("identity_id", Named::One(IdentityColumn::Id, Kind::Text)),
        text("first_name"),
        text("last_name"),
        text("other_names"),
        text("gender"),
        text("email_address"),
        text("phone_number"),
        text("nationality"),
        text("street"),
        text("country"),
        text("state"),
        text("organization_name"),
        text("category"),
        text("identity_type"),
        text("post_code"),
        text("city"),
        ("dob", Named::One(IdentityColumn::BornOn, Kind::Day)),
        ("created_at", Named::One(IdentityColumn::CreatedAt, Kind::Time)),
        ("meta_data", Named::One(IdentityColumn::Metadata, Kind::Metadata)),
    ];
    const CREATED_AT: Self = IdentityColumn::CreatedAt;

    fn is_metadata(self) -> bool {
        self == IdentityColumn::Metadata
    }

    fn cost(self) -> u8 {
        match self {
            IdentityColumn::Id | IdentityColumn::CreatedAt => 0,
            IdentityColumn::Text(_) | IdentityColumn::BornOn | IdentityColumn::Metadata => 1,
        }
    }
}
