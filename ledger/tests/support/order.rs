//! A transaction as a client words it, before texts move into an arena and names become parties.

use ledger::command::{Ask, Batch, Command, Mismatch, Party, Record, Terms};
use ledger::id::{Id, Prefix};
use ledger::text;

/// What a client asks to be recorded: one transaction, or one leg of a split one.
#[derive(Clone, Debug)]
pub struct Order {
    pub item: u32,
    pub leg: u32,
    pub source: String,
    pub destination: String,
    pub amount: i128,
    pub precision: u64,
    pub currency: String,
    pub reference: String,
    pub allow_overdraft: bool,
    pub inflight: bool,
    /// Where the money comes from, or empty.
    pub provider: String,
    pub terms: Terms,
}

impl Order {
    pub fn new(source: &str, destination: &str, amount: i128, currency: &str, reference: &str) -> Order {
        Order {
            item: 0,
            leg: 0,
            source: source.to_owned(),
            destination: destination.to_owned(),
            amount,
            precision: 100,
            currency: currency.to_owned(),
            reference: reference.to_owned(),
            allow_overdraft: false,
            inflight: false,
            provider: String::new(),
            terms: Terms::NONE,
        }
    }

    fn ask(&self, arena: &mut String, fingerprint: &dyn Fn(&str) -> u64) -> Ask {
        Ask {
            item: self.item,
            leg: self.leg,
            source: party(&self.source, arena),
            destination: party(&self.destination, arena),
            amount: self.amount,
            precision: self.precision,
            currency: text::push(arena, &self.currency),
            reference: text::push(arena, &self.reference),
            fingerprint: fingerprint(&self.reference),
            outcome_fingerprint: fingerprint(&format!("{}_q", self.reference)),
            description: text::push(arena, "as ordered"),
            metadata: text::Span::EMPTY,
            allow_overdraft: self.allow_overdraft,
            inflight: self.inflight,
            atomic: false,
            terms: Terms { provider: text::push(arena, &self.provider), ..self.terms.clone() }.boxed(),
        }
    }
}

/// The command of some orders. Its priors are left to the gatherer.
pub fn record(
    batch: Batch,
    goes_on: bool,
    queued: bool,
    mismatch: Mismatch,
    orders: &[Order],
    fingerprint: &dyn Fn(&str) -> u64,
) -> Command {
    let mut text = String::new();
    let asks = orders.iter().map(|order| order.ask(&mut text, fingerprint)).collect();
    let priors = Vec::new();
    Command::Record(Record { batch, goes_on, announced: false, trial: false, queued, asks, text, priors, mismatch })
}

/// What a name says: an indicator, the id of a balance, or nothing that is known.
fn party(name: &str, arena: &mut String) -> Party {
    let span = text::push(arena, name);
    if name.starts_with('@') {
        return Party::Indicator(span);
    }
    Id::parse(Prefix::Balance, name).map_or(Party::Unknown(span), |id| Party::Id(id, span))
}
