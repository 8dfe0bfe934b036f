//! Identities in a checkpoint.

use super::Out;
use crate::codec::CodecFault;
use crate::codec::bytes::{Reading, put_i64, put_text, put_u64, put_varint};
use crate::codec::identity::{put_key, take_key};
use ledger::state::{Identity, State};
use std::io;

/// Writes all identities.
pub(super) fn put(out: &mut Out, state: &State) -> io::Result<()> {
    put_varint(&mut out.buffer, state.identities.len() as u64);
    for identity in state.identities.iter() {
        put_u64(&mut out.buffer, identity.nonce);
        put_i64(&mut out.buffer, identity.created_at);
        put_u64(&mut out.buffer, identity.record);
        put_text(&mut out.buffer, identity.chosen.as_deref().unwrap_or(""));
        put_u64(&mut out.buffer, identity.detail);
        out.buffer.push(u8::from(identity.key.is_some()));
        if let Some(key) = identity.key {
            put_key(&mut out.buffer, key);
        }
        put_u64(&mut out.buffer, identity.revealed);
        put_varint(&mut out.buffer, u64::from(identity.uses));
        out.buffer.push(u8::from(identity.is_deleted));
        out.piece()?;
    }
    Ok(())
}

/// Reads all identities.
pub(super) fn take(from: &mut Reading<'_>, state: &mut State) -> Result<(), CodecFault> {
    for _ in 0..from.varint()? {
        let (nonce, created_at, record) = (from.u64()?, from.i64()?, from.u64()?);
        let chosen = from.text()?;
        let chosen = (!chosen.is_empty()).then(|| chosen.into());
        let detail = from.u64()?;
        let key = if from.flag("a key")? { Some(take_key(from)?) } else { None };
        let (revealed, uses, is_deleted) = (from.u64()?, from.number("uses")?, from.flag("is_deleted")?);
        state.restore_identity(Identity { nonce, created_at, record, chosen, detail, key, revealed, uses, is_deleted });
    }
    Ok(())
}
