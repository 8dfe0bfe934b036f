//! Where the money of tracked balances came from, worked out a second time: a bag for each provider, and what must follow
//! from each movement. Written from section 10 of the specification of resources and from the table in
//! `ledger/src/decide/lineage.rs`, not from the code below it.

use ledger::command::Allocation;
use ledger::event::{Kind, Movement, Outcome, Recorded};
use ledger::lineage::{Purse, Role};
use ledger::state::{Figures, State};
use std::collections::{BTreeMap, BTreeSet};

/// The bags of all tracked balances.
#[derive(Clone, Default)]
pub struct Origins {
    /// By handle.
    pub purses: BTreeMap<u32, Bags>,
    /// Parts of open holds, by the row of the hold, oldest first.
    parts: BTreeMap<u64, Vec<Part>>,
    /// What lineage movements did to the figures of shadows and aggregates.
    pub moved: BTreeMap<u32, Figures>,
    /// What the lineage of a row posted: whether it came in, whose, how much.
    posted: BTreeMap<u64, Vec<(bool, String, i128)>>,
}

/// The bags of one balance.
#[derive(Clone, Default)]
pub struct Bags {
    /// Providers as they came first.
    pub order: Vec<String>,
    /// By provider.
    pub bags: BTreeMap<String, Bag>,
    /// What the shadows of each provider are named after: the owner when the provider came first.
    labels: BTreeMap<String, String>,
    /// Whether it ever had money that nobody brought, or owed any.
    mixed: bool,
}

/// The money of one provider.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Bag {
    pub came: i128,
    pub went: i128,
    pub coming: i128,
    pub going: i128,
}

#[derive(Clone, Debug)]
struct Part {
    row: u64,
    word: &'static str,
    provider: String,
    left: i128,
}

/// One movement that must follow.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wanted {
    of: u32,
    word: &'static str,
    provider: String,
    amount: i128,
    /// The lineage hold that it ends.
    ends: Option<u64>,
}

const CREDIT: &str = "shadow";
const RELEASE: &str = "release";
const RECEIVE: &str = "receive";

impl Origins {
    /// Takes in an event that was applied, and compares what followed with what must. `refunds` is what was given back of
    /// each row before it, `amounts` what each row of the books moved.
    pub fn add(
        &mut self,
        state: &State,
        event: &Recorded,
        refunds: &BTreeMap<u64, Vec<i128>>,
        holds: &BTreeMap<u64, i128>,
        amount_of: &dyn Fn(u64) -> i128,
    ) {
        for (handle, balance) in (0u32..).zip(state.balances.iter()) {
            if balance.track_fund_lineage && balance.identity.is_some() {
                self.purses.entry(handle).or_default();
            }
        }
        let mut actual: Vec<(u64, &Movement)> = event.lineage().collect();
        actual.reverse();
        let mut row = event.first_row;
        let mut names = BTreeSet::new();
        for (index, main) in (0u32..).zip(event.main_movements()) {
            row += main.rows_count();
            let wanted = self.follow(state, event, (index, main), refunds, holds, amount_of);
            for wanted in &wanted {
                let (own, movement) = actual.pop().unwrap_or_else(|| panic!("{wanted:?} does not follow: {event:?}"));
                self.name(state, main, wanted);
                self.check(state, event, main, movement, wanted, &mut names);
                self.take(main, row - 1, own, movement, wanted);
            }
            self.note_mixed(main, &wanted);
        }
        assert!(actual.is_empty(), "more follows than must: {actual:?}");
    }

    /// A provider that comes first is named after the owner of now.
    fn name(&mut self, state: &State, main: &Movement, wanted: &Wanted) {
        let tracked = if wanted.word == RELEASE { main.source } else { main.destination };
        let label = &state.tracked(tracked).expect("only tracked balances have a lineage").label;
        let purse = self.purses.get_mut(&tracked).expect("only tracked balances have bags");
        purse.labels.entry(wanted.provider.clone()).or_insert_with(|| label.to_string());
    }

    /// A movement that follows is as it must be.
    fn check(
        &self,
        state: &State,
        event: &Recorded,
        main: &Movement,
        movement: &Movement,
        wanted: &Wanted,
        names: &mut BTreeSet<String>,
    ) {
        let (role, of) = movement.kind.lineage().expect("only lineage follows");
        let word = match role {
            Role::Credit => CREDIT,
            Role::Release(_) => RELEASE,
            Role::Receive => RECEIVE,
        };
        let ends = match movement.kind {
            Kind::LineageSettlement { hold, .. } => Some(hold),
            _ => None,
        };
        let text = |span: ledger::text::Span| span.of(&event.text);
        let provider = text(movement.terms().provider).to_owned();
        assert_eq!(&Wanted { of, word, provider: provider.clone(), amount: movement.amount, ends }, wanted);
        assert_eq!((movement.outcome, movement.item, movement.precision), (main.outcome, main.item, main.precision));
        let suffix = if main.queued || matches!(main.kind, Kind::Execution(_)) { "_q" } else { "" };
        let mut name = format!("{}{suffix}_{word}_{provider}", text(main.reference));
        let plain = name.clone();
        for number in 2.. {
            if names.insert(name.clone()) {
                break;
            }
            name = format!("{plain}_{number}");
        }
        assert_eq!(text(movement.reference), name, "it is named after what it follows from");
        let tracked = if word == RELEASE { main.source } else { main.destination };
        let label = &self.purses[&tracked].labels[&provider];
        let currency = state.balance(tracked).currency;
        let find = |name: String| state.find_indicator(&name, currency).expect("it was opened");
        let (shadow, aggregate) = (find(format!("@{provider}_{label}_lineage")), find(format!("@{label}_lineage")));
        let sides = if word == RELEASE { (aggregate, shadow) } else { (shadow, aggregate) };
        assert_eq!((movement.source, movement.destination, movement.currency), (sides.0, sides.1, currency));
        let owner = state.balance(tracked).identity.map(|identity| state.identity_text(identity));
        assert_eq!(
            text(movement.terms().owner),
            if word == CREDIT { owner.unwrap_or_default() } else { String::new() }
        );
    }

    /// What must follow from a movement.
    fn follow(
        &self,
        state: &State,
        event: &Recorded,
        (index, main): (u32, &Movement),
        refunds: &BTreeMap<u64, Vec<i128>>,
        holds: &BTreeMap<u64, i128>,
        amount_of: &dyn Fn(u64) -> i128,
    ) -> Vec<Wanted> {
        if !matches!(main.outcome, Outcome::Applied | Outcome::Held | Outcome::Voided) {
            return Vec::new();
        }
        let tag = main.terms().provider.of(&event.text).to_owned();
        match main.kind {
            Kind::Execution(_) if main.outcome == Outcome::Voided => Vec::new(),
            Kind::Posting | Kind::Execution(_) => self.fresh(state, index, main, main.amount, &tag, &[]),
            Kind::Refund(original) => {
                let given = refunds.get(&original).map_or(&[][..], Vec::as_slice);
                let posted = self.posted.get(&original).cloned().unwrap_or_default();
                let shares = shares_of_refund(&posted, amount_of(original), given, main.amount);
                self.fresh(state, index, main, main.amount, "", &shares)
            }
            Kind::Settlement { hold, .. } | Kind::Release { hold, .. } | Kind::Change { hold } => {
                let open = holds[&hold];
                let parts = self.parts.get(&hold).map_or(&[][..], Vec::as_slice);
                let tag = parts.iter().find(|part| part.word == CREDIT).map_or("", |part| &part.provider);
                if main.outcome == Outcome::Held {
                    return self.fresh(state, index, main, main.amount, tag, &[]);
                }
                let ended = main.amount.min(open);
                let mut wanted = Vec::new();
                for incoming in [false, true] {
                    let side: Vec<&Part> = parts.iter().filter(|part| (part.word != RELEASE) == incoming).collect();
                    let amounts = cut(&side.iter().map(|part| part.left).collect::<Vec<_>>(), ended, open);
                    for (part, amount) in side.into_iter().zip(amounts).filter(|(_, amount)| *amount != 0) {
                        let (word, provider, ends) = (part.word, part.provider.clone(), Some(part.row));
                        wanted.push(Wanted { of: index, word, provider, amount, ends });
                    }
                }
                if main.amount > open {
                    wanted.extend(self.fresh(state, index, main, main.amount - open, tag, &[]));
                }
                wanted
            }
            Kind::Lineage { .. } | Kind::LineageSettlement { .. } => panic!("it follows itself"),
        }
    }

    /// What follows from an amount that is newly posted or held. `back` is what of another transaction comes back with it.
    fn fresh(
        &self,
        state: &State,
        of: u32,
        main: &Movement,
        amount: i128,
        tag: &str,
        back: &[(bool, String, i128)],
    ) -> Vec<Wanted> {
        let into = self.purses.contains_key(&main.destination);
        let one = |word, provider: &str, amount| Wanted { of, word, provider: provider.into(), amount, ends: None };
        let Some(source) = self.purses.get(&main.source) else {
            let tagged = (amount > 0 && !tag.is_empty()).then(|| one(CREDIT, tag, amount));
            let spent = back.iter().filter(|part| !part.0 && part.2 > 0).map(|part| one(CREDIT, &part.1, part.2));
            return if into { tagged.into_iter().chain(spent).collect() } else { Vec::new() };
        };
        let free = source.order.iter().map(|name| (name.clone(), source.bags[name].free())).collect();
        let mut hand = Hand { free, takes: Vec::new(), rest: amount };
        for (_, name, wanted) in back.iter().filter(|part| part.0) {
            hand.grab(name, *wanted);
        }
        let names: Vec<&String> = source.order.iter().collect();
        match state.balance(main.source).allocation {
            Allocation::Fifo => names.iter().for_each(|name| hand.grab(name, amount)),
            Allocation::Lifo => names.iter().rev().for_each(|name| hand.grab(name, amount)),
            Allocation::Proportional => {
                let total: i128 = hand.free.iter().map(|bag| bag.1).sum();
                let (wanted, before) = (hand.rest.min(total), hand.free.clone());
                for (name, had) in before.iter().take(names.len().saturating_sub(1)).filter(|_| total > 0) {
                    hand.grab(name, scaled(wanted, *had, total).0);
                }
                names.iter().rev().take(1).chain(names.iter()).for_each(|name| hand.grab(name, amount));
            }
        }
        let mut wanted = Vec::new();
        for (name, amount) in hand.takes {
            wanted.push(one(RELEASE, &name, amount));
            wanted.extend(into.then(|| one(RECEIVE, &name, amount)));
        }
        wanted
    }

    /// Takes in what followed.
    fn take(&mut self, main: &Movement, main_row: u64, own: u64, movement: &Movement, wanted: &Wanted) {
        let Wanted { word, provider, amount, ends, .. } = wanted.clone();
        let incoming = word != RELEASE;
        for (handle, debit) in [(movement.source, true), (movement.destination, false)] {
            let Figures { posted, held } = self.moved.entry(handle).or_default();
            let (posted, held) =
                if debit { (&mut posted.debit, &mut held.debit) } else { (&mut posted.credit, &mut held.credit) };
            *posted += if movement.outcome == Outcome::Applied { amount } else { 0 };
            *held += match (ends, movement.outcome) {
                (Some(_), _) => -amount,
                (None, Outcome::Held) => amount,
                (None, _) => 0,
            };
        }
        let handle = if incoming { main.destination } else { main.source };
        let purse = self.purses.get_mut(&handle).expect("only tracked balances have bags");
        if !purse.bags.contains_key(&provider) {
            purse.order.push(provider.clone());
        }
        let bag = purse.bags.entry(provider.clone()).or_default();
        let (there, held) = if incoming { (&mut bag.came, &mut bag.coming) } else { (&mut bag.went, &mut bag.going) };
        let hold = match main.kind {
            Kind::Settlement { hold, .. } | Kind::Release { hold, .. } | Kind::Change { hold } => hold,
            _ => main_row,
        };
        match (ends, movement.outcome) {
            (Some(row), outcome) => {
                *held -= amount;
                *there += if outcome == Outcome::Applied { amount } else { 0 };
                let parts = self.parts.get_mut(&hold).expect("a hold that is settled has parts");
                parts.iter_mut().find(|part| part.row == row).expect("it is one of them").left -= amount;
                parts.retain(|part| part.left > 0);
                if parts.is_empty() {
                    self.parts.remove(&hold);
                }
            }
            (None, Outcome::Held) => {
                *held += amount;
                let part = Part { row: own, word, provider: provider.clone(), left: amount };
                self.parts.entry(hold).or_default().push(part);
            }
            (None, _) => *there += amount,
        }
        if movement.outcome == Outcome::Applied {
            let posted = self.posted.entry(main_row).or_default();
            match posted.iter_mut().find(|part| part.0 == incoming && part.1 == provider) {
                Some(part) => part.2 += amount,
                None => posted.push((incoming, provider, amount)),
            }
        }
    }

    /// Money came that nobody brought, or went that nobody had brought.
    fn note_mixed(&mut self, main: &Movement, wanted: &[Wanted]) {
        let moves = matches!(main.outcome, Outcome::Applied | Outcome::Held);
        for (handle, incoming) in [(main.source, false), (main.destination, true)] {
            let told = wanted.iter().filter(|one| (one.word != RELEASE) == incoming).map(|one| one.amount);
            let covered = told.sum::<i128>() == main.amount;
            if let Some(purse) = self.purses.get_mut(&handle).filter(|_| moves && !covered) {
                purse.mixed = true;
            }
        }
    }

    /// The state has what the bags have, and they fit the balances.
    pub fn compare(&self, state: &State) {
        let mut sums: BTreeMap<u32, Figures> = BTreeMap::new();
        for (handle, purse) in &self.purses {
            let tracked = state.tracked(*handle).expect("a tracked balance has a lineage");
            let kept: Vec<(String, Bag)> = tracked
                .funds
                .iter()
                .map(|fund| {
                    let Purse { received, spent, held_in, held_out } = fund.purse;
                    let bag = Bag { came: received, went: spent, coming: held_in, going: held_out };
                    (fund.provider.to_string(), bag)
                })
                .collect();
            let bags: Vec<(String, Bag)> = purse.order.iter().map(|name| (name.clone(), purse.bags[name])).collect();
            assert_eq!(kept, bags, "the funds of balance {handle}");
            let figures = state.balance(*handle).figures;
            for (_, bag) in &bags {
                assert!(0 <= bag.going && bag.going <= bag.came - bag.went, "no money is promised twice: {bag:?}");
            }
            let there: i128 = bags.iter().map(|(_, bag)| bag.came - bag.went).sum();
            let untagged = figures.balance() - there;
            assert_eq!(there + untagged, figures.balance());
            assert!(purse.mixed || untagged == 0, "tagged money only: {there} of {}", figures.balance());
            for fund in &tracked.funds {
                // Of a shadow, debits are what came and credits what went; of its aggregate, the other way round.
                let Purse { received, spent, held_in, held_out } = fund.purse;
                let shadow = sums.entry(fund.shadow).or_default();
                shadow.posted.debit += received;
                shadow.posted.credit += spent;
                shadow.held.debit += held_in;
                shadow.held.credit += held_out;
                let aggregate = sums.entry(fund.aggregate).or_default();
                aggregate.posted.credit += received;
                aggregate.posted.debit += spent;
                aggregate.held.credit += held_in;
                aggregate.held.debit += held_out;
            }
        }
        sums.retain(|_, sum| *sum != Figures::default());
        let mut moved = self.moved.clone();
        moved.retain(|_, sum| *sum != Figures::default());
        assert_eq!(sums, moved, "shadows and aggregates sum up the funds");
        assert_eq!(state.held_parts.len(), self.parts.len(), "holds with parts");
        for (hold, parts) in &self.parts {
            let kept = state.held_parts.get(hold).expect("a hold with parts is known");
            let kept: Vec<_> = kept.iter().map(|part| (part.row, part.remaining)).collect();
            let parts: Vec<_> = parts.iter().map(|part| (part.row, part.left)).collect();
            assert_eq!(kept, parts, "the parts of hold {hold}");
        }
    }
}

impl Bag {
    /// What is there and not promised to a hold.
    fn free(self) -> i128 {
        self.came - self.went - self.going
    }
}

/// Money that is being taken from bags.
struct Hand {
    free: Vec<(String, i128)>,
    takes: Vec<(String, i128)>,
    rest: i128,
}

impl Hand {
    fn grab(&mut self, name: &str, wanted: i128) {
        let Some(bag) = self.free.iter_mut().find(|bag| bag.0 == name) else { return };
        let got = wanted.min(bag.1).min(self.rest);
        if got <= 0 {
            return;
        }
        bag.1 -= got;
        self.rest -= got;
        match self.takes.iter_mut().find(|take| take.0 == name) {
            Some(take) => take.1 += got,
            None => self.takes.push((name.to_owned(), got)),
        }
    }
}

/// What of some amounts belongs to a part of their whole, by running totals that are cut to whole units.
fn cut(amounts: &[i128], part: i128, whole: i128) -> Vec<i128> {
    let until = |count: usize| scaled(amounts[..count].iter().sum(), part, whole).0;
    (0..amounts.len()).map(|index| until(index + 1) - until(index)).collect()
}

/// What of a transaction's lineage goes back with a refund, after those that were given before.
fn shares_of_refund(
    posted: &[(bool, String, i128)],
    whole: i128,
    given: &[i128],
    amount: i128,
) -> Vec<(bool, String, i128)> {
    let mut shares = Vec::new();
    for incoming in [false, true] {
        let names: Vec<&String> = posted.iter().filter(|part| part.0 == incoming).map(|part| &part.1).collect();
        let mut left: Vec<i128> = posted.iter().filter(|part| part.0 == incoming).map(|part| part.2).collect();
        let mut open = whole;
        let mut last = Vec::new();
        for &one in given.iter().chain([&amount]) {
            last = cut(&left, one, open);
            left.iter_mut().zip(&last).for_each(|(left, gone)| *left -= gone);
            open -= one;
        }
        shares.extend(names.into_iter().zip(last).map(|(name, amount)| (incoming, name.clone(), amount)));
    }
    shares
}

/// How often the whole goes into `amount * part`, and what is left.
fn scaled(amount: i128, part: i128, whole: i128) -> (i128, i128) {
    if amount == 0 {
        return (0, 0);
    }
    let (half, rest) = scaled(amount / 2, part, whole);
    let doubled = (2 * half + 2 * rest / whole, 2 * rest % whole);
    let sum = doubled.1 + amount % 2 * part;
    (doubled.0 + sum / whole, sum % whole)
}
