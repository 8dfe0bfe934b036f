//! Refusals of the ledger and faults of the engine as errors of the API: one place, no wildcard.

use super::error::{ApiError, Code};
use crate::vault::VaultFault;
use engine::answer::Unavailable;
use engine::reading::BooksFault;
use ledger::limits::MONITORS_PER_BALANCE_MAX;
use ledger::rejection::Rejection;
use serde_json::json;

/// What was refused, as far as its message needs it.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The reference.
    pub reference: &'a str,
    /// The source as it was named.
    pub source: &'a str,
    /// The destination as it was named.
    pub destination: &'a str,
    /// The currency.
    pub currency: &'a str,
    /// The id in the address.
    pub id: &'a str,
}

/// A refused command as an error.
pub fn refusal(rejection: Rejection, about: About<'_>) -> ApiError {
    let plain = |code| ApiError::new(code, reason(rejection));
    match rejection {
        Rejection::DuplicateReference => {
            let message = format!("transaction validation failed: reference {} has already been used", about.reference);
            ApiError::new(Code::TxnDuplicateReference, message)
        }
        Rejection::SourceNotFound => missing_balance(about.source),
        Rejection::DestinationNotFound => missing_balance(about.destination),
        Rejection::AmountNegative => plain(Code::TxnInvalidAmount),
        Rejection::AmountZero => plain(Code::TxnValidationError),
        Rejection::SameBalance => plain(Code::GenConflict),
        Rejection::CurrencyMismatch => {
            let message = format!("currency: {} is not the currency of both balances", about.currency);
            ApiError::new(Code::TxnValidationError, message)
        }
        Rejection::Overflow => plain(Code::TxnValidationError),
        Rejection::OverdraftExceeded => plain(Code::TxnValidationError),
        Rejection::InsufficientFunds => plain(Code::TxnInsufficientFunds),
        Rejection::BatchRejected => plain(Code::TxnValidationError),
        Rejection::LedgerNotFound => plain(Code::LgrNotFound).details(json!({})),
        Rejection::IdentityNotFound => plain(Code::IdtNotFound),
        Rejection::IndicatorTaken => plain(Code::GenConflict),
        Rejection::IdentityTaken => {
            ApiError::new(Code::IdtValidationError, format!("Identity already exists: {}", about.id))
        }
        Rejection::NotInflight => plain(Code::TxnNotInflight),
        Rejection::AlreadyCommitted => plain(Code::TxnAlreadyCommitted),
        Rejection::AlreadyVoided => plain(Code::TxnAlreadyVoided),
        Rejection::ExceedsOriginal => plain(Code::TxnCommitAmountExceeded),
        Rejection::ExceedsRemaining => plain(Code::TxnCommitAmountExceeded),
        Rejection::NothingToRefund => plain(Code::TxnNotFound),
        Rejection::AlreadyRefunded => plain(Code::GenConflict),
        Rejection::IdentityInUse => plain(Code::GenConflict),
        Rejection::TooManyCurrencies => plain(Code::GenBadRequest),
        Rejection::TooManyBalances => plain(Code::GenBadRequest),
        Rejection::TooManyRows => plain(Code::GenBadRequest),
        Rejection::AlreadyRun => plain(Code::GenConflict),
        Rejection::PrecisionMismatch => {
            let message = format!("precision: it is not that of the registered currency {}", about.currency);
            ApiError::new(Code::TxnValidationError, message)
        }
        Rejection::DebitsFrozen => plain(Code::BalFrozen),
        Rejection::CreditsFrozen => plain(Code::BalFrozen),
        Rejection::CounterpartyNotAllowed => plain(Code::BalCounterpartyNotAllowed),
        Rejection::VelocityExceeded => plain(Code::BalVelocityExceeded),
        Rejection::BelowMinimum => plain(Code::BalBelowMinimum),
        Rejection::CreditLimitExceeded => plain(Code::BalCreditLimitExceeded),
        Rejection::ExceedsRefundable => plain(Code::TxnInvalidAmount),
        Rejection::CurrencyTaken => plain(Code::GenConflict),
        Rejection::BalanceNotFound => plain(Code::BalNotFound),
        Rejection::MetadataChanged => plain(Code::GenConflict),
        Rejection::TooManyChanges => plain(Code::GenConflict),
        Rejection::AliasTaken => plain(Code::GenConflict),
        Rejection::AccountNumberTaken => plain(Code::AccDuplicate),
        Rejection::TooManyAccounts => plain(Code::GenBadRequest),
        Rejection::MonitorNotFound => plain(Code::BalMonitorNotFound),
        Rejection::TooManyMonitors => plain(Code::GenBadRequest),
        Rejection::TooManyMonitorsOfBalance => {
            let message =
                format!("a balance cannot have more than {MONITORS_PER_BALANCE_MAX} monitors; delete one first");
            ApiError::new(Code::GenBadRequest, message)
        }
        Rejection::IdentityChanged => plain(Code::GenConflict),
        Rejection::TooManyProviders => plain(Code::TxnValidationError),
        Rejection::TooMuchLineage => plain(Code::TxnValidationError),
        Rejection::FollowsAnother => plain(Code::GenConflict),
        Rejection::PeriodClosed => plain(Code::TxnPeriodClosed),
        Rejection::AlreadyClosed => plain(Code::LgrAlreadyClosed),
        Rejection::InFuture => plain(Code::GenValidationError),
        Rejection::AssertionBroken => plain(Code::BalAssertionBroken),
        Rejection::AssertionNotFound => plain(Code::BalAssertionNotFound),
        Rejection::TooManyKept => plain(Code::GenBadRequest),
    }
}

/// Why something was refused, in words; also kept in the metadata of rejected requests.
pub const fn reason(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::DuplicateReference => "transaction validation failed: the reference has already been used",
        Rejection::SourceNotFound => "source balance not found",
        Rejection::DestinationNotFound => "destination balance not found",
        Rejection::AmountNegative => "transaction amount must be positive",
        Rejection::AmountZero => "failed to apply transaction to balances: transaction precise amount must be positive",
        Rejection::SameBalance => "source and destination are the same balance",
        Rejection::CurrencyMismatch => "the currency is not that of both balances",
        Rejection::Overflow => {
            "failed to apply transaction to balances: a balance would be beyond what can be recorded"
        }
        Rejection::OverdraftExceeded => "failed to apply transaction to balances: transaction exceeds overdraft limit",
        Rejection::InsufficientFunds => "failed to apply transaction to balances: insufficient funds in source balance",
        Rejection::BatchRejected => "another part of the same whole was rejected",
        Rejection::LedgerNotFound => "Ledger not found",
        Rejection::IdentityNotFound => "Identity not found",
        Rejection::IndicatorTaken => "Balance already exists for the indicator and currency",
        Rejection::IdentityTaken => "Identity already exists",
        Rejection::NotInflight => "transaction is not in inflight status",
        Rejection::AlreadyCommitted => "cannot commit. Transaction already committed",
        Rejection::AlreadyVoided => "transaction has already been voided",
        Rejection::ExceedsOriginal => "cannot commit more than the original transaction amount",
        Rejection::ExceedsRemaining => "cannot commit more than the remaining amount",
        Rejection::NothingToRefund => "no transaction to refund",
        Rejection::AlreadyRefunded => "the transaction has already been refunded",
        Rejection::IdentityInUse => "the identity owns balances",
        Rejection::TooManyCurrencies => "the server holds as many currencies as it can",
        Rejection::TooManyBalances => "the server holds as many balances as it can",
        Rejection::TooManyRows => "the server holds as many transactions as it can",
        Rejection::AlreadyRun => "nothing of it waits any more: it has run, or was cancelled",
        Rejection::PrecisionMismatch => "the precision is not that of the registered currency",
        Rejection::DebitsFrozen => "the source balance is frozen",
        Rejection::CreditsFrozen => "the destination balance is frozen",
        Rejection::CounterpartyNotAllowed => "the policy of a balance does not allow the other as its counterparty",
        Rejection::VelocityExceeded => "the policy of a balance allows no more within this window of time",
        Rejection::BelowMinimum => "the source balance would go below its minimum",
        Rejection::CreditLimitExceeded => "the source balance would go beyond its credit limit",
        Rejection::ExceedsRefundable => "cannot give back more than is left of the transaction",
        Rejection::CurrencyTaken => "the currency is registered with another scale",
        Rejection::BalanceNotFound => "Balance not found",
        Rejection::MetadataChanged => "the metadata is being changed by others; try again",
        Rejection::TooManyChanges => "the metadata of the transaction was changed as often as it can be",
        Rejection::AliasTaken => "another balance has the alias",
        Rejection::AccountNumberTaken => "an account with this number exists already",
        Rejection::TooManyAccounts => "the server holds as many accounts as it can",
        Rejection::MonitorNotFound => "Monitor not found",
        Rejection::TooManyMonitors => "the server has as many monitors as it can hold; delete one first",
        Rejection::TooManyMonitorsOfBalance => {
            "the balance has as many monitors as a balance can have; delete one first"
        }
        Rejection::IdentityChanged => "the identity was changed meanwhile",
        Rejection::TooManyProviders => "a tracked balance has as many lineage providers as it can, 1000",
        Rejection::TooMuchLineage => {
            "more follows in the lineage of tracked balances than one request can have; send less at once"
        }
        Rejection::FollowsAnother => "it follows another transaction in the lineage of a balance; change that one",
        Rejection::PeriodClosed => {
            "effective_date: the books of the ledger of the source or of the destination are closed at that date"
        }
        Rejection::AlreadyClosed => "until: the books of the ledger are closed up to then, or further, already",
        Rejection::InFuture => "the moment has not come yet",
        Rejection::AssertionBroken => "the balance was not what it is said to have been",
        Rejection::AssertionNotFound => "Assertion not found",
        Rejection::TooManyKept => "as many are kept as can be",
    }
}

fn missing_balance(name: &str) -> ApiError {
    ApiError::new(Code::TxnNotFound, format!("Balance with ID '{name}' not found")).details(json!({}))
}

/// A command that was not carried out, as an error.
pub fn unavailable(why: &Unavailable) -> ApiError {
    match why {
        Unavailable::Busy => ApiError::new(Code::QueueBackpressure, why.to_string()),
        Unavailable::Stopped(_) => ApiError::new(Code::QueueBackpressure, "the ledger takes no changes; see /health"),
        Unavailable::TooLarge => ApiError::new(Code::GenMalformedRequest, why.to_string()),
        Unavailable::Closing => ApiError::new(Code::QueueBackpressure, why.to_string()),
    }
}

/// Something that could not be read. The client learns nothing but that; the log has the rest.
pub fn unreadable(fault: &BooksFault) -> ApiError {
    tracing::error!("{}", engine::fault_text(fault));
    ApiError::internal()
}

impl From<VaultFault> for ApiError {
    fn from(fault: VaultFault) -> ApiError {
        tracing::error!("{}", engine::fault_text(&fault));
        match fault {
            VaultFault::Stopped => ApiError::new(Code::QueueBackpressure, fault.to_string()),
            VaultFault::Full => ApiError::new(Code::GenBadRequest, fault.to_string()),
            VaultFault::Disk { .. }
            | VaultFault::Format(_)
            | VaultFault::WrongMaster(_)
            | VaultFault::Missing(_)
            | VaultFault::Lost(_)
            | VaultFault::Sealed
            | VaultFault::Random => ApiError::internal(),
        }
    }
}

impl From<BooksFault> for ApiError {
    fn from(fault: BooksFault) -> ApiError {
        unreadable(&fault)
    }
}
