//! Which arguments of which tools travel as header fields too, as the lists that pass say.
//!
//! A tool whose annotations are not as the protocol asks has none of its arguments mirrored; the
//! gateway then says what is wrong.
//!
//! INVARIANT: what is remembered of lists is bounded.
//! SPEC: MCP 2026-07-28, transports, "Custom headers from tool parameters"; CL-09, CL-10.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use http::{HeaderName, HeaderValue};
use serde_json::{Value, value::RawValue};

use crate::mcp::{Kind, Object, Page, header};

const ANNOTATION: &str = "x-mcp-header";
/// How many tools with annotations are remembered.
const MOST_TOOLS: usize = 4096;
/// How many annotations a tool may have.
const MOST_OF_TOOL: usize = 64;
/// How deep an annotated argument may lie.
const DEEPEST: usize = 16;

/// What the lists said.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    by_tool: Mutex<HashMap<Box<str>, Vec<Parameter>>>,
}

/// An argument that travels as a header field too.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    header: HeaderName,
    path: Vec<String>,
}

impl Parameters {
    /// Remembers what a `tools/list` result says.
    pub(super) fn learn(&self, result: &str) {
        let Ok(page) = Page::read(Kind::Tools, result) else { return };
        let mut by_tool = self.by_tool.lock().unwrap_or_else(PoisonError::into_inner);
        for tool in &page.entries {
            by_tool.remove(tool.key());
            let annotated = tool.json().contains(ANNOTATION);
            let Some(schema) = tool.field("inputSchema").filter(|_| annotated) else { continue };
            let found = serde_json::from_str(schema.get()).ok().and_then(|schema: Value| annotations(&schema));
            if let Some(found) = found.filter(|found| !found.is_empty() && by_tool.len() < MOST_TOOLS) {
                by_tool.insert(tool.key().into(), found);
            }
        }
    }

    /// The header fields of a call.
    pub(super) fn of_call(&self, tool: &str, arguments: Option<&RawValue>) -> Vec<(HeaderName, HeaderValue)> {
        let by_tool = self.by_tool.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(parameters), Some(arguments)) = (by_tool.get(tool), arguments) else { return Vec::new() };
        parameters
            .iter()
            .filter_map(|Parameter { header, path }| Some((header.clone(), value(arguments, path)?)))
            .collect()
    }
}

/// The annotations of a schema; nothing where one of them is not as it must be.
fn annotations(schema: &Value) -> Option<Vec<Parameter>> {
    let mut found = Vec::new();
    walk(schema, &mut Vec::new(), &mut found)?;
    let names: HashSet<&HeaderName> = found.iter().map(|parameter| &parameter.header).collect();
    (names.len() == found.len() && found.len() <= MOST_OF_TOOL).then_some(found)
}

fn walk(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Parameter>) -> Option<()> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Some(()) };
    if path.len() >= DEEPEST {
        return None;
    }
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(annotation) = property.get(ANNOTATION) {
            let written = annotation.as_str().filter(|written| !written.is_empty())?;
            let header = HeaderName::try_from(format!("{}{written}", header::PARAM_PREFIX)).ok()?;
            let kind = property.get("type").and_then(Value::as_str)?;
            if !matches!(kind, "string" | "integer" | "boolean") {
                return None;
            }
            found.push(Parameter { header, path: path.clone() });
        }
        walk(property, path, found)?;
        path.pop();
    }
    Some(())
}

/// The value at a path as a header has it; nothing where it is absent or null.
fn value(arguments: &RawValue, path: &[String]) -> Option<HeaderValue> {
    let (last, way) = path.split_last()?;
    let mut object = Object::read(arguments.get()).ok()?;
    for key in way {
        object = Object::read(object.get(key)?.get()).ok()?;
    }
    let raw = object.get(last)?.get();
    let text = match raw.as_bytes().first()? {
        b'"' => object.text(last)?,
        b'n' | b'{' | b'[' => return None,
        _ => raw.into(),
    };
    HeaderValue::try_from(&*header::encode(&text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, properties: &str) -> String {
        format!(r#"{{"tools":[{{"name":"{name}","inputSchema":{{"type":"object","properties":{properties}}}}}]}}"#)
    }

    fn mirrored(parameters: &Parameters, tool: &str, arguments: &str) -> Vec<(String, String)> {
        let arguments: &RawValue = serde_json::from_str(arguments).unwrap();
        let mut fields = parameters.of_call(tool, Some(arguments));
        fields.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        fields.into_iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn cl09_annotated_arguments_travel_as_header_fields() {
        let parameters = Parameters::default();
        parameters.learn(&tool(
            "query",
            r#"{"region":{"type":"string","x-mcp-header":"Region"},"at":{"type":"object","properties":
                {"row":{"type":"integer","x-mcp-header":"Row"},"dry":{"type":"boolean","x-mcp-header":"Dry"}}},"sql":{}}"#,
        ));
        assert_eq!(
            mirrored(&parameters, "query", r#"{"sql":"x","region":"caf\u00e9","at":{"row":42,"dry":false}}"#),
            [
                ("mcp-param-dry".to_owned(), "false".to_owned()),
                ("mcp-param-region".to_owned(), "=?base64?Y2Fmw6k=?=".to_owned()),
                ("mcp-param-row".to_owned(), "42".to_owned()),
            ]
        );
        assert_eq!(mirrored(&parameters, "query", r#"{"region":null,"at":{}}"#), []);
        assert_eq!(mirrored(&parameters, "other", r#"{"region":"eu"}"#), []);
        // A newer list counts.
        parameters.learn(&tool("query", r#"{"region":{"type":"string"}}"#));
        assert_eq!(mirrored(&parameters, "query", r#"{"region":"eu"}"#), []);
    }

    #[test]
    fn cl10_a_tool_with_a_wrong_annotation_has_none() {
        for bad in [
            r#"{"a":{"type":"string","x-mcp-header":""}}"#,
            r#"{"a":{"type":"string","x-mcp-header":"a b"}}"#,
            r#"{"a":{"type":"number","x-mcp-header":"A"}}"#,
            r#"{"a":{"type":"string","x-mcp-header":7}}"#,
            r#"{"a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}}"#,
        ] {
            let parameters = Parameters::default();
            parameters.learn(&tool("t", bad));
            assert_eq!(mirrored(&parameters, "t", r#"{"a":"1","b":"2"}"#), [], "{bad}");
        }
    }
}
