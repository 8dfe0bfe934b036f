//! Errors as clients see them: a closed list of codes, each with its status, and the envelope around them.

use super::answer;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use engine::limits::RETRY_AFTER_SECONDS;
use serde_json::{Map, Value, json};

/// Makes the list of codes: one line a code, so that text and status cannot be forgotten.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:ident;)*) => {
        /// The code of an error. It is stable; its status always follows from it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it is sent.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Code::$name => $text,)*
                }
            }

            /// The status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Code::$name => StatusCode::$status,)*
                }
            }
        }
    };
}

codes! {
    /// The body cannot be decoded, lacks something, or is too large.
    GenMalformedRequest = "GEN_MALFORMED_REQUEST", BAD_REQUEST;
    /// A field breaks a rule; bad paging or filters.
    GenValidationError = "GEN_VALIDATION_ERROR", BAD_REQUEST;
    /// A parameter is missing.
    GenMissingParameter = "GEN_MISSING_PARAMETER", BAD_REQUEST;
    /// The request makes no sense here.
    GenBadRequest = "GEN_BAD_REQUEST", BAD_REQUEST;
    /// There is no such thing.
    GenNotFound = "GEN_NOT_FOUND", NOT_FOUND;
    /// It contradicts what is there.
    GenConflict = "GEN_CONFLICT", CONFLICT;
    /// Something is locked.
    GenResourceLocked = "GEN_RESOURCE_LOCKED", LOCKED;
    /// An upload is too large.
    GenPayloadTooLarge = "GEN_PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE;
    /// Too many requests.
    GenRateLimited = "GEN_RATE_LIMITED", TOO_MANY_REQUESTS;
    /// A fault of the server.
    GenInternal = "GEN_INTERNAL", INTERNAL_SERVER_ERROR;
    /// No key was sent.
    AuthMissingApiKey = "AUTH_MISSING_API_KEY", UNAUTHORIZED;
    /// The key is not known.
    AuthInvalidApiKey = "AUTH_INVALID_API_KEY", UNAUTHORIZED;
    /// The key has expired or was revoked.
    AuthExpiredApiKey = "AUTH_EXPIRED_API_KEY", UNAUTHORIZED;
    /// Managing keys needs a key.
    AuthMissingPrincipal = "AUTH_MISSING_PRINCIPAL", UNAUTHORIZED;
    /// The key does not cover this.
    AuthInsufficientPermissions = "AUTH_INSUFFICIENT_PERMISSIONS", FORBIDDEN;
    /// No key but the master key covers this path.
    AuthUnknownResource = "AUTH_UNKNOWN_RESOURCE", FORBIDDEN;
    /// Only the master key may do this.
    AuthMasterKeyRequired = "AUTH_MASTER_KEY_REQUIRED", FORBIDDEN;
    /// Keys of another owner.
    AuthCrossOwnerAccess = "AUTH_CROSS_OWNER_ACCESS", FORBIDDEN;
    /// A key may not grant more than it has.
    AuthScopeEscalation = "AUTH_SCOPE_ESCALATION", FORBIDDEN;
    /// Metrics need a token.
    AuthMetricsTokenRequired = "AUTH_METRICS_TOKEN_REQUIRED", UNAUTHORIZED;
    /// The token is wrong.
    AuthInvalidBearerToken = "AUTH_INVALID_BEARER_TOKEN", UNAUTHORIZED;
    /// Metrics are off.
    AuthMetricsDisabled = "AUTH_METRICS_DISABLED", FORBIDDEN;
    /// There is no such key.
    ApikeyNotFound = "APIKEY_NOT_FOUND", NOT_FOUND;
    /// Whose keys must be said.
    ApikeyOwnerRequired = "APIKEY_OWNER_REQUIRED", BAD_REQUEST;
    /// A key cannot be made so.
    ApikeyInvalid = "APIKEY_INVALID", BAD_REQUEST;
    /// There is no such transaction, or one of its balances does not exist.
    TxnNotFound = "TXN_NOT_FOUND", NOT_FOUND;
    /// The source does not have the funds.
    TxnInsufficientFunds = "TXN_INSUFFICIENT_FUNDS", BAD_REQUEST;
    /// The amount is not positive, or rounds to nothing.
    TxnInvalidAmount = "TXN_INVALID_AMOUNT", BAD_REQUEST;
    /// The precision is not a whole number.
    TxnPrecisionNotInteger = "TXN_PRECISION_NOT_INTEGER", BAD_REQUEST;
    /// The parts of a split do not make its total.
    TxnInvalidDistribution = "TXN_INVALID_DISTRIBUTION", BAD_REQUEST;
    /// The reference was used before.
    TxnDuplicateReference = "TXN_DUPLICATE_REFERENCE", CONFLICT;
    /// It is not a hold.
    TxnNotInflight = "TXN_NOT_INFLIGHT", BAD_REQUEST;
    /// The hold was committed.
    TxnAlreadyCommitted = "TXN_ALREADY_COMMITTED", CONFLICT;
    /// The hold was voided.
    TxnAlreadyVoided = "TXN_ALREADY_VOIDED", CONFLICT;
    /// More than what is held.
    TxnCommitAmountExceeded = "TXN_COMMIT_AMOUNT_EXCEEDED", BAD_REQUEST;
    /// A hold can be committed or voided, nothing else.
    TxnInvalidStatusAction = "TXN_INVALID_STATUS_ACTION", BAD_REQUEST;
    /// A batch without items.
    TxnBulkEmpty = "TXN_BULK_EMPTY", BAD_REQUEST;
    /// A batch with too many items.
    TxnBulkLimitExceeded = "TXN_BULK_LIMIT_EXCEEDED", BAD_REQUEST;
    /// A field of a transaction breaks a rule; overdraft limit; other refusals.
    TxnValidationError = "TXN_VALIDATION_ERROR", BAD_REQUEST;
    /// The business date is in a period whose books are closed.
    TxnPeriodClosed = "TXN_PERIOD_CLOSED", BAD_REQUEST;
    /// There is no such balance.
    BalNotFound = "BAL_NOT_FOUND", NOT_FOUND;
    /// The balance did not exist at that time.
    BalHistoryNotFound = "BAL_HISTORY_NOT_FOUND", NOT_FOUND;
    /// Not a time.
    BalInvalidTimestamp = "BAL_INVALID_TIMESTAMP", BAD_REQUEST;
    /// A field of a balance breaks a rule.
    BalValidationError = "BAL_VALIDATION_ERROR", BAD_REQUEST;
    /// Nothing may be taken from the balance, or given to it.
    BalFrozen = "BAL_FROZEN", BAD_REQUEST;
    /// The policy of a balance names others to deal with.
    BalCounterpartyNotAllowed = "BAL_COUNTERPARTY_NOT_ALLOWED", BAD_REQUEST;
    /// The policy of a balance allows less, or less often.
    BalVelocityExceeded = "BAL_VELOCITY_EXCEEDED", BAD_REQUEST;
    /// The policy of the source wants more to stay.
    BalBelowMinimum = "BAL_BELOW_MINIMUM", BAD_REQUEST;
    /// The policy of the source lends less.
    BalCreditLimitExceeded = "BAL_CREDIT_LIMIT_EXCEEDED", BAD_REQUEST;
    /// There is no such monitor.
    BalMonitorNotFound = "BAL_MONITOR_NOT_FOUND", NOT_FOUND;
    /// There is no such assertion.
    BalAssertionNotFound = "BAL_ASSERTION_NOT_FOUND", NOT_FOUND;
    /// The balance was not what it is said to have been.
    BalAssertionBroken = "BAL_ASSERTION_BROKEN", CONFLICT;
    /// There is no such ledger.
    LgrNotFound = "LGR_NOT_FOUND", NOT_FOUND;
    /// There is no such closing.
    LgrClosingNotFound = "LGR_CLOSING_NOT_FOUND", NOT_FOUND;
    /// The books of the ledger are closed up to then, or further.
    LgrAlreadyClosed = "LGR_ALREADY_CLOSED", CONFLICT;
    /// The ledger exists.
    LgrDuplicate = "LGR_DUPLICATE", CONFLICT;
    /// There is no such account.
    AccNotFound = "ACC_NOT_FOUND", NOT_FOUND;
    /// The account exists.
    AccDuplicate = "ACC_DUPLICATE", CONFLICT;
    /// No account number could be made.
    AccGenerationFailed = "ACC_GENERATION_FAILED", INTERNAL_SERVER_ERROR;
    /// There is no such identity.
    IdtNotFound = "IDT_NOT_FOUND", NOT_FOUND;
    /// The id given for an identity is bad or taken.
    IdtValidationError = "IDT_VALIDATION_ERROR", BAD_REQUEST;
    /// The field has no tokens.
    IdtFieldNotTokenizable = "IDT_FIELD_NOT_TOKENIZABLE", BAD_REQUEST;
    /// The field is a token already.
    IdtFieldAlreadyTokenized = "IDT_FIELD_ALREADY_TOKENIZED", CONFLICT;
    /// The field is not a token.
    IdtFieldNotTokenized = "IDT_FIELD_NOT_TOKENIZED", BAD_REQUEST;
    /// There is no such field.
    IdtFieldNotFound = "IDT_FIELD_NOT_FOUND", BAD_REQUEST;
    /// No secret for tokens is set.
    IdtTokenizationDisabled = "IDT_TOKENIZATION_DISABLED", FORBIDDEN;
    /// There is no such reconciliation.
    ReconNotFound = "RECON_NOT_FOUND", NOT_FOUND;
    /// There is no such matching rule.
    ReconRuleNotFound = "RECON_RULE_NOT_FOUND", NOT_FOUND;
    /// The upload broke off.
    ReconUploadFailed = "RECON_UPLOAD_FAILED", BAD_REQUEST;
    /// Not an address to fetch an upload from.
    ReconUploadUrlInvalid = "RECON_UPLOAD_URL_INVALID", BAD_REQUEST;
    /// Uploads are not fetched from there.
    ReconUploadHostNotAllowed = "RECON_UPLOAD_HOST_NOT_ALLOWED", BAD_REQUEST;
    /// The upload could not be read.
    ReconUploadProcessingFailed = "RECON_UPLOAD_PROCESSING_FAILED", INTERNAL_SERVER_ERROR;
    /// A matching rule breaks a rule.
    ReconRuleInvalid = "RECON_RULE_INVALID", BAD_REQUEST;
    /// Matching rules are missing.
    ReconMatchingRulesRequired = "RECON_MATCHING_RULES_REQUIRED", BAD_REQUEST;
    /// External transactions are missing.
    ReconExternalTxnsRequired = "RECON_EXTERNAL_TXNS_REQUIRED", BAD_REQUEST;
    /// The reconciliation could not be started.
    ReconStartFailed = "RECON_START_FAILED", INTERNAL_SERVER_ERROR;
    /// There is no entity with this id to carry metadata.
    MetaEntityNotFound = "META_ENTITY_NOT_FOUND", NOT_FOUND;
    /// Not an id of an entity.
    MetaInvalidEntityId = "META_INVALID_ENTITY_ID", BAD_REQUEST;
    /// Such entities carry no metadata.
    MetaUnsupportedEntity = "META_UNSUPPORTED_ENTITY", BAD_REQUEST;
    /// There is no such hook.
    HookNotFound = "HOOK_NOT_FOUND", NOT_FOUND;
    /// Not a hook.
    HookInvalid = "HOOK_INVALID", BAD_REQUEST;
    /// The hook could not be stored.
    HookOperationFailed = "HOOK_OPERATION_FAILED", INTERNAL_SERVER_ERROR;
    /// The server has more waiting than it takes; try again.
    QueueBackpressure = "QUEUE_BACKPRESSURE", SERVICE_UNAVAILABLE;
    /// Not a search.
    SrchQueryInvalid = "SRCH_QUERY_INVALID", BAD_REQUEST;
    /// The search failed.
    SrchFailed = "SRCH_FAILED", INTERNAL_SERVER_ERROR;
    /// The index is being rebuilt already.
    SrchReindexInProgress = "SRCH_REINDEX_IN_PROGRESS", CONFLICT;
    /// The index is not being rebuilt.
    SrchReindexNotStarted = "SRCH_REINDEX_NOT_STARTED", NOT_FOUND;
    /// The backup failed.
    AdminBackupFailed = "ADMIN_BACKUP_FAILED", INTERNAL_SERVER_ERROR;
}

/// The older duplicate of the message, beside `error_detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legacy {
    /// `"error": message`.
    Error,
    /// `"errors": message`.
    Errors,
    /// `"errors": details`: refused filters are a list.
    ErrorsList,
    /// None; the fields beside `error_detail` are all the caller's own.
    None,
}

/// An error as it is sent: `{"error": message, "error_detail": {"code", "message", "details"?}}`.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The code, from which the status follows.
    pub code: Code,
    /// For people.
    pub message: String,
    /// Where the message stands a second time.
    pub legacy: Legacy,
    /// More about it, in `error_detail`.
    pub details: Option<Value>,
    /// More fields at the top, such as `batch_id`. Boxed, because errors travel in results and few have any.
    pub fields: Option<Box<Map<String, Value>>>,
}

impl ApiError {
    /// An error with the message in `error`.
    pub fn new(code: Code, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), legacy: Legacy::Error, details: None, fields: None }
    }

    /// The same, with the message in another place.
    pub fn legacy(self, legacy: Legacy) -> ApiError {
        ApiError { legacy, ..self }
    }

    /// The same with details.
    pub fn details(self, details: Value) -> ApiError {
        ApiError { details: Some(details), ..self }
    }

    /// The same with a field at the top.
    pub fn field(mut self, name: &str, value: Value) -> ApiError {
        self.fields.get_or_insert_default().insert(name.to_owned(), value);
        self
    }

    /// A fault of the server: the client learns nothing but that; the caller logs the rest.
    pub fn internal() -> ApiError {
        ApiError::new(Code::GenInternal, "internal server error")
    }

    /// The JSON body.
    pub fn body(&self) -> Value {
        let mut detail = json!({"code": self.code.text(), "message": self.message});
        if let Some(details) = &self.details {
            detail["details"] = details.clone();
        }
        let mut body = self.fields.as_deref().cloned().unwrap_or_default();
        match self.legacy {
            Legacy::Error => drop(body.insert("error".to_owned(), self.message.clone().into())),
            Legacy::Errors => drop(body.insert("errors".to_owned(), self.message.clone().into())),
            Legacy::ErrorsList => drop(body.insert("errors".to_owned(), self.details.clone().unwrap_or_default())),
            Legacy::None => {}
        }
        body.insert("error_detail".to_owned(), detail);
        Value::Object(body)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = answer::json(self.code.status(), &self.body());
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_distinct() {
        let texts: HashSet<&str> = Code::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(texts.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')));
    }

    #[test]
    fn envelopes() {
        let plain = ApiError::new(Code::LgrNotFound, "Ledger not found");
        assert_eq!(
            plain.body(),
            json!({"error": "Ledger not found", "error_detail": {"code": "LGR_NOT_FOUND", "message": "Ledger not found"}})
        );
        let item = ApiError::new(Code::TxnValidationError, "m").legacy(Legacy::Errors).details(json!({"index": 3}));
        assert_eq!(
            item.body(),
            json!({"errors": "m", "error_detail": {"code": "TXN_VALIDATION_ERROR", "message": "m", "details": {"index": 3}}})
        );
        let batch = ApiError::new(Code::TxnNotFound, "m").field("batch_id", "bulk_1".into());
        assert_eq!(batch.body()["batch_id"], "bulk_1");
        let filters =
            ApiError::new(Code::GenValidationError, "m").legacy(Legacy::ErrorsList).details(json!([{"Param": "p"}]));
        assert_eq!(filters.body()["errors"], filters.body()["error_detail"]["details"]);
    }
}
