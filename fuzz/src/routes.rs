//! Which route an input is for. The order never changes, as inputs in `corpus/` name routes by number; routes that are not in
//! this list come behind it.

use server::http::router;

/// Method and path, in the order in which inputs count them. Append only.
const KNOWN: &[(&str, &str)] = &[
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/internal/info"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/page.js"),
    ("GET", "/docs/page.css"),
    ("POST", "/ledgers"),
    ("GET", "/ledgers"),
    ("GET", "/ledgers/{id}"),
    ("PUT", "/ledgers/{id}"),
    ("POST", "/balances"),
    ("GET", "/balances"),
    ("GET", "/balances/aggregate"),
    ("GET", "/balances/{id}"),
    ("GET", "/balances/{id}/at"),
    ("GET", "/balances/{id}/statement"),
    ("GET", "/identities/{id}/statement"),
    ("GET", "/ledgers/{id}/statement"),
    ("POST", "/balances-snapshots"),
    ("GET", "/balances/{id}/lineage"),
    ("GET", "/balances/indicator/{indicator}/currency/{currency}"),
    ("PUT", "/balances/{id}/policy"),
    ("GET", "/balances/{id}/policy"),
    ("DELETE", "/balances/{id}/policy"),
    ("PUT", "/balances/{id}/identity"),
    ("PUT", "/balances/{id}/alias"),
    ("DELETE", "/balances/{id}/alias"),
    ("GET", "/balances/alias/{alias}"),
    ("POST", "/currencies"),
    ("GET", "/currencies"),
    ("GET", "/currencies/{code}"),
    ("POST", "/identities"),
    ("GET", "/identities"),
    ("GET", "/identities/{id}"),
    ("POST", "/accounts"),
    ("GET", "/accounts"),
    ("GET", "/accounts/{id}"),
    ("POST", "/accounts/filter"),
    ("GET", "/mocked-account"),
    ("PUT", "/identities/{id}"),
    ("DELETE", "/identities/{id}"),
    ("POST", "/identities/{id}/tokenize"),
    ("POST", "/identities/{id}/tokenize/{field}"),
    ("GET", "/identities/{id}/tokenized-fields"),
    ("POST", "/identities/{id}/detokenize"),
    ("GET", "/identities/{id}/detokenize/{field}"),
    ("GET", "/identities/{id}/reveals"),
    ("POST", "/transactions"),
    ("GET", "/transactions"),
    ("GET", "/transactions/{id}"),
    ("GET", "/transactions/reference/{reference}"),
    ("POST", "/{id}/metadata"),
    ("POST", "/ledgers/filter"),
    ("POST", "/balances/filter"),
    ("POST", "/identities/filter"),
    ("POST", "/transactions/filter"),
    ("POST", "/transactions/bulk"),
    ("GET", "/transactions/scheduled/{id}"),
    ("PATCH", "/transactions/scheduled/{id}"),
    ("DELETE", "/transactions/scheduled/{id}"),
    ("GET", "/transactions/inflight/{id}"),
    ("GET", "/transactions/bulk/{batch_id}"),
    ("PUT", "/transactions/inflight/{id}"),
    ("PATCH", "/transactions/inflight/{id}"),
    ("POST", "/transactions/inflight/bulk/commit"),
    ("POST", "/transactions/inflight/bulk/void"),
    ("POST", "/transactions/recover"),
    ("GET", "/events"),
    ("POST", "/balance-monitors"),
    ("GET", "/balance-monitors"),
    ("GET", "/balance-monitors/{id}"),
    ("GET", "/balance-monitors/balances/{balance_id}"),
    ("PUT", "/balance-monitors/{id}"),
    ("DELETE", "/balance-monitors/{id}"),
    ("GET", "/transactions/{id}/lineage"),
    ("POST", "/refund-transaction/{id}"),
    ("POST", "/exchanges"),
];

/// Every route of the server.
pub fn all() -> Vec<(String, String)> {
    let mut all: Vec<_> = KNOWN.iter().map(|(method, path)| (method.to_string(), path.to_string())).collect();
    for route in router::routes() {
        let named = (route.verb.method().to_string(), route.path.to_owned());
        if !all.contains(&named) {
            all.push(named);
        }
    }
    all
}
