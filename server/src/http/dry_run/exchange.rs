//! An exchange that is only tried.

use super::record::{Verdict, attempt, is_used, rejection_of, renamed, verdict_of};
use super::{Tried, rejection_view, status_of};
use crate::api::exchange::Exchange;
use crate::api::exchange::view::ExchangeProjectionView;
use crate::http::answer;
use crate::http::error::ApiError;
use crate::http::exchanges::refusal;
use crate::http::failure::{self, About};
use crate::http::state::{Answer, AppState};
use axum::http::StatusCode;
use ledger::command::Record;
use ledger::rejection::Rejection;

/// Says what would become of an exchange: the figures of every balance that it names in both currencies, the position of the
/// house too.
pub async fn project(state: &AppState, record: Record, exchange: &Exchange<'_>) -> Answer {
    let trial = attempt(state, record.clone()).await?;
    let tried = Tried::of(state.books(), &trial);
    let verdict = verdict_of(&trial, tried.as_ref());
    let mut view = exchange.projection();
    if is_used(&verdict) {
        let reference = exchange.body.reference.as_deref().unwrap_or_default();
        let about = About { reference, ..About::default() };
        let error = failure::refusal(Rejection::DuplicateReference, about);
        if matches!(verdict, Verdict::Known) {
            view.notes.push("this was recorded before; sent again, it changes nothing".to_owned());
        }
        // The figures are those of the same exchange with a reference that nobody has.
        let trial = attempt(state, renamed(state, &record)).await?;
        if let Some(tried) = Tried::of(state.books(), &trial) {
            show(state, &mut view, &tried, exchange).await?;
        }
        let view = view.refused(rejection_view(Some(Rejection::DuplicateReference), error));
        return Ok(answer::json(StatusCode::OK, &view));
    }
    let view = match &verdict {
        Verdict::Decided(tried, _) => match show(state, &mut view, tried, exchange).await? {
            Some((rejection, error)) => view.refused(rejection_view(Some(rejection), error)),
            None => view,
        },
        Verdict::Refused(_, rejection) => {
            let error = refusal(state, *rejection, exchange).await?;
            view.refused(rejection_view(Some(*rejection), error))
        }
        Verdict::Known => return Err(ApiError::internal()),
    };
    Ok(answer::json(StatusCode::OK, &view))
}

/// Puts the figures of a trial into a view; answers why it would be refused, if it would. A balance that does not exist is an
/// error, as of every dry run.
async fn show(
    state: &AppState,
    view: &mut ExchangeProjectionView,
    tried: &Tried<'_>,
    exchange: &Exchange<'_>,
) -> Result<Option<(Rejection, ApiError)>, ApiError> {
    let count = tried.event.movements.len();
    // A leg that fell with the others is not why they fell.
    let rejections = (0..count).filter_map(|index| rejection_of(tried, index));
    let first = rejections.min_by_key(|rejection| *rejection == Rejection::BatchRejected);
    if let Some(rejection @ (Rejection::SourceNotFound | Rejection::DestinationNotFound)) = first {
        return Err(refusal(state, rejection, exchange).await?);
    }
    view.status = status_of(&tried.event.movements[0]);
    view.balances = tried.balances(0..count, count);
    match first {
        Some(rejection) => Ok(Some((rejection, refusal(state, rejection, exchange).await?))),
        None => Ok(None),
    }
}
