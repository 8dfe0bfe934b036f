//! What events say of balances and metadata, kept apart from the state to compare it with.

use ledger::event::Event;
use ledger::state::State;
use std::collections::BTreeMap;

/// Aliases, owners, and how often metadata was changed.
#[derive(Clone, Default)]
pub struct Said {
    /// Handles of balances by their alias.
    pub aliases: BTreeMap<String, u32>,
    owners: BTreeMap<u32, u32>,
    /// By subject: the record of the newest change, how many there are, and their bytes.
    changes: BTreeMap<u64, (u64, u32, u64)>,
}

impl Said {
    /// Takes in an event; `balances` existed before it.
    pub fn add(&mut self, event: &Event, record: u64, balances: u32) {
        match event {
            Event::BalanceCreated(event) => {
                self.owners.extend(event.identity.map(|identity| (balances, identity)));
                if !event.alias.is_empty() {
                    let before = self.aliases.insert(event.alias.clone(), balances);
                    assert_eq!(before, None, "an alias is that of one balance");
                }
            }
            Event::BalanceLinked(event) => drop(self.owners.insert(event.balance, event.identity)),
            Event::BalanceNamed(event) => {
                self.aliases.retain(|_, handle| *handle != event.balance);
                if !event.alias.is_empty() {
                    let before = self.aliases.insert(event.alias.clone(), event.balance);
                    assert_eq!(before, None, "an alias is that of one balance");
                }
            }
            Event::MetadataChanged(event) => {
                let (newest, count, bytes) = self.changes.entry(event.subject.pack()).or_insert((u64::MAX, 0, 0));
                assert_eq!(event.earlier, *newest, "a change leads back to the one before it");
                (*newest, *count, *bytes) = (record, *count + 1, *bytes + event.metadata.len() as u64);
            }
            _ => {}
        }
    }

    /// Compares everything with the state.
    pub fn compare(&self, state: &State) {
        let aliases: BTreeMap<String, u32> =
            state.aliases().map(|(alias, handle)| (alias.to_owned(), handle)).collect();
        assert_eq!(aliases, self.aliases);
        for (alias, &handle) in &self.aliases {
            assert_eq!((state.find_alias(alias), state.alias(handle)), (Some(handle), &**alias));
        }
        for (handle, balance) in state.balances.iter().enumerate() {
            assert_eq!(balance.identity, self.owners.get(&(handle as u32)).copied(), "the owner of {handle}");
        }
        assert_eq!(state.notes.len(), self.changes.len());
        for (subject, &(record, count, bytes)) in &self.changes {
            let noted = state.notes.get(subject).expect("what was changed is known");
            assert_eq!((noted.record, noted.count, noted.bytes), (record, count, bytes));
        }
    }
}
