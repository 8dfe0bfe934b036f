//! The lineage of tracked balances in a checkpoint.

use super::Out;
use crate::codec::bytes::{Reading, put_i64, put_i128, put_text, put_varint};
use crate::codec::{CodecFault, lineage};
use ledger::lineage::{Fund, HeldPart, Purse, Tracked};
use ledger::state::State;
use std::io;

/// Appends the funds of all tracked balances, and what holds have of them.
pub fn put(out: &mut Out, state: &State) -> io::Result<()> {
    put_varint(&mut out.buffer, state.tracked.len() as u64);
    for (&handle, tracked) in state.tracked.iter() {
        put_varint(&mut out.buffer, u64::from(handle));
        put_text(&mut out.buffer, &tracked.label);
        put_varint(&mut out.buffer, tracked.funds.len() as u64);
        for fund in &tracked.funds {
            put_fund(&mut out.buffer, fund);
            out.piece()?;
        }
    }
    put_varint(&mut out.buffer, state.held_parts.len() as u64);
    for (&hold, parts) in state.held_parts.iter() {
        put_varint(&mut out.buffer, hold);
        put_varint(&mut out.buffer, parts.len() as u64);
        for part in parts {
            put_varint(&mut out.buffer, part.row);
            out.buffer.push(lineage::role_number(part.role));
            put_varint(&mut out.buffer, u64::from(part.balance));
            put_varint(&mut out.buffer, u64::from(part.fund));
            put_i128(&mut out.buffer, part.remaining);
            out.piece()?;
        }
    }
    Ok(())
}

fn put_fund(out: &mut Vec<u8>, fund: &Fund) {
    put_text(out, &fund.provider);
    put_varint(out, u64::from(fund.shadow));
    put_varint(out, u64::from(fund.aggregate));
    put_i64(out, fund.since);
    let Purse { received, spent, held_in, held_out } = fund.purse;
    for amount in [received, spent, held_in, held_out] {
        put_i128(out, amount);
    }
}

/// Reads it back into a state whose balances are there.
pub fn take(from: &mut Reading<'_>, state: &mut State) -> Result<(), CodecFault> {
    for _ in 0..from.varint()? {
        let handle = take_balance(from, state)?;
        let label = from.text()?.into();
        let mut funds = Vec::new();
        for _ in 0..from.varint()? {
            funds.push(take_fund(from, state)?);
        }
        state.tracked.insert(handle, Tracked { label, funds });
    }
    for _ in 0..from.varint()? {
        let hold = from.varint()?;
        let mut parts = Vec::new();
        for _ in 0..from.varint()? {
            parts.push(HeldPart {
                row: from.varint()?,
                role: lineage::role_of(from.byte()?)?,
                balance: take_balance(from, state)?,
                fund: from.number("a fund")?,
                remaining: from.i128()?,
            });
        }
        let known = |part: &HeldPart| {
            let tracked = state.tracked.get(&part.balance);
            tracked.is_some_and(|tracked| (part.fund as usize) < tracked.funds.len())
        };
        if !parts.iter().all(known) {
            return Err(CodecFault::Value("a fund"));
        }
        state.held_parts.insert(hold, parts);
    }
    Ok(())
}

fn take_fund(from: &mut Reading<'_>, state: &State) -> Result<Fund, CodecFault> {
    Ok(Fund {
        provider: from.text()?.into(),
        shadow: take_balance(from, state)?,
        aggregate: take_balance(from, state)?,
        since: from.i64()?,
        purse: Purse { received: from.i128()?, spent: from.i128()?, held_in: from.i128()?, held_out: from.i128()? },
    })
}

fn take_balance(from: &mut Reading<'_>, state: &State) -> Result<u32, CodecFault> {
    let handle = from.number("a balance")?;
    if (handle as usize) < state.balances.len() { Ok(handle) } else { Err(CodecFault::Value("a balance")) }
}
