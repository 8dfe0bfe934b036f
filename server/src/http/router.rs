//! Every route, on one page. The OpenAPI document is made from the same list.

use super::body::RequestBody;
use super::identities::{edit, reveals, tokens};
use super::openapi::Operation;
use super::state::AppState;
use super::{
    accounts, aggregate, answer, assertions, balances, batches, bulk, closings, currencies, docs, events, exchanges,
    filters, history, holds, identities, inflight, inflight_bulk, ledgers, lineage, metadata, monitors, naming, path,
    policies, proofs, recover, refunds, reports, scheduled, scrub, service, statements, transactions,
};
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use std::sync::LazyLock;
use tower_service::Service;

/// All routes. Paths have no slash at their end; `{name}` stands for one segment.
pub fn routes() -> Vec<Route> {
    vec![
        get("/", &service::GET_ROOT, service::get_root),
        get("/health", &service::GET_HEALTH, service::get_health),
        get("/scrub", &scrub::GET_SCRUB, scrub::get_scrub),
        get("/internal/info", &service::GET_INFO, service::get_info),
        get("/openapi.json", &docs::GET_OPENAPI, docs::get_openapi),
        get("/docs", &docs::GET_DOCS, docs::get_docs),
        get("/docs/page.js", &docs::GET_DOCS_SCRIPT, docs::get_docs_script),
        get("/docs/page.css", &docs::GET_DOCS_STYLE, docs::get_docs_style),
        post("/ledgers", &ledgers::CREATE_LEDGER, ledgers::create_ledger),
        get("/ledgers", &ledgers::LIST_LEDGERS, ledgers::list_ledgers),
        get("/ledgers/{id}", &ledgers::GET_LEDGER, ledgers::get_ledger),
        put("/ledgers/{id}", &ledgers::UPDATE_LEDGER, ledgers::update_ledger),
        post("/balances", &balances::CREATE_BALANCE, balances::create_balance),
        get("/balances", &balances::LIST_BALANCES, balances::list_balances),
        get("/balances/aggregate", &aggregate::AGGREGATE_BALANCES, aggregate::aggregate_balances),
        get("/balances/{id}", &balances::GET_BALANCE, balances::get_balance),
        get("/balances/{id}/at", &history::GET_BALANCE_AT, history::get_balance_at),
        get("/balances/{id}/statement", &statements::GET_BALANCE_STATEMENT, statements::get_balance_statement),
        get("/identities/{id}/statement", &statements::GET_IDENTITY_STATEMENT, statements::get_identity_statement),
        get("/ledgers/{id}/statement", &statements::GET_LEDGER_STATEMENT, statements::get_ledger_statement),
        post("/balances-snapshots", &history::TAKE_SNAPSHOTS, history::take_snapshots),
        get("/balances/{id}/lineage", &lineage::GET_BALANCE_LINEAGE, lineage::get_balance_lineage),
        get(
            "/balances/indicator/{indicator}/currency/{currency}",
            &balances::GET_BALANCE_BY_INDICATOR,
            balances::get_balance_by_indicator,
        ),
        put("/balances/{id}/policy", &policies::SET_POLICY, policies::set_policy),
        get("/balances/{id}/policy", &policies::GET_POLICY, policies::get_policy),
        delete("/balances/{id}/policy", &policies::DELETE_POLICY, policies::delete_policy),
        put("/balances/{id}/identity", &naming::LINK_IDENTITY, naming::link_identity),
        put("/balances/{id}/alias", &naming::SET_ALIAS, naming::set_alias),
        delete("/balances/{id}/alias", &naming::DELETE_ALIAS, naming::delete_alias),
        get("/balances/alias/{alias}", &naming::GET_BALANCE_BY_ALIAS, naming::get_balance_by_alias),
        post("/currencies", &currencies::REGISTER_CURRENCY, currencies::register_currency),
        get("/currencies", &currencies::LIST_CURRENCIES, currencies::list_currencies),
        get("/currencies/{code}", &currencies::GET_CURRENCY, currencies::get_currency),
        post("/identities", &identities::CREATE_IDENTITY, identities::create_identity),
        get("/identities", &identities::LIST_IDENTITIES, identities::list_identities),
        get("/identities/{id}", &identities::GET_IDENTITY, identities::get_identity),
        post("/accounts", &accounts::CREATE_ACCOUNT, accounts::create_account),
        get("/accounts", &accounts::LIST_ACCOUNTS, accounts::list_accounts),
        get("/accounts/{id}", &accounts::GET_ACCOUNT, accounts::get_account),
        post("/accounts/filter", &filters::FILTER_ACCOUNTS, filters::filter_accounts),
        get("/mocked-account", &accounts::GET_MOCKED_ACCOUNT, accounts::get_mocked_account),
        put("/identities/{id}", &edit::UPDATE_IDENTITY, edit::update_identity),
        delete("/identities/{id}", &edit::DELETE_IDENTITY, edit::delete_identity),
        post("/identities/{id}/tokenize", &tokens::TOKENIZE_FIELDS, tokens::tokenize_fields),
        post("/identities/{id}/tokenize/{field}", &tokens::TOKENIZE_FIELD, tokens::tokenize_field),
        get("/identities/{id}/tokenized-fields", &tokens::LIST_TOKENIZED_FIELDS, tokens::list_tokenized_fields),
        post("/identities/{id}/detokenize", &tokens::DETOKENIZE_FIELDS, tokens::detokenize_fields),
        get("/identities/{id}/detokenize/{field}", &tokens::DETOKENIZE_FIELD, tokens::detokenize_field),
        get("/identities/{id}/reveals", &reveals::LIST_REVEALS, reveals::list_reveals),
        post("/transactions", &transactions::CREATE_TRANSACTION, transactions::create_transaction),
        get("/transactions", &transactions::LIST_TRANSACTIONS, transactions::list_transactions),
        get("/transactions/{id}", &transactions::GET_TRANSACTION, transactions::get_transaction),
        get(
            "/transactions/reference/{reference}",
            &transactions::GET_TRANSACTION_BY_REFERENCE,
            transactions::get_transaction_by_reference,
        ),
        post("/{id}/metadata", &metadata::CHANGE_METADATA, metadata::change_metadata),
        post("/ledgers/filter", &filters::FILTER_LEDGERS, filters::filter_ledgers),
        post("/balances/filter", &filters::FILTER_BALANCES, filters::filter_balances),
        post("/identities/filter", &filters::FILTER_IDENTITIES, filters::filter_identities),
        post("/transactions/filter", &filters::FILTER_TRANSACTIONS, filters::filter_transactions),
        post("/transactions/bulk", &bulk::CREATE_TRANSACTIONS, bulk::create_transactions),
        get("/transactions/scheduled/{id}", &scheduled::GET_SCHEDULED, scheduled::get_scheduled),
        patch("/transactions/scheduled/{id}", &scheduled::UPDATE_SCHEDULED, scheduled::update_scheduled),
        delete("/transactions/scheduled/{id}", &scheduled::CANCEL_SCHEDULED, scheduled::cancel_scheduled),
        get("/transactions/inflight/{id}", &holds::GET_INFLIGHT, holds::get_inflight),
        get("/transactions/bulk/{batch_id}", &batches::GET_BATCH, batches::get_batch),
        put("/transactions/inflight/{id}", &inflight::UPDATE_INFLIGHT, inflight::update_inflight),
        patch("/transactions/inflight/{id}", &holds::CHANGE_INFLIGHT, holds::change_inflight),
        post("/transactions/inflight/bulk/commit", &inflight_bulk::COMMIT_HOLDS, inflight_bulk::commit_holds),
        post("/transactions/inflight/bulk/void", &inflight_bulk::VOID_HOLDS, inflight_bulk::void_holds),
        post("/transactions/recover", &recover::RECOVER_TRANSACTIONS, recover::recover_transactions),
        get("/events", &events::GET_EVENTS, events::get_events),
        post("/balance-monitors", &monitors::CREATE_MONITOR, monitors::create_monitor),
        get("/balance-monitors", &monitors::LIST_MONITORS, monitors::list_monitors),
        get("/balance-monitors/{id}", &monitors::GET_MONITOR, monitors::get_monitor),
        get(
            "/balance-monitors/balances/{balance_id}",
            &monitors::LIST_MONITORS_OF_BALANCE,
            monitors::list_monitors_of_balance,
        ),
        put("/balance-monitors/{id}", &monitors::UPDATE_MONITOR, monitors::update_monitor),
        delete("/balance-monitors/{id}", &monitors::DELETE_MONITOR, monitors::delete_monitor),
        get("/transactions/{id}/lineage", &lineage::GET_TRANSACTION_LINEAGE, lineage::get_transaction_lineage),
        post("/refund-transaction/{id}", &refunds::REFUND_TRANSACTION, refunds::refund_transaction),
        post("/exchanges", &exchanges::CREATE_EXCHANGE, exchanges::create_exchange),
        post("/ledgers/{id}/closings", &closings::CREATE_CLOSING, closings::create_closing),
        get("/ledgers/{id}/closings", &closings::LIST_CLOSINGS, closings::list_closings),
        get("/ledgers/{id}/closings/{closing_id}", &closings::GET_CLOSING, closings::get_closing),
        post("/balances/{id}/assertions", &assertions::CREATE_ASSERTION, assertions::create_assertion),
        get("/balances/{id}/assertions", &assertions::LIST_ASSERTIONS, assertions::list_assertions),
        get("/balances/{id}/assertions/{assertion_id}", &assertions::GET_ASSERTION, assertions::get_assertion),
        delete("/balances/{id}/assertions/{assertion_id}", &assertions::DELETE_ASSERTION, assertions::delete_assertion),
        get("/assertions", &assertions::LIST_ALL_ASSERTIONS, assertions::list_all_assertions),
        get("/reports/trial-balance", &reports::GET_TRIAL_BALANCE, reports::get_trial_balance),
        get("/reports/safeguarding", &reports::GET_SAFEGUARDING, reports::get_safeguarding),
        get("/proofs/transactions/{id}", &proofs::GET_TRANSACTION_PROOF, proofs::get_transaction_proof),
        get("/proofs/consistency", &proofs::GET_CONSISTENCY_PROOF, proofs::get_consistency_proof),
        get("/proofs/checkpoint", &proofs::GET_CHECKPOINT, proofs::get_checkpoint),
        get("/proofs/key", &proofs::GET_KEY, proofs::get_key),
    ]
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Changes.
    Put,
    /// Changes what is named, and leaves the rest.
    Patch,
    /// Removes.
    Delete,
}

impl Verb {
    /// As it stands in a request.
    pub const fn method(self) -> Method {
        match self {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Patch => MethodFilter::PATCH,
            Verb::Delete => MethodFilter::DELETE,
        }
    }
}

/// One route.
pub struct Route {
    /// What it does.
    pub verb: Verb,
    /// Where it is.
    pub path: &'static str,
    /// What the document says about it.
    pub operation: &'static Operation,
    handler: MethodRouter<AppState>,
}

impl Route {
    fn new<H, T>(verb: Verb, path: &'static str, operation: &'static Operation, handler: H) -> Route
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        Route { verb, path, operation, handler: on(verb.filter(), handler) }
    }
}

fn get<H: Handler<T, AppState>, T: 'static>(path: &'static str, operation: &'static Operation, handler: H) -> Route {
    Route::new(Verb::Get, path, operation, handler)
}

fn post<H: Handler<T, AppState>, T: 'static>(path: &'static str, operation: &'static Operation, handler: H) -> Route {
    Route::new(Verb::Post, path, operation, handler)
}

fn put<H: Handler<T, AppState>, T: 'static>(path: &'static str, operation: &'static Operation, handler: H) -> Route {
    Route::new(Verb::Put, path, operation, handler)
}

fn patch<H: Handler<T, AppState>, T: 'static>(path: &'static str, operation: &'static Operation, handler: H) -> Route {
    Route::new(Verb::Patch, path, operation, handler)
}

fn delete<H: Handler<T, AppState>, T: 'static>(path: &'static str, operation: &'static Operation, handler: H) -> Route {
    Route::new(Verb::Delete, path, operation, handler)
}

/// The routes, ready to be called. What has no route, or not with this method, is not found.
pub fn build(state: AppState) -> Router {
    let mut router = Router::new();
    for route in routes() {
        router = router.route(route.path, route.handler);
    }
    // The body is taken all the same: a client that is still sending it would not read the answer.
    let not_found = |_: RequestBody| async { answer::page_not_found() };
    // What is a word of a path with one method is an id with another, as routes of each method are looked up apart:
    // `GET /transactions/recover`.
    let mut of_ids = Router::new();
    for route in routes().into_iter().filter(|route| route.path.ends_with('}')) {
        of_ids = of_ids.route(route.path, route.handler);
    }
    let of_ids = of_ids.fallback(not_found).method_not_allowed_fallback(not_found).with_state(state.clone());
    let by_id = move |request: Request| of_ids.clone().call(request);
    router.fallback(not_found).method_not_allowed_fallback(by_id).with_state(state)
}

/// Whether there is a route for this method and path.
pub fn is_route(method: &Method, path: &str) -> bool {
    static PATTERNS: LazyLock<Vec<(Method, &'static str)>> =
        LazyLock::new(|| routes().iter().map(|route| (route.verb.method(), route.path)).collect());
    PATTERNS.iter().any(|(known, pattern)| known == method && path::matches(pattern, path))
}
