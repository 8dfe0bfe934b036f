//! Random commands, as clients and mistakes make them: mostly lawful, often on few balances, sometimes absurd.

use crate::support::book::{Book, Changed};
use crate::support::order::Order;
use crate::support::periods::summed;
use crate::support::random::Random;
use ledger::closings::Total;
use ledger::command::{
    Action, Allocation, AssertBalance, Batch, ChangeMetadata, CloseLedger, Command, CreateAccount, CreateBalance,
    CreateIdentity, CreateLedger, DeleteAssertion, DeleteIdentity, DeleteMonitor, Found, LinkIdentity, NameBalance,
    RecordTotals, RegisterCurrency, RenameLedger, RevealIdentity, SetMonitor, SetPolicy, UpdateIdentity, Wanted,
};
use ledger::event::Event;
use ledger::id::{Id, Prefix};
use ledger::identity::Detail;
use ledger::monitor::{Condition, Definition, Field, Operator};
use ledger::notes::Subject;
use ledger::policy::{Floor, Policy, Velocity, Window};
use ledger::row::{Flags, Parent, Status};
use ledger::state::GENERAL_LEDGER_ID;

/// What a client does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Anything but what follows.
    Command(Command),
    /// Record transactions.
    Record { batch: Batch, goes_on: bool, queued: bool, orders: Vec<Order> },
    /// Commit or void holds.
    Settle { action: Action, rows: Vec<u64>, amount: Option<i128>, over: bool, open: bool },
    /// Raise or lower a hold, or give it other dates.
    Change(u64, Changed),
    /// Give rows back, or parts of them.
    Refund(Vec<(u64, Option<i128>)>, bool),
    /// Call off groups of scheduled requests.
    Cancel(Vec<u64>),
    /// Give groups of scheduled requests another time or amount.
    Reschedule(Vec<u64>, Option<i64>, Option<i128>),
    /// Let time pass.
    Wait(i64),
}

const CURRENCIES: [&str; 3] = ["USD", "EUR", "JPY"];
const SECOND: i64 = 1_000_000;

/// Makes one step after another.
pub struct Workload {
    random: Random,
    /// Whether most money moves between the first balances, so that their histories grow long.
    hot: bool,
    /// Whether balances get policies, and currencies precisions.
    ruled: bool,
    /// Whether most balances are tracked, and most money is tagged.
    traced: bool,
    /// Whether what is made is one of several that are sent together. Such do not name shadow balances: the items are judged
    /// one after the other, each with what follows from it, while the rows of all that follows stand behind theirs.
    together: bool,
    references: u64,
    /// Single orders of the past, to be sent again.
    sent: Vec<(bool, Order)>,
}

impl Workload {
    pub fn new(seed: u64) -> Workload {
        let (hot, ruled) = (seed % 4 == 1, seed % 3 != 2);
        let traced = seed % 5 == 2;
        let ruled = ruled && !(traced && seed.is_multiple_of(2));
        Workload { random: Random::new(seed), hot, ruled, traced, together: false, references: 0, sent: Vec::new() }
    }

    pub fn step(&mut self, book: &Book) -> Step {
        if book.state.balances.len() < 6 {
            if self.traced && book.state.identities.len() < 3 {
                return Step::Command(Command::CreateIdentity(CreateIdentity {
                    id: String::new(),
                    detail: ledger::identity::Detail::Plain("{}".into()),
                }));
            }
            return Step::Command(self.create_balance(book));
        }
        let die = if self.traced && self.one_in(8) { 99 } else { self.below(100) };
        match die {
            0..3 => Step::Command(self.create_balance(book)),
            3..6 if self.one_in(2) => Step::Command(self.close(book)),
            3..6 if self.one_in(2) => Step::Command(self.say(book)),
            3..6 => Step::Command(self.create_other(book)),
            6..13 => self.wait(),
            13 => Step::Command(self.touch_identity(book)),
            14..44 => {
                let (queued, order) = (self.one_in(2), self.order(book));
                self.sent.push((queued, order.clone()));
                single(queued, vec![order])
            }
            44..48 => self.send_again(book),
            48..52 => {
                let legs = self.split(book, 0);
                single(self.one_in(2), legs)
            }
            52..66 => self.batch(book),
            66..80 => self.settle(book),
            80..85 => self.change(book),
            85..88 => self.cancel(book),
            88..91 => self.reschedule(book),
            91..95 if self.ruled => Step::Command(self.set_policy(book)),
            _ => self.refund(book),
        }
    }

    /// Mostly seconds; now and then so long that windows of time begin again.
    fn wait(&mut self) -> Step {
        match self.below(40) {
            0 => Step::Wait(3_600 * SECOND),
            1 => Step::Wait(86_400 * SECOND * (1 + self.below(20) as i64)),
            _ => Step::Wait(self.below(40) as i64 * SECOND / 2),
        }
    }

    fn refund(&mut self, book: &Book) -> Step {
        let mut rows = vec![self.recent_row(book)];
        if self.traced && book.rows.get(rows[0] as usize).is_some_and(|row| row.flags.has(Flags::LINEAGE)) {
            let Event::Recorded(event) = &book.events[book.rows[rows[0] as usize].record as usize] else {
                panic!("rows come from recorded events")
            };
            rows[0] = event.first_row;
        }
        if let Some((row, _)) = book.auditor.refunds.last_key_value().filter(|_| self.one_in(3)) {
            // More of what was given back in part, or all of it.
            rows = vec![*row];
        }
        if self.one_in(4) {
            // Sometimes the same once more.
            rows.push(if self.one_in(3) { rows[0] } else { self.recent_row(book) });
        }
        let mut parts = Vec::new();
        for row in rows {
            let amount = book.rows.get(row as usize).map_or(1, |row| row.amount.max(1));
            let part = match self.below(6) {
                0..3 => None,
                3 => Some(amount),
                4 => Some(amount.saturating_add(1)),
                _ => Some(1 + i128::from(self.random.next()) % amount),
            };
            parts.push((row, part));
        }
        Step::Refund(parts, self.one_in(2))
    }

    /// Groups that wait, or some rows.
    fn groups(&mut self, book: &Book) -> Vec<u64> {
        let waiting: Vec<u64> = book.auditor.waiting.keys().copied().collect();
        let mut groups = Vec::new();
        for _ in 0..1 + self.below(3) {
            let group = match waiting.len() {
                0 => self.recent_row(book),
                _ if self.one_in(8) => self.recent_row(book),
                count => waiting[self.below(count as u64) as usize],
            };
            // Only rows of scheduled requests are asked for: others never waited.
            let scheduled = book.rows.get(group as usize).is_some_and(|row| row.status == Status::Scheduled);
            let first = book.group_of(group).map_or(group, |group| group.first_row());
            if scheduled {
                groups.push(first);
            }
        }
        groups
    }

    fn cancel(&mut self, book: &Book) -> Step {
        Step::Cancel(self.groups(book))
    }

    fn reschedule(&mut self, book: &Book) -> Step {
        let mut groups = self.groups(book);
        groups.truncate(1 + self.below(3) as usize);
        let by_itself = |group: &u64| book.group_of(*group).is_some_and(|group| group.requests.len() == 1);
        let amount = (groups.iter().all(by_itself) && self.one_in(2)).then(|| 1 + i128::from(self.below(3000)));
        let due_at =
            (amount.is_none() || self.one_in(2)).then(|| book.now + self.below(60) as i64 * SECOND - 9 * SECOND);
        if amount.is_some() {
            groups.truncate(1);
        }
        Step::Reschedule(groups, due_at, amount)
    }

    fn change(&mut self, book: &Book) -> Step {
        let row = self.hold(book);
        let left = book.auditor.holds.get(&row).map_or(1, |hold| hold.remaining());
        let held = match self.below(8) {
            0 => None,
            1 => Some(self.amount()),
            2 => Some(left),
            3 => self.ceiling(book, row),
            4 | 5 => Some(left.saturating_add(i128::from(self.below(500)))),
            _ => Some(1 + i128::from(self.random.next()) % left),
        };
        let mut date = || self.one_in(3).then(|| book.now + self.below(60) as i64 * SECOND - 5 * SECOND);
        let (expires_at, commits_at) = (date(), date());
        Step::Change(row, Changed { held, expires_at, commits_at })
    }

    /// All that a hold could be raised to, or committed for, with what its source can pay; or one unit more.
    fn ceiling(&mut self, book: &Book, row: u64) -> Option<i128> {
        let hold = book.auditor.holds.get(&row)?;
        let available = book.auditor.sums[hold.source as usize].figures.available();
        Some(hold.remaining().saturating_add(available + hold.overdraft.1.max(0)) + i128::from(self.below(2)))
    }

    /// A monitor that is made, changed or deleted; sometimes one that is not there.
    fn set_monitor(&mut self, book: &Book) -> Command {
        let made = book.state.monitors.made_count() as u64;
        let known = |this: &mut Workload| match book.state.monitors.get(this.below(made + 1) as u32) {
            Some(monitor) => monitor.id,
            None => Id::new(book.now, this.below(9), this.below(9)),
        };
        if self.one_in(4) {
            return Command::DeleteMonitor(DeleteMonitor { monitor: known(self) });
        }
        let monitor = if self.one_in(2) { Some(known(self)) } else { None };
        let balance = match self.one_in(20) {
            true => Id::new(book.now, self.below(9), self.below(9)),
            false => book.state.balance_id(self.below(book.state.balances.len() as u64) as u32),
        };
        let condition = Condition {
            field: Field::ALL[self.below(6) as usize],
            operator: Operator::ALL[self.below(6) as usize],
            threshold: i128::from(self.below(1000)),
            precision: 100,
        };
        let definition = Definition {
            conditions: vec![condition],
            any: self.one_in(2),
            edge: self.one_in(2),
            description: String::new(),
            call_back_url: String::new(),
            metadata: String::new(),
        };
        Command::SetMonitor(SetMonitor { monitor, balance, definition })
    }

    fn set_policy(&mut self, book: &Book) -> Command {
        if self.one_in(4) {
            return self.set_monitor(book);
        }
        if self.one_in(8) {
            let code = self.currency();
            let precision = if self.one_in(4) { 1000 } else { 100 };
            return Command::RegisterCurrency(RegisterCurrency {
                code,
                precision,
                name: self.pick(&["", "a name"]).into(),
            });
        }
        let handles = if self.hot { 3 } else { book.state.balances.len() as u64 };
        let balance = |this: &mut Workload| match this.one_in(30) {
            true => Id::new(book.now, this.below(9), this.below(9)),
            false => book.state.balance_id(this.below(handles) as u32),
        };
        let of = balance(self);
        if self.one_in(3) {
            return Command::SetPolicy(SetPolicy { balance: of, policy: None });
        }
        let floor = match self.below(5) {
            0 => Some(Floor::Minimum(i128::from(self.below(3000)) - 1000)),
            1 => Some(Floor::Credit(i128::from(self.below(9000)))),
            _ => None,
        };
        let windows = [Window::Seconds(10), Window::Seconds(60), Window::Seconds(3_600), Window::Week, Window::Month];
        let mut velocities = Vec::new();
        for _ in 0..self.below(4) {
            velocities.push(Velocity {
                debits: self.one_in(2),
                window: windows[self.below(5) as usize],
                sum_max: (!self.one_in(3)).then(|| i128::from(self.below(20_000))),
                count_max: self.one_in(2).then(|| self.below(8)),
            });
        }
        let counterparties = self.one_in(6).then(|| (0..2 + self.below(5)).map(|_| balance(self)).collect::<Vec<Id>>());
        let (no_debits, no_credits) = (self.one_in(12), self.one_in(12));
        let policy = Policy { floor, no_debits, no_credits, counterparties: None, velocities };
        Command::SetPolicy(SetPolicy { balance: of, policy: Some(Wanted { policy, counterparties }) })
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.next() % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as u64) as usize]
    }

    fn create_balance(&mut self, book: &Book) -> Command {
        let ledgers = book.state.ledgers.len() as u64 + 1;
        let ledger = self.below(ledgers) as u32;
        let in_general = ledger == 0 || self.one_in(4);
        let identities = book.state.identities.len() as u64;
        let identity = if identities > 0 && (self.traced || self.one_in(3)) {
            book.state.identity_text(self.below(identities) as u32)
        } else if self.one_in(20) {
            "idt_nobody".to_owned()
        } else {
            String::new()
        };
        Command::CreateBalance(CreateBalance {
            ledger: match ledger {
                _ if in_general => GENERAL_LEDGER_ID.to_owned(),
                known if u64::from(known) < ledgers - 1 => book.state.ledger_text(known),
                _ => "ldg_nowhere".to_owned(),
            },
            currency: self.currency(),
            // The edge asks for an owner where funds are tracked.
            track_fund_lineage: !identity.is_empty() && if self.traced { !self.one_in(4) } else { self.one_in(2) },
            identity,
            indicator: if in_general && self.one_in(4) { self.indicator() } else { String::new() },
            metadata: String::new(),
            allocation: [Allocation::Fifo, Allocation::Lifo, Allocation::Proportional][self.below(3) as usize],
            lineage_label: if self.one_in(3) { String::new() } else { format!("l{}", self.below(3)) },
            alias: if self.one_in(6) { self.alias() } else { String::new() },
        })
    }

    /// Books that are closed, their totals, and what balances are said to have been.
    fn close(&mut self, book: &Book) -> Command {
        let open = book.state.closings.open().first().copied();
        let recent = |this: &mut Workload| book.now + SECOND - this.below(8) as i64 * SECOND / 2;
        match self.below(6) {
            0 | 1 => {
                let known = self.below(book.state.ledgers.len() as u64) as u32;
                let ledger = if self.one_in(20) { "ldg_nowhere".into() } else { book.state.ledger_text(known) };
                let (description, metadata) = (String::new(), String::new());
                Command::CloseLedger(CloseLedger { ledger, until: recent(self), description, metadata })
            }
            2 if open.is_some() => {
                let closing = book.state.closings.get(open.expect("it was just there")).expect("it is one of them");
                let sums = summed(&book.state, &book.rows, closing.ledger, closing.until);
                let total = |(currency, closing)| Total { currency, closing, ..Total::default() };
                let totals = sums.into_iter().map(total).collect();
                Command::RecordTotals(RecordTotals { closing: closing.id, totals })
            }
            3 => {
                let kept = &book.auditor.periods.assertions;
                let known = kept.iter().nth(self.below(kept.len().max(1) as u64) as usize);
                let (assertion, balance) = known.map_or((Id::new(book.now, 9, 9), 0), |(id, of)| (*id, of.0));
                let balance = book.state.balance_id(if self.one_in(6) { 0 } else { balance });
                Command::DeleteAssertion(DeleteAssertion { balance, assertion })
            }
            _ => {
                let handle = self.below(book.state.balances.len() as u64) as u32;
                let balance = if self.one_in(20) { Id::new(book.now, 1, 1) } else { book.state.balance_id(handle) };
                let (as_of, amount) = (recent(self), self.amount());
                let found = Found { rows: book.state.rows_count, amount: if self.one_in(2) { amount } else { 7 } };
                Command::AssertBalance(AssertBalance {
                    balance,
                    as_of,
                    before_row: u64::MAX,
                    amount,
                    precision: 100,
                    description: String::new(),
                    source: String::new(),
                    metadata: String::new(),
                    required: self.one_in(2).then_some(found),
                })
            }
        }
    }

    /// One of a few aliases, so that some are taken.
    fn alias(&mut self) -> String {
        format!("purse-{}", self.below(6))
    }

    /// Another alias, owner or metadata.
    fn say(&mut self, book: &Book) -> Command {
        let handle = self.below(book.state.balances.len() as u64) as u32;
        let balance = if self.one_in(20) { Id::new(book.now, 1, 1) } else { book.state.balance_id(handle) };
        match self.below(3) {
            0 => {
                let alias = if self.one_in(4) { String::new() } else { self.alias() };
                Command::NameBalance(NameBalance { balance, alias })
            }
            1 => {
                let identities = book.state.identities.len() as u64;
                let known = identities > 0 && !self.one_in(10);
                let identity =
                    if known { book.state.identity_text(self.below(identities) as u32) } else { "idt_x".into() };
                Command::LinkIdentity(LinkIdentity {
                    balance: (!self.one_in(20)).then_some(balance),
                    identity,
                    lineage_label: String::new(),
                })
            }
            _ => {
                let row = self.below(book.state.rows_count.max(1));
                let subject = match self.below(4) {
                    0 => Subject::Ledger(self.below(book.state.ledgers.len() as u64) as u32),
                    1 => Subject::Rows(Parent::Row(row)),
                    2 => Subject::Rows(Parent::Batch(row)),
                    _ => Subject::Balance(handle),
                };
                let seen = if self.one_in(5) { 1 << 40 } else { book.state.newest_note(subject) };
                Command::ChangeMetadata(ChangeMetadata { subject, metadata: "{\"a\":1}".into(), seen })
            }
        }
    }

    fn create_other(&mut self, book: &Book) -> Command {
        match self.below(4) {
            3 => Command::CreateAccount(CreateAccount {
                balance: book.state.balance_id(self.below(book.state.balances.len() as u64) as u32),
                identity: if self.one_in(2) { format!("idt_{}", self.below(5)) } else { String::new() },
                number: self.below(60).to_string(),
                bank: String::new(),
                metadata: String::new(),
            }),
            0 => Command::CreateLedger(CreateLedger { name: "a ledger".into(), metadata: String::new() }),
            1 => {
                let ledger = book.state.ledger_text(self.below(book.state.ledgers.len() as u64) as u32);
                Command::RenameLedger(RenameLedger { ledger, name: "another name".into() })
            }
            _ => {
                let id = if self.one_in(2) { format!("idt_{}", self.below(5)) } else { String::new() };
                Command::CreateIdentity(CreateIdentity { id, detail: Detail::Plain("{}".into()) })
            }
        }
    }

    /// Something that happens to an identity, which may be gone.
    fn touch_identity(&mut self, book: &Book) -> Command {
        let count = book.state.identities.len() as u64;
        if count == 0 {
            return self.create_other(book);
        }
        let handle = self.below(count) as u32;
        let known = book.state.identities.get(handle as usize).expect("there are as many");
        let identity = book.state.identity_text(handle);
        match self.below(4) {
            0 => Command::DeleteIdentity(DeleteIdentity { identity }),
            1 => {
                let fields = vec!["FirstName".into()];
                Command::RevealIdentity(RevealIdentity { identity, who: "master".into(), request: "r".into(), fields })
            }
            _ => {
                let basis = if self.one_in(4) { known.record } else { known.detail };
                Command::UpdateIdentity(UpdateIdentity { identity, basis, detail: Detail::Plain("{}".into()) })
            }
        }
    }

    fn currency(&mut self) -> String {
        if self.traced && !self.one_in(8) {
            return CURRENCIES[0].to_owned();
        }
        if self.one_in(30) { format!("X{}", self.below(60)) } else { self.pick(&CURRENCIES).to_owned() }
    }

    fn indicator(&mut self) -> String {
        format!("@{}", self.below(5))
    }

    fn party(&mut self, book: &Book, currency: &str) -> String {
        match self.below(50) {
            0 => "nobody".into(),
            1 => Id::new(book.now, self.below(9), self.below(9)).text(Prefix::Balance),
            2..12 => self.indicator(),
            12..15 => self.alias(),
            _ => {
                if self.traced && !self.one_in(10) {
                    let of = book.state.currencies.find(currency);
                    let purses = book.auditor.origins.purses.keys().copied();
                    let tracked: Vec<u32> =
                        purses.filter(|one| Some(book.state.balance(*one).currency) == of).take(6).collect();
                    if !tracked.is_empty() {
                        let handle = tracked[self.below(tracked.len() as u64) as usize];
                        return book.state.balance_id(handle).text(Prefix::Balance);
                    }
                }
                let handles = if self.hot { 3 } else { book.state.balances.len() as u64 };
                let wanted = book.state.currencies.find(currency);
                let mut handle = self.below(handles) as u32;
                for _ in 0..6 {
                    if Some(book.state.balance(handle).currency) == wanted {
                        break;
                    }
                    handle = self.below(handles) as u32;
                }
                if self.together && book.auditor.origins.moved.contains_key(&handle) {
                    handle = 0;
                }
                book.state.balance_id(handle).text(Prefix::Balance)
            }
        }
    }

    fn amount(&mut self) -> i128 {
        match self.below(100) {
            0 => 0,
            1 => -1,
            2 if !self.traced => 10i128.pow(30),
            3 if !self.traced => i128::MAX / (1 + i128::from(self.below(8))),
            _ => 1 + i128::from(self.below(5000)),
        }
    }

    fn reference(&mut self) -> String {
        if self.references > 0 && self.one_in(20) {
            let suffix = if self.one_in(2) { "_q" } else { "" };
            return format!("r{}{suffix}", self.below(self.references));
        }
        self.references += 1;
        format!("r{}", self.references - 1)
    }

    fn order(&mut self, book: &Book) -> Order {
        let currency = self.currency();
        let source = self.party(book, &currency);
        let destination = if self.one_in(40) { source.clone() } else { self.party(book, &currency) };
        let (amount, reference) = (self.amount(), self.reference());
        let mut order = Order::new(&source, &destination, amount, &currency, &reference);
        order.allow_overdraft = self.one_in(2);
        if self.traced && self.one_in(2) {
            // Money comes from outside, or goes there.
            let outside = self.indicator();
            if self.one_in(2) {
                order.source = outside
            } else {
                order.destination = outside
            }
            order.allow_overdraft |= order.source.starts_with('@');
        }
        if self.one_in(3) {
            order.terms.overdraft_limit = i128::from(self.below(4000)) - 500;
        }
        order.inflight = self.one_in(3);
        if self.one_in(if self.traced { 2 } else { 12 }) {
            order.provider = self.pick(&["stripe", "paypal", "cash", "r1_shadow_stripe"]).into();
        }
        if self.one_in(15) {
            order.precision = 1000;
        }
        if self.one_in(8) {
            order.amount = self.last_coin(book, &order).unwrap_or(order.amount);
        }
        let mut date = |chance| self.one_in(chance).then(|| book.now + self.below(60) as i64 * SECOND - 5 * SECOND);
        (order.terms.scheduled_at, order.terms.expires_at) = (date(8), date(4));
        (order.terms.commits_at, order.terms.effective_at) = (date(4), date(5));
        if self.one_in(2) {
            // Often dated back, perhaps into closed books.
            let back = self.below(60) as i64 * SECOND;
            order.terms.effective_at = order.terms.effective_at.map(|at| at - back);
        }
        order
    }

    /// All that the source can pay, or one unit more.
    fn last_coin(&mut self, book: &Book, order: &Order) -> Option<i128> {
        let handle = book.state.find_balance(Id::parse(Prefix::Balance, &order.source)?)?;
        let available = book.state.balance(handle).figures.available() + order.terms.overdraft_limit.max(0);
        (available > 0).then_some(available + i128::from(self.below(2)))
    }

    /// An earlier order, as it was or with one fact changed.
    fn send_again(&mut self, book: &Book) -> Step {
        if self.sent.is_empty() {
            return Step::Wait(0);
        }
        let at = self.below(self.sent.len() as u64) as usize;
        let (queued, mut order) = self.sent[at].clone();
        match self.below(10) {
            0 => order.amount = self.amount(),
            1 => order.currency = self.currency(),
            2 => order.inflight = !order.inflight,
            3 => order.source = self.party(book, &order.currency),
            4 => order.destination = self.party(book, &order.currency),
            5 => return single(!queued, vec![order]),
            _ => {}
        }
        single(queued, vec![order])
    }

    /// Legs from one balance to several, or from several to one.
    fn split(&mut self, book: &Book, item: u32) -> Vec<Order> {
        let before = std::mem::replace(&mut self.together, true);
        let mut first = self.order(book);
        let to_many = self.one_in(2);
        first.item = item;
        let count = 2 + self.below(3) as u32;
        let mut legs = Vec::new();
        for leg in 1..=count {
            let side = self.party(book, &first.currency);
            let mut order = Order { leg, reference: format!("{}_{leg}", first.reference), ..first.clone() };
            *(if to_many { &mut order.destination } else { &mut order.source }) = side;
            order.amount = self.amount();
            legs.push(order);
        }
        self.together = before;
        legs
    }

    fn batch(&mut self, book: &Book) -> Step {
        self.together = true;
        let batch = if self.one_in(2) { Batch::Atomic } else { Batch::Independent };
        let queued = self.one_in(2);
        let mut orders: Vec<Order> = Vec::new();
        let due_at = self.one_in(4).then(|| book.now + 1 + self.below(30) as i64 * SECOND);
        for item in 0..1 + self.below(6) as u32 {
            if self.one_in(5) {
                orders.extend(self.split(book, item));
            } else {
                orders.push(Order { item, ..self.order(book) });
            }
            if self.one_in(12) {
                // A reference that an item before has too.
                let earlier = orders[self.below(orders.len() as u64) as usize].reference.clone();
                orders.last_mut().expect("there is one at least").reference = earlier;
            }
        }
        if let Some(due_at) = due_at {
            // Often several items are due at one moment.
            for order in &mut orders {
                order.terms.scheduled_at = Some(if order.item % 3 == 2 { due_at + SECOND } else { due_at });
            }
        }
        self.together = false;
        let goes_on = batch == Batch::Independent && self.one_in(2);
        Step::Record { batch, goes_on, queued, orders }
    }

    fn recent_row(&mut self, book: &Book) -> u64 {
        let count = book.rows.len() as u64;
        count.saturating_sub(1 + self.below(40))
    }

    /// The row of an open hold; sometimes of one that has ended, or of none.
    fn hold(&mut self, book: &Book) -> u64 {
        let open = &book.auditor.holds;
        match self.below(10) {
            0 => self.recent_row(book),
            1 if !book.auditor.ended.is_empty() => {
                let at = self.below(book.auditor.ended.len() as u64) as usize;
                *book.auditor.ended.keys().nth(at).expect("it is one of them")
            }
            _ if open.is_empty() => self.recent_row(book),
            _ => *open.keys().nth(self.below(open.len() as u64) as usize).expect("it is one of them"),
        }
    }

    fn settle(&mut self, book: &Book) -> Step {
        let mut rows = Vec::new();
        for _ in 0..if self.one_in(5) { 3 } else { 1 } {
            let row = self.hold(book);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        let action = if self.one_in(3) { Action::Void } else { Action::Commit };
        let part = match book.auditor.holds.get(&rows[0]) {
            Some(hold) if hold.amount > 1 => 1 + (self.random.next() as i128) % hold.amount,
            _ => self.amount(),
        };
        let mut amount = if self.one_in(3) { None } else { Some(part) };
        let over = action == Action::Commit && rows.len() == 1 && self.one_in(3);
        if over && self.one_in(2) {
            amount = self.ceiling(book, rows[0]).or(amount);
        } else if over {
            amount = amount.map(|amount| amount.saturating_add(i128::from(self.below(400))));
        }
        let open = rows.len() > 1 && self.one_in(2);
        Step::Settle { action, rows, amount, over, open }
    }
}

fn single(queued: bool, orders: Vec<Order>) -> Step {
    Step::Record { batch: Batch::Single, goes_on: false, queued, orders }
}
