//! Identities on the wire.

use super::lineage::lineage_label;
use super::metadata::Metadata;
use super::time::{Moment, ZERO};
use super::token::{Mode, TOKENIZABLE};
use super::validate::Problems;
use crate::decode::{RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Makes the body and the view of an identity from one list of its text fields.
macro_rules! identity_fields {
    ($($(#[$doc:meta])* $key:literal $field:ident,)*) => {
        crate::lenient_struct! {
            /// Body of `POST /identities` and `PUT /identities/{id}`.
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

        /// The fields of an identity, as they are stored: only what was given.
        #[derive(Debug, Clone, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Fields {
            $(#[serde(skip_serializing_if = "String::is_empty")] $field: String,)*
            #[serde(skip_serializing_if = "String::is_empty")]
            dob: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            meta_data: Option<Metadata>,
            /// Which of them are tokens, by the name by which callers know them, and how these were made.
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            tokens: BTreeMap<String, Mode>,
        }

        impl IdentityBody<'_> {
            fn fields(&self) -> Fields {
                Fields {
                    $($field: self.$field.as_deref().unwrap_or_default().to_owned(),)*
                    dob: String::new(),
                    meta_data: self.metadata.and_then(|object| own_metadata(object.0)),
                    tokens: BTreeMap::new(),
                }
            }

            /// The texts that are given and not empty, by name.
            fn texts(&self) -> Vec<(&'static str, &str)> {
                let all = [$(($key, self.$field.as_deref().unwrap_or_default()),)*];
                all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
            }
        }

        impl Fields {
            /// A text by its name.
            pub fn get(&self, name: &str) -> Option<&str> {
                match name {
                    $($key => Some(&self.$field),)*
                    _ => None,
                }
            }

            fn get_mut(&mut self, name: &str) -> Option<&mut String> {
                match name {
                    $($key => Some(&mut self.$field),)*
                    _ => None,
                }
            }

            /// The fields as they are shown.
            pub fn view(self, identity_id: String, created_at: i64) -> IdentityView {
                let meta_data = self.shown_metadata();
                IdentityView {
                    identity_id,
                    $($field: self.$field,)*
                    dob: if self.dob.is_empty() { ZERO.to_owned() } else { self.dob },
                    created_at: super::time::text(created_at),
                    meta_data,
                }
            }
        }

        impl IdentityView {
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

    /// What its maker noted, with the fields that are tokens.
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

/// Key of the metadata under which the fields that are tokens are told. It belongs to the server: who sends back the metadata
/// that was read does not change which they are.
pub const TOKENIZED_FIELDS: &str = "tokenized_fields";

fn own_metadata(object: &str) -> Option<Metadata> {
    let mut metadata = Metadata::parse(object)?;
    metadata.remove(TOKENIZED_FIELDS);
    Some(metadata)
}

impl Fields {
    /// Reads stored fields.
    pub fn parse(text: &str) -> Option<Fields> {
        serde_json::from_str(text).ok()
    }

    /// The fields as text, to be stored.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("texts can be written")
    }

    /// What its maker noted, without what the server tells there.
    pub const fn metadata(&self) -> Option<&Metadata> {
        self.meta_data.as_ref()
    }

    /// Gives it other metadata, all of it.
    pub fn set_metadata(&mut self, mut metadata: Metadata) {
        metadata.remove(TOKENIZED_FIELDS);
        self.meta_data = Some(metadata);
    }

    /// The metadata as it is shown: with the fields that are tokens.
    pub fn shown_metadata(&self) -> Option<Metadata> {
        if self.tokens.is_empty() {
            return self.meta_data.clone();
        }
        let mut shown = self.meta_data.clone().unwrap_or_default();
        shown.set(TOKENIZED_FIELDS, self.tokens.keys().map(|name| (name.as_str(), true)).collect::<BTreeMap<_, _>>());
        Some(shown)
    }

    /// Names of the fields that are tokens.
    pub fn tokenized(&self) -> impl Iterator<Item = &str> {
        self.tokens.keys().map(String::as_str)
    }

    /// How the token in a field was made, if there is one.
    pub fn mode(&self, name: &str) -> Option<Mode> {
        self.tokens.get(name).copied()
    }

    /// Puts a token in the place of a value.
    pub fn tokenize(&mut self, (name, field): (&str, &str), mode: Mode, token: String) {
        *self.get_mut(field).expect("fields of tokens are fields of identities") = token;
        self.tokens.insert(name.to_owned(), mode);
    }

    /// Sets a text. What was a token there is none any more, unless it is sent back as it was read.
    fn set(&mut self, field: &str, text: &str) {
        let Some(stored) = self.get_mut(field).filter(|stored| *stored != text) else { return };
        text.clone_into(stored);
        if let Some((name, _)) = TOKENIZABLE.iter().find(|(_, known)| *known == field) {
            self.tokens.remove(*name);
        }
    }

    /// Refuses fields that are longer than an identity may be.
    pub fn check_length(&self) -> Result<(), ApiError> {
        let mut problems = Problems::default();
        let metadata = self.meta_data.as_ref().map(Metadata::text).unwrap_or_default();
        problems.length("meta_data", &metadata, limits::METADATA_BYTES_MAX);
        problems.length("identity", &self.text(), limits::IDENTITY_BYTES_MAX);
        problems.into_result(Code::GenValidationError)
    }
}

impl IdentityBody<'_> {
    /// The id that the caller chose, or empty, and the fields of the identity to be made.
    pub fn new_identity(&self) -> Result<(String, Fields), ApiError> {
        let id = self.identity_id.as_deref().unwrap_or_default();
        if !id.is_empty() {
            check_id(id)?;
        }
        let mut fields = self.fields();
        fields.dob = self.born_on()?.unwrap_or_default();
        self.check_metadata()?;
        fields.check_length()?;
        Ok((id.to_owned(), fields))
    }

    /// What of this would change an identity: only what is given, and not empty, counts.
    pub fn update(&self) -> Result<Update<'_>, ApiError> {
        let dob = self.born_on()?.filter(|day| day != ZERO);
        self.check_metadata()?;
        let update =
            Update { texts: self.texts(), dob, metadata: self.metadata.and_then(|object| own_metadata(object.0)) };
        if update.texts.is_empty() && update.dob.is_none() && update.metadata.is_none() {
            return Err(ApiError::new(Code::GenBadRequest, "No fields provided for update"));
        }
        Ok(update)
    }

    fn check_metadata(&self) -> Result<(), ApiError> {
        let mut problems = Problems::default();
        problems.length("meta_data", self.metadata.map_or("", |object| object.0), limits::METADATA_BYTES_MAX);
        problems.into_result(Code::GenValidationError)
    }

    /// The day of birth as it was told, at midnight.
    fn born_on(&self) -> Result<Option<String>, ApiError> {
        let Some(dob) = self.dob.as_deref() else { return Ok(None) };
        let moment = Moment::parse(dob).ok_or_else(|| {
            ApiError::new(Code::GenMalformedRequest, "dob: must be a time in RFC 3339, such as 1990-05-10T00:00:00Z")
        })?;
        Ok(Some(moment.day()))
    }
}

/// What is to be changed of an identity.
#[derive(Debug)]
pub struct Update<'a> {
    texts: Vec<(&'static str, &'a str)>,
    dob: Option<String>,
    metadata: Option<Metadata>,
}

impl Update<'_> {
    /// Changes the fields.
    pub fn apply(&self, fields: &mut Fields) {
        for (name, text) in &self.texts {
            fields.set(name, text);
        }
        if let Some(dob) = &self.dob {
            fields.dob.clone_from(dob);
        }
        if let Some(metadata) = &self.metadata {
            fields.set_metadata(metadata.clone());
        }
    }
}

/// An id that a caller chose is `idt_` and a UUID, plain, without its hyphens, in braces or as a URN; it is kept as it was sent.
fn check_id(id: &str) -> Result<(), ApiError> {
    let refuse = |message: &str| ApiError::new(Code::IdtValidationError, message);
    let Some(uuid) = id.strip_prefix("idt_") else {
        return Err(refuse("identity_id must start with the 'idt_' prefix"));
    };
    let in_braces = || uuid.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let as_urn =
        || uuid.split_at_checked(9).filter(|(urn, _)| urn.eq_ignore_ascii_case("urn:uuid:")).map(|(_, rest)| rest);
    let without_hyphens = uuid.len() == 32 && uuid.bytes().all(|byte| byte.is_ascii_hexdigit());
    if without_hyphens || is_hyphenated(in_braces().or_else(as_urn).unwrap_or(uuid)) {
        return Ok(());
    }
    Err(refuse("identity_id suffix after 'idt_' must be a valid UUID").details(serde_json::json!({})))
}

fn is_hyphenated(uuid: &str) -> bool {
    let good =
        |(at, byte): (usize, u8)| if [8, 13, 18, 23].contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    uuid.len() == 36 && uuid.bytes().enumerate().all(good)
}
