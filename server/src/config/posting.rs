//! How transactions are taken, and the two answers that can be had as some clients know them.

use super::typed::Typed;

/// A posting whose currency is not that of both its balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurrencyMismatch {
    /// Is refused.
    Refuse,
    /// Moves raw units, and is reported by `verify`.
    Allow,
}

/// A queued commit or void of a hold that is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateSettlement {
    /// Answers 409.
    Refuse,
    /// Answers 200 with the hold as it is; nothing happens.
    Accept,
}

/// How transactions are taken.
#[derive(Debug, Clone)]
pub struct PostingSettings {
    /// Every request is treated as if it said `skip_queue`.
    pub queue_skip: bool,
    /// Queued debits reduce the funds that are available.
    pub queued_checks: bool,
    /// See the type.
    pub currency_mismatch: CurrencyMismatch,
    /// See the type.
    pub late_settlement: LateSettlement,
}

impl PostingSettings {
    pub(super) fn resolve(typed: &Typed) -> PostingSettings {
        PostingSettings {
            queue_skip: typed.flag("queue.skip"),
            queued_checks: typed.flag("transaction.enable_queued_checks"),
            currency_mismatch: match typed.text("compat.currency_mismatch") {
                "refuse" => CurrencyMismatch::Refuse,
                "allow" => CurrencyMismatch::Allow,
                other => unreachable!("the table of keys does not allow {other}"),
            },
            late_settlement: match typed.text("compat.late_settlement") {
                "refuse" => LateSettlement::Refuse,
                "accept" => LateSettlement::Accept,
                other => unreachable!("the table of keys does not allow {other}"),
            },
        }
    }
}
