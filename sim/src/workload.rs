//! What is asked for, as the seed says: mostly what can happen, and now and then what must be refused.

use crate::auditor::{Auditor, Kind, Waiting};
use crate::command::Names;
use crate::operation::{Batch, Floor, Leg, Limit, Operation, Payment, Request, Rules, Side};
use crate::random::Random;

/// Accounts of a world.
const ACCOUNTS_MAX: usize = 8;
/// Ledgers of a world.
const LEDGERS_MAX: usize = 3;
/// Persons, monitors, and closings of a world.
const OTHERS_MAX: usize = 6;
/// Claims of a world.
const CLAIMS_MAX: usize = 30;
/// Requests that may be sent again.
const REMEMBERED: usize = 40;
const CURRENCIES: [&str; 2] = ["USD", "EUR"];
const INDICATORS: [&str; 3] = ["@World", "@Fees", "@Partner"];
const PROVIDERS: [&str; 3] = ["acme", "bank", "card"];
const NAMES: [&str; 4] = ["", "one", "two", "three"];
const SECOND: i64 = 1_000_000;

/// Makes requests. It lives as long as the world: what a crash took may be sent again, as clients do.
pub struct Workload {
    random: Random,
    /// References are numbered, so that each is used for one request only.
    made: u64,
    sent: Vec<Request>,
}

/// What can be named now.
pub struct Scene<'a> {
    /// The books after everything that was asked for.
    pub books: &'a Auditor,
    /// Accounts whose ids are known.
    pub usable: usize,
    /// What else is known by its name.
    pub names: &'a Names,
    /// The time.
    pub now: i64,
}

impl Scene<'_> {
    /// Accounts that know whose money they have, or those that do not.
    fn accounts(&self, traced: bool) -> Vec<usize> {
        let is_one = |account: &usize| self.books.accounts[self.books.opened[*account]].funds.is_some() == traced;
        (0..self.usable).filter(is_one).collect()
    }
}

impl Workload {
    /// The workload of a seed.
    pub const fn new(seed: u64) -> Workload {
        Workload { random: Random::new(seed), made: 0, sent: Vec::new() }
    }

    /// The next request. `early` in a life, what was sent before the crash is often sent again.
    pub fn next(&mut self, scene: &Scene<'_>, early: bool) -> Request {
        let plain = scene.accounts(false);
        if plain.len() < 2 || scene.books.opened.len() < ACCOUNTS_MAX && self.random.one_in(15) {
            return bare(self.open(scene));
        }
        if early
            && self.random.one_in(2)
            && let Some(request) = self.again(scene)
        {
            return request;
        }
        let what = match self.random.below(34) {
            0..3 => self.fund(scene, &plain),
            3..6 => self.settle(scene),
            6 | 7 => self.refund(scene),
            8 => self.waiting(scene, |_| true).map(Operation::Cancel),
            9 => Some(Operation::Policy { account: self.random.any(&plain), rules: self.rules(scene) }),
            10 => self.note(scene),
            11..13 => return self.again(scene).unwrap_or_else(|| self.pay(scene, &plain)),
            13 => self.change(scene),
            14 => self.delay(scene),
            15 => self.close(scene),
            16 => self.claim(scene, &plain),
            17..19 => self.trace(scene),
            19 => self.about_others(scene, &plain),
            20 => Some(Operation::Keep(self.row(scene).filter(|_| self.random.one_in(2)))),
            _ => None,
        };
        let Some(what) = what else { return self.pay(scene, &plain) };
        let keyed = match what {
            Operation::Keep(_) => true,
            Operation::Settle { .. }
            | Operation::Change { .. }
            | Operation::Refund { .. }
            | Operation::Cancel(_)
            | Operation::Trace { .. } => self.random.one_in(3),
            _ => false,
        };
        let request = Request { what, key: keyed.then(|| self.key()) };
        if request.key.is_some() {
            self.remember(request.clone());
        }
        request
    }

    fn open(&mut self, scene: &Scene<'_>) -> Operation {
        let ledgers = scene.names.ledgers.len().max(1);
        if ledgers < LEDGERS_MAX && scene.books.ledgers < LEDGERS_MAX && self.random.one_in(4) {
            return Operation::Ledger;
        }
        let persons = scene.names.persons.len();
        let traced = scene.usable > 2 && persons > 0 && self.random.one_in(3);
        let traced = traced.then(|| self.random.below(persons as u64) as usize);
        let currency = if traced.is_some() { "USD" } else { self.random.any(&CURRENCIES) };
        Operation::Open { currency, ledger: self.random.below(ledgers as u64) as usize, traced }
    }

    fn key(&mut self) -> (String, u8) {
        self.made += 1;
        (format!("key-{}", self.made), self.random.number() as u8)
    }

    fn reference(&mut self) -> String {
        self.made += 1;
        format!("ref-{}", self.made)
    }

    fn remember(&mut self, request: Request) {
        self.sent.push(request);
        if self.sent.len() > REMEMBERED {
            self.sent.remove(0);
        }
    }

    fn row(&mut self, scene: &Scene<'_>) -> Option<u64> {
        let rows = scene.books.rows.len() as u64;
        (rows > 0).then(|| self.random.below(rows))
    }

    fn fund(&mut self, scene: &Scene<'_>, plain: &[usize]) -> Option<Operation> {
        let account = self.random.any(plain);
        let leg = Leg {
            source: Side::Indicator("@World"),
            destination: Side::Account(account),
            amount: 100 + i128::from(self.random.below(400)),
            currency: scene.books.accounts[scene.books.opened[account]].currency,
            reference: self.reference(),
            inflight: false,
            effective_at: None,
            scheduled_at: None,
            expires_at: None,
            commits_at: None,
            padding: 0,
        };
        let queued = self.random.one_in(3);
        Some(Operation::Pay(Payment { batch: Batch::Single, goes_on: false, queued, legs: vec![leg] }))
    }

    /// The row of a hold; now and then one that was settled before, or never was a hold.
    fn hold(&mut self, scene: &Scene<'_>) -> Option<u64> {
        let holds: Vec<u64> = scene.books.holds.keys().copied().collect();
        if holds.is_empty() {
            return None;
        }
        if self.random.one_in(8) { self.row(scene) } else { Some(self.random.any(&holds)) }
    }

    fn settle(&mut self, scene: &Scene<'_>) -> Option<Operation> {
        let hold = self.hold(scene)?;
        let amount = (!self.random.one_in(3)).then(|| 1 + i128::from(self.random.below(60)));
        let over = self.random.one_in(4);
        Some(Operation::Settle { hold, commit: !self.random.one_in(3), amount, over })
    }

    fn change(&mut self, scene: &Scene<'_>) -> Option<Operation> {
        let hold = self.hold(scene)?;
        let held = self.random.one_in(2).then(|| i128::from(self.random.below(120)));
        let expires_at = self.random.one_in(3).then(|| self.soon(scene.now));
        let commits_at = self.random.one_in(3).then(|| self.soon(scene.now));
        Some(Operation::Change { hold, held, expires_at, commits_at })
    }

    fn refund(&mut self, scene: &Scene<'_>) -> Option<Operation> {
        // What a traced account gives back is whose it was: the auditor does not go so far.
        let row = self.row(scene).filter(|row| scene.books.rows[*row as usize].kind != Kind::Traced)?;
        let amount = self.random.one_in(2).then(|| 1 + i128::from(self.random.below(60)));
        Some(Operation::Refund { row, amount, reference: self.reference() })
    }

    fn waiting(&mut self, scene: &Scene<'_>, fits: impl Fn(&Waiting) -> bool) -> Option<u64> {
        let groups = scene.books.waiting.iter().filter(|(_, waiting)| fits(waiting));
        let groups: Vec<u64> = groups.map(|(group, _)| *group).collect();
        if groups.is_empty() { None } else { Some(self.random.any(&groups)) }
    }

    fn delay(&mut self, scene: &Scene<'_>) -> Option<Operation> {
        let other = self.random.one_in(2);
        let group = self.waiting(scene, |waiting| !other || waiting.is_one())?;
        let amount = other.then(|| 1 + i128::from(self.random.below(150)));
        let due_at = (!other || self.random.one_in(2)).then(|| self.soon(scene.now));
        Some(Operation::Move { group, due_at, amount })
    }

    fn rules(&mut self, scene: &Scene<'_>) -> Option<Rules> {
        let random = &mut self.random;
        if random.one_in(3) {
            return None;
        }
        let amount = |random: &mut Random, most| i128::from(random.below(most));
        let floor = match random.below(3) {
            0 => Some(Floor::Minimum(amount(random, 100) - 50)),
            1 => Some(Floor::Credit(amount(random, 200))),
            _ => None,
        };
        let with = random.one_in(8).then(|| (0..scene.usable).filter(|_| !random.one_in(3)).collect());
        let mut limits = Vec::new();
        for debits in [true, false] {
            if random.one_in(3) {
                let seconds = random.any(&[5, 3_600]);
                let sum_max = random.one_in(2).then(|| 50 + amount(random, 600));
                let count_max = random.one_in(2).then(|| 1 + random.below(6));
                limits.push(Limit { debits, seconds, sum_max, count_max });
            }
        }
        Some(Rules { floor, no_debits: random.one_in(12), no_credits: random.one_in(12), with, limits })
    }

    fn note(&mut self, scene: &Scene<'_>) -> Option<Operation> {
        self.made += 1;
        let text = format!("{{\"said\":{}}}", self.made);
        Some(Operation::Note { row: self.row(scene)?, text })
    }

    fn close(&mut self, scene: &Scene<'_>) -> Option<Operation> {
        let (books, closings) = (scene.books, scene.names.closings.len());
        if closings > 0 && self.random.one_in(3) {
            return Some(Operation::Total(self.random.below(closings as u64) as usize));
        }
        if books.closings.len() >= OTHERS_MAX || !self.random.one_in(3) {
            return None;
        }
        // Mostly some time ago, so that what is dated falls on both sides.
        let away = self.random.below(60 * SECOND as u64) as i64;
        let until = if self.random.one_in(8) { scene.now + away } else { scene.now - away };
        Some(Operation::Close { ledger: self.random.below(scene.names.ledgers.len() as u64) as usize, until })
    }

    fn claim(&mut self, scene: &Scene<'_>, plain: &[usize]) -> Option<Operation> {
        let claims = scene.names.claims.len();
        if claims > 0 && self.random.one_in(4) {
            return Some(Operation::Unclaim(self.random.below(claims as u64) as usize));
        }
        if scene.books.claims.len() >= CLAIMS_MAX {
            return None;
        }
        let account = self.random.any(plain);
        let (at, before) = match self.random.below(8) {
            0 => (scene.now + SECOND, u64::MAX),
            1..4 => (scene.now, scene.books.rows.len() as u64),
            _ => (scene.now - self.random.below(60 * SECOND as u64) as i64, u64::MAX),
        };
        // Often what it has, which what is dated back may make wrong.
        let has = &scene.books.accounts[scene.books.opened[account]];
        let amount = has.credit - has.debit + i128::from(self.random.one_in(4));
        Some(Operation::Claim { account, at, before, amount })
    }

    fn trace(&mut self, scene: &Scene<'_>) -> Option<Operation> {
        let traced = scene.accounts(true);
        if traced.is_empty() {
            return None;
        }
        let brings = self.random.one_in(2).then(|| self.random.any(&PROVIDERS));
        let amount = 1 + i128::from(self.random.below(120));
        Some(Operation::Trace { account: self.random.any(&traced), brings, amount, reference: self.reference() })
    }

    /// Names, owners, monitors, currencies.
    fn about_others(&mut self, scene: &Scene<'_>, plain: &[usize]) -> Option<Operation> {
        let (account, books) = (self.random.any(plain), scene.books);
        let persons = scene.names.persons.len();
        Some(match self.random.below(6) {
            0 => Operation::Name { account, name: self.random.any(&NAMES) },
            1 if books.persons.len() < OTHERS_MAX => Operation::Person,
            2 if persons > 0 => Operation::Own { account, person: self.random.below(persons as u64) as usize },
            3 if persons > 0 => Operation::Forget(self.random.below(persons as u64) as usize),
            4 if (books.watches as usize) < OTHERS_MAX => {
                let above = i128::from(self.random.below(1_000));
                Operation::Watch { account, above, edge: self.random.one_in(2) }
            }
            _ => {
                let currency = self.random.any(&CURRENCIES);
                // Who says that it has other units comes too late.
                let other = books.registered.contains_key(currency) && self.random.one_in(4);
                let name = self.random.any(&["money", "coins"]);
                Operation::Register { currency, precision: if other { 1_000 } else { 100 }, name }
            }
        })
    }

    /// What was sent before, as it was; or something else with its key.
    fn again(&mut self, scene: &Scene<'_>) -> Option<Request> {
        if self.sent.is_empty() {
            return None;
        }
        let mut request = self.random.of(&self.sent).clone();
        let known = |side: &Side| match side {
            Side::Account(account) => *account < scene.usable,
            Side::Indicator(_) => true,
        };
        let ahead = |at: Option<i64>| at.is_none_or(|at| at > scene.now);
        let can = match &request.what {
            Operation::Pay(payment) => payment.legs.iter().all(|leg| {
                known(&leg.source)
                    && known(&leg.destination)
                    && [leg.scheduled_at, leg.expires_at, leg.commits_at].into_iter().all(ahead)
            }),
            Operation::Trace { account, .. } => *account < scene.usable,
            // A row that a crash took may be another now, whose money the auditor does not know.
            Operation::Refund { row, .. } | Operation::Keep(Some(row)) => {
                let row = scene.books.rows.get(*row as usize);
                row.is_some_and(|row| row.kind != Kind::Traced)
            }
            _ => true,
        };
        if !can {
            return None;
        }
        if let Some((_, body)) = &mut request.key
            && self.random.one_in(4)
        {
            *body = body.wrapping_add(1);
        }
        Some(request)
    }

    fn pay(&mut self, scene: &Scene<'_>, plain: &[usize]) -> Request {
        let (mut batch, mut count) = (Batch::Single, 1);
        if self.random.one_in(3) {
            batch = self.random.any(&[Batch::Atomic, Batch::Independent]);
            count = 2 + self.random.below(3);
        }
        let queued = self.random.one_in(2);
        let mut legs: Vec<Leg> = (0..count).map(|_| self.leg(scene, plain, queued)).collect();
        if self.random.one_in(2) {
            // Several that run together.
            let due = legs[0].scheduled_at;
            legs.iter_mut().filter(|leg| leg.scheduled_at.is_some()).for_each(|leg| leg.scheduled_at = due);
        }
        let goes_on = batch == Batch::Independent && self.random.one_in(3);
        if let (true, true, Some(Operation::Pay(before))) = (goes_on, queued, self.sent.last().map(|one| &one.what))
            && before.queued
            && before.legs.iter().all(|leg| leg.scheduled_at.is_none_or(|at| at > scene.now))
            && self.random.one_in(3)
        {
            // All of it was sent before, without a key or with another.
            legs.clone_from(&before.legs);
        }
        let payment = Payment { batch, goes_on, queued, legs };
        let key = self.random.one_in(3).then(|| self.key());
        let request = Request { what: Operation::Pay(payment), key };
        self.remember(request.clone());
        request
    }

    fn soon(&mut self, now: i64) -> i64 {
        now + 1 + self.random.below(8 * SECOND as u64) as i64
    }

    fn leg(&mut self, scene: &Scene<'_>, plain: &[usize], queued: bool) -> Leg {
        let (source, destination) = (self.random.any(plain), self.random.any(plain));
        let currency = scene.books.accounts[scene.books.opened[source]].currency;
        // Between accounts of two currencies nothing moves.
        let to_account = self.random.one_in(2);
        let destination =
            if to_account { Side::Account(destination) } else { Side::Indicator(self.random.any(&INDICATORS)) };
        let inflight = self.random.one_in(3);
        let waits = queued && self.random.one_in(4);
        let now = scene.now;
        Leg {
            source: Side::Account(source),
            destination,
            amount: 1 + i128::from(self.random.below(150)),
            currency,
            reference: self.reference(),
            inflight,
            effective_at: self.random.one_in(4).then(|| now - self.random.below(50 * SECOND as u64) as i64),
            scheduled_at: waits.then(|| self.soon(now)),
            expires_at: (inflight && self.random.one_in(3)).then(|| self.soon(now)),
            commits_at: (inflight && self.random.one_in(4)).then(|| self.soon(now)),
            padding: if self.random.one_in(12) { 1_000 + self.random.below(9_000) as usize } else { 3 },
        }
    }
}

const fn bare(what: Operation) -> Request {
    Request { what, key: None }
}
