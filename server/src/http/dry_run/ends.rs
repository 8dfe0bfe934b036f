//! Commits, voids and refunds that are only tried.

use super::{SOURCE, Tried, rejection_view, status_of};
use crate::api::inflight::SettleAmount;
use crate::api::projection::{BalanceProjection, BatchProjectionView, LegProjection, ProjectionView};
use crate::http::answer;
use crate::http::ask;
use crate::http::error::ApiError;
use crate::http::failure::{self, About};
use crate::http::inflight::{self, Ending, Trouble, Wanted};
use crate::http::inflight_bulk;
use crate::http::state::{Answer, AppState};
use crate::http::transactions;
use axum::http::StatusCode;
use engine::answer::Trial;
use ledger::command::{Action, Command, Refund, Settle};
use ledger::event::Movement;
use ledger::id::Prefix;
use ledger::rejection::{Refused, Rejection};
use ledger::row::Row;
use std::collections::HashSet;

/// Says what would become of the holds of an id. What cannot be found is an error, as is an amount that makes no sense.
pub async fn project_settlement(state: &AppState, wanted: Wanted<'_>) -> Answer {
    let mut makings = 0;
    loop {
        makings += 1;
        match settlement_now(state, wanted).await {
            Err(error) if ask::is_outdated(&error) && makings < ask::MAKINGS_MAX => {}
            answer => return answer,
        }
    }
}

async fn settlement_now(state: &AppState, wanted: Wanted<'_>) -> Answer {
    let ending = match inflight::prepare(state, wanted).await {
        Ok(ending) => ending,
        Err(Trouble::Unknown) => return Err(transactions::not_found(wanted.id)),
        Err(trouble @ Trouble::NoHold) => {
            let view = nothing_to_settle(wanted, wanted.error_of(trouble));
            return Ok(answer::json(StatusCode::OK, &view));
        }
        Err(trouble) => return Err(wanted.error_of(trouble)),
    };
    let trial = attempt(state, Command::Settle(ending.command(state)?)).await?;
    let view = settlement(state, &ending, &trial, wanted, |message| wanted.wrapped(message)).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Says what would become of many settlements, each by itself.
pub async fn project_settlements(state: &AppState, wanted: &[Wanted<'_>]) -> Answer {
    let mut makings = 0;
    loop {
        makings += 1;
        match settlements_now(state, wanted).await {
            Err(error) if ask::is_outdated(&error) && makings < ask::MAKINGS_MAX => {}
            answer => return answer,
        }
    }
}

async fn settlements_now(state: &AppState, wanted: &[Wanted<'_>]) -> Answer {
    let mut endings = Vec::with_capacity(wanted.len());
    let mut commands = Vec::new();
    for &wanted in wanted {
        let ending = inflight_bulk::prepare(state, wanted).await;
        if let Ok(ending) = &ending {
            commands.push(Command::Settle(ending.command(state)?));
        }
        endings.push(ending);
    }
    let mut trials = ask::attempt(state, commands).await?.into_iter();
    let mut results = Vec::with_capacity(wanted.len());
    for (&wanted, ending) in wanted.iter().zip(endings) {
        results.push(match ending {
            Ok(ending) => {
                let trial = trials.next().ok_or_else(ApiError::internal)?;
                settlement(state, &ending, &trial, wanted, |message| message).await?
            }
            Err(Trouble::Fault(fault)) => return Err(fault),
            Err(Trouble::Unknown) => nothing_to_settle(wanted, transactions::not_found(wanted.id)),
            Err(Trouble::NoHold) => {
                nothing_to_settle(wanted, failure::refusal(Rejection::NotInflight, About::default()))
            }
            Err(Trouble::Refused(error)) => nothing_to_settle(wanted, error),
        });
    }
    let would_apply = results.iter().all(|item| item.would_apply);
    let mut view = BatchProjectionView::new(would_apply, false, false);
    view.results = results;
    view.notes.push("each item is told by itself, against the balances as they are now".to_owned());
    let mut seen = HashSet::new();
    let mut told = HashSet::new();
    for Wanted { id, .. } in wanted {
        if !seen.insert(*id) && told.insert(*id) {
            view.notes.push(format!("{id} is named more than once: what one item takes of it, the next does not find"));
        }
    }
    Ok(answer::json(StatusCode::OK, &view))
}

async fn attempt(state: &AppState, command: Command) -> Result<Trial, ApiError> {
    ask::attempt(state, vec![command]).await?.into_iter().next().ok_or_else(ApiError::internal)
}

async fn settlement(
    state: &AppState,
    ending: &Ending,
    trial: &Trial,
    wanted: Wanted<'_>,
    wrapped: impl Fn(String) -> String,
) -> Result<ProjectionView, ApiError> {
    let mut view = match Tried::of(state.books(), trial) {
        Some(tried) => {
            // The reference of a settlement is made when the settlement is.
            let mut view = ends(&tried, |index| ending.hold(index));
            view.reference = String::new();
            view
        }
        None => {
            let refused = refused_of(trial)?;
            let error = ending.refusal(state, refused).await?;
            let error = ApiError { message: wrapped(error.message.clone()), ..error };
            let hold = ending.hold(refused.item as usize);
            let too_much = matches!(refused.rejection, Rejection::ExceedsOriginal | Rejection::ExceedsRemaining);
            let Settle { amount, .. } = ending.command(state)?;
            let amount = amount.filter(|_| too_much).unwrap_or_default();
            let mut view = ProjectionView::new(amount, hold.precision, &state.books().currency(hold.currency));
            if too_much {
                view.balances = Some(open_figures(state, ending).await?);
            }
            view.refused(rejection_view(Some(refused.rejection), error))
        }
    };
    view.operation = Some(wanted.verb());
    if wanted.action == Action::Void && !matches!(wanted.amount, SettleAmount::Rest) {
        view.notes.push("the amount is not looked at: a void releases all that is left".to_owned());
    }
    Ok(view)
}

/// The balances of holds that stay as they are, as voiding these would find them; none of holds of which one has ended.
async fn open_figures(state: &AppState, ending: &Ending) -> Result<Vec<BalanceProjection>, ApiError> {
    let void = Settle { action: Action::Void, amount: None, ..ending.command(state)? };
    let trial = attempt(state, Command::Settle(void)).await?;
    let tried = Tried::of(state.books(), &trial);
    Ok(tried.map(|tried| tried.balances(0..tried.event.movements.len(), 0)).unwrap_or_default())
}

/// A settlement of what has no open hold.
fn nothing_to_settle(wanted: Wanted<'_>, error: ApiError) -> ProjectionView {
    let mut view = ProjectionView::new(0, 0, "").refused(rejection_view(None, error));
    view.operation = Some(wanted.verb());
    view
}

/// Says what would become of a refund of these rows, named by this id.
pub async fn project_refund(
    state: &AppState,
    command: Refund,
    originals: &[Row],
    id: &str,
    error_of: impl Fn(Refused) -> ApiError,
) -> Answer {
    let trial = attempt(state, Command::Refund(command)).await?;
    let mut view = match Tried::of(state.books(), &trial) {
        Some(tried) => ends(&tried, |index| &originals[index]),
        None => {
            let refused = refused_of(&trial)?;
            let original = &originals[refused.item as usize];
            let view = ProjectionView::new(0, original.precision, &state.books().currency(original.currency));
            view.refused(rejection_view(Some(refused.rejection), error_of(refused)))
        }
    };
    view.notes.push(match originals {
        [original] => format!("projected refund of transaction {}", original.id().text(Prefix::Transaction)),
        _ => format!("projected refund of {} transactions under {id}", originals.len()),
    });
    Ok(answer::json(StatusCode::OK, &view))
}

fn refused_of(trial: &Trial) -> Result<Refused, ApiError> {
    trial.decided.as_ref().err().copied().ok_or_else(ApiError::internal)
}

/// An event that ends holds or gives rows back: each of its movements has a row that it is about.
fn ends<'a>(tried: &Tried<'_>, about: impl Fn(usize) -> &'a Row) -> ProjectionView {
    let movements = &tried.event.movements;
    let first = &movements[0];
    let minor = movements.iter().fold(0i128, |sum, movement| sum.saturating_add(movement.amount));
    let mut view = ProjectionView::new(minor, first.precision, &tried.currency(first.currency));
    view.status = status_of(first);
    view.reference = first.reference.of(&tried.event.text).to_owned();
    view.balances = Some(tried.balances(0..movements.len(), movements.len()));
    tried.tell_lineage(0..movements.len(), &mut view);
    if movements.len() > 1 {
        let leg = |movement: &Movement| {
            let identifier = about(movement.item as usize).id().text(Prefix::Transaction);
            LegProjection::new(identifier, SOURCE, movement.amount, movement.precision)
        };
        view.legs = movements.iter().map(leg).collect();
    }
    view
}
