//! How what the workload asks for is said to the engine.

use crate::operation::{Batch, Floor, Operation, Payment, Request, Rules, Side};
use engine::engine::Engine;
use engine::writer::KeyAsk;
use ledger::closings::Total;
use ledger::command::{
    Action, Allocation, Ask, AssertBalance, Batch as LedgerBatch, Cancel, ChangeHold, ChangeMetadata, CloseLedger,
    Command, CreateBalance, CreateIdentity, CreateLedger, DeleteAssertion, DeleteIdentity, HoldAsk, KeepKey,
    LinkIdentity, Mismatch, NameBalance, Original, Overdraft, Party, Record, RecordTotals, Refund, RegisterCurrency,
    Reschedule, SetMonitor, SetPolicy, Settle, Terms, Wanted,
};
use ledger::decide::Known;
use ledger::id::{Id, Prefix};
use ledger::identity::{Detail, KeyName, Sealed};
use ledger::monitor::{Condition, Definition, Field, Operator};
use ledger::notes::Subject;
use ledger::policy::{Floor as LedgerFloor, Policy, Velocity, Window};
use ledger::row::Parent;
use ledger::state::NO_RECORD;
use ledger::text::{self, Span};

/// What things are called that were there when a life began. What is made since cannot be named yet.
#[derive(Clone, Default)]
pub struct Names {
    /// Ids of ledgers.
    pub ledgers: Vec<String>,
    /// Ids of identities.
    pub persons: Vec<String>,
    /// Ids of assertions, and of the balance of each.
    pub claims: Vec<(Id, Id)>,
    /// Ids of closings, and their totals.
    pub closings: Vec<(Id, Vec<Total>)>,
}

/// Whoever says it.
pub struct Speaker<'a> {
    /// The engine, which knows the ids of balances.
    pub engine: &'a Engine,
    /// The handles of accounts, in the order in which they were opened.
    pub accounts: &'a [usize],
    /// What things are called.
    pub names: &'a Names,
}

impl Speaker<'_> {
    /// The command of a request, and the key that it is sent with.
    pub fn say(&self, request: &Request) -> (Command, Option<KeyAsk>) {
        let key = request.key.clone().map(|(name, request)| KeyAsk { name, request: [request; 32] });
        (self.command(&request.what), key)
    }

    fn command(&self, operation: &Operation) -> Command {
        let text = String::new;
        match operation {
            Operation::Ledger => Command::CreateLedger(CreateLedger { name: "more".into(), metadata: text() }),
            Operation::Open { currency, ledger, traced } => self.open(currency, *ledger, *traced),
            Operation::Pay(payment) => self.pay(payment),
            Operation::Trace { account, brings, amount, reference } => {
                self.trace(*account, *brings, *amount, reference)
            }
            Operation::Settle { hold, commit, amount, over } => {
                let action = if *commit { Action::Commit } else { Action::Void };
                Command::Settle(Settle {
                    action,
                    scope: None,
                    holds: vec![hold_ask(*hold)],
                    amount: *amount,
                    over_capture: *over && *commit,
                    passes_ended: false,
                    queued: false,
                    text: text(),
                })
            }
            Operation::Change { hold, held, expires_at, commits_at } => Command::ChangeHold(ChangeHold {
                scope: None,
                hold: hold_ask(*hold),
                held: *held,
                expires_at: *expires_at,
                commits_at: *commits_at,
                text: text(),
            }),
            Operation::Refund { row, amount, reference } => self.refund(*row, *amount, reference),
            Operation::Cancel(group) => {
                Command::Cancel(Cancel { groups: vec![*group], runs: Vec::new(), text: text() })
            }
            Operation::Move { group, due_at, amount } => {
                Command::Reschedule(Reschedule { groups: vec![*group], due_at: *due_at, amount: *amount })
            }
            Operation::Policy { account, rules } => Command::SetPolicy(SetPolicy {
                balance: self.account(*account),
                policy: rules.as_ref().map(|rules| self.wanted(rules)),
            }),
            Operation::Note { row, text } => Command::ChangeMetadata(ChangeMetadata {
                subject: Subject::Rows(Parent::Row(*row)),
                metadata: text.clone(),
                seen: NO_RECORD,
            }),
            Operation::Keep(row) => {
                Command::KeepKey(KeepKey { known: row.iter().map(|row| Known { item: 0, row: *row }).collect() })
            }
            Operation::Close { ledger, until } => Command::CloseLedger(CloseLedger {
                ledger: self.names.ledgers[*ledger].clone(),
                until: *until,
                description: text(),
                metadata: text(),
            }),
            Operation::Total(closing) => {
                let (closing, totals) = self.names.closings[*closing].clone();
                Command::RecordTotals(RecordTotals { closing, totals })
            }
            Operation::Claim { account, at, before, amount } => Command::AssertBalance(AssertBalance {
                balance: self.account(*account),
                as_of: *at,
                before_row: *before,
                amount: *amount,
                precision: 100,
                description: text(),
                source: text(),
                metadata: text(),
                required: None,
            }),
            Operation::Unclaim(claim) => {
                let (assertion, balance) = self.names.claims[*claim];
                Command::DeleteAssertion(DeleteAssertion { balance, assertion })
            }
            Operation::Name { account, name } => {
                Command::NameBalance(NameBalance { balance: self.account(*account), alias: (*name).into() })
            }
            Operation::Watch { account, above, edge } => {
                let (field, operator) = (Field::Credit, Operator::Greater);
                let definition = Definition {
                    conditions: vec![Condition { field, operator, threshold: *above, precision: 100 }],
                    any: false,
                    edge: *edge,
                    description: text(),
                    call_back_url: text(),
                    metadata: text(),
                };
                Command::SetMonitor(SetMonitor { monitor: None, balance: self.account(*account), definition })
            }
            Operation::Person => {
                let detail = Detail::Sealed(Sealed { key: KeyName { slot: 7, id: [7; 16] }, bytes: vec![7; 40] });
                Command::CreateIdentity(CreateIdentity { id: text(), detail })
            }
            Operation::Own { account, person } => Command::LinkIdentity(LinkIdentity {
                balance: Some(self.account(*account)),
                identity: self.names.persons[*person].clone(),
                lineage_label: text(),
            }),
            Operation::Forget(person) => {
                Command::DeleteIdentity(DeleteIdentity { identity: self.names.persons[*person].clone() })
            }
            Operation::Register { currency, precision, name } => Command::RegisterCurrency(RegisterCurrency {
                code: (*currency).into(),
                precision: *precision,
                name: (*name).into(),
            }),
        }
    }

    fn account(&self, account: usize) -> Id {
        let id = self.engine.books().balance_id(self.accounts[account] as u32);
        id.expect("accounts are known when they are used")
    }

    fn open(&self, currency: &str, ledger: usize, traced: Option<usize>) -> Command {
        // Lineage has names of its own for each account, so that none shares its balances with another.
        let label = traced.map(|_| format!("traced{}", self.accounts.len())).unwrap_or_default();
        Command::CreateBalance(CreateBalance {
            ledger: self.names.ledgers[ledger].clone(),
            currency: currency.to_owned(),
            identity: traced.map(|person| self.names.persons[person].clone()).unwrap_or_default(),
            indicator: String::new(),
            metadata: String::new(),
            track_fund_lineage: traced.is_some(),
            allocation: Allocation::Fifo,
            alias: String::new(),
            lineage_label: label,
        })
    }

    fn party(&self, arena: &mut String, side: &Side) -> Party {
        match side {
            Side::Account(account) => {
                let id = self.account(*account);
                Party::Id(id, text::push(arena, &id.text(Prefix::Balance)))
            }
            Side::Indicator(name) => Party::Indicator(text::push(arena, name)),
        }
    }

    fn pay(&self, payment: &Payment) -> Command {
        let mut arena = String::new();
        let mut asks = Vec::new();
        for (item, leg) in (0..).zip(&payment.legs) {
            let terms = Terms {
                effective_at: leg.effective_at,
                scheduled_at: leg.scheduled_at,
                expires_at: leg.expires_at,
                commits_at: leg.commits_at,
                ..Terms::NONE
            };
            let sides = (&leg.source, &leg.destination);
            let mut ask = self.ask(&mut arena, sides, leg.amount, leg.currency, &leg.reference);
            ask.description = text::push(&mut arena, &"d".repeat(leg.padding));
            (ask.item, ask.inflight, ask.terms) = (item, leg.inflight, terms.boxed());
            asks.push(ask);
        }
        let batch = match payment.batch {
            Batch::Single => LedgerBatch::Single,
            Batch::Atomic => LedgerBatch::Atomic,
            Batch::Independent => LedgerBatch::Independent,
        };
        Command::Record(Record { goes_on: payment.goes_on, queued: payment.queued, ..record(batch, asks, arena) })
    }

    fn trace(&self, account: usize, brings: Option<&str>, amount: i128, reference: &str) -> Command {
        let (traced, other) = (Side::Account(account), Side::Indicator("@World"));
        let sides = if brings.is_some() { (&other, &traced) } else { (&traced, &other) };
        let mut arena = String::new();
        let mut ask = self.ask(&mut arena, sides, amount, "USD", reference);
        let provider = text::push(&mut arena, brings.unwrap_or_default());
        ask.terms = Terms { provider, ..Terms::NONE }.boxed();
        Command::Record(record(LedgerBatch::Single, vec![ask], arena))
    }

    fn ask(
        &self,
        arena: &mut String,
        (source, destination): (&Side, &Side),
        amount: i128,
        currency: &str,
        reference: &str,
    ) -> Ask {
        let allow_overdraft = matches!(source, Side::Indicator(_));
        let (source, destination) = (self.party(arena, source), self.party(arena, destination));
        Ask {
            item: 0,
            leg: 0,
            source,
            destination,
            amount,
            precision: 100,
            currency: text::push(arena, currency),
            reference: text::push(arena, reference),
            fingerprint: self.engine.books().fingerprint(reference),
            outcome_fingerprint: self.engine.books().fingerprint_of_parts(reference, "_q"),
            description: Span::EMPTY,
            metadata: Span::EMPTY,
            allow_overdraft,
            inflight: false,
            atomic: false,
            terms: None,
        }
    }

    fn refund(&self, row: u64, amount: Option<i128>, reference: &str) -> Command {
        let mut arena = String::new();
        let original = Original {
            row,
            amount,
            facts: None,
            refunded: Vec::new(),
            lineage: Vec::new(),
            reference: text::push(&mut arena, reference),
            fingerprint: self.engine.books().fingerprint(reference),
            outcome_fingerprint: self.engine.books().fingerprint_of_parts(reference, "_q"),
            prior: None,
            description: Span::EMPTY,
            metadata: Span::EMPTY,
        };
        Command::Refund(Refund { scope: None, originals: vec![original], queued: false, text: arena })
    }

    fn wanted(&self, rules: &Rules) -> Wanted {
        let velocities = rules.limits.iter().map(|limit| Velocity {
            debits: limit.debits,
            window: Window::Seconds(limit.seconds),
            sum_max: limit.sum_max,
            count_max: limit.count_max,
        });
        let policy = Policy {
            floor: rules.floor.map(|floor| match floor {
                Floor::Minimum(minimum) => LedgerFloor::Minimum(minimum),
                Floor::Credit(limit) => LedgerFloor::Credit(limit),
            }),
            no_debits: rules.no_debits,
            no_credits: rules.no_credits,
            counterparties: None,
            velocities: velocities.collect(),
        };
        let counterparties = rules.with.as_ref().map(|with| with.iter().map(|one| self.account(*one)).collect());
        Wanted { policy, counterparties }
    }
}

fn record(batch: LedgerBatch, asks: Vec<Ask>, text: String) -> Record {
    Record {
        batch,
        goes_on: false,
        announced: false,
        trial: false,
        queued: false,
        asks,
        text,
        priors: Vec::new(),
        mismatch: Mismatch::Refuse,
    }
}

fn hold_ask(row: u64) -> HoldAsk {
    HoldAsk {
        row,
        ended: None,
        precision: 100,
        overdraft: Overdraft::NONE,
        reference: Span::EMPTY,
        description: Span::EMPTY,
        metadata: Span::EMPTY,
    }
}
