//! Names what follows in the lineage of tracked balances: a reference is used once, also by rows that nobody asked for.

use crate::gather::GatherFault;
use crate::limits;
use crate::writer::Writer;
use ledger::event::{Outcome, Recorded};
use ledger::lineage::free_reference;
use ledger::text;
use std::collections::BTreeSet;

impl Writer {
    /// Gives each lineage movement a reference that nobody has: its own, or when a client was quicker, the first free one
    /// with a number behind it. A transaction is never refused because of that.
    pub(crate) fn name_lineage(&mut self, event: &mut Recorded) -> Result<(), GatherFault> {
        if !event.has_lineage() {
            return Ok(());
        }
        let mut named = BTreeSet::new();
        for movement in event.main_movements() {
            let reference = movement.reference.of(&event.text);
            if movement.queued || movement.outcome == Outcome::Scheduled || movement.outcome_suffix().is_empty() {
                named.insert(reference.to_owned());
            }
            if movement.queued || !movement.outcome_suffix().is_empty() {
                named.insert(format!("{reference}_q"));
            }
        }
        let main = event.main_movements().len();
        for movement in &mut event.movements[main..] {
            let wanted = movement.reference.of(&event.text).to_owned();
            let mut fault = None;
            let free = free_reference(wanted.clone(), |reference| {
                if named.contains(reference) {
                    return true;
                }
                match self.holder(self.books.fingerprint(reference), reference, "") {
                    Ok(holder) => holder.is_some(),
                    Err(found) => {
                        fault = Some(found);
                        false
                    }
                }
            });
            if let Some(fault) = fault {
                return Err(fault);
            }
            if free != wanted {
                movement.reference = text::push(&mut event.text, &free);
            }
            named.insert(free);
        }
        Ok(())
    }

    /// The most bytes that the lineage may add to the event of a run, when all providers that tracked balances may have take
    /// part in it.
    pub(crate) fn lineage_bytes_of_run(&self, recorded: &Recorded) -> usize {
        let traced = |handle: u32| self.state.tracked(handle).is_some();
        let waiting = recorded.movements.iter().filter(|movement| movement.outcome == Outcome::Scheduled);
        let count = waiting.filter(|movement| traced(movement.source) || traced(movement.destination)).count();
        (count * 2 * ledger::limits::PROVIDERS_MAX).min(ledger::limits::LINEAGE_MOVEMENTS_MAX)
            * limits::LINEAGE_MOVEMENT_BYTES_MAX
    }
}
