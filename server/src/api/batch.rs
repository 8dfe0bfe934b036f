//! A recorded batch, as clients see it.

use super::number::NumberText;
use super::transaction::view::TransactionView;
use ledger::row::Status;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A recorded batch and a page of its items.
#[derive(Debug, Serialize)]
pub struct BatchView {
    /// Its id.
    pub batch_id: String,
    /// When it was recorded.
    pub created_at: String,
    /// Whether it was recorded as a whole or not at all.
    pub atomic: bool,
    /// What became of its items, when the same became of all; else `mixed`.
    pub status: String,
    /// How many items were recorded.
    pub transaction_count: usize,
    /// How many outcomes there are of each status.
    pub counts: BTreeMap<&'static str, usize>,
    /// What was posted or held, by currency.
    pub totals: Vec<TotalView>,
    /// The outcomes of the items of the page.
    pub transactions: Vec<TransactionView>,
}

/// What was posted or held in one currency.
#[derive(Debug, Serialize)]
pub struct TotalView {
    currency: String,
    precise_amount: NumberText,
    count: usize,
}

/// What became of a batch: counts and sums over all its outcomes.
#[derive(Debug, Default)]
pub struct Summary {
    counts: BTreeMap<&'static str, usize>,
    totals: BTreeMap<Arc<str>, (Sum, usize)>,
}

/// A sum of amounts that may be beyond 128 bits: the amounts of one balance are within them, those of all are not.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    /// In units of [`Sum::UNIT`].
    high: i128,
    /// Below one unit.
    low: i128,
}

impl Sum {
    const UNIT: i128 = 10i128.pow(30);

    fn add(&mut self, amount: i128) {
        let low = self.low + amount % Sum::UNIT;
        self.high += amount / Sum::UNIT + low / Sum::UNIT;
        self.low = low % Sum::UNIT;
    }

    fn digits(self) -> String {
        if self.high == 0 { self.low.to_string() } else { format!("{}{:030}", self.high, self.low) }
    }
}

impl Summary {
    /// Adds an outcome.
    pub fn add(&mut self, status: Status, currency: &Arc<str>, amount: i128) {
        *self.counts.entry(status.word()).or_default() += 1;
        if matches!(status, Status::Applied | Status::Inflight) {
            let (sum, count) = self.totals.entry(Arc::clone(currency)).or_default();
            sum.add(amount);
            *count += 1;
        }
    }

    /// The status of the batch.
    pub fn status(&self) -> String {
        let mut statuses = self.counts.keys();
        match (statuses.next(), statuses.next()) {
            (Some(all), None) => all.to_ascii_lowercase(),
            _ => "mixed".to_owned(),
        }
    }

    /// Counts by status, and totals by currency.
    pub fn told(self) -> (BTreeMap<&'static str, usize>, Vec<TotalView>) {
        let totals = self.totals.into_iter().map(|(currency, (sum, count))| TotalView {
            currency: currency.to_string(),
            precise_amount: NumberText::digits(sum.digits()),
            count,
        });
        (self.counts, totals.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_beyond_128_bits() {
        let mut sum = Sum::default();
        for (amount, digits) in [
            (1, "1"),
            (Sum::UNIT - 1, "1000000000000000000000000000000"),
            (i128::MAX, "170141184460469231731687303715884105727"),
            (i128::MAX, "340282367920938463463374607431768211454"),
            (i128::MAX, "510423551381407695195061911147652317181"),
        ] {
            sum.add(amount);
            assert_eq!(sum.digits(), digits);
        }
    }
}
