//! Accounts as bytes, in events.

use super::CodecFault;
use super::bytes::{Reading, put_text, put_u64, put_varint};
use ledger::event::AccountCreated;

/// Appends what follows the head of an event.
pub fn put(out: &mut Vec<u8>, event: &AccountCreated) {
    put_u64(out, event.seed);
    put_varint(out, u64::from(event.balance));
    put_varint(out, u64::from(event.identity));
    put_text(out, &event.number);
    put_text(out, &event.bank);
    put_text(out, &event.metadata);
}

/// Takes what follows the head of an event.
pub fn take(at: i64, from: &mut Reading<'_>) -> Result<AccountCreated, CodecFault> {
    Ok(AccountCreated {
        at,
        seed: from.u64()?,
        balance: from.number("a balance")?,
        identity: from.number("an identity")?,
        number: from.text()?.to_owned(),
        bank: from.text()?.to_owned(),
        metadata: from.text()?.to_owned(),
    })
}
