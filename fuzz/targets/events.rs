//! Any bytes as an event: a fault or an event, and then the same event when it is written and read again. What is printed of it
//! never panics.

#![no_main]

use engine::codec::{decode, encode};
use engine::inspect::Record;
use engine::inspect::value::{Value, value_of};
use ledger::event::Event;
use libfuzzer_sys::fuzz_target;

/// Everything that an event says, without where its texts lie in memory.
fn said(event: &Event) -> Value {
    value_of(&Record { seq: 1, position: 0, bytes: 0, chain: String::new(), event: event.clone() })
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = decode(bytes) else { return };
    let mut again = Vec::new();
    encode(&event, &mut again);
    let event_again =
        decode(&again).unwrap_or_else(|fault| panic!("what was encoded cannot be decoded: {fault}: {event:?}"));
    assert_eq!(said(&event_again), said(&event), "another event came back");
    let mut third = Vec::new();
    encode(&event_again, &mut third);
    assert_eq!(third, again, "the same event has other bytes");
});
