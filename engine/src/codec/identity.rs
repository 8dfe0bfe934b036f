//! Identities as bytes: what is sealed stands as it is, nobody here can read it.

use super::CodecFault;
use super::bytes::{Reading, put_i64, put_text, put_u64, put_varint};
use ledger::event::{IdentityChanged, IdentityCreated, IdentityDeleted, IdentityRevealed};
use ledger::identity::{Detail, KeyName, Sealed};
use ledger::limits;

/// Version of the layout of an identity whose fields are in plain text, as the first release recorded them.
pub const PLAIN: u8 = 1;
/// Version of the layout of an identity whose fields are sealed.
pub const SEALED: u8 = 2;

/// The version in which an identity is written.
pub const fn version_of(detail: &Detail) -> u8 {
    match detail {
        Detail::Plain(_) => PLAIN,
        Detail::Sealed(_) => SEALED,
    }
}

/// Appends what stands behind the time of a made identity.
pub fn put_created(out: &mut Vec<u8>, event: &IdentityCreated) {
    put_u64(out, event.seed);
    put_text(out, &event.id);
    put_detail(out, &event.detail);
}

/// Appends what stands behind the time of a changed identity.
pub fn put_changed(out: &mut Vec<u8>, event: &IdentityChanged) {
    put_varint(out, u64::from(event.identity));
    put_detail(out, &event.detail);
}

/// Appends what stands behind the time of a reveal.
pub fn put_revealed(out: &mut Vec<u8>, event: &IdentityRevealed) {
    put_varint(out, u64::from(event.identity));
    put_text(out, &event.who);
    put_text(out, &event.request);
    put_varint(out, event.fields.len() as u64);
    for field in &event.fields {
        put_text(out, field);
    }
    put_u64(out, event.previous);
}

/// Takes a made identity.
pub fn take_created(at: i64, version: u8, from: &mut Reading<'_>) -> Result<IdentityCreated, CodecFault> {
    Ok(IdentityCreated {
        at,
        seed: from.u64()?,
        id: from.text()?.to_owned(),
        detail: take_detail(version == SEALED, from)?,
    })
}

/// Takes a changed identity.
pub fn take_changed(at: i64, version: u8, from: &mut Reading<'_>) -> Result<IdentityChanged, CodecFault> {
    Ok(IdentityChanged { at, identity: from.number("an identity")?, detail: take_detail(version == SEALED, from)? })
}

/// Takes a deleted identity.
pub fn take_deleted(at: i64, from: &mut Reading<'_>) -> Result<IdentityDeleted, CodecFault> {
    Ok(IdentityDeleted { at, identity: from.number("an identity")? })
}

/// Takes a reveal.
pub fn take_revealed(at: i64, from: &mut Reading<'_>) -> Result<IdentityRevealed, CodecFault> {
    let (identity, who, request) = (from.number("an identity")?, from.text()?.to_owned(), from.text()?.to_owned());
    let mut fields = Vec::new();
    for _ in 0..from.count(limits::REVEAL_FIELDS_MAX, "fields")? {
        fields.push(from.text()?.to_owned());
    }
    Ok(IdentityRevealed { at, identity, who, request, fields, previous: from.u64()? })
}

fn put_detail(out: &mut Vec<u8>, detail: &Detail) {
    match detail {
        Detail::Plain(text) => put_text(out, text),
        Detail::Sealed(sealed) => {
            put_key(out, sealed.key);
            put_varint(out, sealed.bytes.len() as u64);
            out.extend_from_slice(&sealed.bytes);
        }
    }
}

fn take_detail(is_sealed: bool, from: &mut Reading<'_>) -> Result<Detail, CodecFault> {
    if !is_sealed {
        return Ok(Detail::Plain(from.text()?.to_owned()));
    }
    let key = take_key(from)?;
    let count = from.count(limits::IDENTITY_BYTES_MAX + limits::SEAL_BYTES_MAX, "sealed bytes")?;
    Ok(Detail::Sealed(Sealed { key, bytes: from.take(count)?.to_vec() }))
}

/// Appends the name of a key.
pub fn put_key(out: &mut Vec<u8>, key: KeyName) {
    put_varint(out, u64::from(key.slot));
    out.extend_from_slice(&key.id);
}

/// Takes the name of a key.
pub fn take_key(from: &mut Reading<'_>) -> Result<KeyName, CodecFault> {
    Ok(KeyName { slot: from.number("a slot")?, id: from.take(16)?.try_into().expect("16 bytes were taken") })
}

/// Appends the time at which an event begins, behind its kind and a version of its own.
pub fn begin(out: &mut Vec<u8>, kind: u8, version: u8, at: i64) {
    out.extend_from_slice(&[kind, version]);
    put_i64(out, at);
}
