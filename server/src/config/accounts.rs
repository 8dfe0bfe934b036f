//! Where the numbers of accounts come from.

use super::Secret;
use super::typed::Typed;
use super::value::Value;
use axum::http::{HeaderValue, Uri};
use std::time::Duration;

/// How long a service may take to make a number, unless set.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// How long a service may be given to make a number.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(60);

const URL: &str = "account_number_generation.http_service.url";
const TIMEOUT: &str = "account_number_generation.http_service.timeout";
const AUTHORIZATION: &str = "account_number_generation.http_service.headers.Authorization";

/// The service that makes the numbers of accounts.
#[derive(Debug, Clone)]
pub struct NumberService {
    /// Where it is: `http` or `https`, and a host.
    pub url: Uri,
    /// What it is sent as `Authorization`, if anything.
    pub authorization: Secret,
    /// How long it may take, its name and its connection included.
    pub timeout: Duration,
}

impl NumberService {
    /// The service, when there is to be one.
    pub(super) fn resolve(typed: &Typed, problems: &mut Vec<String>) -> Option<NumberService> {
        if !typed.flag("account_number_generation.enable_auto_generation") {
            return None;
        }
        let url = typed.text(URL).parse::<Uri>().ok().filter(is_usable);
        if url.is_none() {
            problems.push(format!(
                "{URL}: account numbers are to be generated, so it must be an address such as https://numbers.example.com/next"
            ));
        }
        let authorization = typed.text(AUTHORIZATION);
        if HeaderValue::from_str(authorization).is_err() {
            problems.push(format!("{AUTHORIZATION}: it cannot stand in a header"));
        }
        let timeout = match typed.given(TIMEOUT).value {
            Value::Duration(timeout) => timeout,
            _ => TIMEOUT_DEFAULT,
        };
        if timeout.is_zero() || timeout > TIMEOUT_MAX {
            problems.push(format!("{TIMEOUT}: expected more than nothing and at most {TIMEOUT_MAX:?}"));
        }
        Some(NumberService { url: url?, authorization: Secret::new(authorization), timeout })
    }
}

/// Whether an address can be called.
pub(super) fn is_usable(url: &Uri) -> bool {
    let speaks = matches!(url.scheme_str(), Some("http" | "https"));
    let named = url.host().is_some_and(|host| !host.is_empty());
    speaks && named && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
}
