//! Batches on the wire.

use super::transaction::{How, Last, TransactionBody, Unscaled, Wrong, legs, seal};
use crate::api::split::{self, PartBody, Sides};
use crate::decode::Text;
use crate::http::error::ApiError;
use engine::reading::{Books, Registry};
use ledger::command::Ask;
use ledger::limits;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::fmt;

crate::lenient_struct! {
    /// Body of `POST /transactions/bulk`.
    pub struct BulkBody<'a> {
        /// The items.
        "transactions" transactions: Items<'a>,
        /// Whether all items are holds.
        "inflight" inflight: bool,
        /// Whether all are recorded or none.
        "atomic" atomic: bool,
        /// Whether to go on past an item that is refused.
        "continue_on_error" continue_on_error: bool,
        /// Whether to answer before the work is done.
        "run_async" run_async: bool,
        /// Whether outcomes have no rows of their own.
        "skip_queue" skip_queue: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
    }
}

crate::lenient_struct! {
    /// The items of a batch as they were sent, for messages about one of them.
    pub struct ItemList<'a> {
        /// The items.
        "transactions" transactions: Vec<Option<TransactionBody<'a>>>,
    }
}

crate::lenient_struct! {
    /// The items of a batch as answers name them.
    pub struct NameList<'a> {
        /// The items.
        "transactions" transactions: Vec<Option<ItemNames<'a>>>,
    }
}

crate::lenient_struct! {
    /// What answers name of an item.
    pub struct ItemNames<'a> {
        /// Its reference.
        "reference" reference: Text<'a>,
        /// Where its amount was to be taken from.
        "source" source: Text<'a>,
        /// Where its amount was to go.
        "destination" destination: Text<'a>,
        /// Its currency.
        "currency" currency: Text<'a>,
        /// Several sources.
        "sources" sources: Vec<PartBody<'a>>,
        /// Several destinations.
        "destinations" destinations: Vec<PartBody<'a>>,
    }
}

impl<'a> ItemNames<'a> {
    /// Its sides, when they are several.
    pub fn sides(&self) -> Sides<'_, 'a> {
        Sides {
            sources: self.sources.as_deref().unwrap_or_default(),
            destinations: self.destinations.as_deref().unwrap_or_default(),
        }
    }
}

/// The items of a batch. Each is checked and turned into an ask as soon as it is read: a batch of thousands is never held as
/// requests, which are several times as large.
#[derive(Debug, Default)]
pub struct Items<'a> {
    /// How many items were sent.
    pub count: usize,
    /// The asks of the items, but for those that are split.
    asks: Vec<Ask>,
    /// The items that are split, in order, with their positions; their asks follow from how the batch is recorded.
    splits: Vec<(u32, TransactionBody<'a>)>,
    /// The amounts of those of the asks that leave their precision to the registry, with the position of the ask.
    unscaled: Vec<(usize, Unscaled<'a>)>,
    /// The arena of all texts.
    text: String,
    /// The items that are wrong, in order, and how.
    pub wrong: Vec<(usize, WrongItem)>,
}

/// What is to be recorded of the items of a batch.
#[derive(Debug)]
pub struct Asks {
    /// The asks, in order of items and legs.
    pub asks: Vec<Ask>,
    /// The arena of all texts.
    pub text: String,
    /// The items that have several sources, in order.
    pub of_sources: Vec<u32>,
    /// The items that are wrong, in order, and how. They have no asks.
    pub wrong: Vec<(usize, WrongItem)>,
}

/// What can be wrong with an item.
#[derive(Debug)]
pub enum WrongItem {
    /// There is none.
    Missing,
    /// A dry run was asked of the item alone.
    DryRun,
    /// Its fields are not in order.
    Fields(Wrong),
    /// Its parts do not make a whole.
    Parts(ApiError),
}

/// Most legs, and items that are not split, that one batch may have.
const LEGS_MAX: usize = limits::EVENT_ROWS_MAX / 2;

/// First guess at the texts of one item, in bytes.
const TEXT_BYTES_USUAL: usize = 160;

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Items<'a>, D::Error> {
        struct ItemsVisitor;

        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of transactions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Items<'de>, A::Error> {
                let mut items = Items::default();
                let mut last = Last::default();
                // Past the limit the rest is only read for its form.
                while items.count < limits::BATCH_ITEMS_MAX {
                    let Some(body) = sequence.next_element::<Option<TransactionBody<'de>>>()? else { return Ok(items) };
                    items.add(body, &mut last);
                }
                while sequence.next_element::<IgnoredAny>()?.is_some() {
                    items.count += 1;
                }
                Ok(items)
            }
        }

        deserializer.deserialize_seq(ItemsVisitor)
    }
}

impl<'a> Items<'a> {
    fn add(&mut self, body: Option<TransactionBody<'a>>, last: &mut Last) {
        let index = self.count;
        self.count += 1;
        let Some(body) = body else {
            self.wrong.push((index, WrongItem::Missing));
            return;
        };
        if body.dry_run == Some(true) {
            self.wrong.push((index, WrongItem::DryRun));
            return;
        }
        match body.check() {
            Err(wrong) => self.wrong.push((index, WrongItem::Fields(wrong))),
            Ok(facts) => {
                if self.asks.capacity() == 0 {
                    self.asks.reserve(64);
                    self.text.reserve(64 * TEXT_BYTES_USUAL);
                }
                let item = u32::try_from(index).expect("batches are limited");
                if body.is_split() {
                    self.splits.push((item, body));
                } else {
                    self.unscaled.extend(body.unscaled().map(|unscaled| (self.asks.len(), unscaled)));
                    self.asks.push(Ask { item, ..body.ask(&facts, &mut self.text, last) });
                }
            }
        }
    }

    /// All asks in order of items. Items whose amounts or parts turn out to be wrong have none. Once there are more than
    /// [`limits::EVENT_ROWS_MAX`] allows, the splits behind are left out: each leg has a reference of its own, so a request that
    /// asks for too many of them would take far more memory than it was sent in.
    pub fn into_asks(self, books: &Books, how: How) -> Asks {
        let registry = books.registry();
        let Items { mut asks, splits, unscaled, mut text, mut wrong, .. } = self;
        scale(&mut asks, &text, &unscaled, &registry, &mut wrong);
        let mut of_sources = Vec::new();
        if !splits.is_empty() {
            let plain = std::mem::take(&mut asks);
            let mut plain = plain.into_iter().peekable();
            let mut last = Last::default();
            for (item, body) in splits {
                if asks.len() > LEGS_MAX {
                    break;
                }
                while let Some(ask) = plain.next_if(|ask| ask.item < item) {
                    asks.push(ask);
                }
                if body.sources.as_ref().is_some_and(|parts| !parts.is_empty()) {
                    of_sources.push(item);
                }
                match legs_of(item, body, (&registry, how.queued), &mut text, &mut last) {
                    Ok(legs) => asks.extend(legs),
                    Err(fault) => wrong.push((item as usize, fault)),
                }
            }
            asks.extend(plain);
        }
        wrong.sort_by_key(|(index, _)| *index);
        seal(&mut asks, books, how, &text);
        Asks { asks, text, of_sources, wrong }
    }
}

/// Puts the amounts of asks whose precision is that of a registered currency into minor units. Asks whose amounts are then
/// beyond what can be recorded are taken out.
fn scale(
    asks: &mut Vec<Ask>,
    text: &str,
    unscaled: &[(usize, Unscaled<'_>)],
    registry: &Registry,
    wrong: &mut Vec<(usize, WrongItem)>,
) {
    let wrong_before = wrong.len();
    for (position, amounts) in unscaled {
        let ask = &mut asks[*position];
        let Some(precision) = registry.precision(ask.currency.of(text)) else { continue };
        match amounts.scaled(precision) {
            Ok(scaled) => scaled.put(ask),
            Err(problems) => wrong.push((ask.item as usize, WrongItem::Fields(Wrong::Fields(problems)))),
        }
    }
    let late = &wrong[wrong_before..];
    if !late.is_empty() {
        asks.retain(|ask| late.binary_search_by_key(&(ask.item as usize), |(index, _)| *index).is_err());
    }
}

/// The asks of the legs of a split item.
fn legs_of(
    item: u32,
    body: TransactionBody<'_>,
    (registry, queued): (&Registry, bool),
    text: &mut String,
    last: &mut Last,
) -> Result<Vec<Ask>, WrongItem> {
    let checked = body.checked(registry).map_err(WrongItem::Fields)?;
    let parts = split::parts_of(&checked).map_err(WrongItem::Parts)?;
    let whole = Ask { item, ..checked.body.ask(&checked.facts, text, last) };
    Ok(parts.map_or_else(Vec::new, |parts| legs(&whole, &parts, queued, text)))
}

/// Answer to a batch.
#[derive(Debug, Serialize)]
pub struct BulkView {
    /// The id of the batch.
    pub batch_id: String,
    /// `applied` or `inflight`.
    pub status: &'static str,
    /// How many items were sent.
    pub transaction_count: usize,
}

/// Answer to a batch that is worked on after the answer.
#[derive(Debug, Serialize)]
pub struct AsyncBulkView {
    /// A fixed text.
    pub message: &'static str,
    /// The id of the batch.
    pub batch_id: String,
    /// `processing`.
    pub status: &'static str,
}

/// Answer to a batch that went on past what was refused.
#[derive(Debug, Serialize)]
pub struct BulkResultsView<'a> {
    /// The id of the batch; empty when nothing was recorded.
    pub batch_id: String,
    /// `applied`, `inflight`, or `failed` when every item was.
    pub status: &'static str,
    /// How many items were sent.
    pub transaction_count: usize,
    /// Items that were recorded, now or an earlier time.
    pub succeeded: usize,
    /// Items that were refused.
    pub failed: usize,
    /// One for each item, in order.
    pub results: Vec<ItemResult<'a>>,
}

/// What became of an item.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ItemResult<'a> {
    /// It was recorded.
    Recorded {
        /// Its position in the request, from 0.
        index: usize,
        /// Its reference.
        reference: &'a str,
        /// Its id; of a split item that of the whole.
        transaction_id: String,
        /// The status of its request.
        status: &'static str,
        /// The batch that it belongs to, when it was recorded an earlier time and not in this one.
        #[serde(skip_serializing_if = "Option::is_none")]
        parent_transaction: Option<String>,
    },
    /// It was refused.
    Failed {
        /// Its position in the request, from 0.
        index: usize,
        /// Its reference.
        reference: &'a str,
        /// `failed`.
        status: &'static str,
        /// Why.
        code: &'static str,
        /// The same for people.
        message: String,
    },
}
