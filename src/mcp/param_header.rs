//! The parameters of a tool that travel in header fields too, as its input schema says
//! (`x-mcp-header`).
//!
//! What a schema says is read once, with its list; a call then takes the values out of its arguments
//! on the way out, or holds the fields that came against them on the way in. The body always decides.
//!
//! SPEC: MCP 2026-07-28, transports, "Custom Headers from Tool Parameters"; CL-09, CL-10, TR-23, PX-28.

use serde_json::{Value, value::RawValue};

use super::{
    header::{PARAM_PREFIX, decode, encode},
    object::{self, Object},
};

const ANNOTATION: &str = "x-mcp-header";
/// The whole numbers that every reader has exactly.
const SAFE: i64 = 9_007_199_254_740_991;
/// Keywords of a schema that hold another, or several, under which no parameter is always there.
const ELSEWHERE: [&str; 20] = [
    "$defs",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedProperties",
];

/// One parameter that travels in a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamHeader {
    field: Box<str>,
    path: Vec<Box<str>>,
}

/// A schema whose annotations break the rules, so that the tool is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParamHeaderError {
    /// The annotation is no name of a header field.
    #[error("`x-mcp-header` must be a header name")]
    Name,
    /// Two parameters have one field.
    #[error("two parameters have the same `x-mcp-header`")]
    Twice,
    /// The parameter is neither a text, a whole number nor a truth value.
    #[error("`x-mcp-header` stands on a parameter that is no string, integer or boolean")]
    Type,
    /// The parameter is not reached through `properties` alone.
    #[error("`x-mcp-header` stands on something that is no parameter of every call")]
    Place,
}

impl ParamHeader {
    /// The annotations of an input schema, sorted by field.
    ///
    /// # Errors
    /// When one of them breaks the rules.
    pub fn read(schema: &str) -> Result<Vec<Self>, ParamHeaderError> {
        let mut found = Vec::new();
        // Nearly no schema has any, and nearly none an escape in a key.
        if schema.contains(ANNOTATION) || schema.contains('\\') {
            let schema = serde_json::from_str::<Value>(schema).unwrap_or_default();
            walk(&schema, &mut Vec::new(), true, &mut found)?;
            found.sort_by(|one, other| one.field.cmp(&other.field));
        }
        Ok(found)
    }

    /// The whole name of the header field, in lower case.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The field's value for these arguments; nothing where the parameter is absent or null.
    #[must_use]
    pub fn value(&self, arguments: Option<&RawValue>) -> Option<String> {
        Some(encode(&text(self.find(arguments)?)?).into_owned())
    }

    /// Whether the field that came, if one came, says what the arguments say.
    #[must_use]
    pub fn agrees(&self, field: Option<&[u8]>, arguments: Option<&RawValue>) -> bool {
        let body = self.find(arguments).and_then(text);
        match (field, body) {
            (None, None) => true,
            (Some(field), Some(body)) => decode(field)
                .is_ok_and(|field| field == body || whole(&field).is_some_and(|number| whole(&body) == Some(number))),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    fn find<'a>(&self, arguments: Option<&'a RawValue>) -> Option<&'a RawValue> {
        self.path.iter().try_fold(arguments?, |at, name| Object::read(at.get()).ok()?.get(name))
    }
}

/// A value as a header field has it.
fn text(value: &RawValue) -> Option<String> {
    match value.get().as_bytes().first()? {
        b'"' => object::text(value).map(String::from),
        b't' | b'f' => Some(value.get().to_owned()),
        b'-' | b'0'..=b'9' => Some(whole(value.get()).map_or_else(|| value.get().to_owned(), |n| n.to_string())),
        _ => None,
    }
}

/// The whole number that a text is, `42.0` included.
fn whole(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return (-SAFE..=SAFE).contains(&number).then_some(number);
    }
    let number = text.parse::<f64>().ok().filter(|number| number.fract() == 0.0)?;
    format!("{number:.0}").parse().ok().filter(|number| (-SAFE..=SAFE).contains(number))
}

fn walk(
    schema: &Value,
    path: &mut Vec<Box<str>>,
    reached: bool,
    found: &mut Vec<ParamHeader>,
) -> Result<(), ParamHeaderError> {
    let Value::Object(fields) = schema else {
        // Several schemas, as under `allOf`.
        let several = schema.as_array().into_iter().flatten();
        return several.into_iter().try_for_each(|schema| walk(schema, path, false, found));
    };
    if let Some(name) = fields.get(ANNOTATION) {
        let name = name.as_str().filter(|name| is_token(name)).ok_or(ParamHeaderError::Name)?;
        if !reached || path.is_empty() {
            return Err(ParamHeaderError::Place);
        }
        if !fields.get("type").is_some_and(is_primitive) {
            return Err(ParamHeaderError::Type);
        }
        let field: Box<str> = format!("{PARAM_PREFIX}{}", name.to_ascii_lowercase()).into();
        if found.iter().any(|other| other.field == field) {
            return Err(ParamHeaderError::Twice);
        }
        found.push(ParamHeader { field, path: path.clone() });
    }
    if let Some(Value::Object(properties)) = fields.get("properties") {
        for (name, schema) in properties {
            path.push(name.as_str().into());
            walk(schema, path, reached, found)?;
            path.pop();
        }
    }
    for keyword in ELSEWHERE {
        match fields.get(keyword) {
            // Schemas by name.
            Some(Value::Object(named)) if BY_NAME.contains(&keyword) => {
                named.values().try_for_each(|schema| walk(schema, path, false, found))?;
            }
            Some(inner) => walk(inner, path, false, found)?,
            None => {}
        }
    }
    Ok(())
}

/// The keywords among those that hold schemas by name.
const BY_NAME: [&str; 5] = ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"];

/// Whether a `type` is one of the three, null besides it allowed.
fn is_primitive(written: &Value) -> bool {
    let one = |word: &Value| matches!(word.as_str(), Some("string" | "integer" | "boolean"));
    let Some(words) = written.as_array() else { return one(written) };
    words.iter().filter(|word| one(word)).count() == 1
        && words.iter().all(|word| one(word) || word.as_str() == Some("null"))
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    const SCHEMA: &str = r#"{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "deep":{"type":"object","properties":{"n":{"type":["integer","null"],"x-mcp-header":"Deep-N"}}},
        "x-mcp-header":{"type":"boolean","x-mcp-header":"flag","default":{"x-mcp-header":7}}}}"#;

    #[test]
    fn cl09_parameters_become_header_fields() {
        let headers = ParamHeader::read(SCHEMA).unwrap();
        let fields: Vec<_> = headers.iter().map(ParamHeader::field).collect();
        assert_eq!(fields, ["mcp-param-deep-n", "mcp-param-flag", "mcp-param-region"]);
        let values = |arguments: &str| headers.iter().map(|h| h.value(Some(raw(arguments)))).collect::<Vec<_>>();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            values(r#"{"region":"us-west1","deep":{"n":42.0},"x-mcp-header":false}"#),
            [some("42"), some("false"), some("us-west1")]
        );
        assert_eq!(
            values(r#"{"region":"Hello, 世界","deep":{"n":null}}"#),
            [None, None, some("=?base64?SGVsbG8sIOS4lueVjA==?=")]
        );
        assert_eq!(values(r#"{"region":" padded ","deep":7}"#), [None, None, some("=?base64?IHBhZGRlZCA=?=")]);
        assert_eq!(values(r#"{"region":"=?base64?literal?="}"#)[2], some("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="));
        assert_eq!(headers[0].value(None), None);
    }

    #[test]
    fn tr23_a_field_agrees_only_with_what_the_body_says() {
        let headers = ParamHeader::read(SCHEMA).unwrap();
        let (number, region) = (&headers[0], &headers[2]);
        let arguments = Some(raw(r#"{"region":"é","deep":{"n":42}}"#));
        for (header, field, agrees) in [
            (number, Some("42"), true),
            (number, Some("42.0"), true),
            (number, Some("43"), false),
            (number, None, false),
            (region, Some("=?base64?w6k=?="), true),
            (region, Some("=?base64?w6k?="), false),
            (region, Some("é"), false),
        ] {
            assert_eq!(header.agrees(field.map(str::as_bytes), arguments), agrees, "{field:?}");
        }
        assert!(number.agrees(None, Some(raw(r#"{"deep":{"n":null}}"#))));
        assert!(!number.agrees(Some(b"1"), Some(raw("{}"))));
    }

    #[test]
    fn t134_no_annotation_makes_a_field_that_means_something_else_or_two_of_one() {
        for name in ["Authorization", "Host", "Cookie", "Connection", "Content-Length", "Mcp-Session-Id", "Mcp-Name"] {
            let schema = format!(r#"{{"properties":{{"a":{{"type":"string","x-mcp-header":"{name}"}}}}}}"#);
            let headers = ParamHeader::read(&schema).unwrap();
            assert_eq!(headers[0].field(), format!("mcp-param-{}", name.to_ascii_lowercase()));
            // What a caller says stays one value of one line.
            for said in [r"a\r\nAuthorization: Bearer x", r"\u0000", r"a\nb", r"\u001b[31m", r"\ud83e\udd80", r"\u0085"]
            {
                let arguments = format!(r#"{{"a":"{said}"}}"#);
                let value = headers[0].value(Some(raw(&arguments))).unwrap();
                assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{said}: {value}");
                assert!(headers[0].agrees(Some(value.as_bytes()), Some(raw(&arguments))));
            }
        }
        for name in [r"a\r\nHost: x", r"a\u0000", "a:b", "a b", "ä", r"\u202e", r"\n", "a,b", "(a)"] {
            let schema = format!(r#"{{"properties":{{"a":{{"type":"string","x-mcp-header":"{name}"}}}}}}"#);
            assert_eq!(ParamHeader::read(&schema), Err(ParamHeaderError::Name), "{name}");
        }
    }

    #[test]
    fn cl10_annotations_that_break_the_rules_are_told() {
        let one = |property: &str| ParamHeader::read(&format!(r#"{{"properties":{{"a":{property}}}}}"#)).unwrap_err();
        assert_eq!(one(r#"{"type":"string","x-mcp-header":""}"#), ParamHeaderError::Name);
        assert_eq!(one(r#"{"type":"string","x-mcp-header":"a b"}"#), ParamHeaderError::Name);
        assert_eq!(one(r#"{"type":"string","x-mcp-header":7}"#), ParamHeaderError::Name);
        assert_eq!(one(r#"{"type":"string","x\u002dmcp-header":"a\r\n"}"#), ParamHeaderError::Name);
        assert_eq!(one(r#"{"type":"number","x-mcp-header":"A"}"#), ParamHeaderError::Type);
        assert_eq!(one(r#"{"type":"object","x-mcp-header":"A"}"#), ParamHeaderError::Type);
        assert_eq!(one(r#"{"x-mcp-header":"A"}"#), ParamHeaderError::Type);
        assert_eq!(one(r#"{"type":"array","items":{"type":"string","x-mcp-header":"A"}}"#), ParamHeaderError::Place);
        assert_eq!(one(r#"{"anyOf":[{"type":"string","x-mcp-header":"A"}]}"#), ParamHeaderError::Place);
        assert_eq!(
            ParamHeader::read(r#"{"$defs":{"d":{"type":"string","x-mcp-header":"A"}}}"#),
            Err(ParamHeaderError::Place)
        );
        assert_eq!(ParamHeader::read(r#"{"type":"string","x-mcp-header":"A"}"#), Err(ParamHeaderError::Place));
        let twice = r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},
                                      "b":{"type":"string","x-mcp-header":"a"}}}"#;
        assert_eq!(ParamHeader::read(twice), Err(ParamHeaderError::Twice));
        assert_eq!(ParamHeader::read(r#"{"properties":{"a":{"enum":[{"x-mcp-header":1}]}}}"#), Ok(Vec::new()));
    }
}
