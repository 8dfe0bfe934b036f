//! One movement of a record, without the others. A record of a large batch has a thousand movements and more; whoever wants the
//! texts of one row goes over those before it, and makes nothing of them.

use super::bytes::Reading;
use super::{CodecFault, Head, RECORDED, VERSION, lineage, marks, take_head};
use super::{EVENT_MOVEMENTS_MAX, NO_SIDE, OPENED_MAX, POSTING, REJECTED, decode_movement};
use ledger::command::Batch;
use ledger::event::Movement;
use ledger::limits;
use std::cell::OnceCell;

/// What a record tells of one of its movements.
pub struct Extract {
    /// When it was recorded.
    pub at: i64,
    /// Seed of all ids that the event makes.
    pub seed: u64,
    /// The number of the first row of the event.
    pub first_row: u64,
    /// Whether the event is a batch.
    pub batch: Batch,
    /// The movement.
    pub movement: Movement,
    /// The arena of its texts.
    pub text: String,
    payload: Vec<u8>,
    /// Where in the payload the movements behind it begin, and how many there are.
    behind: (usize, usize),
    /// Whether something followed in the lineage, once that was asked for. It stands behind all other movements, so it is the same
    /// for each of them.
    lineage: OnceCell<bool>,
}

impl Extract {
    /// What the payload of a record tells of a movement by its index. The payload itself comes back when the record does not have
    /// that movement, or when others matter for it: for one of the lineage what it followed from, for a leg of a split
    /// transaction that is alone in its record the legs before it.
    pub fn take(payload: Vec<u8>, index: usize) -> Result<Result<Extract, Vec<u8>>, CodecFault> {
        let mut from = Reading::new(&payload);
        if (from.byte()?, from.byte()?) != (RECORDED, VERSION) {
            return Ok(Err(payload));
        }
        let at = from.i64()?;
        let Head { seed, first_row, batch, .. } = take_head(&mut from)?;
        for _ in 0..from.count(limits::CURRENCIES_MAX, "currencies")? {
            from.pass_text()?;
        }
        for _ in 0..from.count(OPENED_MAX, "opened balances")? {
            from.pass_text()?;
            from.pass_numbers(1)?;
        }
        let count = from.count(EVENT_MOVEMENTS_MAX, "movements")?;
        let Some((movement, text)) = next(&mut from, index, count, (0, batch))? else { return Ok(Err(payload)) };
        let behind = (payload.len() - from.len(), count - index - 1);
        Ok(Ok(Extract { at, seed, first_row, batch, movement, text, payload, behind, lineage: OnceCell::new() }))
    }

    /// Goes on to a movement behind this one, past so many others. Answers whether it did: not when the record does not have it, or
    /// when others matter for it.
    pub fn go_on(&mut self, past: usize) -> Result<bool, CodecFault> {
        let (at, count) = self.behind;
        let mut from = Reading::new(&self.payload[at..]);
        let Some((movement, text)) = next(&mut from, past, count, (self.movement.item, self.batch))? else {
            return Ok(false);
        };
        (self.movement, self.text) = (movement, text);
        self.behind = (self.payload.len() - from.len(), count - past - 1);
        Ok(true)
    }

    /// Whether something followed in the lineage of tracked balances; goes over the movements behind this one.
    pub fn has_lineage(&self) -> Result<bool, CodecFault> {
        match self.lineage.get() {
            Some(known) => Ok(*known),
            None => {
                let found = self.look_for_lineage()?;
                Ok(*self.lineage.get_or_init(|| found))
            }
        }
    }

    fn look_for_lineage(&self) -> Result<bool, CodecFault> {
        let (at, count) = self.behind;
        let mut from = Reading::new(&self.payload[at..]);
        for _ in 0..count {
            if pass(&mut from)?.is_none() {
                return Ok(true);
            }
        }
        if from.is_empty() { Ok(false) } else { Err(CodecFault::Trailing) }
    }
}

/// The movement behind so many others, of `count` that are left, and the arena of its texts. Nothing when there are not as many, or
/// when others matter for it. What is before: the item of the movement that is passed already.
fn next(
    from: &mut Reading<'_>,
    past: usize,
    count: usize,
    (item, batch): (u32, Batch),
) -> Result<Option<(Movement, String)>, CodecFault> {
    if past >= count {
        return Ok(None);
    }
    let mut item_before = item;
    for _ in 0..past {
        let Some(items) = pass(from)? else { return Ok(None) };
        item_before = item_before.checked_add(items).ok_or(CodecFault::Value("an item"))?;
    }
    if is_lineage(from.peek()?) {
        return Ok(None);
    }
    let mut text = String::new();
    let movement = decode_movement(from, item_before, &[], &mut text)?;
    Ok((movement.leg == 0 || batch != Batch::Single).then_some((movement, text)))
}

fn is_lineage(head: u8) -> bool {
    matches!(head & 15, lineage::LINEAGE | lineage::SETTLEMENT)
}

/// Goes over a movement; answers how many items on from that before it it is. Nothing, and not over it, when it is one of the
/// lineage: behind it there are no others.
fn pass(from: &mut Reading<'_>) -> Result<Option<u32>, CodecFault> {
    let head = from.peek()?;
    if is_lineage(head) {
        return Ok(None);
    }
    from.byte()?;
    let marks = from.varint()?;
    if marks & !marks::ALL != 0 {
        return Err(CodecFault::Value("marks"));
    }
    let has = |mark: u64| usize::from(marks & mark != 0);
    if head >> 4 == REJECTED {
        from.byte()?;
    }
    let items = from.number("an item")?;
    from.pass_numbers(has(marks::LEG) + usize::from(head & 15 != POSTING))?;
    for _side in 0..2 {
        if from.peek()? == NO_SIDE {
            from.byte()?;
            from.pass_text()?;
        } else {
            from.pass_numbers(1)?;
        }
    }
    // Amount, precision and currency.
    from.pass_numbers(3)?;
    // Reference, description and metadata.
    for _text in 0..3 {
        from.pass_text()?;
    }
    from.pass_numbers(has(marks::LIMIT))?;
    let times = has(marks::EFFECTIVE) + has(marks::SCHEDULED) + has(marks::EXPIRES) + has(marks::COMMITS);
    from.take(8 * times)?;
    if has(marks::PROVIDER) != 0 {
        from.pass_text()?;
    }
    Ok(Some(items))
}
