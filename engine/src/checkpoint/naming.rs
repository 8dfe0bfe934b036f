//! Changes of metadata, and aliases of balances.

use super::Out;
use crate::codec::CodecFault;
use crate::codec::bytes::{Reading, put_text, put_u64, put_varint};
use ledger::notes::{Noted, Subject};
use ledger::state::State;
use std::io;

pub(super) fn put(out: &mut Out, state: &State) -> io::Result<()> {
    put_varint(&mut out.buffer, state.notes.len() as u64);
    for (&subject, noted) in state.notes.iter() {
        put_varint(&mut out.buffer, subject);
        put_u64(&mut out.buffer, noted.record);
        put_varint(&mut out.buffer, u64::from(noted.count));
        put_varint(&mut out.buffer, noted.bytes);
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.aliases().count() as u64);
    for (alias, handle) in state.aliases() {
        put_text(&mut out.buffer, alias);
        put_varint(&mut out.buffer, u64::from(handle));
        out.piece()?;
    }
    Ok(())
}

pub(super) fn parse(from: &mut Reading<'_>, state: &mut State) -> Result<(), CodecFault> {
    for _ in 0..from.varint()? {
        let subject = from.varint()?;
        let subject = Subject::unpack(subject).ok_or(CodecFault::Value("what metadata belongs to"))?;
        let noted = Noted { record: from.u64()?, count: from.number("changes")?, bytes: from.varint()? };
        state.notes.insert(subject.pack(), noted);
    }
    for _ in 0..from.varint()? {
        let alias = from.text()?;
        let handle = from.number("a balance")?;
        if handle as usize >= state.balances.len() || alias.is_empty() || state.find_alias(alias).is_some() {
            return Err(CodecFault::Value("an alias"));
        }
        state.set_alias(handle, alias);
    }
    Ok(())
}
