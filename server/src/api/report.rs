//! Reports over all books, on the wire.

use super::closing::{signed, whole};
use super::number::NumberText;
use engine::aggregate::Sums;
use ledger::wide::Wide;
use serde::Serialize;
use std::cmp::Ordering;

/// A trial balance.
#[derive(Debug, Serialize)]
pub struct TrialBalanceView {
    /// The moment.
    pub at: String,
    /// Whether all currencies are.
    pub balanced: bool,
    /// Over all ledgers, by currency.
    pub currencies: Vec<CurrencyView>,
    /// By currency and ledger: those of the page.
    pub ledgers: Vec<LedgerRowView>,
    /// How many there are, on all pages.
    pub total_ledgers: usize,
}

/// A currency over all ledgers.
#[derive(Debug, Serialize)]
pub struct CurrencyView {
    /// The currency.
    pub currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u64>,
    count: u64,
    debit: NumberText,
    credit: NumberText,
    net: NumberText,
    /// Whether debits are credits.
    pub balanced: bool,
}

impl CurrencyView {
    /// The sums of a currency.
    pub fn new(currency: String, precision: Option<u64>, sums: &Sums) -> CurrencyView {
        CurrencyView {
            currency,
            precision,
            count: sums.balances,
            debit: whole(sums.debit),
            credit: whole(sums.credit),
            net: signed(sums.credit, sums.debit),
            balanced: sums.credit == sums.debit,
        }
    }
}

/// A currency in one ledger.
#[derive(Debug, Serialize)]
pub struct LedgerRowView {
    currency: String,
    ledger_id: String,
    count: u64,
    debit: NumberText,
    credit: NumberText,
    net: NumberText,
}

impl LedgerRowView {
    /// The sums of a ledger in a currency.
    pub fn new(currency: String, ledger_id: String, sums: &Sums) -> LedgerRowView {
        let (debit, credit) = (whole(sums.debit), whole(sums.credit));
        LedgerRowView { currency, ledger_id, count: sums.balances, debit, credit, net: signed(sums.credit, sums.debit) }
    }
}

const COLUMNS: &str = "at,currency,ledger_id,count,debit,credit,net,balanced\r\n";

/// A trial balance as comma-separated values: a line for each ledger, then one for each currency, without a ledger.
pub fn trial_balance_csv(view: &TrialBalanceView) -> Vec<u8> {
    let mut out = Vec::from(COLUMNS);
    let at = &view.at;
    let mut write = |fields: [&str; 8]| crate::statement::csv::write(&fields.map(str::to_owned), &mut out);
    for row in &view.ledgers {
        let (currency, ledger) = (crate::statement::csv::text(&row.currency), &row.ledger_id);
        let count = row.count.to_string();
        write([at, &currency, ledger, &count, row.debit.as_str(), row.credit.as_str(), row.net.as_str(), ""]);
    }
    for row in &view.currencies {
        let (currency, count) = (crate::statement::csv::text(&row.currency), row.count.to_string());
        let balanced = if row.balanced { "true" } else { "false" };
        write([at, &currency, "", &count, row.debit.as_str(), row.credit.as_str(), row.net.as_str(), balanced]);
    }
    out
}

/// A safeguarding report.
#[derive(Debug, Serialize)]
pub struct SafeguardingView {
    /// The moment.
    pub at: String,
    /// Whether no currency has less than it needs.
    pub safeguarded: bool,
    /// By currency.
    pub currencies: Vec<SafeguardedView>,
    /// What counts as held, as it was named.
    pub pool: Vec<String>,
    /// On which side of a balance of the pool money is that is held.
    pub pool_side: &'static str,
    /// What counts as owed, as it was named; all ledgers but the general one, when nothing was.
    pub owed: Vec<String>,
}

/// What is owed in a currency against what is held.
#[derive(Debug, Serialize)]
pub struct SafeguardedView {
    /// The currency.
    pub currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u64>,
    /// `excess`, `shortfall` or `balanced`.
    pub status: &'static str,
    requirement: NumberText,
    resource: NumberText,
    difference: NumberText,
    excess: NumberText,
    shortfall: NumberText,
    owed: OwedView,
    held: HeldView,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<HoldsView>,
}

#[derive(Debug, Serialize)]
struct OwedView {
    count: u64,
    balance: NumberText,
    overdrawn_count: u64,
    overdrawn: NumberText,
}

#[derive(Debug, Serialize)]
struct HeldView {
    count: u64,
    debit_side: NumberText,
    credit_side: NumberText,
}

#[derive(Debug, Serialize)]
struct HoldsView {
    owed_debit: NumberText,
    owed_credit: NumberText,
    pool_debit: NumberText,
    pool_credit: NumberText,
}

/// What is owed and held in a currency, summed balance by balance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Safeguarded {
    /// Balances of customers.
    pub owed_count: u64,
    /// The sum of those above zero.
    pub owed: Wide,
    /// How many of them are below zero.
    pub overdrawn_count: u64,
    /// How far these are.
    pub overdrawn: Wide,
    /// Balances of the pool.
    pub pool_count: u64,
    /// The sum of those above zero.
    pub pool_credit: Wide,
    /// The sum of how far the others are below it.
    pub pool_debit: Wide,
    /// What is held of balances of customers: debits, credits.
    pub owed_holds: (Wide, Wide),
    /// The same of those of the pool.
    pub pool_holds: (Wide, Wide),
}

impl Safeguarded {
    /// What is told of it. `is_debit` says on which side the pool has its money, `holds` whether what is held is told.
    pub fn view(&self, currency: String, precision: Option<u64>, is_debit: bool, holds: bool) -> SafeguardedView {
        let (plus, minus) =
            if is_debit { (self.pool_debit, self.pool_credit) } else { (self.pool_credit, self.pool_debit) };
        // Difference = plus − minus − owed.
        let mut less = self.owed;
        less.add_wide(minus);
        let (status, excess, shortfall) = match plus.compare(less) {
            Ordering::Greater => ("excess", signed(plus, less), NumberText::integer(0)),
            Ordering::Less => ("shortfall", NumberText::integer(0), signed(less, plus)),
            Ordering::Equal => ("balanced", NumberText::integer(0), NumberText::integer(0)),
        };
        SafeguardedView {
            currency,
            precision,
            status,
            requirement: whole(self.owed),
            resource: signed(plus, minus),
            difference: signed(plus, less),
            excess,
            shortfall,
            owed: OwedView {
                count: self.owed_count,
                balance: signed(self.owed, self.overdrawn),
                overdrawn_count: self.overdrawn_count,
                overdrawn: whole(self.overdrawn),
            },
            held: HeldView {
                count: self.pool_count,
                debit_side: whole(self.pool_debit),
                credit_side: whole(self.pool_credit),
            },
            holds: holds.then(|| HoldsView {
                owed_debit: whole(self.owed_holds.0),
                owed_credit: whole(self.owed_holds.1),
                pool_debit: whole(self.pool_holds.0),
                pool_credit: whole(self.pool_holds.1),
            }),
        }
    }
}
