//! Any body for any route, several requests in a row, through everything that a request goes through but the socket: never a
//! panic, never a 5xx, a code with every 4xx and nothing left behind by it, and books that stay balanced.

#![no_main]

use fuzz::book::Book;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

/// Requests of one input; what follows is not looked at.
const REQUESTS_MAX: usize = 8;
/// Inputs that are played on the same books. Opening books costs more than most inputs; an input that fails on used books
/// nearly always fails on new ones.
const INPUTS_A_BOOK: u32 = 200;

thread_local! {
    static BOOK: RefCell<Option<(Book, u32)>> = const { RefCell::new(None) };
}

fuzz_target!(|input: &[u8]| {
    BOOK.with_borrow_mut(|kept| {
        let (mut book, played) = kept.take().unwrap_or_else(|| (Book::new(), 0));
        book.play(input, REQUESTS_MAX);
        *kept = (played + 1 < INPUTS_A_BOOK).then_some((book, played + 1));
    });
});
