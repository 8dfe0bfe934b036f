//! The working copy that a batch is decided against: what the items before have done to the balances they named.
//!
//! The state is not touched. When an item is refused its own changes are taken back; when the command is refused the
//! whole draft is dropped.

pub(crate) mod lineage;

use crate::apply::{change_of, spending};
use crate::event::Movement;
use crate::policy::Policed;
use crate::row::Posted;
use crate::state::{Figures, State};
use lineage::{Following, LineageDraft};
use std::collections::BTreeMap;

/// Memory of drafts that is used again and again. It holds nothing between two commands.
#[derive(Default, Debug)]
pub struct Scratch {
    touched: Vec<(u32, Figures)>,
    slots: Slots,
    undo: Vec<(u32, Figures)>,
    references: Vec<(u64, u32)>,
    references_mask: usize,
}

/// A small hash table from handle to index, cleared by counting up its epoch.
#[derive(Default, Debug)]
struct Slots {
    epoch: u32,
    entries: Vec<(u32, u32, u32)>,
}

impl Slots {
    fn reset(&mut self, balances_max: usize) {
        let capacity = (balances_max * 2).next_power_of_two().max(16);
        if self.entries.len() < capacity || self.epoch == u32::MAX {
            self.entries = vec![(0, 0, 0); capacity.max(self.entries.len())];
            self.epoch = 0;
        }
        self.epoch += 1;
    }

    /// Makes room for more than was expected; answers where a handle is to be put.
    fn grow(&mut self, handle: u32, touched: &[(u32, Figures)]) -> usize {
        self.entries = vec![(0, 0, 0); self.entries.len() * 2];
        self.epoch = 1;
        for (index, (of, _)) in touched.iter().enumerate() {
            let slot = self.find(*of).expect_err("each is named once");
            self.entries[slot] = (1, *of, u32::try_from(index).expect("a command names few balances"));
        }
        self.find(handle).expect_err("it is put because it is not there")
    }

    /// The index of a handle, or the slot where it is to be put.
    fn find(&self, handle: u32) -> Result<u32, usize> {
        let mask = self.entries.len() - 1;
        let mut at = handle.wrapping_mul(0x9e37_79b1) as usize & mask;
        loop {
            let (epoch, of, index) = self.entries[at];
            if epoch != self.epoch {
                return Err(at);
            }
            if of == handle {
                return Ok(index);
            }
            at = (at + 1) & mask;
        }
    }
}

/// What the items of a command have done so far.
pub(crate) struct Draft<'a> {
    state: &'a State,
    scratch: &'a mut Scratch,
    /// Indicators that the command opens: which text, which currency.
    pub opened: Vec<(String, u32)>,
    opened_index: BTreeMap<(String, u32), u32>,
    opened_before_item: usize,
    currencies_before_item: usize,
    /// Currencies that the command names for the first time.
    pub currencies: Vec<String>,
    currencies_index: BTreeMap<String, u32>,
    /// Policies whose windows the command has counted in.
    policed: BTreeMap<u32, Policed>,
    /// What those were before the item, newest last; `None` when the state still had the truth.
    policed_undo: Vec<(u32, Option<Policed>)>,
    /// What follows in the lineage of tracked balances.
    pub lineage: LineageDraft,
}

impl<'a> Draft<'a> {
    /// A draft for a command that makes at most so many movements.
    pub fn new(state: &'a State, scratch: &'a mut Scratch, movements_max: usize) -> Draft<'a> {
        scratch.touched.clear();
        scratch.undo.clear();
        scratch.slots.reset(movements_max * 2);
        let capacity = (movements_max * 4).next_power_of_two().max(16);
        scratch.references.clear();
        if movements_max > 1 {
            scratch.references.resize(capacity, (0, 0));
        }
        scratch.references_mask = capacity - 1;
        Draft {
            state,
            scratch,
            opened: Vec::new(),
            opened_index: BTreeMap::new(),
            opened_before_item: 0,
            currencies_before_item: 0,
            currencies: Vec::new(),
            currencies_index: BTreeMap::new(),
            policed: BTreeMap::new(),
            policed_undo: Vec::new(),
            lineage: LineageDraft::default(),
        }
    }

    /// The state that the command is decided against.
    pub const fn state(&self) -> &State {
        self.state
    }

    /// What follows in the lineage of tracked balances, at the end.
    pub fn into_following(self) -> Vec<Following> {
        self.lineage.following
    }

    /// Marks the beginning of an item.
    pub fn begin_item(&mut self) {
        self.scratch.undo.clear();
        self.policed_undo.clear();
        self.lineage.begin_item();
        self.opened_before_item = self.opened.len();
        self.currencies_before_item = self.currencies.len();
    }

    /// Forgets the currencies that the item was the first to name.
    pub fn undo_currencies(&mut self) {
        for text in self.currencies.drain(self.currencies_before_item..) {
            self.currencies_index.remove(&text);
        }
    }

    /// Takes back what was done since the item began.
    pub fn undo_item(&mut self) {
        while let Some((index, figures)) = self.scratch.undo.pop() {
            self.scratch.touched[index as usize].1 = figures;
        }
        while let Some((handle, before)) = self.policed_undo.pop() {
            match before {
                Some(before) => drop(self.policed.insert(handle, before)),
                None => drop(self.policed.remove(&handle)),
            }
        }
        self.lineage.undo_item();
        for key in self.opened.drain(self.opened_before_item..) {
            self.opened_index.remove(&key);
        }
    }

    /// The number of a currency; a new one gets the next.
    pub fn currency(&mut self, text: &str) -> u32 {
        if let Some(number) = self.state.currencies.find(text) {
            return number;
        }
        if let Some(&number) = self.currencies_index.get(text) {
            return number;
        }
        let number =
            u32::try_from(self.state.currencies.len() + self.currencies.len()).expect("currencies are limited");
        self.currencies.push(text.to_owned());
        self.currencies_index.insert(text.to_owned(), number);
        number
    }

    /// How many currencies there are, those of this command included.
    pub fn currencies_count(&self) -> usize {
        self.state.currencies.len() + self.currencies.len()
    }

    /// Minor units in a major unit of a currency, if it is registered.
    pub fn registered_precision(&self, currency: u32) -> Option<u64> {
        self.state.currencies.registered(currency).map(|registered| registered.precision)
    }

    /// How many balances there are, those of this command included.
    pub fn balances_count(&self) -> usize {
        self.state.balances.len() + self.opened.len()
    }

    /// How many balances there were when the item began, those that earlier items open included.
    pub fn balances_before_item(&self) -> usize {
        self.state.balances.len() + self.opened_before_item
    }

    /// The handle of an indicator, if it exists or was opened by an earlier item.
    pub fn indicator(&self, text: &str, currency: u32) -> Option<u32> {
        self.state.find_indicator(text, currency).or_else(|| {
            if self.opened.is_empty() {
                return None;
            }
            self.opened_index.get(&(text.to_owned(), currency)).copied()
        })
    }

    /// Opens the balance of an indicator.
    pub fn open(&mut self, text: &str, currency: u32) -> u32 {
        let handle = u32::try_from(self.balances_count()).expect("balances are limited");
        self.opened.push((text.to_owned(), currency));
        self.opened_index.insert((text.to_owned(), currency), handle);
        handle
    }

    /// The currency of a balance.
    pub fn currency_of(&self, handle: u32) -> u32 {
        match (handle as usize).checked_sub(self.state.balances.len()) {
            Some(index) => self.opened[index].1,
            None => self.state.balance(handle).currency,
        }
    }

    /// The figures of a balance as the items before left them.
    pub fn figures(&self, handle: u32) -> Figures {
        match self.scratch.slots.find(handle) {
            Ok(index) => self.scratch.touched[index as usize].1,
            Err(_) => self.state.balances.get(handle as usize).map_or(Figures::default(), |balance| balance.figures),
        }
    }

    /// The policy of a balance, with what the items before have counted in its windows.
    pub fn policy(&self, handle: u32) -> Option<&Policed> {
        if self.state.policies.is_empty() {
            return None;
        }
        self.policed.get(&handle).or_else(|| self.state.policy(handle))
    }

    /// Takes a movement into account. `open` is what is open of the hold that it names, if it names one.
    pub fn take(&mut self, movement: &Movement, open: i128, at: i64) {
        let Some(change) = change_of(movement, open) else { return };
        for (side, handle) in [(Side::Source, movement.source), (Side::Destination, movement.destination)] {
            let mut figures = self.figures(handle);
            figures.change(side, change);
            self.set(handle, figures);
        }
        if self.state.policies.is_empty() {
            return;
        }
        let Some((amount, transactions)) = spending(movement, change) else { return };
        for (debit, handle) in [(true, movement.source), (false, movement.destination)] {
            let Some(before) = self.policy(handle) else { continue };
            let mut policed = before.clone();
            policed.count(debit, amount, transactions, at);
            let before = self.policed.insert(handle, policed);
            self.policed_undo.push((handle, before));
        }
    }

    /// Sets the figures of a balance.
    fn set(&mut self, handle: u32, figures: Figures) {
        match self.scratch.slots.find(handle) {
            Ok(index) => {
                let before = &mut self.scratch.touched[index as usize].1;
                self.scratch.undo.push((index, *before));
                *before = figures;
            }
            Err(mut slot) => {
                // What follows in the lineage of tracked balances names more than a command's own movements.
                if self.scratch.touched.len() * 2 >= self.scratch.slots.entries.len() {
                    slot = self.scratch.slots.grow(handle, &self.scratch.touched);
                }
                let index = u32::try_from(self.scratch.touched.len()).expect("a command names few balances");
                let before =
                    self.state.balances.get(handle as usize).map_or(Figures::default(), |balance| balance.figures);
                self.scratch.slots.entries[slot] = (self.scratch.slots.epoch, handle, index);
                self.scratch.touched.push((handle, figures));
                self.scratch.undo.push((index, before));
            }
        }
    }

    /// Notes a reference of an ask; answers whether an earlier ask of this command has it. Fingerprints only find the asks
    /// to compare: `same` decides, as different references may have one fingerprint.
    pub fn note_reference(&mut self, fingerprint: u64, ask: u32, same: impl Fn(u32) -> bool) -> bool {
        if self.scratch.references.is_empty() {
            return false;
        }
        let mut at = fingerprint as usize & self.scratch.references_mask;
        loop {
            let (of, by) = self.scratch.references[at];
            if by == 0 {
                self.scratch.references[at] = (fingerprint, ask + 1);
                return false;
            }
            if of == fingerprint && by != ask + 1 && same(by - 1) {
                return true;
            }
            at = (at + 1) & self.scratch.references_mask;
        }
    }
}

/// One side of a movement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// Where the amount is taken from: a debit.
    Source,
    /// Where it goes to: a credit.
    Destination,
}

impl Side {
    /// The sum of this side.
    pub(crate) fn of(self, sums: &mut Posted) -> &mut i128 {
        match self {
            Side::Source => &mut sums.debit,
            Side::Destination => &mut sums.credit,
        }
    }
}
