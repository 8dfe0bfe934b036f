//! Making the sums of a balance again, from its transactions.
//!
//! The reference server overwrites a balance with what its transactions add up to. Here the balance is that sum in the first
//! place: the rows are added up once more to prove it, and the result is told as it is there. A difference would be damage; it
//! is told, and logged, and nothing is overwritten (see `florin verify`).

use crate::api::metadata::Metadata;
use crate::api::time;
use crate::http::ask;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use engine::history::chain::Sum;
use ledger::id::{Id, Prefix};
use ledger::row::Posted;
use serde::Serialize;

/// The key that asks for it, and its value.
const FLAG: (&str, &str) = ("BLNK_RUN_RECONCILIATION", "\"SOURCE\"");
/// The key of the result.
const RESULT: &str = "BLNK_RECONCILIATION_RESULT";
/// Rows that are added up before other requests have their turn.
const ROWS_AT_ONCE: usize = 2_000;

/// What is told of it; all values are texts.
#[derive(Serialize)]
struct Result {
    executed_at: String,
    previous_debit: String,
    previous_credit: String,
    previous_balance: String,
    recalculated_debit: String,
    recalculated_credit: String,
    recalculated_balance: String,
    difference: String,
}

/// Whether metadata asks for it.
pub fn are_wanted(metadata: &Metadata) -> bool {
    metadata.get(FLAG.0) == Some(FLAG.1)
}

/// Adds up the rows of a balance that exists, and puts the result into its metadata in place of the flag.
pub async fn make_again(state: &AppState, id: &str, metadata: &mut Metadata) -> std::result::Result<(), ApiError> {
    let parsed = Id::parse(Prefix::Balance, id);
    let found = ask::look(state, move |view| {
        let handle = view.state.find_balance(parsed?)?;
        let balance = view.state.balance(handle);
        Some((handle, balance.figures.posted, balance.history.newest(), view.now))
    });
    let (handle, before, newest, now) = found.await?.ok_or_else(ApiError::internal)?;
    let mut sum = Sum::new(handle, newest, i64::MAX);
    let after = loop {
        if let Some(posted) = sum.advance(state.books(), ROWS_AT_ONCE)? {
            break posted;
        }
        tokio::task::yield_now().await;
    };
    if after != before {
        tracing::error!(balance = id, "a balance is not the sum of its transactions; run `florin verify`");
    }
    metadata.remove(FLAG.0);
    metadata.set(RESULT, result(before, after, now));
    Ok(())
}

fn result(before: Posted, after: Posted, now: i64) -> Result {
    let balance = |posted: Posted| posted.credit - posted.debit;
    Result {
        // As the database of the reference server writes it.
        executed_at: time::text(now).replace('T', " ").replace('Z', "+00"),
        previous_debit: before.debit.to_string(),
        previous_credit: before.credit.to_string(),
        previous_balance: balance(before).to_string(),
        recalculated_debit: after.debit.to_string(),
        recalculated_credit: after.credit.to_string(),
        recalculated_balance: balance(after).to_string(),
        difference: (balance(after) - balance(before)).to_string(),
    }
}
