//! Monitors in a checkpoint: where their records are, and those of all changes of them.

use super::Out;
use crate::codec::CodecFault;
use crate::codec::bytes::{Reading, put_i64, put_u64, put_varint};
use crate::codec::monitor;
use ledger::monitor::{Defined, Monitor};
use ledger::state::State;
use std::io;

/// Appends the monitors of a state.
pub fn put(out: &mut Out, state: &State) -> io::Result<()> {
    put_varint(&mut out.buffer, state.monitors.made_count() as u64);
    for monitor in state.monitors.iter() {
        out.buffer.extend_from_slice(&monitor.id.bytes());
        put_i64(&mut out.buffer, monitor.created_at);
        put_varint(&mut out.buffer, u64::from(monitor.balance));
        put_u64(&mut out.buffer, monitor.record);
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.monitors.changes().len() as u64);
    for change in state.monitors.changes().iter() {
        put_varint(&mut out.buffer, change.record);
        put_varint(&mut out.buffer, change.first_row);
        out.piece()?;
    }
    Ok(())
}

/// Takes the monitors of a state.
pub fn take(from: &mut Reading<'_>, state: &mut State) -> Result<(), CodecFault> {
    for _ in 0..from.varint()? {
        let (id, created_at, balance) = (monitor::take_id(from)?, from.i64()?, from.number("a balance")?);
        if id.row() != state.monitors.made_count() as u64 || balance as usize >= state.balances.len() {
            return Err(CodecFault::Value("a monitor"));
        }
        state.monitors.restore(Monitor { id, created_at, balance, record: from.u64()? });
    }
    for _ in 0..from.varint()? {
        let (record, first_row) = (from.varint()?, from.varint()?);
        if first_row > state.rows_count {
            return Err(CodecFault::Value("a monitor"));
        }
        state.monitors.restore_change(Defined { record, first_row });
    }
    Ok(())
}
