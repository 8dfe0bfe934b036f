//! Do the books agree with the answers? Every balance of the run is read back and summed.
//!
//! The balances are new and only this run posts on them, so what they hold is known exactly: each acknowledged amount is
//! once in a debit and once in a credit. Requests without an answer may or may not have been posted; they widen what is
//! lawful, and the money must still be conserved.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::BenchFault;
use super::body::{self, Pool};
use super::exchange::Exchange;
use super::load::Outcome;
use super::plan::Plan;
use super::setup::{self, FUNDING_MINOR};

/// A queue is given this long to drain.
const SETTLE_MAX: Duration = Duration::from_secs(300);
const SETTLE_INTERVAL: Duration = Duration::from_secs(1);

/// Sums over all balances of the run, without what funding brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sums {
    pub balance: i128,
    pub credit: i128,
    pub debit: i128,
    pub inflight_credit: i128,
    pub inflight_debit: i128,
    /// Changes of balances; a transaction changes two.
    pub changes: i128,
}

/// Result of the check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    pub found: Sums,
    /// Differences, one sentence each. Empty is good.
    pub findings: Vec<String>,
    /// Until the queue was drained, with `--queued`.
    pub settled_milliseconds: u64,
}

#[derive(Deserialize)]
struct BalanceRead {
    balance: i128,
    credit_balance: i128,
    debit_balance: i128,
    inflight_credit_balance: i128,
    inflight_debit_balance: i128,
    version: i128,
}

/// Reads all balances, again and again while a queue is still being worked off.
pub(super) fn check(
    plan: &Plan,
    exchange: &mut Exchange,
    pool: &Pool,
    outcome: &Outcome,
) -> Result<Verdict, BenchFault> {
    let started = Instant::now();
    loop {
        let found = read_sums(plan, exchange, pool)?;
        let findings = compare(plan, outcome, found);
        if findings.is_empty() || !plan.queued || started.elapsed() >= SETTLE_MAX {
            return Ok(Verdict { found, findings, settled_milliseconds: started.elapsed().as_millis() as u64 });
        }
        std::thread::sleep(SETTLE_INTERVAL);
    }
}

fn read_sums(plan: &Plan, exchange: &mut Exchange, pool: &Pool) -> Result<Sums, BenchFault> {
    let mut sums = Sums::default();
    let mut write = |index: usize, buffer: &mut Vec<u8>| {
        buffer.clear();
        let path = format!("/balances/{}", pool.identifier(index));
        buffer.extend_from_slice(&body::request(&plan.target, "GET", &path, ""));
    };
    let (funding, fundings) = if plan.overdraft { (0, 0) } else { (i128::from(FUNDING_MINOR), 1) };
    setup::sequence(exchange, "reading balances back", pool.len(), &mut write, &mut |_, reply| {
        let read: Option<BalanceRead> = serde_json::from_slice(&reply.body).ok().filter(|_| reply.succeeded());
        let read = read.ok_or_else(|| reply.excerpt())?;
        sums.balance += read.balance - funding;
        sums.credit += read.credit_balance - funding;
        sums.debit += read.debit_balance;
        sums.inflight_credit += read.inflight_credit_balance;
        sums.inflight_debit += read.inflight_debit_balance;
        sums.changes += read.version - 1 - fundings;
        Ok(())
    })?;
    Ok(sums)
}

/// A flat list of what must hold.
fn compare(plan: &Plan, outcome: &Outcome, found: Sums) -> Vec<String> {
    let lawful = |acknowledged: u64, uncertain: u64| {
        let least = i128::from(acknowledged);
        least..=least + i128::from(uncertain)
    };
    let moved = lawful(outcome.acknowledged.minor, outcome.uncertain.minor);
    let (posted, held) = if plan.inflight { (0..=0, moved) } else { (moved, 0..=0) };
    let mut findings = Vec::new();
    let mut expect = |what: &str, value: i128, range: &RangeInclusive<i128>| {
        if !range.contains(&value) {
            let (least, most) = (range.start(), range.end());
            findings.push(match least == most {
                true => format!("{what} is {value}, must be {least}"),
                false => format!("{what} is {value}, must be {least} to {most}"),
            });
        }
    };
    expect("the sum of balances beyond their funding", found.balance, &(0..=0));
    expect("credits less debits", found.credit - found.debit, &(0..=0));
    expect("held credits less held debits", found.inflight_credit - found.inflight_debit, &(0..=0));
    expect("the sum of posted amounts", found.debit, &posted);
    expect("the sum of held amounts", found.inflight_debit, &held);
    // A queue may work off several transactions as one change of a balance.
    if !plan.queued {
        let transactions = lawful(outcome.acknowledged.transactions, outcome.uncertain.transactions);
        expect("twice the number of transactions", found.changes, &(transactions.start() * 2..=transactions.end() * 2));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::exchange::Ending;
    use super::super::load::{Load, Tally};
    use super::super::plan::tests::plan;
    use super::super::process::Watched;
    use super::*;

    fn findings(arguments: &str, uncertain: Tally, found: Sums) -> Vec<String> {
        let plan = plan(arguments);
        let pool = Pool::new(&["a".to_owned(), "b".to_owned()]).expect("plain identifiers");
        let watched = Watched::none();
        let mut outcome = Load::new(&plan, &pool, &watched, Instant::now()).finish(Ending::Finished);
        outcome.acknowledged = Tally { transactions: 10, minor: 5_000 };
        outcome.uncertain = uncertain;
        compare(&plan, &outcome, found)
    }

    const POSTED: Sums =
        Sums { balance: 0, credit: 5_000, debit: 5_000, inflight_credit: 0, inflight_debit: 0, changes: 20 };

    #[test]
    fn books_that_agree_have_no_findings() {
        assert!(findings("", Tally::default(), POSTED).is_empty());
        let held = Sums { credit: 0, debit: 0, inflight_credit: 5_000, inflight_debit: 5_000, ..POSTED };
        assert!(findings("--inflight", Tally::default(), held).is_empty());
        assert!(findings("--queued", Tally::default(), Sums { changes: 2, ..POSTED }).is_empty());
    }

    #[test]
    fn a_lost_a_doubled_and_a_half_posting_are_found() {
        let lost = findings("", Tally::default(), Sums { credit: 4_500, debit: 4_500, changes: 18, ..POSTED });
        assert_eq!(lost.len(), 2, "{lost:?}");
        assert_eq!(
            findings("", Tally::default(), Sums { credit: 5_500, debit: 5_500, changes: 22, ..POSTED }).len(),
            2
        );
        let half = findings("", Tally::default(), Sums { balance: 500, credit: 5_500, changes: 21, ..POSTED });
        assert_eq!(half.len(), 3, "{half:?}");
    }

    #[test]
    fn requests_without_an_answer_widen_what_is_lawful() {
        let uncertain = Tally { transactions: 1, minor: 500 };
        let with = Sums { credit: 5_500, debit: 5_500, changes: 22, ..POSTED };
        assert!(findings("", uncertain, POSTED).is_empty());
        assert!(findings("", uncertain, with).is_empty());
        assert_eq!(findings("", uncertain, Sums { credit: 5_501, debit: 5_501, ..with }).len(), 1);
    }
}
