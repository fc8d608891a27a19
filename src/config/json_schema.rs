//! The JSON Schema of `portcullis.yaml`, for editors: generated from the section types.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::Document;

/// The schema that `schema/config.schema.json` holds.
#[must_use]
pub fn json_schema() -> Value {
    of::<Document>()
}

/// The schema of a written form, tidied for editors.
pub(crate) fn of<T: schemars::JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = Value::from(schema);
    tidy(&mut schema);
    schema
}

/// A key that may be left out is still never empty: `null` is no value of any. And descriptions
/// are of one line, as editors show them.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(any)) = object.get_mut("anyOf") {
                any.retain(|schema| schema.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(only)] = any.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
