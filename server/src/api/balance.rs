//! Balances on the wire.

use super::identity::IdentityView;
use super::ledger::LedgerView;
use super::metadata::Metadata;
use super::number::NumberText;
use super::time::ZERO;
use super::validate::Problems;
use crate::decode::{RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::command::{Allocation, CreateBalance};
use ledger::limits;
use ledger::state::{Figures, GENERAL_LEDGER_ID};
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `POST /balances`.
    pub struct BalanceBody<'a> {
        /// The ledger it belongs to.
        "ledger_id" ledger_id: Text<'a>,
        /// Its currency.
        "currency" currency: Text<'a>,
        /// Its owner.
        "identity_id" identity_id: Text<'a>,
        /// Whether the origin of its funds is tracked.
        "track_fund_lineage" track_fund_lineage: bool,
        /// In which order tracked funds are spent.
        "allocation_strategy" allocation_strategy: Text<'a>,
        /// Its `@indicator`, in the General Ledger.
        "indicator" indicator: Text<'a>,
        /// Anything.
        "meta_data" metadata: RawObject<'a>,
        /// A name that orders may give it instead of its id.
        "alias" alias: Text<'a>,
    }
}

impl BalanceBody<'_> {
    /// The command to make the balance.
    pub fn command(&self) -> Result<CreateBalance, ApiError> {
        let text = |field: &Option<Text<'_>>| field.as_deref().unwrap_or_default().to_owned();
        let (ledger, currency, identity) = (text(&self.ledger_id), text(&self.currency), text(&self.identity_id));
        let indicator = text(&self.indicator).trim().to_owned();
        let metadata = self.metadata.map_or("", |object| object.0).to_owned();
        let track_fund_lineage = self.track_fund_lineage.unwrap_or(false);
        let mut problems = Problems::default();
        problems.text("ledger_id", &ledger, limits::PARTY_BYTES_MAX);
        problems.text("currency", &currency, limits::CURRENCY_BYTES_MAX);
        problems.length("identity_id", &identity, limits::PARTY_BYTES_MAX);
        problems.length("meta_data", &metadata, limits::METADATA_BYTES_MAX);
        if track_fund_lineage && identity.is_empty() {
            problems.add("identity_id", "identity_id is required when track_fund_lineage is enabled");
        }
        let allocation = match text(&self.allocation_strategy).trim().to_uppercase().as_str() {
            "" | "FIFO" => Allocation::Fifo,
            "LIFO" => Allocation::Lifo,
            "PROPORTIONAL" => Allocation::Proportional,
            _ => {
                problems.add("allocation_strategy", "allocation_strategy must be one of: FIFO, LIFO, PROPORTIONAL");
                Allocation::Fifo
            }
        };
        if !indicator.is_empty() {
            check_indicator(&mut problems, &indicator, &ledger);
        }
        let alias = text(&self.alias);
        check_alias(&mut problems, &alias);
        problems.into_result(Code::GenValidationError)?;
        // The label is that of the owner, who is looked up by the route.
        let lineage_label = String::new();
        let owned = CreateBalance {
            ledger,
            currency,
            identity,
            indicator,
            metadata,
            track_fund_lineage,
            allocation,
            alias,
            lineage_label,
        };
        Ok(owned)
    }
}

/// Sees that an alias can be told from ids and indicators; an empty one is none.
pub fn check_alias(problems: &mut Problems, alias: &str) {
    if alias.starts_with('@') || alias.starts_with("bln_") {
        problems.add("alias", "must not begin with '@' or 'bln_'");
    }
    if alias.chars().any(|letter| letter.is_whitespace() || letter.is_control() || letter == '/') {
        problems.add("alias", "must not contain whitespace or '/'");
    }
    problems.length("alias", alias, limits::ALIAS_BYTES_MAX);
}

fn check_indicator(problems: &mut Problems, indicator: &str, ledger: &str) {
    if ledger != GENERAL_LEDGER_ID {
        problems
            .add("indicator", "indicator is only allowed for General Ledger balances (ledger_id = general_ledger_id)");
    }
    let name = indicator.strip_prefix('@').unwrap_or_default();
    if name.is_empty() || name.chars().any(char::is_whitespace) {
        problems.add("indicator", "indicator must start with '@' and contain no whitespace (e.g. '@cash')");
    }
    problems.length("indicator", indicator, limits::INDICATOR_BYTES_MAX);
}

/// The word of an allocation.
pub const fn allocation_word(allocation: Allocation) -> &'static str {
    match allocation {
        Allocation::Fifo => "FIFO",
        Allocation::Lifo => "LIFO",
        Allocation::Proportional => "PROPORTIONAL",
    }
}

/// A balance.
#[derive(Debug, Serialize)]
pub struct BalanceView {
    balance: NumberText,
    version: u64,
    inflight_balance: NumberText,
    credit_balance: NumberText,
    inflight_credit_balance: NumberText,
    debit_balance: NumberText,
    inflight_debit_balance: NumberText,
    /// What waits to be taken from it; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_debit_balance: Option<NumberText>,
    /// What waits to be added to it; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_credit_balance: Option<NumberText>,
    /// The ledger it belongs to.
    pub ledger_id: String,
    /// Its owner, or empty.
    pub identity_id: String,
    /// Its id.
    pub balance_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    indicator: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    alias: String,
    /// Its currency.
    pub currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u64>,
    /// Its owner; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityView>,
    /// Its ledger; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerView>,
    created_at: String,
    inflight_expires_at: &'static str,
    meta_data: Option<Metadata>,
    track_fund_lineage: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    allocation_strategy: &'static str,
}

/// What a balance consists of, before it is shown.
#[derive(Debug, Clone)]
pub struct BalanceParts {
    /// Its money.
    pub figures: Figures,
    /// Counts the changes of the money.
    pub version: u64,
    /// The id of its ledger.
    pub ledger_id: String,
    /// The id of its owner, or empty.
    pub identity_id: String,
    /// Its id.
    pub balance_id: String,
    /// Its indicator, or empty.
    pub indicator: String,
    /// Its alias, or empty.
    pub alias: String,
    /// Its currency.
    pub currency: String,
    /// Minor units in a major unit, when the currency is registered.
    pub precision: Option<u64>,
    /// When it was made.
    pub created_at: i64,
    /// JSON object, or empty.
    pub metadata: String,
    /// Whether the origin of its funds is tracked.
    pub track_fund_lineage: bool,
    /// In which order tracked funds are spent.
    pub allocation: Allocation,
}

impl BalanceView {
    /// The balance as it is shown.
    pub fn new(parts: BalanceParts) -> BalanceView {
        let figures = parts.figures;
        BalanceView {
            balance: NumberText::integer(figures.balance()),
            version: parts.version,
            inflight_balance: NumberText::integer(figures.inflight()),
            credit_balance: NumberText::integer(figures.posted.credit),
            inflight_credit_balance: NumberText::integer(figures.held.credit),
            debit_balance: NumberText::integer(figures.posted.debit),
            inflight_debit_balance: NumberText::integer(figures.held.debit),
            queued_debit_balance: None,
            queued_credit_balance: None,
            ledger_id: parts.ledger_id,
            identity_id: parts.identity_id,
            balance_id: parts.balance_id,
            indicator: parts.indicator,
            alias: parts.alias,
            currency: parts.currency,
            precision: parts.precision,
            identity: None,
            ledger: None,
            created_at: super::time::text(parts.created_at),
            inflight_expires_at: ZERO,
            meta_data: Metadata::parse(&parts.metadata),
            track_fund_lineage: parts.track_fund_lineage,
            allocation_strategy: allocation_word(parts.allocation),
        }
    }

    /// How long its metadata is.
    pub fn text_bytes(&self) -> usize {
        self.meta_data.as_ref().map_or(0, Metadata::bytes)
    }

    /// The balance as lists show it: complete, but for the strategy of a balance that is not tracked and was given none,
    /// which lists have never told.
    #[must_use]
    pub fn listed(self) -> BalanceView {
        let usual = allocation_word(Allocation::Fifo);
        let tells = self.track_fund_lineage || self.allocation_strategy != usual;
        BalanceView { allocation_strategy: if tells { self.allocation_strategy } else { "" }, ..self }
    }
}
