//! Failed requests, counted by status and code. Nothing is left out because there is much of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::exchange::Loss;
use super::reply::Reply;

/// Kinds beyond this are counted together: a server could make up codes without end.
const KINDS_MAX: usize = 64;

/// One kind of failure.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failure {
    /// HTTP status; 0 if there was no reply.
    pub status: u16,
    pub code: String,
    pub requests: u64,
    /// Start of the first such reply.
    pub sample: String,
}

/// Failed requests by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    kinds: BTreeMap<(u16, String), (u64, String)>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error_detail: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: String,
}

impl Failures {
    pub fn add_reply(&mut self, reply: &Reply<'_>) {
        let code = match serde_json::from_slice::<ErrorBody>(&reply.body) {
            Ok(body) => body.error_detail.code,
            Err(_) if reply.succeeded() => "success without the expected status".to_owned(),
            Err(_) => "no code".to_owned(),
        };
        self.add(reply.status, code, || reply.excerpt());
    }

    pub fn add_loss(&mut self, loss: Loss) {
        self.add(0, loss.text().to_owned(), String::new);
    }

    fn add(&mut self, status: u16, code: String, sample: impl FnOnce() -> String) {
        let mut key = (status, code);
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&key) {
            key.1 = "other codes".to_owned();
        }
        self.kinds.entry(key).or_insert_with(|| (0, sample())).0 += 1;
    }

    pub fn count(&self) -> u64 {
        self.kinds.values().map(|(requests, _)| requests).sum()
    }

    /// Most frequent first.
    pub fn list(&self) -> Vec<Failure> {
        let failure = |((status, code), (requests, sample)): (&(u16, String), &(u64, String))| Failure {
            status: *status,
            code: code.clone(),
            requests: *requests,
            sample: sample.clone(),
        };
        let mut list: Vec<Failure> = self.kinds.iter().map(failure).collect();
        list.sort_by_key(|failure| std::cmp::Reverse(failure.requests));
        list
    }
}

impl Serialize for Failures {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &'static str) -> Reply<'static> {
        Reply { status, body: body.as_bytes().into(), reusable: true }
    }

    #[test]
    fn failures_are_kept_apart_by_status_and_code() {
        let mut failures = Failures::default();
        for _ in 0..3 {
            failures.add_reply(&reply(409, r#"{"error":"used","error_detail":{"code":"TXN_DUPLICATE_REFERENCE"}}"#));
        }
        failures.add_reply(&reply(502, "<html>"));
        failures.add_reply(&reply(201, r#"{"status":"REJECTED"}"#));
        failures.add_loss(Loss::Closed);
        assert_eq!(failures.count(), 6);
        let list = failures.list();
        assert_eq!((list[0].status, list[0].code.as_str(), list[0].requests), (409, "TXN_DUPLICATE_REFERENCE", 3));
        assert!(list[0].sample.starts_with("409 {\"error\":\"used\""));
        assert_eq!(list.iter().map(|failure| failure.status).collect::<Vec<_>>(), [409, 0, 201, 502]);
    }

    #[test]
    fn kinds_are_bounded_and_counts_are_not() {
        let mut failures = Failures::default();
        for number in 0..200 {
            failures.add(500, format!("CODE_{number}"), String::new);
        }
        assert_eq!(failures.count(), 200);
        assert!(failures.list().len() <= KINDS_MAX + 1);
    }
}
