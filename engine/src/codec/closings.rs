//! Closings and assertions as bytes, in events.

use super::CodecFault;
use super::bytes::{Reading, put_i64, put_i128, put_text, put_u64, put_varint};
use ledger::closings::{Total, Turnover};
use ledger::event::{AssertionDeleted, BalanceAsserted, ClosingTotalled, LedgerClosed};
use ledger::id::Id;
use ledger::limits;
use ledger::wide::Wide;

/// Appends what closes books, without its time.
pub fn put_closed(out: &mut Vec<u8>, event: &LedgerClosed) {
    out.extend_from_slice(&event.id.bytes());
    put_varint(out, u64::from(event.ledger));
    out.push(u8::from(event.from.is_some()));
    if let Some(from) = event.from {
        put_i64(out, from);
    }
    put_i64(out, event.until);
    put_text(out, &event.description);
    put_text(out, &event.metadata);
}

/// Takes what closes books.
pub fn take_closed(at: i64, from: &mut Reading<'_>) -> Result<LedgerClosed, CodecFault> {
    let (id, ledger) = (take_id(from)?, from.number("a ledger")?);
    let present = from.flag("a closing")?;
    Ok(LedgerClosed {
        at,
        id,
        ledger,
        from: from.time_when(present)?,
        until: from.i64()?,
        description: from.text()?.to_owned(),
        metadata: from.text()?.to_owned(),
    })
}

/// Appends the totals of a closing, without their time.
pub fn put_totalled(out: &mut Vec<u8>, event: &ClosingTotalled) {
    out.extend_from_slice(&event.closing.bytes());
    put_varint(out, event.totals.len() as u64);
    for total in &event.totals {
        put_varint(out, u64::from(total.currency));
        put_varint(out, total.balances);
        for turnover in [total.opening, total.closing] {
            put_wide(out, turnover.credit);
            put_wide(out, turnover.debit);
        }
    }
}

/// Takes the totals of a closing.
pub fn take_totalled(at: i64, from: &mut Reading<'_>) -> Result<ClosingTotalled, CodecFault> {
    let closing = take_id(from)?;
    let count = from.count(limits::CLOSING_CURRENCIES_MAX, "totals")?;
    let mut totals = Vec::with_capacity(count);
    for _ in 0..count {
        let (currency, balances) = (from.number("a currency")?, from.varint()?);
        let mut turnover = || Ok(Turnover { credit: take_wide(from)?, debit: take_wide(from)? });
        totals.push(Total { currency, balances, opening: turnover()?, closing: turnover()? });
    }
    Ok(ClosingTotalled { at, closing, totals })
}

/// Three numbers: the bits from 128 on, from 64 on, from 0 on.
fn put_wide(out: &mut Vec<u8>, sum: Wide) {
    let (high, low) = sum.parts();
    put_varint(out, high);
    put_varint(out, (low >> 64) as u64);
    put_varint(out, low as u64);
}

fn take_wide(from: &mut Reading<'_>) -> Result<Wide, CodecFault> {
    let (high, middle, low) = (from.varint()?, from.varint()?, from.varint()?);
    Ok(Wide::of_parts(high, u128::from(middle) << 64 | u128::from(low)))
}

/// Appends what is said of a balance, without its time.
pub fn put_asserted(out: &mut Vec<u8>, event: &BalanceAsserted) {
    out.extend_from_slice(&event.id.bytes());
    put_varint(out, u64::from(event.balance));
    put_i64(out, event.as_of);
    put_u64(out, event.before_row);
    put_i128(out, event.amount);
    put_varint(out, event.precision);
    put_text(out, &event.description);
    put_text(out, &event.source);
    put_text(out, &event.metadata);
}

/// Takes what is said of a balance.
pub fn take_asserted(at: i64, from: &mut Reading<'_>) -> Result<BalanceAsserted, CodecFault> {
    Ok(BalanceAsserted {
        at,
        id: take_id(from)?,
        balance: from.number("a balance")?,
        as_of: from.i64()?,
        before_row: from.u64()?,
        amount: from.i128()?,
        precision: from.varint()?,
        description: from.text()?.to_owned(),
        source: from.text()?.to_owned(),
        metadata: from.text()?.to_owned(),
    })
}

/// Appends what deletes an assertion, without its time.
pub fn put_deleted(out: &mut Vec<u8>, event: &AssertionDeleted) {
    out.extend_from_slice(&event.id.bytes());
}

/// Takes what deletes an assertion.
pub fn take_deleted(at: i64, from: &mut Reading<'_>) -> Result<AssertionDeleted, CodecFault> {
    Ok(AssertionDeleted { at, id: take_id(from)? })
}

/// Takes an id whose number is that of a closing or an assertion.
pub fn take_id(from: &mut Reading<'_>) -> Result<Id, CodecFault> {
    let id = Id::from_bytes(from.take(16)?.try_into().expect("16 bytes were taken"));
    if u32::try_from(id.row()).is_ok() { Ok(id) } else { Err(CodecFault::Value("an id")) }
}
