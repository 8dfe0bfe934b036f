//! Accounts: numbers at banks that stand for balances. They move no money and decide nothing but that a number is given once.

use crate::chunked::Chunked;
use crate::id::{Id, Prefix};
use crate::sharded::{Keyed, Sharded};
use std::sync::Arc;

/// All accounts, with what finds them.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    all: Chunked<Account>,
    /// The handle of the account of a number.
    numbers: Sharded<Arc<str>, u32, Keyed>,
    /// How many accounts an identity owns; only those that own some.
    owned: Sharded<u32, u32>,
}

/// One account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The random part of its id.
    pub nonce: u64,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Where its record is.
    pub record: u64,
    /// The handle of its balance.
    pub balance: u32,
    /// The handle of its owner.
    pub identity: u32,
    /// Its number; no other account has it.
    pub number: Arc<str>,
}

impl Account {
    /// Its id.
    pub const fn id(&self, handle: u32) -> Id {
        Id::new(self.created_at, handle as u64, self.nonce)
    }
}

impl Accounts {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The account of a handle.
    pub fn get(&self, handle: u32) -> Option<&Account> {
        self.all.get(handle as usize)
    }

    /// All of them, by handle.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.all.iter()
    }

    /// The handle of an account by its id, as sent.
    pub fn find(&self, id: &str) -> Option<u32> {
        let id = Id::parse(Prefix::Account, id)?;
        let handle = u32::try_from(id.row()).ok()?;
        self.get(handle).filter(|account| account.id(handle) == id).map(|_| handle)
    }

    /// The handle of the account that has a number.
    pub fn find_number(&self, number: &str) -> Option<u32> {
        self.numbers.get(number).copied()
    }

    /// How many accounts an identity owns.
    pub fn owned_by(&self, identity: u32) -> u32 {
        self.owned.get(&identity).copied().unwrap_or(0)
    }

    /// Adds an account whose number nobody has.
    pub fn add(&mut self, account: Account) {
        let handle = u32::try_from(self.all.len()).expect("accounts are limited");
        let before = self.numbers.insert(Arc::clone(&account.number), handle);
        assert!(before.is_none(), "decide gives a number once");
        let owned = self.owned_by(account.identity) + 1;
        self.owned.insert(account.identity, owned);
        self.all.push(account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_id_and_by_number() {
        let mut accounts = Accounts::default();
        let account = |number: &str, identity| Account {
            nonce: 7,
            created_at: 1_700_000_000_000_000,
            record: 0,
            balance: 3,
            identity,
            number: number.into(),
        };
        accounts.add(account("", 1));
        accounts.add(account("0123", 1));
        let before = accounts.clone();
        accounts.add(account("9", 2));
        let id = |handle: u32| accounts.get(handle).expect("there are three").id(handle).text(Prefix::Account);
        assert_eq!(accounts.find(&id(1)), Some(1));
        assert_eq!(accounts.find(&id(1).replace("acc_", "bln_")), None);
        assert_eq!(before.find(&id(2)), None, "a clone keeps what it saw");
        assert_eq!(
            (accounts.find_number(""), accounts.find_number("0123"), accounts.find_number("1")),
            (Some(0), Some(1), None)
        );
        assert_eq!((accounts.owned_by(1), accounts.owned_by(2), accounts.owned_by(3)), (2, 1, 0));
    }
}
