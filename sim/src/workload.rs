//! What is asked for, as the seed says: mostly what can happen, and now and then what must be refused.

use crate::auditor::Auditor;
use crate::operation::{Leg, Operation, Payment, Side};
use crate::random::Random;
use ledger::command::Batch;

/// Accounts of a world.
const ACCOUNTS_MAX: usize = 6;
/// Payments that may be sent again.
const REMEMBERED: usize = 40;
const CURRENCIES: [&str; 2] = ["USD", "EUR"];
const INDICATORS: [&str; 3] = ["@World", "@Fees", "@Partner"];
const SECOND: i64 = 1_000_000;

/// Makes operations. It lives as long as the world: what a crash took may be sent again, as clients do.
pub struct Workload {
    random: Random,
    /// References are numbered, so that each is used for one payment only.
    made: u64,
    sent: Vec<Payment>,
}

impl Workload {
    /// The workload of a seed.
    pub const fn new(seed: u64) -> Workload {
        Workload { random: Random::new(seed), made: 0, sent: Vec::new() }
    }

    /// The next operation. `usable` accounts can be named.
    pub fn next(&mut self, books: &Auditor, usable: usize, now: i64) -> Operation {
        if usable < 2 || books.opened.len() < ACCOUNTS_MAX && self.random.one_in(15) {
            let short = books.opened.len() < ACCOUNTS_MAX;
            return if short { Operation::Open(self.random.any(&CURRENCIES)) } else { self.fund(books, usable) };
        }
        match self.random.below(24) {
            0..3 => self.fund(books, usable),
            3..6 if !books.holds.is_empty() => self.settle(books),
            6 | 7 if !books.rows.is_empty() => self.refund(books),
            8 if !books.waiting.is_empty() => {
                let groups: Vec<u64> = books.waiting.keys().copied().collect();
                Operation::Cancel(self.random.any(&groups))
            }
            9 => {
                let minimum = (!self.random.one_in(3)).then(|| i128::from(self.random.below(100)) - 50);
                Operation::Floor { account: self.random.below(usable as u64) as usize, minimum }
            }
            10 if !books.rows.is_empty() => {
                self.made += 1;
                let text = format!("{{\"said\":{}}}", self.made);
                Operation::Note { row: self.random.below(books.rows.len() as u64), text }
            }
            11..13 => self.again(usable, now).unwrap_or_else(|| self.fund(books, usable)),
            _ => self.pay(books, usable, now),
        }
    }

    fn reference(&mut self) -> String {
        self.made += 1;
        format!("ref-{}", self.made)
    }

    fn fund(&mut self, books: &Auditor, usable: usize) -> Operation {
        let account = self.random.below(usable.max(1) as u64) as usize;
        let Some(handle) = books.opened.get(account).filter(|_| usable > 0) else { return Operation::Open("USD") };
        let leg = Leg {
            source: Side::Indicator("@World"),
            destination: Side::Account(account),
            amount: 100 + i128::from(self.random.below(400)),
            currency: books.accounts[*handle].currency,
            reference: self.reference(),
            inflight: false,
            effective_at: None,
            scheduled_at: None,
            expires_at: None,
            padding: 0,
        };
        let queued = self.random.one_in(3);
        Operation::Pay(Payment { batch: Batch::Single, goes_on: false, queued, legs: vec![leg], key: None })
    }

    fn settle(&mut self, books: &Auditor) -> Operation {
        let holds: Vec<u64> = books.holds.keys().copied().collect();
        // Now and then one that was settled before, or never was a hold.
        let any = self.random.below(books.rows.len() as u64);
        let hold = if self.random.one_in(8) { any } else { self.random.any(&holds) };
        let amount = (!self.random.one_in(3)).then(|| 1 + i128::from(self.random.below(60)));
        Operation::Settle { hold, commit: !self.random.one_in(3), amount }
    }

    fn refund(&mut self, books: &Auditor) -> Operation {
        let row = self.random.below(books.rows.len() as u64);
        let amount = self.random.one_in(2).then(|| 1 + i128::from(self.random.below(60)));
        Operation::Refund { row, amount, reference: self.reference() }
    }

    /// What was sent before, as it was; or something else with its key.
    fn again(&mut self, usable: usize, now: i64) -> Option<Operation> {
        if self.sent.is_empty() {
            return None;
        }
        let mut payment = self.random.of(&self.sent).clone();
        let known = |side: &Side| match side {
            Side::Account(account) => *account < usable,
            Side::Indicator(_) => true,
        };
        let ahead = |at: Option<i64>| at.is_none_or(|at| at > now);
        let can = |leg: &Leg| {
            known(&leg.source) && known(&leg.destination) && ahead(leg.scheduled_at) && ahead(leg.expires_at)
        };
        if !payment.legs.iter().all(can) {
            return None;
        }
        if let Some((_, request)) = &mut payment.key
            && self.random.one_in(3)
        {
            *request = request.wrapping_add(1);
        }
        Some(Operation::Pay(payment))
    }

    fn pay(&mut self, books: &Auditor, usable: usize, now: i64) -> Operation {
        let (mut batch, mut count) = (Batch::Single, 1);
        if self.random.one_in(3) {
            batch = self.random.any(&[Batch::Atomic, Batch::Independent]);
            count = 2 + self.random.below(3);
        }
        let queued = self.random.one_in(2);
        let mut legs: Vec<Leg> = (0..count).map(|_| self.leg(books, usable, now, queued)).collect();
        if self.random.one_in(2) {
            // Several that run together.
            let due = legs[0].scheduled_at;
            legs.iter_mut().filter(|leg| leg.scheduled_at.is_some()).for_each(|leg| leg.scheduled_at = due);
        }
        let goes_on = batch == Batch::Independent && self.random.one_in(3);
        let keyed = count == 1 && !queued && self.random.one_in(3);
        let key = keyed.then(|| (format!("key-{}", self.made), self.random.number() as u8));
        let payment = Payment { batch, goes_on, queued, legs, key };
        self.sent.push(payment.clone());
        if self.sent.len() > REMEMBERED {
            self.sent.remove(0);
        }
        Operation::Pay(payment)
    }

    fn leg(&mut self, books: &Auditor, usable: usize, now: i64, queued: bool) -> Leg {
        let source = self.random.below(usable as u64) as usize;
        let destination = self.random.below(usable as u64) as usize;
        let currency = books.accounts[books.opened[source]].currency;
        // Between accounts of two currencies nothing moves.
        let to_account = self.random.one_in(2);
        let destination =
            if to_account { Side::Account(destination) } else { Side::Indicator(self.random.any(&INDICATORS)) };
        let inflight = self.random.one_in(3);
        let waits = queued && to_account && self.random.one_in(3);
        let soon = |random: &mut Random| now + 1 + random.below(8 * SECOND as u64) as i64;
        Leg {
            source: Side::Account(source),
            destination,
            amount: 1 + i128::from(self.random.below(150)),
            currency,
            reference: self.reference(),
            inflight,
            effective_at: self.random.one_in(4).then(|| now - self.random.below(50 * SECOND as u64) as i64),
            scheduled_at: waits.then(|| soon(&mut self.random)),
            expires_at: (inflight && self.random.one_in(3)).then(|| soon(&mut self.random)),
            padding: if self.random.one_in(12) { 1_000 + self.random.below(9_000) as usize } else { 3 },
        }
    }
}
