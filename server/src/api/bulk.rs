//! Batches on the wire.

use super::transaction::{Checked, How, Last, TransactionBody, Wrong, legs, seal};
use crate::api::split;
use crate::http::error::ApiError;
use engine::reading::Books;
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

/// The items of a batch. Each is checked and turned into an ask as soon as it is read: a batch of thousands is never held as
/// requests, which are several times as large.
#[derive(Debug, Default)]
pub struct Items<'a> {
    /// How many items were sent.
    pub count: usize,
    /// The asks of the items, but for those that are split.
    asks: Vec<Ask>,
    /// The items that are split, in order; their asks follow from how the batch is recorded.
    splits: Vec<(Ask, Checked<'a>)>,
    /// The arena of all texts.
    text: String,
    /// The first item that is wrong, and how.
    pub wrong: Option<(usize, WrongItem)>,
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
}

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
                // Past the first mistake, and past the limit, the rest is only read for its form.
                while items.wrong.is_none() && items.count < limits::BATCH_ITEMS_MAX {
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
            self.wrong = Some((index, WrongItem::Missing));
            return;
        };
        if body.dry_run == Some(true) {
            self.wrong = Some((index, WrongItem::DryRun));
            return;
        }
        match body.check() {
            Err(wrong) => self.wrong = Some((index, WrongItem::Fields(wrong))),
            Ok(facts) => {
                if self.asks.capacity() == 0 {
                    self.asks.reserve(64);
                    self.text.reserve(64 * TEXT_BYTES_USUAL);
                }
                let item = u32::try_from(index).expect("batches are limited");
                let ask = Ask { item, ..body.ask(&facts, &mut self.text, last) };
                if body.is_split() {
                    self.splits.push((ask, Checked { body, facts }));
                } else {
                    self.asks.push(ask);
                }
            }
        }
    }

    /// All asks in order of items, and the arena of their texts.
    pub fn into_asks(self, books: &Books, how: How) -> Result<(Vec<Ask>, String), ApiError> {
        let Items { mut asks, splits, mut text, .. } = self;
        if !splits.is_empty() {
            let plain = std::mem::take(&mut asks);
            let mut plain = plain.into_iter().peekable();
            for (whole, checked) in &splits {
                while let Some(ask) = plain.next_if(|ask| ask.item < whole.item) {
                    asks.push(ask);
                }
                if let Some(parts) = split::parts_of(checked)? {
                    asks.extend(legs(whole, &parts, how.queued, &mut text));
                }
            }
            asks.extend(plain);
        }
        seal(&mut asks, books, how, &text);
        Ok((asks, text))
    }
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
