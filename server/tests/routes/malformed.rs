//! What cannot be decoded is refused by every route that reads a body, and leaves nothing behind.

use crate::support::open;
use server::http::router::routes;

const MALFORMED: &[(&[u8], &str)] = &[
    (b"", "EOF"),
    (b"{", "unexpected EOF"),
    (b"{\"name\": }", ""),
    (b"[]", ""),
    (b"3", ""),
    (b"\"text\"", ""),
    (b"{\"x\": \"\xff\"}", "UTF-8"),
    (b"{\"x\": \"a\\u0000b\"}", "NUL"),
    (b"{\"x\": \"a\0b\"}", ""),
    (b"{\"meta_data\": {\"x\": \"\\ud800\"}}", "surrogate"),
];

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let server = open();
    for route in routes() {
        if route.operation.body.is_none() {
            continue;
        }
        let path = route.path.replace("{id}", "txn_0");
        for (body, text) in MALFORMED {
            // A refund needs no body; a transaction's decoder tells nothing about its body.
            let text = match route.operation.id {
                "refund_transaction" if body.is_empty() => continue,
                "create_transaction" => "Invalid input",
                _ => text,
            };
            // Filters tell every mistake by one code.
            let code = if path.ends_with("/filter") { "GEN_VALIDATION_ERROR" } else { "GEN_MALFORMED_REQUEST" };
            server.refuses((route.verb.method().as_str(), &path), *body, (400, code, text)).await;
        }
    }
}

/// Fields of the wrong type, one at a time.
#[tokio::test]
async fn wrong_types_are_refused() {
    let server = open();
    for (method, path, texts, numbers, flags) in [
        ("POST", "/ledgers", &["name"][..], &[][..], &[][..]),
        ("PUT", "/ledgers/general_ledger_id", &["name"], &[], &[]),
        (
            "POST",
            "/balances",
            &["ledger_id", "currency", "identity_id", "allocation_strategy", "indicator"],
            &[],
            &["track_fund_lineage"],
        ),
        ("POST", "/identities", &["identity_id", "first_name", "email_address", "city", "dob"], &[], &[]),
        (
            "POST",
            "/transactions",
            &["currency", "reference", "description", "source", "destination", "scheduled_for", "effective_date"],
            &["amount", "precision", "overdraft_limit"],
            &["allow_overdraft", "inflight", "skip_queue", "atomic", "dry_run"],
        ),
        ("POST", "/currencies", &["code", "name"], &["scale"], &[]),
        ("PUT", "/balances/bln_0/policy", &["frozen"], &[], &[]),
        (
            "POST",
            "/transactions/bulk",
            &[],
            &[],
            &["atomic", "inflight", "continue_on_error", "run_async", "skip_queue", "dry_run"],
        ),
        (
            "PUT",
            "/transactions/inflight/txn_0",
            &["status"],
            &["amount"],
            &["skip_queue", "dry_run", "allow_over_capture"],
        ),
        (
            "PATCH",
            "/transactions/inflight/txn_0",
            &["inflight_expiry_date", "inflight_commit_date", "description"],
            &["amount"],
            &[],
        ),
        ("PATCH", "/transactions/scheduled/txn_0", &["scheduled_for"], &["amount"], &[]),
        ("POST", "/transactions/inflight/bulk/commit", &[], &[], &["skip_queue", "dry_run"]),
        ("POST", "/transactions/inflight/bulk/void", &[], &[], &["skip_queue", "dry_run"]),
        ("POST", "/refund-transaction/txn_0", &["description"], &["amount"], &["skip_queue", "dry_run"]),
    ] {
        let wrong_text = texts.iter().flat_map(|name| ["3", "true", "[]", "{}"].map(|value| (name, value)));
        let wrong_number = numbers.iter().flat_map(|name| ["\"3\"", "true", "[]", "{}"].map(|value| (name, value)));
        let wrong_flag = flags.iter().flat_map(|name| ["3", "\"true\"", "[]", "{}"].map(|value| (name, value)));
        for (name, value) in wrong_text.chain(wrong_number).chain(wrong_flag) {
            let body = format!("{{\"{name}\": {value}}}");
            server.refuses((method, path), body, (400, "GEN_MALFORMED_REQUEST", "")).await;
        }
    }
    let objects = ["/ledgers", "/balances", "/identities", "/transactions", "/refund-transaction/txn_0"];
    for (path, value) in objects.iter().flat_map(|path| ["3", "\"{}\"", "[]", "true"].map(|value| (path, value))) {
        let body = format!("{{\"meta_data\": {value}}}");
        server.refuses(("POST", path), body, (400, "GEN_MALFORMED_REQUEST", "")).await;
    }
}
