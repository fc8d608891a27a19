//! The JSON Schema of a tool's arguments, compiled once, and arguments held against it.
//!
//! What a schema refers to must stand in the schema itself: nothing is fetched or read, neither when it
//! is compiled nor later.
//!
//! INVARIANT: a [`Misfit`] says where and what was expected, never a value that was sent.
//! SPEC: JSON Schema 2020-12; 2019-09 and draft 7 where `$schema` says so. PX-24.

use std::{error::Error, fmt};

use boon::{Compiler, Draft, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use serde::Serialize;
use serde_json::Value;

/// Where a schema is said to stand, so that what it refers to can be told from it.
const HOME: &str = "portcullis:///inputSchema";
/// The most characters of an expectation that a caller is told.
const MOST_SAID: usize = 200;

/// A JSON Schema of arguments.
pub struct InputSchema {
    schemas: Schemas,
    index: SchemaIndex,
}

/// A schema that arguments cannot be held against.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It refers to what stands elsewhere.
    #[error("refers to `{0}`, which does not stand in it")]
    Remote(String),
    /// It is no JSON Schema.
    #[error("is no JSON Schema: {0}")]
    Invalid(String),
}

/// What is wrong with arguments: where, as a JSON pointer, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// The JSON pointer; empty for the arguments as a whole.
    pub pointer: String,
    /// What was expected.
    pub expected: String,
}

impl Misfit {
    /// At this pointer this was expected.
    #[must_use]
    pub fn new(pointer: impl Into<String>, expected: impl Into<String>) -> Self {
        let (mut pointer, mut expected) = (pointer.into(), expected.into());
        for text in [&mut pointer, &mut expected] {
            if let Some((end, _)) = text.char_indices().nth(MOST_SAID) {
                text.truncate(end);
                text.push('…');
            }
        }
        Self { pointer, expected }
    }

    /// The same, of what stands at `name` in something.
    #[must_use]
    pub fn within(self, name: &str) -> Self {
        Self::new(format!("/{}{}", escaped(name), self.pointer), self.expected)
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            write!(f, "the arguments do not fit: expected {}", self.expected)
        } else {
            write!(f, "the argument {} does not fit: expected {}", crate::plain::quoted(&self.pointer), self.expected)
        }
    }
}

impl InputSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// When it is no JSON Schema, or refers to another document.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.use_loader(Box::new(Nowhere));
        let mut schemas = Schemas::new();
        if let Err(error) = compiler.add_resource(HOME, schema.clone()) {
            return Err(SchemaError::Invalid(said(&error)));
        }
        let compiled = compiler.compile(HOME, &mut schemas);
        match compiled {
            Ok(index) => Ok(Self { schemas, index }),
            Err(boon::CompileError::LoadUrlError { url, .. }) => Err(SchemaError::Remote(url)),
            Err(error) => Err(SchemaError::Invalid(said(&error))),
        }
    }

    /// Holds arguments against the schema.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(&self, arguments: &Value) -> Result<(), Misfit> {
        self.schemas.validate(arguments, self.index).map_err(|error| misfit(&error))
    }
}

impl fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputSchema").finish_non_exhaustive()
    }
}

/// Documents are not fetched.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, _: &str) -> Result<Value, Box<dyn Error>> {
        Err("not fetched".into())
    }
}

/// What the compiler of schemas says, as one line.
fn said(error: &boon::CompileError) -> String {
    let text = if let boon::CompileError::ValidationError { src, .. } = error {
        let Misfit { pointer, expected } = misfit(src);
        format!("at `{pointer}` must stand {expected}")
    } else {
        error.to_string().replace(HOME, "")
    };
    Misfit::new("", text.lines().map(str::trim).collect::<Vec<_>>().join("; ")).expected
}

fn misfit(error: &ValidationError<'_, '_>) -> Misfit {
    let at = || error.instance_location.to_string();
    // What only says that something within does not fit is less than that.
    if let (
        ErrorKind::Group
        | ErrorKind::Schema { .. }
        | ErrorKind::Reference { .. }
        | ErrorKind::ContentSchema
        | ErrorKind::AllOf,
        Some(cause),
    ) = (&error.kind, error.causes.first())
    {
        return misfit(cause);
    }
    if let ErrorKind::AdditionalProperties { got } = &error.kind
        && let Some(name) = got.first()
    {
        return Misfit::new(format!("{}/{}", at(), escaped(name)), "no argument of that name");
    }
    Misfit::new(at(), expected(&error.kind))
}

/// What was expected, from the schema alone.
fn expected(kind: &ErrorKind<'_, '_>) -> String {
    let listed = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match kind {
        ErrorKind::Type { want, .. } => {
            let types: Vec<String> = want.iter().map(|one| one.to_string()).collect();
            format!("the type {}", types.join(" or "))
        }
        ErrorKind::Enum { want } => {
            let values: Vec<String> = want.iter().map(Value::to_string).collect();
            format!("one of {}", values.join(", "))
        }
        ErrorKind::Const { want } => want.to_string(),
        ErrorKind::Format { want, .. } => format!("the format `{want}`"),
        ErrorKind::MinProperties { want, .. } => format!("at least {want} properties"),
        ErrorKind::MaxProperties { want, .. } => format!("at most {want} properties"),
        ErrorKind::Required { want } => format!("also {}", listed(want)),
        ErrorKind::Dependency { prop, missing } | ErrorKind::DependentRequired { prop, missing } => {
            format!("also {}, where there is `{prop}`", listed(missing))
        }
        ErrorKind::MinItems { want, .. } => format!("at least {want} items"),
        ErrorKind::MaxItems { want, .. } => format!("at most {want} items"),
        ErrorKind::Contains => "an item of another kind among them".into(),
        ErrorKind::MinContains { want, .. } => format!("at least {want} items of a kind"),
        ErrorKind::MaxContains { want, .. } => format!("at most {want} items of a kind"),
        ErrorKind::UniqueItems { .. } => "no item twice".into(),
        ErrorKind::AdditionalItems { .. } => "fewer items".into(),
        ErrorKind::MinLength { want, .. } => format!("at least {want} characters"),
        ErrorKind::MaxLength { want, .. } => format!("at most {want} characters"),
        ErrorKind::Pattern { want, .. } => format!("text of the pattern `{want}`"),
        ErrorKind::ContentEncoding { want, .. } => format!("text encoded as `{want}`"),
        ErrorKind::ContentMediaType { want, .. } => format!("text of the media type `{want}`"),
        ErrorKind::Minimum { want, .. } => format!("at least {want}"),
        ErrorKind::Maximum { want, .. } => format!("at most {want}"),
        ErrorKind::ExclusiveMinimum { want, .. } => format!("more than {want}"),
        ErrorKind::ExclusiveMaximum { want, .. } => format!("less than {want}"),
        ErrorKind::MultipleOf { want, .. } => format!("a multiple of {want}"),
        ErrorKind::AnyOf => "one of the forms that its schema lists".into(),
        ErrorKind::OneOf(_) => "exactly one of the forms that its schema lists".into(),
        ErrorKind::FalseSchema | ErrorKind::AdditionalProperties { .. } | ErrorKind::PropertyName { .. } => {
            "nothing of that name".into()
        }
        ErrorKind::Not => "something else: its schema rules this out".into(),
        ErrorKind::Group
        | ErrorKind::Schema { .. }
        | ErrorKind::Reference { .. }
        | ErrorKind::RefCycle { .. }
        | ErrorKind::ContentSchema
        | ErrorKind::AllOf => "what its schema asks for".into(),
    }
}

/// A token of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(schema: &Value, arguments: &Value) -> String {
        match InputSchema::compile(schema).unwrap().check(arguments) {
            Ok(()) => "fits".into(),
            Err(misfit) => misfit.to_string(),
        }
    }

    #[test]
    fn px24_what_does_not_fit_is_told_by_place_and_never_by_value() {
        let schema = json!({
            "type": "object", "required": ["path"], "additionalProperties": false,
            "properties": {
                "path": {"type": "string", "pattern": "^[a-z/]+$", "maxLength": 9},
                "mode": {"enum": ["r", "w"]},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}
            },
            "$defs": {"line": {"type": "integer", "minimum": 1}}
        });
        for (arguments, words) in [
            (json!({"path": "a/b", "mode": "r", "lines": [1, 2]}), "fits"),
            (json!({}), "the arguments do not fit: expected also `path`"),
            (json!([]), "the arguments do not fit: expected the type object"),
            (json!({"path": 7}), r#"the argument "/path" does not fit: expected the type string"#),
            (
                json!({"path": "hunter2!"}),
                r#"the argument "/path" does not fit: expected text of the pattern `^[a-z/]+$`"#,
            ),
            (json!({"path": "a", "mode": "secret"}), r#"the argument "/mode" does not fit: expected one of "r", "w""#),
            (json!({"path": "a", "lines": [1, 0]}), r#"the argument "/lines/1" does not fit: expected at least 1"#),
            (json!({"path": "a", "x/y": 1}), r#"the argument "/x~1y" does not fit: expected no argument of that name"#),
        ] {
            assert_eq!(said(&schema, &arguments), words, "{arguments}");
        }
    }

    #[test]
    fn a_schema_says_its_draft() {
        let tuple = |schema: &str| json!({"$schema": schema, "properties": {"a": {"items": [{"type": "string"}]}}});
        assert_ne!(said(&tuple("http://json-schema.org/draft-07/schema#"), &json!({"a": [1]})), "fits");
        assert_ne!(said(&tuple("https://json-schema.org/draft/2019-09/schema"), &json!({"a": [1]})), "fits");
        // A list under `items` is no schema of the draft that is meant where none is named.
        assert!(InputSchema::compile(&json!({"properties": {"a": {"items": [{"type": "string"}]}}})).is_err());
        assert_ne!(
            said(&json!({"properties": {"a": {"prefixItems": [{"type": "string"}]}}}), &json!({"a": [1]})),
            "fits"
        );
    }

    #[test]
    fn nothing_is_fetched_and_no_file_is_read() {
        let beside = format!("file://{}/schema/config.schema.json", env!("CARGO_MANIFEST_DIR"));
        for elsewhere in ["https://example.com/a.json", "other.json", &beside, "file:///etc/passwd", "urn:x:y"] {
            let schema = json!({"properties": {"a": {"$ref": elsewhere}}});
            assert!(matches!(InputSchema::compile(&schema), Err(SchemaError::Remote(_))), "{elsewhere}");
            let schema = json!({"$schema": elsewhere, "type": "object"});
            assert!(InputSchema::compile(&schema).is_err(), "{elsewhere}");
        }
        let here = json!({"properties": {"a": {"$ref": "#/$defs/a"}, "$ref": {"type": "string"}}, "$defs": {"a": {}}, "default": {"$ref": "https://x"}});
        assert!(InputSchema::compile(&here).is_ok());
    }
}
