//! The OpenAPI document, made from the list of routes. What is said about a route stands next to its handler, as a
//! constant [`Operation`]; parameters of the path and errors are added here.

use super::auth::OPEN_PATHS;
use super::error::Code;
use super::router::{Route, routes};
use serde_json::{Map, Value, json};

/// What the document says about a route.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// `<verb>_<resource>`, distinct.
    pub id: &'static str,
    /// The group it is shown in.
    pub tag: &'static str,
    /// One line, without a full stop.
    pub summary: &'static str,
    /// More, as Markdown.
    pub description: &'static str,
    /// Parameters of the query.
    pub query: &'static [Field],
    /// The body of the request.
    pub body: Option<&'static Schema>,
    /// Answers other than errors.
    pub answers: &'static [Answer],
    /// Whether it is for this project's own tools, and may change without notice.
    pub internal: bool,
}

impl Operation {
    /// An operation of which nothing is known but its name and group; fill in the rest with `..Operation::new(…)`.
    pub const fn new(id: &'static str, tag: &'static str) -> Operation {
        Operation { id, tag, summary: "", description: "", query: &[], body: None, answers: &[], internal: false }
    }
}

/// One answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// When it is given.
    pub description: &'static str,
    /// Its body.
    pub schema: &'static Schema,
}

/// The form of a value.
#[derive(Debug, Clone, Copy)]
pub enum Schema {
    /// Any JSON.
    Any,
    /// A text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A time, RFC 3339.
    Time,
    /// A whole number of any size.
    Integer,
    /// A decimal number, read digit by digit.
    Decimal,
    /// Yes or no.
    Flag,
    /// An object with any keys.
    Map,
    /// A list.
    List(&'static Schema),
    /// An object with known keys.
    Object(&'static Object),
    /// One of several forms.
    OneOf(&'static [Schema]),
    /// HTML, a script or a style sheet; not JSON.
    Page(&'static str),
}

/// An object with known keys. It is listed once in the document, by its name.
#[derive(Debug)]
pub struct Object {
    /// Its name, distinct.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Its keys.
    pub fields: &'static [Field],
}

/// A key of an object, or a parameter.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// The form of its value.
    pub schema: Schema,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub description: &'static str,
}

impl Field {
    /// One that must be there.
    pub const fn required(name: &'static str, schema: Schema, description: &'static str) -> Field {
        Field { name, schema, required: true, description }
    }

    /// One that may be left out.
    pub const fn optional(name: &'static str, schema: Schema, description: &'static str) -> Field {
        Field { name, schema, required: false, description }
    }
}

/// The document, as text.
pub fn document_text() -> Vec<u8> {
    serde_json::to_vec(&document()).expect("JSON values can be written")
}

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    let mut components = Map::new();
    components.insert("Error".to_owned(), error_schema());
    for route in routes() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        let verb = route.verb.method().as_str().to_ascii_lowercase();
        path[verb] = operation_json(&route, &mut components);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Florin",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A double-entry ledger that speaks the HTTP API of Blnk Core. Amounts are exact: whole minor units as JSON \
                            integers of any size, decimals read digit by digit.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Blnk-Key"}},
        },
    })
}

fn operation_json(route: &Route, components: &mut Map<String, Value>) -> Value {
    let operation = route.operation;
    let mut parameters: Vec<Value> = path_names(route.path)
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    for field in operation.query {
        parameters.push(json!({
            "name": field.name,
            "in": "query",
            "required": field.required,
            "description": field.description,
            "schema": schema_json(&field.schema, components),
        }));
    }
    let mut answers = Map::new();
    for told in operation.answers {
        let content = match told.schema {
            Schema::Page(kind) => json!({*kind: {}}),
            schema => json!({"application/json": {"schema": schema_json(schema, components)}}),
        };
        answers.insert(told.status.to_string(), json!({"description": told.description, "content": content}));
    }
    let error = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
    answers.insert(
        "default".to_owned(),
        json!({"description": "An error; the status follows from its code.", "content": error}),
    );
    let mut json = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": parameters,
        "responses": answers,
        "security": if OPEN_PATHS.contains(&route.path) { json!([]) } else { json!([{"key": []}]) },
    });
    if let Some(schema) = operation.body {
        json["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": schema_json(schema, components)}}});
    }
    if operation.internal {
        json["x-internal"] = true.into();
    }
    json
}

/// The names within braces of a path.
fn path_names(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn schema_json(schema: &Schema, components: &mut Map<String, Value>) -> Value {
    match schema {
        Schema::Any => json!({}),
        Schema::Text => json!({"type": "string"}),
        Schema::Choice(words) => json!({"type": "string", "enum": words}),
        Schema::Time => json!({"type": "string", "format": "date-time"}),
        Schema::Integer => json!({"type": "integer"}),
        Schema::Decimal => json!({"type": "number"}),
        Schema::Flag => json!({"type": "boolean"}),
        Schema::Map => json!({"type": "object", "additionalProperties": true}),
        Schema::List(item) => json!({"type": "array", "items": schema_json(item, components)}),
        Schema::OneOf(forms) => {
            let forms: Vec<Value> = forms.iter().map(|form| schema_json(form, components)).collect();
            json!({"oneOf": forms})
        }
        Schema::Page(_) => json!({"type": "string"}),
        Schema::Object(object) => {
            if !components.contains_key(object.name) {
                // The name is taken before its fields are looked at, so that an object may contain itself.
                components.insert(object.name.to_owned(), Value::Null);
                let json = object_json(object, components);
                components.insert(object.name.to_owned(), json);
            }
            json!({"$ref": format!("#/components/schemas/{}", object.name)})
        }
    }
}

fn object_json(object: &Object, components: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for field in object.fields {
        let mut json = schema_json(&field.schema, components);
        json["description"] = field.description.into();
        properties.insert(field.name.to_owned(), json);
    }
    let required: Vec<&str> = object.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({"type": "object", "description": object.description, "properties": properties, "required": required})
}

fn error_schema() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.text()).collect();
    json!({
        "type": "object",
        "description": "An error. `error` repeats the message; some routes name it `errors`.",
        "properties": {
            "error": {"type": "string"},
            "errors": {},
            "error_detail": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "enum": codes, "description": "Stable; decide by this."},
                    "message": {"type": "string", "description": "For people; may change."},
                    "details": {},
                },
                "required": ["code", "message"],
            },
        },
        "required": ["error_detail"],
    })
}
