//! Events of closings and assertions, for the tests of their bytes.

use crate::support::workload::Random;
use crate::{any_amount, any_monitor, any_number, any_text};
use ledger::closings::{Total, Turnover};
use ledger::event::{AssertionDeleted, BalanceAsserted, ClosingTotalled, Event, LedgerClosed};
use ledger::id::Id;
use ledger::wide::Wide;

/// One of them, by a number from 17 to 20.
pub fn any(random: &mut Random, at: i64, which: u64) -> Event {
    match which {
        17 => Event::LedgerClosed(LedgerClosed {
            at,
            id: any_monitor(random, at),
            ledger: any_number(random) as u32,
            from: random.one_in(2).then(|| any_number(random) as i64),
            until: any_number(random) as i64,
            description: any_text(random),
            metadata: any_text(random),
        }),
        18 => {
            let totals = (0..random.below(6)).map(|_| any_total(random)).collect();
            Event::ClosingTotalled(ClosingTotalled { at, closing: any_monitor(random, at), totals })
        }
        19 => Event::BalanceAsserted(BalanceAsserted {
            at,
            id: any_monitor(random, at),
            balance: any_number(random) as u32,
            as_of: any_number(random) as i64,
            before_row: any_number(random),
            amount: any_amount(random),
            precision: any_number(random),
            description: any_text(random),
            source: any_text(random),
            metadata: any_text(random),
        }),
        _ => Event::AssertionDeleted(AssertionDeleted { at, id: any_monitor(random, at) }),
    }
}

fn any_total(random: &mut Random) -> Total {
    let mut wide = || {
        let low = u128::from(any_number(random)) << 64 | u128::from(any_number(random));
        Wide::of_parts(any_number(random), low)
    };
    let mut turnover = || Turnover { credit: wide(), debit: wide() };
    let (opening, closing) = (turnover(), turnover());
    Total { currency: any_number(random) as u32, balances: any_number(random), opening, closing }
}

/// Those whose bytes are kept.
pub fn golden() -> Vec<(&'static str, Event)> {
    let at = 1_790_000_000_123_456;
    vec![
        (
            "ledger_closed",
            Event::LedgerClosed(LedgerClosed {
                at,
                id: Id::new(at, 300, 7),
                ledger: 300,
                from: Some(at - 5_000_000),
                until: at - 1,
                description: "November: 月末".into(),
                metadata: "{\"by\":7}".into(),
            }),
        ),
        (
            "ledger_closed_first",
            Event::LedgerClosed(LedgerClosed {
                at,
                id: Id::new(at, 0, 7),
                ledger: 0,
                from: None,
                until: -1,
                description: String::new(),
                metadata: String::new(),
            }),
        ),
        (
            "closing_totalled",
            Event::ClosingTotalled(ClosingTotalled {
                at,
                closing: Id::new(at - 1, 300, 7),
                totals: vec![golden_total(0, 0), golden_total(300, u64::MAX)],
            }),
        ),
        (
            "balance_asserted",
            Event::BalanceAsserted(BalanceAsserted {
                at,
                id: Id::new(at, 300, 7),
                balance: 300,
                as_of: at - 1,
                before_row: 70_000,
                amount: -1050,
                precision: 100,
                description: "statement 11".into(),
                source: "First Bank".into(),
                metadata: "{\"page\":2}".into(),
            }),
        ),
        ("assertion_deleted", Event::AssertionDeleted(AssertionDeleted { at, id: Id::new(at - 1, 300, 7) })),
    ]
}

/// Totals of which each number is another.
fn golden_total(currency: u32, high: u64) -> Total {
    let turnover = |low: u128| Turnover { credit: Wide::of_parts(high, low), debit: Wide::of_parts(0, low + 1) };
    Total { currency, balances: 7, opening: turnover(300), closing: turnover(1 << 64) }
}
