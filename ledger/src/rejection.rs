//! Lawful refusals. They are results, not errors.

/// Why a command was refused. When several reasons hold, the first of the checks in [`crate::decide`] is told.
///
/// The number of each is stored with rejected requests and never changes; new ones are added at the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Rejection {
    /// The reference belongs to another transaction.
    DuplicateReference = 1,
    /// There is no balance of this id on the source side.
    SourceNotFound = 2,
    /// There is no balance of this id on the destination side.
    DestinationNotFound = 3,
    /// The amount is below zero.
    AmountNegative = 4,
    /// The amount is zero, or rounds to it.
    AmountZero = 5,
    /// Both sides are the same balance.
    SameBalance = 6,
    /// The currency is not that of both balances.
    CurrencyMismatch = 7,
    /// A balance would be beyond 128 bits.
    Overflow = 8,
    /// The source would go below its overdraft limit.
    OverdraftExceeded = 9,
    /// The source does not have the funds.
    InsufficientFunds = 10,
    /// Another item of the same atomic batch was rejected.
    BatchRejected = 11,
    /// There is no ledger of this id.
    LedgerNotFound = 12,
    /// There is no identity of this id.
    IdentityNotFound = 13,
    /// The indicator is taken in this currency.
    IndicatorTaken = 14,
    /// The id of an identity is taken.
    IdentityTaken = 15,
    /// Nothing is held under the id.
    NotInflight = 16,
    /// The hold was committed in full.
    AlreadyCommitted = 17,
    /// The hold was voided.
    AlreadyVoided = 18,
    /// More than was held.
    ExceedsOriginal = 19,
    /// More than is left of what was held.
    ExceedsRemaining = 20,
    /// Nothing that could be given back.
    NothingToRefund = 21,
    /// It was given back before.
    AlreadyRefunded = 22,
    /// The identity owns balances.
    IdentityInUse = 23,
    /// As many currencies as a server can hold.
    TooManyCurrencies = 24,
    /// As many balances as a server can hold.
    TooManyBalances = 25,
    /// As many rows as a server can hold.
    TooManyRows = 26,
    /// The scheduled request has run, or was called off.
    AlreadyRun = 27,
    /// The precision is not the one of the registered currency.
    PrecisionMismatch = 28,
    /// The source is frozen.
    DebitsFrozen = 29,
    /// The destination is frozen.
    CreditsFrozen = 30,
    /// One of the two balances may not deal with the other.
    CounterpartyNotAllowed = 31,
    /// More, or more often, than a balance may move within a window of time.
    VelocityExceeded = 32,
    /// The source would go below its minimum.
    BelowMinimum = 33,
    /// The source would go below its credit limit.
    CreditLimitExceeded = 34,
    /// More than is left to be given back.
    ExceedsRefundable = 35,
    /// The currency is registered with another precision.
    CurrencyTaken = 36,
    /// There is no balance of this id.
    BalanceNotFound = 37,
    /// The metadata was changed since it was read.
    MetadataChanged = 38,
    /// The metadata of the transaction was changed as often, or by as much, as it can be.
    TooManyChanges = 39,
    /// Another balance has the alias.
    AliasTaken = 40,
    /// The identity has other fields than those from which the change was made.
    IdentityChanged = 42,
    /// There is no monitor of this id.
    MonitorNotFound = 46,
    /// As many monitors as a server can hold, or as many changes of them.
    TooManyMonitors = 47,
    /// As many monitors as can watch one balance.
    TooManyMonitorsOfBalance = 48,
    /// The number of an account is taken.
    AccountNumberTaken = 50,
    /// As many accounts as a server can hold.
    TooManyAccounts = 51,
    /// As many providers as a tracked balance can have.
    TooManyProviders = 54,
    /// More follows in the lineage of tracked balances than one event, or one hold, can have.
    TooMuchLineage = 55,
    /// It follows another transaction in the lineage of a balance, and does not change by itself.
    FollowsAnother = 56,
    /// The business date is in a period whose books are closed, of the ledger of the source or of the destination.
    PeriodClosed = 57,
    /// The books are closed up to this moment, or a later one, already.
    AlreadyClosed = 58,
    /// The moment has not come yet.
    InFuture = 59,
    /// The balance was not what it is said to have been.
    AssertionBroken = 60,
    /// There is no assertion of this id.
    AssertionNotFound = 61,
    /// As many closings of a ledger, or assertions of a balance, or of either, as there can be.
    TooManyKept = 62,
}

impl Rejection {
    /// Every rejection, in order.
    pub const ALL: [Rejection; 55] = [
        Rejection::DuplicateReference,
        Rejection::SourceNotFound,
        Rejection::DestinationNotFound,
        Rejection::AmountNegative,
        Rejection::AmountZero,
        Rejection::SameBalance,
        Rejection::CurrencyMismatch,
        Rejection::Overflow,
        Rejection::OverdraftExceeded,
        Rejection::InsufficientFunds,
        Rejection::BatchRejected,
        Rejection::LedgerNotFound,
        Rejection::IdentityNotFound,
        Rejection::IndicatorTaken,
        Rejection::IdentityTaken,
        Rejection::NotInflight,
        Rejection::AlreadyCommitted,
        Rejection::AlreadyVoided,
        Rejection::ExceedsOriginal,
        Rejection::ExceedsRemaining,
        Rejection::NothingToRefund,
        Rejection::AlreadyRefunded,
        Rejection::IdentityInUse,
        Rejection::TooManyCurrencies,
        Rejection::TooManyBalances,
        Rejection::TooManyRows,
        Rejection::AlreadyRun,
        Rejection::PrecisionMismatch,
        Rejection::DebitsFrozen,
        Rejection::CreditsFrozen,
        Rejection::CounterpartyNotAllowed,
        Rejection::VelocityExceeded,
        Rejection::BelowMinimum,
        Rejection::CreditLimitExceeded,
        Rejection::ExceedsRefundable,
        Rejection::CurrencyTaken,
        Rejection::BalanceNotFound,
        Rejection::MetadataChanged,
        Rejection::TooManyChanges,
        Rejection::AliasTaken,
        Rejection::IdentityChanged,
        Rejection::MonitorNotFound,
        Rejection::TooManyMonitors,
        Rejection::TooManyMonitorsOfBalance,
        Rejection::AccountNumberTaken,
        Rejection::TooManyAccounts,
        Rejection::TooManyProviders,
        Rejection::TooMuchLineage,
        Rejection::FollowsAnother,
        Rejection::PeriodClosed,
        Rejection::AlreadyClosed,
        Rejection::InFuture,
        Rejection::AssertionBroken,
        Rejection::AssertionNotFound,
        Rejection::TooManyKept,
    ];

    /// The stored number of the rejection.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The rejection of a stored number.
    pub fn of_number(number: u8) -> Option<Rejection> {
        Rejection::ALL.into_iter().find(|rejection| rejection.number() == number)
    }
}

/// A refused command: which part of it, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Position of the item in the command, from 0.
    pub item: u32,
    /// Which leg of a split item, from 1; 0 of an item that is none.
    pub leg: u32,
    /// Why.
    pub rejection: Rejection,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back() {
        for pair in Rejection::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for rejection in Rejection::ALL {
            assert_eq!(Rejection::of_number(rejection.number()), Some(rejection));
        }
        assert_eq!(Rejection::of_number(0), None);
    }
}
