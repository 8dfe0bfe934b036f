//! Closings and assertions in a checkpoint.

use super::Out;
use crate::codec::CodecFault;
use crate::codec::bytes::{Reading, put_i64, put_i128, put_u64, put_varint};
use crate::codec::closings::take_id;
use ledger::assertions::Assertion;
use ledger::closings::Closing;
use ledger::state::State;
use std::io;

/// Appends all closings and assertions.
pub fn put(out: &mut Out, state: &State) -> io::Result<()> {
    put_varint(&mut out.buffer, state.closings.len() as u64);
    for closing in state.closings.iter() {
        out.buffer.extend_from_slice(&closing.id.bytes());
        put_i64(&mut out.buffer, closing.created_at);
        put_varint(&mut out.buffer, u64::from(closing.ledger));
        put_i64(&mut out.buffer, closing.until);
        put_u64(&mut out.buffer, closing.record);
        put_u64(&mut out.buffer, closing.totals);
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.assertions.made_count() as u64);
    for assertion in state.assertions.iter() {
        out.buffer.extend_from_slice(&assertion.id.bytes());
        put_i64(&mut out.buffer, assertion.created_at);
        put_varint(&mut out.buffer, u64::from(assertion.balance));
        put_i64(&mut out.buffer, assertion.as_of);
        put_u64(&mut out.buffer, assertion.before_row);
        put_i128(&mut out.buffer, assertion.amount);
        put_u64(&mut out.buffer, assertion.record);
        out.piece()?;
    }
    Ok(())
}

/// Takes all closings and assertions into a state that has its ledgers and balances.
pub fn take(from: &mut Reading<'_>, state: &mut State) -> Result<(), CodecFault> {
    for _ in 0..from.varint()? {
        let closing = Closing {
            id: take_id(from)?,
            created_at: from.i64()?,
            ledger: from.number("a ledger")?,
            until: from.i64()?,
            record: from.u64()?,
            totals: from.u64()?,
        };
        if closing.ledger as usize >= state.ledgers.len() || !state.closings.restore(closing) {
            return Err(CodecFault::Value("a closing"));
        }
    }
    for _ in 0..from.varint()? {
        let assertion = Assertion {
            id: take_id(from)?,
            created_at: from.i64()?,
            balance: from.number("a balance")?,
            as_of: from.i64()?,
            before_row: from.u64()?,
            amount: from.i128()?,
            record: from.u64()?,
        };
        let is_next = assertion.id.row() == state.assertions.made_count() as u64;
        if !is_next || assertion.balance as usize >= state.balances.len() {
            return Err(CodecFault::Value("an assertion"));
        }
        state.assertions.restore(assertion);
    }
    Ok(())
}
