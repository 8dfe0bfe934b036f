//! The limits of fund lineage, on both sides: providers of a balance, movements of an event, parts of a hold. Also that what
//! must happen by itself is never refused because of them.

// Without the path, the modules would be looked for in a folder of this file.
#[path = "support"]
mod support {
    pub mod order;
}

use ledger::apply::apply;
use ledger::command::{
    Action, Allocation, Batch, ChangeHold, Command, CreateBalance, CreateIdentity, HoldAsk, Mismatch, Moment,
    Overdraft, Settle,
};
use ledger::decide::{Decision, decide};
use ledger::draft::Scratch;
use ledger::event::{Event, Recorded};
use ledger::id::Prefix;
use ledger::limits;
use ledger::rejection::{Refused, Rejection};
use ledger::state::State;
use ledger::text::Span;
use support::order::{Order, record};

struct Books {
    state: State,
    scratch: Scratch,
    tracked: String,
}

impl Books {
    /// A tracked balance that spends by share, with so many units of so many providers each.
    fn new(providers: usize, units: i128) -> Books {
        let mut books = Books { state: State::new(), scratch: Scratch::default(), tracked: String::new() };
        books
            .perform(Command::CreateIdentity(CreateIdentity {
                id: String::new(),
                detail: ledger::identity::Detail::Plain("{}".into()),
            }))
            .expect("made");
        let balance = CreateBalance {
            ledger: "general_ledger_id".into(),
            currency: "USD".into(),
            identity: books.state.identity_text(0),
            indicator: String::new(),
            metadata: String::new(),
            track_fund_lineage: true,
            allocation: Allocation::Proportional,
            lineage_label: "ada".into(),
            alias: String::new(),
        };
        books.perform(Command::CreateBalance(balance)).expect("made");
        books.tracked = books.state.balance_id(0).text(Prefix::Balance);
        let deposits: Vec<Order> = (0..providers).map(|number| books.deposit(number, units)).collect();
        books.record(Batch::Atomic, &deposits).expect("recorded");
        books
    }

    fn deposit(&self, number: usize, units: i128) -> Order {
        let mut order = Order::new("@World", &self.tracked, units, "USD", &format!("in{number}"));
        (order.allow_overdraft, order.provider, order.item) = (true, format!("p{number}"), number as u32);
        order
    }

    fn spend(&self, number: u32, units: i128) -> Order {
        Order { item: number, ..Order::new(&self.tracked, "@Shop", units, "USD", &format!("out{number}")) }
    }

    fn record(&mut self, batch: Batch, orders: &[Order]) -> Result<Decision, Refused> {
        self.perform(record(batch, false, false, Mismatch::Refuse, orders, &|text| text.len() as u64))
    }

    fn perform(&mut self, command: Command) -> Result<Decision, Refused> {
        let moment = Moment { at: self.state.latest_at + 1, seed: 7 };
        let decision = decide(&self.state, &mut self.scratch, command, moment)?;
        if let Some(event) = &decision.event {
            apply(&mut self.state, event, 0, &mut Vec::new());
        }
        Ok(decision)
    }

    fn raise(&mut self, hold: u64, held: i128) -> Result<Decision, Refused> {
        let (hold, text) = (ask(hold), String::new());
        let (held, expires_at, commits_at) = (Some(held), None, None);
        self.perform(Command::ChangeHold(ChangeHold { scope: None, hold, held, expires_at, commits_at, text }))
    }
}

fn ask(row: u64) -> HoldAsk {
    let (reference, description, metadata) = (Span::EMPTY, Span::EMPTY, Span::EMPTY);
    HoldAsk { row, ended: None, precision: 100, overdraft: Overdraft::NONE, reference, description, metadata }
}

fn event(decision: Result<Decision, Refused>) -> Recorded {
    match decision.expect("it is not refused").event {
        Some(Event::Recorded(event)) => event,
        other => panic!("something is recorded, not {other:?}"),
    }
}

fn refusal(answer: Result<Decision, Refused>) -> (u32, Rejection) {
    let refused = answer.expect_err("it is refused");
    (refused.item, refused.rejection)
}

#[test]
fn providers_of_a_balance() {
    let mut books = Books::new(limits::PROVIDERS_MAX, 1);
    let known = Order { reference: "again".into(), item: 0, ..books.deposit(0, 5) };
    assert_eq!(event(books.record(Batch::Single, &[known])).lineage().count(), 1);
    let more = Order { item: 0, ..books.deposit(limits::PROVIDERS_MAX, 1) };
    assert_eq!(refusal(books.record(Batch::Single, &[more])), (0, Rejection::TooManyProviders));
    let untagged = Order { provider: String::new(), reference: "free".into(), ..books.deposit(0, 1) };
    assert_eq!(event(books.record(Batch::Single, &[untagged])).lineage().count(), 0);
}

#[test]
fn movements_of_an_event() {
    let mut books = Books::new(limits::PROVIDERS_MAX, 100);
    let each = limits::PROVIDERS_MAX as i128;
    let items = (limits::LINEAGE_MOVEMENTS_MAX / limits::PROVIDERS_MAX) as u32;
    let spends: Vec<Order> = (0..=items).map(|number| books.spend(number, each)).collect();
    assert_eq!(refusal(books.record(Batch::Atomic, &spends)), (items, Rejection::TooMuchLineage));
    let full = event(books.record(Batch::Atomic, &spends[..items as usize]));
    assert_eq!(full.lineage().count(), limits::LINEAGE_MOVEMENTS_MAX);
    let tracked = books.state.tracked(0).expect("it is tracked");
    assert!(tracked.funds.iter().all(|fund| fund.purse.available() == 100 - i128::from(items)));
}

#[test]
fn parts_of_a_hold() {
    let mut books = Books::new(limits::PROVIDERS_MAX, 100);
    let each = limits::PROVIDERS_MAX as i128;
    let hold = Order { inflight: true, ..books.spend(0, each) };
    let row = books.state.rows_count;
    event(books.record(Batch::Single, &[hold]));
    let most = (limits::LINEAGE_PARTS_MAX / limits::PROVIDERS_MAX) as i128;
    for times in 2..=most {
        event(books.raise(row, times * each));
    }
    assert_eq!(refusal(books.raise(row, (most + 1) * each)), (0, Rejection::TooMuchLineage));
    let parts = books.state.held_parts.get(&row).map_or(0, Vec::len);
    assert_eq!(parts, limits::LINEAGE_PARTS_MAX);
    // Whatever a hold has can be settled at once, as a timer would.
    let (holds, text) = (vec![ask(row)], String::new());
    let settle = Settle {
        scope: None,
        action: Action::Void,
        holds,
        amount: None,
        over_capture: false,
        passes_ended: false,
        queued: false,
        text,
    };
    assert_eq!(event(books.perform(Command::Settle(settle))).lineage().count(), limits::LINEAGE_PARTS_MAX);
    assert!(books.state.held_parts.is_empty());
}
