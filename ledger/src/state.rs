//! What decisions need to know: the balances, the open holds, the names. Everything else is read from records.
//!
//! The state is a value. A clone shares its chunks with the original until one of them is written to, so a clone is how a
//! checkpoint is taken and how a long read sees one moment.

use crate::accounts::Accounts;
use crate::assertions::Assertions;
use crate::chunked::Chunked;
use crate::closings::Closings;
use crate::command::{Allocation, Ask, Party};
use crate::event::NO_BALANCE;
use crate::id::{Id, Prefix};
use crate::identity::KeyName;
use crate::limits::SUM_MAX;
use crate::lineage::{HeldPart, Tracked};
use crate::monitors::Monitors;
use crate::notes::{Noted, Subject};
use crate::policy::Policed;
use crate::row::{Links, NO_ROW, Posted};
use crate::sharded::{Keyed, Sharded};
use crate::timers::Timers;
use std::sync::Arc;

/// The id of the ledger in which all indicator balances live; its handle is [`GENERAL_LEDGER`].
pub const GENERAL_LEDGER_ID: &str = "general_ledger_id";
/// The name that it has at first.
pub const GENERAL_LEDGER_NAME: &str = "General Ledger";
/// The handle of the General Ledger.
pub const GENERAL_LEDGER: u32 = 0;
/// No record: what exists from the start has none.
pub const NO_RECORD: u64 = u64::MAX;

/// All that decisions need to know.
#[derive(Clone, Debug)]
pub struct State {
    /// Rows that were made.
    pub rows_count: u64,
    /// The moment of the latest event, microseconds since 1970.
    pub latest_at: i64,
    /// All balances, by handle.
    pub balances: Chunked<Balance>,
    /// All ledgers, by handle.
    pub ledgers: Chunked<Ledger>,
    /// All identities, by handle.
    pub identities: Chunked<Identity>,
    /// All currencies.
    pub currencies: Arc<Currencies>,
    /// Open holds, by row.
    pub holds: Sharded<u64, Hold>,
    /// Scheduled requests that wait, by the row of the first of those that run together: when they are due.
    pub scheduled: Sharded<u64, i64>,
    /// What those move that were given another amount than they were asked with.
    pub adjusted: Sharded<u64, i128>,
    /// What is due when.
    pub timers: Timers,
    /// The policies of balances that have one, by handle. [`Balance::policed`] tells which have.
    pub policies: Sharded<u32, Policed>,
    /// Metadata that was changed after it was recorded, by [`Subject::pack`].
    pub notes: Sharded<u64, Noted>,
    aliases: Sharded<Box<str>, u32, Keyed>,
    alias_of: Sharded<u32, Box<str>>,
    /// All accounts, and who has which number.
    pub accounts: Accounts,
    /// Monitors, those that were deleted included.
    pub monitors: Monitors,
    /// Which books are closed.
    pub closings: Closings,
    /// What balances are said to have been.
    pub assertions: Assertions,
    /// The lineage of tracked balances, by handle. [`Balance::track_fund_lineage`] tells which have one.
    pub tracked: Sharded<u32, Tracked>,
    /// What open holds hold of providers, by the row of the hold.
    pub held_parts: Sharded<u64, Vec<HeldPart>>,
    indicators: Sharded<Box<str>, Vec<(u32, u32)>, Keyed>,
    chosen_identities: Sharded<Box<str>, u32, Keyed>,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The state before the first event: the General Ledger and nothing else.
    pub fn new() -> State {
        let mut ledgers = Chunked::default();
        ledgers.push(Ledger { nonce: 0, created_at: 0, record: NO_RECORD, renamed: NO_RECORD });
        State {
            rows_count: 0,
            latest_at: 0,
            balances: Chunked::default(),
            ledgers,
            identities: Chunked::default(),
            currencies: Arc::default(),
            holds: Sharded::default(),
            scheduled: Sharded::default(),
            adjusted: Sharded::default(),
            timers: Timers::default(),
            policies: Sharded::default(),
            notes: Sharded::default(),
            aliases: Sharded::default(),
            alias_of: Sharded::default(),
            accounts: Accounts::default(),
            monitors: Monitors::default(),
            closings: Closings::default(),
            assertions: Assertions::default(),
            tracked: Sharded::default(),
            held_parts: Sharded::default(),
            indicators: Sharded::default(),
            chosen_identities: Sharded::default(),
        }
    }

    /// The balance of a handle that is known to exist.
    pub fn balance(&self, handle: u32) -> &Balance {
        self.balances.get(handle as usize).expect("handles come from events, which name balances that exist")
    }

    /// The id of a balance.
    pub fn balance_id(&self, handle: u32) -> Id {
        self.balance(handle).id(handle)
    }

    /// The handle of a balance by its id.
    pub fn find_balance(&self, id: Id) -> Option<u32> {
        let handle = u32::try_from(id.row()).ok().filter(|&handle| handle != NO_BALANCE)?;
        self.balances.get(handle as usize).filter(|balance| balance.id(handle) == id).map(|_| handle)
    }

    /// Reads a little of every balance that some asks name, so that it is near when they are decided. The reads do not wait for
    /// each other, while those of a decision would: for a large batch over many balances this halves its time.
    pub fn bring_near(&self, asks: &[Ask]) {
        let mut sum = 0u64;
        for ask in asks {
            for party in [ask.source, ask.destination] {
                let Party::Id(id, _) = party else { continue };
                if let Some(balance) = self.balances.get(id.row() as usize) {
                    sum = sum.wrapping_add(balance.nonce).wrapping_add(balance.figures.posted.debit as u64);
                    sum = sum.wrapping_add(balance.history.count).wrapping_add(balance.record);
                }
            }
        }
        std::hint::black_box(sum);
    }

    /// Does the same for balances by their handles.
    pub fn bring_balances_near(&self, handles: impl Iterator<Item = u32>) {
        let mut sum = 0u64;
        for balance in handles.filter_map(|handle| self.balances.get(handle as usize)) {
            sum = sum.wrapping_add(balance.nonce).wrapping_add(balance.figures.posted.debit as u64);
            sum = sum.wrapping_add(balance.history.count).wrapping_add(balance.record);
        }
        std::hint::black_box(sum);
    }

    /// The policy of a balance, if it has one.
    pub fn policy(&self, handle: u32) -> Option<&Policed> {
        let policed = self.balances.get(handle as usize).is_some_and(|balance| balance.policed);
        if policed { self.policies.get(&handle) } else { None }
    }

    /// Where the newest change of some metadata is, or [`NO_RECORD`].
    pub fn newest_note(&self, subject: Subject) -> u64 {
        self.notes.get(&subject.pack()).map_or(NO_RECORD, |noted| noted.record)
    }

    /// The handle of the balance of an alias.
    pub fn find_alias(&self, alias: &str) -> Option<u32> {
        self.aliases.get(alias).copied()
    }

    /// The alias of a balance, or empty.
    pub fn alias(&self, handle: u32) -> &str {
        self.alias_of.get(&handle).map_or("", |alias| &**alias)
    }

    /// All aliases, with the handles of their balances. In an order that does not depend on the process.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, u32)> {
        self.alias_of.iter().map(|(handle, alias)| (&**alias, *handle))
    }

    /// Gives a balance an alias that no other has, or takes it away.
    pub fn set_alias(&mut self, handle: u32, alias: &str) {
        if let Some(before) = self.alias_of.remove(&handle) {
            self.aliases.remove(&*before);
        }
        if !alias.is_empty() {
            assert!(self.aliases.insert(alias.into(), handle).is_none(), "decide gives an alias to one balance");
            self.alias_of.insert(handle, alias.into());
        }
    }

    /// The lineage of a balance, if it is tracked and owned.
    pub fn tracked(&self, handle: u32) -> Option<&Tracked> {
        if self.tracked.is_empty() {
            return None;
        }
        let tracked = self.balances.get(handle as usize).is_some_and(|balance| balance.track_fund_lineage);
        if tracked { self.tracked.get(&handle) } else { None }
    }

    /// Names the lineage of a tracked balance: providers that come later get their balances under this label, those that
    /// are known keep theirs. An empty label is the id of the owner.
    pub(crate) fn set_lineage_label(&mut self, handle: u32, label: &str) {
        let Some(identity) = self.balance(handle).identity else { return };
        let label = if label.is_empty() { self.identity_text(identity).into() } else { label.into() };
        match self.tracked.get_mut(&handle) {
            Some(tracked) => tracked.label = label,
            None => drop(self.tracked.insert(handle, Tracked { label, funds: Vec::new() })),
        }
    }

    /// The handle of the balance of an indicator in a currency.
    pub fn find_indicator(&self, indicator: &str, currency: u32) -> Option<u32> {
        self.indicators.get(indicator)?.iter().find(|(of, _)| *of == currency).map(|(_, handle)| *handle)
    }

    /// The handle of a ledger by its id, as sent.
    pub fn find_ledger(&self, id: &str) -> Option<u32> {
        if id == GENERAL_LEDGER_ID {
            return Some(GENERAL_LEDGER);
        }
        let id = Id::parse(Prefix::Ledger, id)?;
        let handle = u32::try_from(id.row()).ok().filter(|&handle| handle != GENERAL_LEDGER)?;
        self.ledgers.get(handle as usize).filter(|ledger| ledger.id(handle) == id).map(|_| handle)
    }

    /// The handle of an identity by its id, as sent. One that was deleted is not found.
    pub fn find_identity(&self, id: &str) -> Option<u32> {
        if let Some(&handle) = self.chosen_identities.get(id) {
            return Some(handle);
        }
        let id = Id::parse(Prefix::Identity, id)?;
        let handle = u32::try_from(id.row()).ok()?;
        let known = self.identities.get(handle as usize)?;
        (known.chosen.is_none() && !known.is_deleted && known.id(handle) == id).then_some(handle)
    }

    /// The id of a ledger, as it is shown.
    pub fn ledger_text(&self, handle: u32) -> String {
        if handle == GENERAL_LEDGER {
            return GENERAL_LEDGER_ID.to_owned();
        }
        let ledger =
            self.ledgers.get(handle as usize).expect("handles come from events, which name ledgers that exist");
        ledger.id(handle).text(Prefix::Ledger)
    }

    /// The id of an identity, as it is shown.
    pub fn identity_text(&self, handle: u32) -> String {
        let one =
            self.identities.get(handle as usize).expect("handles come from events, which name identities that exist");
        one.chosen.as_deref().map_or_else(|| one.id(handle).text(Prefix::Identity), str::to_owned)
    }

    /// Adds a balance; answers its handle. An indicator is empty or not yet taken in the currency.
    pub(crate) fn add_balance(&mut self, balance: Balance, indicator: &str) -> u32 {
        let handle = u32::try_from(self.balances.len()).expect("balances are limited");
        if !indicator.is_empty() {
            assert!(self.find_indicator(indicator, balance.currency).is_none(), "decide opens an indicator once");
            match self.indicators.get_mut(indicator) {
                Some(list) => list.push((balance.currency, handle)),
                None => drop(self.indicators.insert(indicator.into(), vec![(balance.currency, handle)])),
            }
        }
        if let Some(identity) = balance.identity {
            self.use_identity(identity);
        }
        self.balances.push(balance);
        handle
    }

    /// Notes that something belongs to an identity: it cannot be deleted as long as that is so.
    pub fn use_identity(&mut self, handle: u32) {
        self.identity_mut(handle).uses += 1;
    }

    /// Notes that something does not belong to an identity any more.
    pub fn release_identity(&mut self, handle: u32) {
        let identity = self.identity_mut(handle);
        identity.uses = identity.uses.checked_sub(1).expect("what is given up was owned");
    }

    /// Gives a balance another owner.
    pub fn set_owner(&mut self, balance: u32, identity: Option<u32>) {
        let balance = self.balances.get_mut(balance as usize).expect("an event names balances that exist");
        let before = std::mem::replace(&mut balance.identity, identity);
        if let Some(before) = before {
            self.release_identity(before);
        }
        if let Some(identity) = identity {
            self.use_identity(identity);
        }
    }

    pub(crate) fn identity_mut(&mut self, handle: u32) -> &mut Identity {
        let identity = self.identities.get_mut(handle as usize).expect("an event names identities that exist");
        assert!(!identity.is_deleted, "an event names identities that exist");
        identity
    }

    pub(crate) fn remove_identity(&mut self, handle: u32) {
        let identity = self.identity_mut(handle);
        assert_eq!(identity.uses, 0, "nothing belongs to an identity that is deleted");
        identity.is_deleted = true;
        let chosen = identity.chosen.clone();
        if let Some(chosen) = chosen {
            self.chosen_identities.remove(&chosen);
        }
    }

    /// The identities that exist, newest first.
    pub fn live_identities(&self) -> impl Iterator<Item = (u32, &Identity)> {
        let all = (0..self.identities.len()).rev();
        let all = all.filter_map(|handle| Some((handle as u32, self.identities.get(handle)?)));
        all.filter(|(_, identity)| !identity.is_deleted)
    }

    pub(crate) fn add_identity(&mut self, identity: Identity) {
        let handle = u32::try_from(self.identities.len()).expect("identities are fewer than balances");
        if let Some(chosen) = identity.chosen.as_ref().filter(|_| !identity.is_deleted) {
            self.chosen_identities.insert(chosen.clone(), handle);
        }
        self.identities.push(identity);
    }

    /// All indicators: text, currency, handle. In an order that each process makes up.
    pub fn indicators(&self) -> impl Iterator<Item = (&str, u32, u32)> {
        self.indicators
            .iter()
            .flat_map(|(text, list)| list.iter().map(move |(currency, handle)| (&**text, *currency, *handle)))
    }

    /// Puts an indicator back that a checkpoint knew.
    pub fn restore_indicator(&mut self, indicator: &str, currency: u32, handle: u32) {
        match self.indicators.get_mut(indicator) {
            Some(list) => list.push((currency, handle)),
            None => drop(self.indicators.insert(indicator.into(), vec![(currency, handle)])),
        }
    }

    /// Puts an identity back that a checkpoint knew.
    pub fn restore_identity(&mut self, identity: Identity) {
        self.add_identity(identity);
    }
}

/// The currencies that were named so far; their numbers are the order in which they came.
#[derive(Clone, Default, Debug)]
pub struct Currencies {
    texts: Vec<Box<str>>,
    numbers: std::collections::BTreeMap<Box<str>, u32>,
    registered: std::collections::BTreeMap<u32, Registered>,
}

/// What is known of a registered currency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// Minor units in a major unit.
    pub precision: u64,
    /// Its name for people, or empty.
    pub name: Box<str>,
    /// When it was registered, microseconds since 1970.
    pub at: i64,
}

impl Currencies {
    /// The number of a currency.
    pub fn find(&self, text: &str) -> Option<u32> {
        // Most ledgers have a few: looking at the first is quicker than any map.
        let first = self.texts.iter().take(4).position(|one| &**one == text);
        first.map(|index| index as u32).or_else(|| self.numbers.get(text).copied())
    }

    /// The text of a number that an event made.
    pub fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// All texts, by number.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// What is known of a currency, if it is registered.
    pub fn registered(&self, number: u32) -> Option<&Registered> {
        // Most servers have no registry.
        if self.registered.is_empty() { None } else { self.registered.get(&number) }
    }

    /// All registered currencies, by number.
    pub fn all_registered(&self) -> impl Iterator<Item = (u32, &Registered)> {
        self.registered.iter().map(|(number, registered)| (*number, registered))
    }

    /// Registers a currency; answers its number.
    pub fn register(&mut self, text: &str, registered: Registered) -> u32 {
        let number = self.add(text);
        self.registered.insert(number, registered);
        number
    }

    /// Adds a currency, or finds it; answers its number.
    pub fn add(&mut self, text: &str) -> u32 {
        if let Some(number) = self.find(text) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).expect("currencies are limited");
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }
}

/// One ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ledger {
    /// The random part of its id.
    pub nonce: u64,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Where the record of its creation is, or [`NO_RECORD`].
    pub record: u64,
    /// Where the record of its last renaming is, or [`NO_RECORD`].
    pub renamed: u64,
}

impl Ledger {
    /// Its id. The General Ledger has none of this form.
    pub const fn id(&self, handle: u32) -> Id {
        Id::new(self.created_at, handle as u64, self.nonce)
    }
}

/// One identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The random part of its id.
    pub nonce: u64,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Where its record is.
    pub record: u64,
    /// The id that its maker chose.
    pub chosen: Option<Box<str>>,
    /// Where the record is that tells its fields.
    pub detail: u64,
    /// The key that opens them; `None` when they are recorded in plain text.
    pub key: Option<KeyName>,
    /// Where the record of its latest reveal is, or [`NO_RECORD`].
    pub revealed: u64,
    /// How many things belong to it.
    pub uses: u32,
    /// Whether it was deleted. Its handle is not given to another.
    pub is_deleted: bool,
}

impl Identity {
    /// Its id, unless its maker chose another.
    pub const fn id(&self, handle: u32) -> Id {
        Id::new(self.created_at, handle as u64, self.nonce)
    }
}

/// One balance: three cache lines, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
pub struct Balance {
    /// Its money.
    pub figures: Figures,
    /// Counts the changes of the figures, from 1.
    pub version: u64,
    /// The random part of its id.
    pub nonce: u64,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// The number of its currency.
    pub currency: u32,
    /// The handle of its ledger.
    pub ledger: u32,
    /// Its rows.
    pub history: History,
    /// Where its record is.
    pub record: u64,
    /// The handle of its owner.
    pub identity: Option<u32>,
    /// Which of the balances that its record opened it is.
    pub opened: u32,
    /// Whether the origin of its funds is tracked.
    pub track_fund_lineage: bool,
    /// In which order tracked funds are spent.
    pub allocation: Allocation,
    /// Whether one of its rows has a business date of its own.
    pub dated: bool,
    /// Whether it has a policy; see [`State::policies`].
    pub policed: bool,
}

const _: () = assert!(size_of::<Balance>() == 192, "a balance is three cache lines");

impl Balance {
    /// Its id.
    pub const fn id(&self, handle: u32) -> Id {
        Id::new(self.created_at, handle as u64, self.nonce)
    }
}

/// The money of a balance, in minor units. Sums only grow; what is held shrinks when the hold ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Posted credits and debits.
    pub posted: Posted,
    /// Held credits and debits.
    pub held: Posted,
}

impl Figures {
    /// What has been posted: credits less debits.
    pub const fn balance(&self) -> i128 {
        self.posted.credit - self.posted.debit
    }

    /// What is held: credits less debits.
    pub const fn inflight(&self) -> i128 {
        self.held.credit - self.held.debit
    }

    /// What may be spent: the balance less held debits. Every check of funds goes through here. Held credits do not count,
    /// as they may still be voided.
    pub const fn available(&self) -> i128 {
        self.balance() - self.held.debit
    }

    /// Whether another `amount` of debits, posted or held, keeps every later sum of the balance within 128 bits.
    pub fn can_debit(&self, amount: i128) -> bool {
        within_range(self.posted.debit, self.held.debit, amount)
    }

    /// The same of credits.
    pub fn can_credit(&self, amount: i128) -> bool {
        within_range(self.posted.credit, self.held.credit, amount)
    }
}

fn within_range(posted: i128, held: i128, amount: i128) -> bool {
    (0..=SUM_MAX).contains(&amount) && posted + held <= SUM_MAX - amount
}

/// The rows of a balance, newest first; see [`Links`].
///
/// For each bit of `count` that is set, it knows the row at the position that the bits from there up make: the path that a
/// Fenwick tree walks. The lowest ones are used most and stand in the balance itself.
#[derive(Clone, Debug)]
pub struct History {
    /// How many rows name the balance.
    pub count: u64,
    /// The row of each bit, from the lowest; of meaning only where the bit of `count` is set.
    low: [u64; LOW_LEVELS],
    /// The rows of the higher bits.
    #[expect(
        clippy::box_collection,
        reason = "a pointer of one word, so that a balance stays within three cache lines"
    )]
    high: Option<Box<Vec<u64>>>,
}

/// Histories are equal when they lead to the same rows; what is left of levels that are not used any more does not count.
impl PartialEq for History {
    fn eq(&self, other: &History) -> bool {
        self.count == other.count && self.path() == other.path()
    }
}

impl Eq for History {}

/// Levels of a history that stand in the balance itself.
const LOW_LEVELS: usize = 7;

impl Default for History {
    fn default() -> Self {
        History { count: 0, low: [NO_ROW; LOW_LEVELS], high: None }
    }
}

impl History {
    /// A history of so many rows, from its [`History::path`]. `None` when the two do not belong together.
    pub fn restore(count: u64, path: &[u64]) -> Option<History> {
        if path.len() != count.count_ones() as usize {
            return None;
        }
        let mut history = History { count, ..History::default() };
        let mut bits = count;
        for &row in path.iter().rev() {
            history.set(bits.trailing_zeros() as usize, row);
            bits &= bits - 1;
        }
        Some(history)
    }

    /// The rows of the set bits of `count`, oldest first.
    pub fn path(&self) -> Vec<u64> {
        let levels = (0..u64::BITS as usize).rev().filter(|level| self.count >> level & 1 == 1);
        levels.map(|level| self.level(level)).collect()
    }

    fn level(&self, level: usize) -> u64 {
        match level.checked_sub(LOW_LEVELS) {
            None => self.low[level],
            Some(above) => self.high.as_ref().and_then(|high| high.get(above).copied()).unwrap_or(NO_ROW),
        }
    }

    fn set(&mut self, level: usize, row: u64) {
        match level.checked_sub(LOW_LEVELS) {
            None => self.low[level] = row,
            Some(above) => {
                let high = self.high.get_or_insert_default();
                if high.len() <= above {
                    high.resize(above + 1, NO_ROW);
                }
                high[above] = row;
            }
        }
    }

    /// The row of the lowest set bit of a position on the path, or [`NO_ROW`].
    fn at(&self, position: u64) -> u64 {
        if position == 0 { NO_ROW } else { self.level(position.trailing_zeros() as usize) }
    }

    /// The newest row, or [`NO_ROW`].
    pub fn newest(&self) -> u64 {
        self.at(self.count)
    }

    /// Adds a row; answers its links.
    pub fn add(&mut self, row: u64) -> Links {
        let previous = self.newest();
        self.count += 1;
        let skip = self.at(self.count & (self.count - 1));
        self.set(self.count.trailing_zeros() as usize, row);
        Links { previous, skip }
    }
}

/// One open hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Handle of the source.
    pub source: u32,
    /// Handle of the destination.
    pub destination: u32,
    /// The number of its currency.
    pub currency: u32,
    /// What was held, minor units, with what it was raised and lowered by since.
    pub amount: i128,
    /// What is left of it, above zero.
    pub remaining: i128,
    /// When it is voided by itself.
    pub expires_at: Option<i64>,
    /// When it is committed by itself.
    pub commits_at: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reaches_every_row_of_a_history() {
        let mut history = History::default();
        let mut links = Vec::new();
        for row in 0..1000u64 {
            links.push(history.add(row));
            assert_eq!(history.newest(), row);
            assert_eq!(history.path().len(), (row + 1).count_ones() as usize);
            assert_eq!(
                History::restore(history.count, &history.path()).map(|again| again.path()),
                Some(history.path())
            );
        }
        for (row, link) in links.iter().enumerate() {
            let position = row as u64 + 1;
            assert_eq!(link.previous, if row == 0 { NO_ROW } else { row as u64 - 1 });
            let target = position & (position - 1);
            assert_eq!(link.skip, if target == 0 { NO_ROW } else { target - 1 });
        }
    }

    #[test]
    fn sums_stay_where_differences_fit() {
        let mut figures = Figures::default();
        assert!(figures.can_debit(SUM_MAX) && !figures.can_debit(SUM_MAX + 1) && !figures.can_debit(-1));
        figures.held.debit = 1;
        assert!(figures.can_debit(SUM_MAX - 1) && !figures.can_debit(SUM_MAX));
        figures.posted = Posted { credit: 0, debit: SUM_MAX - 1 };
        assert!(figures.available().checked_sub(SUM_MAX).is_some(), "no check of funds can overflow");
    }
}
