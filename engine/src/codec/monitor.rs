//! Monitors as bytes.

use super::CodecFault;
use super::bytes::{Reading, put_i64, put_i128, put_text, put_varint};
use ledger::event::{MonitorDeleted, MonitorSet};
use ledger::id::Id;
use ledger::limits;
use ledger::monitor::{Condition, Definition, Field, Operator};

/// How a monitor fires.
mod marks {
    pub const ANY: u8 = 1;
    pub const EDGE: u8 = 1 << 1;
    pub const ALL: u8 = (1 << 2) - 1;
}

/// Appends what defines a monitor, without its time.
pub fn put_set(out: &mut Vec<u8>, event: &MonitorSet) {
    out.extend_from_slice(&event.id.bytes());
    put_i64(out, event.created_at);
    put_varint(out, event.first_row);
    put_varint(out, u64::from(event.balance));
    let definition = &event.definition;
    let when = |set: bool, mark: u8| if set { mark } else { 0 };
    out.push(when(definition.any, marks::ANY) | when(definition.edge, marks::EDGE));
    put_varint(out, definition.conditions.len() as u64);
    for condition in &definition.conditions {
        out.push(condition.field as u8);
        out.push(condition.operator as u8);
        put_i128(out, condition.threshold);
        put_varint(out, condition.precision);
    }
    put_text(out, &definition.description);
    put_text(out, &definition.call_back_url);
    put_text(out, &definition.metadata);
}

/// Takes what defines a monitor.
pub fn take_set(at: i64, from: &mut Reading<'_>) -> Result<MonitorSet, CodecFault> {
    let id = take_id(from)?;
    let (created_at, first_row, balance) = (from.i64()?, from.varint()?, from.number("a balance")?);
    let has = from.byte()?;
    if has & !marks::ALL != 0 {
        return Err(CodecFault::Value("a monitor"));
    }
    let mut conditions = Vec::new();
    for _ in 0..from.count(limits::MONITOR_CONDITIONS_MAX, "conditions")? {
        conditions.push(take_condition(from)?);
    }
    let definition = Definition {
        conditions,
        any: has & marks::ANY != 0,
        edge: has & marks::EDGE != 0,
        description: from.text()?.to_owned(),
        call_back_url: from.text()?.to_owned(),
        metadata: from.text()?.to_owned(),
    };
    if !definition.is_within_limits() {
        return Err(CodecFault::Value("a monitor"));
    }
    Ok(MonitorSet { at, id, created_at, first_row, balance, definition })
}

fn take_condition(from: &mut Reading<'_>) -> Result<Condition, CodecFault> {
    Ok(Condition {
        field: Field::of_number(from.byte()?).ok_or(CodecFault::Value("field"))?,
        operator: Operator::of_number(from.byte()?).ok_or(CodecFault::Value("operator"))?,
        threshold: from.i128()?,
        precision: from.varint()?,
    })
}

/// Appends what deletes a monitor, without its time.
pub fn put_deleted(out: &mut Vec<u8>, event: &MonitorDeleted) {
    out.extend_from_slice(&event.id.bytes());
    put_varint(out, event.first_row);
}

/// Takes what deletes a monitor.
pub fn take_deleted(at: i64, from: &mut Reading<'_>) -> Result<MonitorDeleted, CodecFault> {
    Ok(MonitorDeleted { at, id: take_id(from)?, first_row: from.varint()? })
}

/// Takes an id whose number is that of a monitor.
pub fn take_id(from: &mut Reading<'_>) -> Result<Id, CodecFault> {
    let id = Id::from_bytes(from.take(16)?.try_into().expect("16 bytes were taken"));
    if u32::try_from(id.row()).is_ok() { Ok(id) } else { Err(CodecFault::Value("a monitor")) }
}
