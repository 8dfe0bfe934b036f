//! Making, changing and deleting monitors.

use super::{Decision, refuse};
use crate::command::{DeleteMonitor, Moment, SetMonitor};
use crate::event::{Event, MonitorDeleted, MonitorSet};
use crate::id::{self, Id, NonceOf};
use crate::limits;
use crate::rejection::{Refused, Rejection};
use crate::state::State;

/// Make a monitor, or change what one watches.
pub fn set(state: &State, command: SetMonitor, moment: Moment) -> Result<Decision, Refused> {
    let SetMonitor { monitor, balance, definition } = command;
    assert!(definition.is_within_limits(), "the edge refuses monitors that could not be read back");
    let known = match monitor {
        None => None,
        Some(id) => match state.monitors.find(id) {
            None => return refuse(0, Rejection::MonitorNotFound),
            known => known,
        },
    };
    let Some(balance) = state.find_balance(balance) else { return refuse(0, Rejection::BalanceNotFound) };
    let made = state.monitors.made_count();
    let changes = state.monitors.changes().len();
    if known.is_none() && state.monitors.existing_count() >= limits::MONITORS_MAX
        || changes >= limits::MONITOR_CHANGES_MAX
    {
        return refuse(0, Rejection::TooManyMonitors);
    }
    let moves = known.is_none_or(|known| known.balance != balance);
    if moves && state.monitors.of_balance(balance).len() >= limits::MONITORS_PER_BALANCE_MAX {
        return refuse(0, Rejection::TooManyMonitorsOfBalance);
    }
    let nonce = id::nonce(moment.seed, NonceOf::Row(made as u64));
    let (id, created_at) = match known {
        Some(known) => (known.id, known.created_at),
        None => (Id::new(moment.at, made as u64, nonce), moment.at),
    };
    let first_row = state.rows_count;
    Ok(Decision::of(Event::MonitorSet(MonitorSet { at: moment.at, id, created_at, first_row, balance, definition })))
}

/// Delete a monitor.
pub fn delete(state: &State, command: DeleteMonitor, moment: Moment) -> Result<Decision, Refused> {
    let id = command.monitor;
    if state.monitors.find(id).is_none() {
        return refuse(0, Rejection::MonitorNotFound);
    }
    if state.monitors.changes().len() >= limits::MONITOR_CHANGES_MAX {
        return refuse(0, Rejection::TooManyMonitors);
    }
    Ok(Decision::of(Event::MonitorDeleted(MonitorDeleted { at: moment.at, id, first_row: state.rows_count })))
}
