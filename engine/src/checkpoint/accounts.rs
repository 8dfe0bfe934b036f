//! Accounts in a checkpoint.

use super::Out;
use crate::codec::CodecFault;
use crate::codec::bytes::{Reading, put_i64, put_text, put_u64, put_varint};
use ledger::accounts::Account;
use ledger::state::State;
use std::io;

/// Appends all accounts.
pub fn put(out: &mut Out, state: &State) -> io::Result<()> {
    put_varint(&mut out.buffer, state.accounts.len() as u64);
    for account in state.accounts.iter() {
        put_u64(&mut out.buffer, account.nonce);
        put_i64(&mut out.buffer, account.created_at);
        put_u64(&mut out.buffer, account.record);
        put_varint(&mut out.buffer, u64::from(account.balance));
        put_varint(&mut out.buffer, u64::from(account.identity));
        put_text(&mut out.buffer, &account.number);
        out.piece()?;
    }
    Ok(())
}

/// Takes all accounts into a state that has its balances and identities.
pub fn take(from: &mut Reading<'_>, state: &mut State) -> Result<(), CodecFault> {
    for _ in 0..from.varint()? {
        let account = Account {
            nonce: from.u64()?,
            created_at: from.i64()?,
            record: from.u64()?,
            balance: from.number("a balance")?,
            identity: from.number("an identity")?,
            number: from.text()?.into(),
        };
        let known = (account.balance as usize) < state.balances.len()
            && (account.identity as usize) < state.identities.len()
            && state.accounts.find_number(&account.number).is_none();
        if !known {
            return Err(CodecFault::Value("an account"));
        }
        state.accounts.add(account);
    }
    Ok(())
}
