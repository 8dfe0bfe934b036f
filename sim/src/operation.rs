//! What the workload may ask for, and how it is said to the engine.

use engine::engine::Engine;
use engine::writer::KeyAsk;
use ledger::command::{
    Action, Allocation, Ask, Batch, Cancel, ChangeMetadata, Command, CreateBalance, HoldAsk, Mismatch, Original,
    Overdraft, Party, Record, Refund, SetPolicy, Settle, Terms, Wanted,
};
use ledger::id::Prefix;
use ledger::notes::Subject;
use ledger::policy::{Floor, Policy};
use ledger::row::Parent;
use ledger::state::{GENERAL_LEDGER_ID, NO_RECORD};
use ledger::text::{self, Span};

/// One thing that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Open an account in a currency.
    Open(&'static str),
    /// Move or hold money.
    Pay(Payment),
    /// Post what a hold holds, or a part of it, or release it.
    Settle {
        /// The row of the hold.
        hold: u64,
        /// Whether it is posted.
        commit: bool,
        /// How much of it; all that is left when absent.
        amount: Option<i128>,
    },
    /// Give back what a row moved.
    Refund {
        /// The row.
        row: u64,
        /// How much of it; all that is left when absent.
        amount: Option<i128>,
        /// The reference of the refund.
        reference: String,
    },
    /// Call off what waits.
    Cancel(u64),
    /// Say how low an account may get, or nothing of it.
    Floor {
        /// The account.
        account: usize,
        /// How low.
        minimum: Option<i128>,
    },
    /// Say something of a row.
    Note {
        /// The row.
        row: u64,
        /// What.
        text: String,
    },
}

/// Postings that are asked for together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    /// How they belong together.
    pub batch: Batch,
    /// Whether the others go on when one is refused.
    pub goes_on: bool,
    /// Whether they go through the queue.
    pub queued: bool,
    /// The postings.
    pub legs: Vec<Leg>,
    /// The key that they are sent with, and what stands for all that is sent.
    pub key: Option<(String, u8)>,
}

/// A side of a posting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Side {
    /// An account, by the order in which they were opened.
    Account(usize),
    /// An indicator, which is opened when it is first used and may go below zero.
    Indicator(&'static str),
}

/// One posting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Who pays.
    pub source: Side,
    /// Who is paid.
    pub destination: Side,
    /// Minor units.
    pub amount: i128,
    /// The currency.
    pub currency: &'static str,
    /// Its reference.
    pub reference: String,
    /// Whether it is held first.
    pub inflight: bool,
    /// The business date, when it is not now.
    pub effective_at: Option<i64>,
    /// When it is to run.
    pub scheduled_at: Option<i64>,
    /// When the hold ends by itself.
    pub expires_at: Option<i64>,
    /// Bytes of the description.
    pub padding: usize,
}

/// The handles of accounts, in the order in which they were opened.
pub type Handles = [usize];

impl Operation {
    /// The command of it, and the key that it is sent with.
    pub fn command(&self, engine: &Engine, accounts: &Handles) -> (Command, Option<KeyAsk>) {
        let mut key = None;
        let command = match self {
            Operation::Open(currency) => open(currency),
            Operation::Pay(payment) => {
                key = payment.key.clone().map(|(name, request)| KeyAsk { name, request: [request; 32] });
                pay(payment, engine, accounts)
            }
            Operation::Settle { hold, commit, amount } => settle(*hold, *commit, *amount),
            Operation::Refund { row, amount, reference } => refund(*row, *amount, reference, engine),
            Operation::Cancel(group) => {
                Command::Cancel(Cancel { groups: vec![*group], runs: Vec::new(), text: String::new() })
            }
            Operation::Floor { account, minimum } => floor(accounts[*account], *minimum, engine),
            Operation::Note { row, text } => Command::ChangeMetadata(ChangeMetadata {
                subject: Subject::Rows(Parent::Row(*row)),
                metadata: text.clone(),
                seen: NO_RECORD,
            }),
        };
        (command, key)
    }
}

fn open(currency: &str) -> Command {
    Command::CreateBalance(CreateBalance {
        ledger: GENERAL_LEDGER_ID.to_owned(),
        currency: currency.to_owned(),
        identity: String::new(),
        indicator: String::new(),
        metadata: String::new(),
        track_fund_lineage: false,
        allocation: Allocation::Fifo,
        alias: String::new(),
        lineage_label: String::new(),
    })
}

fn pay(payment: &Payment, engine: &Engine, accounts: &Handles) -> Command {
    let mut arena = String::new();
    let mut asks = Vec::new();
    for (item, leg) in (0..).zip(&payment.legs) {
        let mut party = |side: &Side| match side {
            Side::Account(account) => {
                let id = engine
                    .books()
                    .balance_id(accounts[*account] as u32)
                    .expect("accounts are known when they are used");
                Party::Id(id, text::push(&mut arena, &id.text(Prefix::Balance)))
            }
            Side::Indicator(name) => Party::Indicator(text::push(&mut arena, name)),
        };
        let (source, destination) = (party(&leg.source), party(&leg.destination));
        let terms = Terms {
            effective_at: leg.effective_at,
            scheduled_at: leg.scheduled_at,
            expires_at: leg.expires_at,
            ..Terms::NONE
        };
        asks.push(Ask {
            item,
            leg: 0,
            source,
            destination,
            amount: leg.amount,
            precision: 100,
            currency: text::push(&mut arena, leg.currency),
            reference: text::push(&mut arena, &leg.reference),
            fingerprint: engine.books().fingerprint(&leg.reference),
            outcome_fingerprint: engine.books().fingerprint_of_parts(&leg.reference, "_q"),
            description: text::push(&mut arena, &"d".repeat(leg.padding)),
            metadata: Span::EMPTY,
            allow_overdraft: matches!(leg.source, Side::Indicator(_)),
            inflight: leg.inflight,
            atomic: false,
            terms: terms.boxed(),
        });
    }
    Command::Record(Record {
        batch: payment.batch,
        goes_on: payment.goes_on,
        announced: false,
        trial: false,
        queued: payment.queued,
        asks,
        text: arena,
        priors: Vec::new(),
        mismatch: Mismatch::Refuse,
    })
}

fn settle(row: u64, commit: bool, amount: Option<i128>) -> Command {
    let hold = HoldAsk {
        row,
        ended: None,
        precision: 100,
        overdraft: Overdraft::NONE,
        reference: Span::EMPTY,
        description: Span::EMPTY,
        metadata: Span::EMPTY,
    };
    let action = if commit { Action::Commit } else { Action::Void };
    let text = String::new();
    let (scope, holds) = (None, vec![hold]);
    let (over_capture, passes_ended) = (false, false);
    Command::Settle(Settle { action, scope, holds, amount, over_capture, passes_ended, queued: false, text })
}

fn refund(row: u64, amount: Option<i128>, reference: &str, engine: &Engine) -> Command {
    let mut arena = String::new();
    let original = Original {
        row,
        amount,
        facts: None,
        refunded: Vec::new(),
        lineage: Vec::new(),
        reference: text::push(&mut arena, reference),
        fingerprint: engine.books().fingerprint(reference),
        outcome_fingerprint: engine.books().fingerprint_of_parts(reference, "_q"),
        prior: None,
        description: Span::EMPTY,
        metadata: Span::EMPTY,
    };
    Command::Refund(Refund { scope: None, originals: vec![original], queued: false, text: arena })
}

fn floor(handle: usize, minimum: Option<i128>, engine: &Engine) -> Command {
    let balance = engine.books().balance_id(handle as u32).expect("accounts are known when they are used");
    let policy = minimum.map(|minimum| Wanted {
        policy: Policy {
            floor: Some(Floor::Minimum(minimum)),
            no_debits: false,
            no_credits: false,
            counterparties: None,
            velocities: Vec::new(),
        },
        counterparties: None,
    });
    Command::SetPolicy(SetPolicy { balance, policy })
}
