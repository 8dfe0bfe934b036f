//! Identities on the wire.

use super::lineage::lineage_label;
use super::metadata::Metadata;
use super::time::{Moment, ZERO};
use super::validate::Problems;
use crate::decode::{RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::command::CreateIdentity;
use ledger::limits;
use serde::{Deserialize, Serialize};

/// Makes the body and the view of an identity from one list of its text fields.
macro_rules! identity_fields {
    ($($(#[$doc:meta])* $key:literal $field:ident,)*) => {
        crate::lenient_struct! {
            /// Body of `POST /identities`.
            pub struct IdentityBody<'a> {
                /// An id that the caller chose.
                "identity_id" identity_id: Text<'a>,
                $($(#[$doc])* $key $field: Text<'a>,)*
                /// Date of birth, RFC 3339.
                "dob" dob: Text<'a>,
                /// Anything.
                "meta_data" metadata: RawObject<'a>,
            }
        }

        /// An identity.
        #[derive(Debug, Serialize)]
        pub struct IdentityView {
            /// Its id.
            pub identity_id: String,
            $($(#[$doc])* $field: String,)*
            dob: String,
            /// When it was made.
            pub created_at: String,
            meta_data: Option<Metadata>,
        }

        /// An identity as it is stored in its record: only what was given.
        #[derive(Debug, Default, Serialize, Deserialize)]
        #[serde(default)]
        struct Detail {
            $(#[serde(skip_serializing_if = "String::is_empty")] $field: String,)*
            #[serde(skip_serializing_if = "String::is_empty")]
            dob: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            meta_data: Option<Metadata>,
        }

        impl IdentityBody<'_> {
            fn detail(&self) -> Detail {
                Detail {
                    $($field: self.$field.as_deref().unwrap_or_default().to_owned(),)*
                    dob: String::new(),
                    meta_data: self.metadata.and_then(|object| Metadata::parse(object.0)),
                }
            }
        }

        impl IdentityView {
            /// The identity of a stored detail.
            pub fn new(identity_id: String, created_at: i64, detail: &str) -> IdentityView {
                let detail: Detail = serde_json::from_str(detail).unwrap_or_default();
                IdentityView {
                    identity_id,
                    $($field: detail.$field,)*
                    dob: if detail.dob.is_empty() { ZERO.to_owned() } else { detail.dob },
                    created_at: super::time::text(created_at),
                    meta_data: detail.meta_data,
                }
            }

            /// A text by its name.
            pub fn text(&self, name: &str) -> Option<&str> {
                match name {
                    $($key => Some(&self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

identity_fields! {
    /// `individual`, `organization`, or any text.
    "identity_type" identity_type,
    /// Name of an organization.
    "organization_name" organization_name,
    /// Any text.
    "category" category,
    /// First name.
    "first_name" first_name,
    /// Last name.
    "last_name" last_name,
    /// Names between the two.
    "other_names" other_names,
    /// Any text.
    "gender" gender,
    /// Address for mail.
    "email_address" email_address,
    /// Phone number.
    "phone_number" phone_number,
    /// Any text.
    "nationality" nationality,
    /// Street and number.
    "street" street,
    /// Country.
    "country" country,
    /// State or region.
    "state" state,
    /// Post code.
    "post_code" post_code,
    /// City.
    "city" city,
}

impl IdentityView {
    /// The date of birth, microseconds since 1970; long ago when there is none.
    pub fn born_at(&self) -> i64 {
        Moment::parse(&self.dob).or_else(|| Moment::parse(ZERO)).map_or(0, Moment::micros)
    }

    /// What the lineage of its balances is named after.
    pub fn lineage_label(&self) -> String {
        lineage_label(&self.first_name, &self.last_name, &self.organization_name, &self.identity_id)
    }

    /// What its maker noted.
    pub const fn metadata(&self) -> Option<&Metadata> {
        self.meta_data.as_ref()
    }

    /// The answer to the request that made it: the date of birth with its time, as it was sent.
    pub fn told_as_asked(mut self, dob: Option<&str>) -> IdentityView {
        if let Some(moment) = dob.and_then(Moment::parse) {
            self.dob = moment.text();
        }
        self
    }
}

impl IdentityBody<'_> {
    /// The command to make the identity.
    pub fn command(&self) -> Result<CreateIdentity, ApiError> {
        let id = self.identity_id.as_deref().unwrap_or_default();
        if !id.is_empty() {
            check_id(id)?;
        }
        let mut detail = self.detail();
        if let Some(dob) = self.dob.as_deref().filter(|dob| !dob.is_empty()) {
            let moment = Moment::parse(dob).ok_or_else(|| {
                ApiError::new(
                    Code::GenMalformedRequest,
                    "dob: must be a time in RFC 3339, such as 1990-05-10T00:00:00Z",
                )
            })?;
            detail.dob = moment.day();
        }
        let detail = serde_json::to_string(&detail).expect("texts can be written");
        let mut problems = Problems::default();
        problems.length("meta_data", self.metadata.map_or("", |object| object.0), limits::METADATA_BYTES_MAX);
        problems.length("identity", &detail, limits::IDENTITY_BYTES_MAX);
        problems.into_result(Code::GenValidationError)?;
        Ok(CreateIdentity { id: id.to_owned(), detail })
    }
}

/// An id that a caller chose is `idt_` and a UUID, in any of the spellings that UUIDs have; it is kept as it was sent.
fn check_id(id: &str) -> Result<(), ApiError> {
    let refuse = |message: &str| ApiError::new(Code::IdtValidationError, message);
    let Some(uuid) = id.strip_prefix("idt_") else {
        return Err(refuse("identity_id must start with the 'idt_' prefix"));
    };
    let bare = uuid.strip_prefix("urn:uuid:").unwrap_or(uuid);
    let bare = bare.strip_prefix('{').and_then(|bare| bare.strip_suffix('}')).unwrap_or(bare);
    let hyphens = [8, 13, 18, 23];
    let good = match bare.len() {
        32 => bare.bytes().all(|byte| byte.is_ascii_hexdigit()),
        36 => bare
            .bytes()
            .enumerate()
            .all(|(at, byte)| if hyphens.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() }),
        _ => false,
    };
    if good {
        return Ok(());
    }
    Err(refuse("identity_id suffix after 'idt_' must be a valid UUID").details(serde_json::json!({})))
}
