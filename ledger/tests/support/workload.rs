//! Random commands, as clients and mistakes make them: mostly lawful, often on few balances, sometimes absurd.

use crate::support::book::Book;
use crate::support::order::Order;
use crate::support::random::Random;
use ledger::command::{Action, Allocation, Batch, Command, CreateBalance, CreateIdentity, CreateLedger, RenameLedger};
use ledger::id::{Id, Prefix};
use ledger::state::GENERAL_LEDGER_ID;

/// What a client does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Anything but what follows.
    Command(Command),
    /// Record transactions.
    Record(Batch, bool, Vec<Order>),
    /// Commit or void holds.
    Settle(Action, Vec<u64>, Option<i128>),
    /// Give rows back.
    Refund(Vec<u64>, bool),
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
    references: u64,
    /// Single orders of the past, to be sent again.
    sent: Vec<(bool, Order)>,
}

impl Workload {
    pub fn new(seed: u64) -> Workload {
        Workload { random: Random::new(seed), hot: seed % 4 == 1, references: 0, sent: Vec::new() }
    }

    pub fn step(&mut self, book: &Book) -> Step {
        if book.state.balances.len() < 6 {
            return Step::Command(self.create_balance(book));
        }
        match self.below(100) {
            0..4 => Step::Command(self.create_balance(book)),
            4..6 => Step::Command(self.create_other(book)),
            6..14 => Step::Wait(self.below(40) as i64 * SECOND / 2),
            14..52 => {
                let (queued, order) = (self.one_in(2), self.order(book));
                self.sent.push((queued, order.clone()));
                Step::Record(Batch::Single, queued, vec![order])
            }
            52..56 => self.send_again(book),
            56..61 => {
                let legs = self.split(book, 0);
                Step::Record(Batch::Single, self.one_in(2), legs)
            }
            61..74 => self.batch(book),
            74..92 => self.settle(book),
            _ => {
                let mut rows = vec![self.recent_row(book)];
                if self.one_in(4) {
                    rows.push(self.recent_row(book));
                    rows.dedup();
                }
                Step::Refund(rows, self.one_in(2))
            }
        }
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
        let identity = if identities > 0 && self.one_in(3) {
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
            identity,
            indicator: if in_general && self.one_in(4) { self.indicator() } else { String::new() },
            metadata: String::new(),
            track_fund_lineage: self.one_in(5),
            allocation: Allocation::Fifo,
        })
    }

    fn create_other(&mut self, book: &Book) -> Command {
        match self.below(3) {
            0 => Command::CreateLedger(CreateLedger { name: "a ledger".into(), metadata: String::new() }),
            1 => {
                let ledger = book.state.ledger_text(self.below(book.state.ledgers.len() as u64) as u32);
                Command::RenameLedger(RenameLedger { ledger, name: "another name".into() })
            }
            _ => {
                let id = if self.one_in(2) { format!("idt_{}", self.below(5)) } else { String::new() };
                Command::CreateIdentity(CreateIdentity { id, detail: "{}".into() })
            }
        }
    }

    fn currency(&mut self) -> String {
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
            _ => {
                let handles = if self.hot { 3 } else { book.state.balances.len() as u64 };
                let wanted = book.state.currencies.find(currency);
                let mut handle = self.below(handles) as u32;
                for _ in 0..6 {
                    if Some(book.state.balance(handle).currency) == wanted {
                        break;
                    }
                    handle = self.below(handles) as u32;
                }
                book.state.balance_id(handle).text(Prefix::Balance)
            }
        }
    }

    fn amount(&mut self) -> i128 {
        match self.below(100) {
            0 => 0,
            1 => -1,
            2 => 10i128.pow(30),
            3 => i128::MAX / (1 + i128::from(self.below(8))),
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
        if self.one_in(3) {
            order.terms.overdraft_limit = i128::from(self.below(4000)) - 500;
        }
        order.inflight = self.one_in(3);
        if self.one_in(8) {
            order.amount = self.last_coin(book, &order).unwrap_or(order.amount);
        }
        let mut date = |chance| self.one_in(chance).then(|| book.now + self.below(60) as i64 * SECOND - 5 * SECOND);
        (order.terms.scheduled_at, order.terms.expires_at) = (date(8), date(4));
        (order.terms.commits_at, order.terms.effective_at) = (date(4), date(5));
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
            5 => return Step::Record(Batch::Single, !queued, vec![order]),
            _ => {}
        }
        Step::Record(Batch::Single, queued, vec![order])
    }

    /// Legs from one balance to several, or from several to one.
    fn split(&mut self, book: &Book, item: u32) -> Vec<Order> {
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
        legs
    }

    fn batch(&mut self, book: &Book) -> Step {
        let batch = if self.one_in(2) { Batch::Atomic } else { Batch::Independent };
        let queued = self.one_in(2);
        let mut orders = Vec::new();
        for item in 0..1 + self.below(6) as u32 {
            if self.one_in(5) {
                orders.extend(self.split(book, item));
            } else {
                orders.push(Order { item, ..self.order(book) });
            }
        }
        Step::Record(batch, queued, orders)
    }

    fn recent_row(&mut self, book: &Book) -> u64 {
        let count = book.rows.len() as u64;
        count.saturating_sub(1 + self.below(40))
    }

    fn settle(&mut self, book: &Book) -> Step {
        let open: Vec<u64> = book.auditor.holds.keys().copied().collect();
        let mut rows = Vec::new();
        for _ in 0..if self.one_in(5) { 3 } else { 1 } {
            let row = match self.below(10) {
                0 => self.recent_row(book),
                1 if !book.auditor.ended.is_empty() => {
                    let at = self.below(book.auditor.ended.len() as u64) as usize;
                    *book.auditor.ended.keys().nth(at).expect("it is one of them")
                }
                _ if open.is_empty() => self.recent_row(book),
                _ => open[self.below(open.len() as u64) as usize],
            };
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        let action = if self.one_in(3) { Action::Void } else { Action::Commit };
        let part = match book.auditor.holds.get(&rows[0]) {
            Some(hold) if hold.amount > 1 => 1 + (self.random.next() as i128) % hold.amount,
            _ => self.amount(),
        };
        Step::Settle(action, rows, if self.one_in(3) { None } else { Some(part) })
    }
}
