//! Every key that can be set, on one page: its name in a file, its environment names, its default, and whether it does
//! anything here. Keys that only made sense for a server with PostgreSQL, Redis and Typesense beside it are accepted, so
//! that a `blnk.json` in use keeps working, and listed as unused.

use super::value::Kind;
use Kind::{Choice, Count, Duration, Flag, List, Map, Number, Secret, Text};

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its path in a file, `section.name`.
    pub path: &'static str,
    /// Its name in the environment after `FLORIN_` or `BLNK_`, where that is not just the path in capitals.
    pub environment: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Its default, as it would be typed; empty for none.
    pub default: &'static str,
    /// Why it does nothing here, if so.
    pub unused: Option<&'static str>,
}

/// Prefixes of environment names. The first wins.
pub const PREFIXES: [&str; 2] = ["FLORIN_", "BLNK_"];

/// Environment names with a known prefix that belong to client programs and are none of our business.
pub const FOREIGN_ENVIRONMENT: &[&str] = &["BLNK_URL", "BLNK_API_KEY", "FLORIN_URL", "FLORIN_API_KEY"];

const DATABASE: &str = "data is kept in the data folder; there is no database to connect to";
const REDIS: &str = "there is no Redis";
const SEARCH: &str = "there is no search server to connect to";
const QUEUE: &str = "a transaction is decided in the request that brings it; there is no queue to tune";
const LOCKS: &str = "balances are not locked";
const TLS: &str = "only plain HTTP is spoken; put TLS in front";
const CHAIN: &str = "records are always chained, at once";
const TELEMETRY: &str = "nothing is sent to third parties";
const LATER: &str = "not built yet";

const fn key(path: &'static str, environment: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { path, environment, kind, default, unused: None }
}

const fn unused(
    path: &'static str,
    environment: &'static str,
    kind: Kind,
    default: &'static str,
    why: &'static str,
) -> Key {
    Key { path, environment, kind, default, unused: Some(why) }
}

/// All keys. Those without a section come first, so that they can be printed in this order as TOML.
pub const KEYS: &[Key] = &[
    key("project_name", "", Text, "Blnk Server"),
    key("listen", "", Text, ""),
    key("data", "", Text, "./data"),
    unused("type_sense_key", "TYPESENSE_KEY", Secret, "", SEARCH),
    key("tokenization_secret", "", Secret, ""),
    key("master_key", "", Secret, ""),
    key("master_key_file", "", Text, ""),
    key("archive", "", Text, ""),
    unused("backup_dir", "", Text, "", LATER),
    unused("aws_access_key_id", "", Text, "", LATER),
    unused("aws_secret_access_key", "", Secret, "", LATER),
    unused("s3_endpoint", "", Text, "", LATER),
    unused("s3_bucket_name", "", Text, "", LATER),
    unused("s3_region", "", Text, "", LATER),
    unused("enable_observability", "", Flag, "false", LATER),
    unused("monitoring_dsn", "", Secret, "", LATER),
    unused("cloud_dsn", "", Secret, "", LATER),
    unused("enable_telemetry", "", Flag, "false", TELEMETRY),
    key("server.host", "", Text, ""),
    key("server.port", "", Count, "5001"),
    key("server.secure", "", Flag, "false"),
    key("server.secret_key", "", Secret, ""),
    key("server.max_request_body_size_mb", "", Count, "5"),
    key("server.max_connections", "", Count, "10000"),
    key("server.threads", "", Count, ""),
    unused("server.metrics_bearer_token", "METRICS_BEARER_TOKEN", Secret, "", LATER),
    unused("server.max_upload_size_mb", "", Count, "256", LATER),
    unused("server.upload_whitelist", "UPLOAD_DOMAIN_WHITELIST", List, "", LATER),
    unused("server.upload_url_timeout_sec", "UPLOAD_URL_TIMEOUT_SEC", Count, "30", LATER),
    unused("server.ssl", "", Flag, "false", TLS),
    unused("server.ssl_email", "", Text, "", TLS),
    unused("server.domain", "SERVER_SSL_DOMAIN", Text, "", TLS),
    unused("server.cert_storage_path", "CERT_STORAGE_PATH", Text, "", TLS),
    key("journal.segment_mb", "", Count, "64"),
    key("scrub.bytes_per_second", "", Count, "4194304"),
    key("scrub.pause", "", Duration, "1h"),
    key("compat.currency_mismatch", "", Choice(&["refuse", "allow"]), "refuse"),
    key("compat.late_settlement", "", Choice(&["refuse", "accept"]), "refuse"),
    key("log.level", "", Choice(&["off", "error", "warn", "info", "debug", "trace"]), "info"),
    key("log.format", "", Choice(&["text", "json"]), "text"),
    key("log.requests", "", Flag, "true"),
    key("queue.skip", "", Flag, "false"),
    unused("queue.transaction_queue", "QUEUE_TRANSACTION", Text, "new:transaction", QUEUE),
    unused("queue.webhook_queue", "QUEUE_WEBHOOK", Text, "new:webhook", QUEUE),
    unused("queue.index_queue", "QUEUE_INDEX", Text, "new:index", QUEUE),
    unused("queue.inflight_expiry_queue", "QUEUE_INFLIGHT_EXPIRY", Text, "new:inflight-expiry", QUEUE),
    unused("queue.inflight_commit_queue", "QUEUE_INFLIGHT_COMMIT", Text, "new:inflight-commit", QUEUE),
    unused("queue.number_of_queues", "", Count, "20", QUEUE),
    unused("queue.transaction_worker_concurrency", "", Count, "4", QUEUE),
    unused("queue.webhook_concurrency", "", Count, "20", LATER),
    unused("queue.max_retry_attempts", "", Count, "5", QUEUE),
    unused("queue.insufficient_fund_retries", "", Flag, "false", QUEUE),
    unused("queue.monitoring_port", "", Count, "5004", QUEUE),
    unused("queue.enable_hot_lane", "", Flag, "false", LOCKS),
    unused("queue.hot_queue_name", "", Text, "hot_transactions", LOCKS),
    unused("queue.hot_queue_concurrency", "", Count, "1", LOCKS),
    unused("queue.hot_pair_ttl", "", Duration, "5m", LOCKS),
    unused("queue.hot_pair_lock_contention_threshold", "", Count, "3", LOCKS),
    unused("queue.reject_lock_contention_immediately", "", Flag, "false", LOCKS),
    unused("queue.enable_backpressure", "", Flag, "false", QUEUE),
    unused("queue.backpressure_memory_percent", "", Number, "85", QUEUE),
    unused("queue.backpressure_max_pending_tasks", "", Count, "0", QUEUE),
    unused("queue.backpressure_check_interval", "", Duration, "500ms", QUEUE),
    key("transaction.enable_queued_checks", "", Flag, "false"),
    unused("transaction.batch_size", "", Count, "1000", QUEUE),
    unused("transaction.max_queue_size", "", Count, "1000", QUEUE),
    unused("transaction.max_workers", "", Count, "10", QUEUE),
    unused("transaction.lock_duration", "", Duration, "5m", LOCKS),
    unused("transaction.lock_wait_timeout", "", Duration, "3s", LOCKS),
    unused("transaction.index_queue_prefix", "", Text, "transactions", SEARCH),
    unused("transaction.enable_coalescing", "", Flag, "true", QUEUE),
    unused("transaction.disable_batch_reference_check", "", Flag, "false", "references are always checked"),
    unused("transaction.hash_chain.enabled", "TRANSACTION_HASHCHAIN_ENABLED", Flag, "false", CHAIN),
    unused("transaction.hash_chain.poll_interval", "TRANSACTION_HASHCHAIN_POLL_INTERVAL", Duration, "5s", CHAIN),
    unused("transaction.hash_chain.batch_size", "TRANSACTION_HASHCHAIN_BATCH_SIZE", Count, "1000", CHAIN),
    unused("transaction.hash_chain.trailing_delay", "TRANSACTION_HASHCHAIN_TRAILING_DELAY", Duration, "30s", CHAIN),
    unused("rate_limit.requests_per_second", "RATE_LIMIT_RPS", Number, "", LATER),
    unused("rate_limit.burst", "", Count, "", LATER),
    unused("rate_limit.cleanup_interval_sec", "", Count, "10800", LATER),
    unused("notification.slack.webhook_url", "SLACK_WEBHOOK_URL", Secret, "", LATER),
    unused("notification.webhook.url", "WEBHOOK_URL", Text, "", LATER),
    unused("notification.webhook.headers", "WEBHOOK_HEADERS", Map, "", LATER),
    key(
        "account_number_generation.enable_auto_generation",
        "ACCOUNTNUMBERGENERATION_ENABLEAUTOGENERATION",
        Flag,
        "false",
    ),
    key("account_number_generation.http_service.url", "ACCOUNTNUMBERGENERATION_HTTPSERVICE_URL", Text, ""),
    key(
        "account_number_generation.http_service.timeout",
        "ACCOUNTNUMBERGENERATION_HTTPSERVICE_TIMEOUT",
        Duration,
        "30s",
    ),
    key(
        "account_number_generation.http_service.headers.Authorization",
        "ACCOUNTNUMBERGENERATION_HTTPSERVICE_HEADERS_AUTHORIZATION",
        Secret,
        "",
    ),
    key("proofs.origin", "", Text, ""),
    key("proofs.key", "", Secret, ""),
    key("proofs.key_file", "", Text, ""),
    key("proofs.checkpoint_file", "", Text, ""),
    key("proofs.checkpoint_url", "", Text, ""),
    key("proofs.checkpoint_authorization", "", Secret, ""),
    key("proofs.checkpoint_interval", "", Duration, "1m"),
    unused("reconciliation.progress_interval", "", Count, "100", LATER),
    unused("reconciliation.default_strategy", "", Text, "one_to_one", LATER),
    unused("reconciliation.max_retries", "", Count, "3", LATER),
    unused("reconciliation.retry_delay", "", Duration, "5s", LATER),
    unused("data_source.dns", "", Secret, "", DATABASE),
    unused("data_source.max_open_conns", "DATABASE_MAX_OPEN_CONNS", Count, "50", DATABASE),
    unused("data_source.max_idle_conns", "DATABASE_MAX_IDLE_CONNS", Count, "25", DATABASE),
    unused("data_source.conn_max_lifetime", "DATABASE_CONN_MAX_LIFETIME", Duration, "30m", DATABASE),
    unused("data_source.conn_max_idle_time", "DATABASE_CONN_MAX_IDLE_TIME", Duration, "5m", DATABASE),
    unused("redis.dns", "", Secret, "", REDIS),
    unused("redis.skip_tls_verify", "", Flag, "false", REDIS),
    unused("redis.pool_size", "", Count, "100", REDIS),
    unused("redis.min_idle_conns", "", Count, "20", REDIS),
    unused("typesense.dns", "", Text, "", SEARCH),
    unused("typesense.backpressure_retry_interval", "", Duration, "5s", SEARCH),
];

impl Key {
    /// The key with this path.
    pub fn find(path: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// Its names in the environment without prefix: the documented one first, then its path in capitals.
    pub fn environment_names(&self) -> Vec<String> {
        let from_path = self.path.to_ascii_uppercase().replace('.', "_");
        if self.environment.is_empty() { vec![from_path] } else { vec![self.environment.to_owned(), from_path] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_stands_once_and_its_default_is_valid() {
        let mut paths = BTreeSet::new();
        let mut names = BTreeSet::new();
        for key in KEYS {
            assert!(paths.insert(key.path), "{} twice", key.path);
            for name in key.environment_names() {
                assert!(names.insert(name.clone()), "{name} means two keys");
            }
            if !key.default.is_empty() {
                value::from_text(&key.kind, key.default).unwrap_or_else(|error| panic!("{}: {error}", key.path));
            }
        }
    }

    /// The names that Blnk documents, where they are not the path in capitals.
    #[test]
    fn documented_environment_names() {
        for (path, name) in [
            ("server.metrics_bearer_token", "METRICS_BEARER_TOKEN"),
            ("server.max_upload_size_mb", "SERVER_MAX_UPLOAD_SIZE_MB"),
            ("data_source.max_open_conns", "DATABASE_MAX_OPEN_CONNS"),
            ("transaction.hash_chain.enabled", "TRANSACTION_HASHCHAIN_ENABLED"),
            ("rate_limit.requests_per_second", "RATE_LIMIT_RPS"),
            ("type_sense_key", "TYPESENSE_KEY"),
            ("queue.transaction_queue", "QUEUE_TRANSACTION"),
        ] {
            assert!(Key::find(path).expect(path).environment_names().contains(&name.to_owned()), "{path}");
        }
    }
}
