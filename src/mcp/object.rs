//! A JSON object taken apart once, in order, each value as its very bytes.

use std::borrow::Cow;

use serde::de::{self, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    id::Id,
    strict::{Key, Seen},
};

/// A JSON text that is no object, or one that names a field twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an object with each field once")]
pub struct ObjectError;

/// The fields of a JSON object, in order.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// Takes an object apart, one level deep.
    ///
    /// # Errors
    /// When `json` is no object or names a field twice.
    pub fn read(json: &'a str) -> Result<Self, ObjectError> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let object = reader.deserialize_map(Fields).map_err(|_| ObjectError)?;
        reader.end().map_err(|_| ObjectError)?;
        Ok(object)
    }

    /// The fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.iter().map(|(key, value)| (key.as_ref(), *value))
    }

    /// The value of a field, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// The id in a field, if it is there and is one.
    #[must_use]
    pub fn id(&self, key: &str) -> Option<Id> {
        self.get(key).and_then(|value| Id::read(value).ok())
    }

    /// The text in a field, if it is there and is a text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key).and_then(text)
    }
}

/// Fields as the members of an object, each value its very bytes, commas between them.
#[must_use]
pub fn members<'f>(fields: impl IntoIterator<Item = (&'f str, &'f RawValue)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in fields {
        if !out.is_empty() {
            out.push(b',');
        }
        Id::Text(key.into()).write(&mut out);
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out
}

/// Fields as an object.
#[must_use]
pub fn object<'f>(fields: impl IntoIterator<Item = (&'f str, &'f RawValue)>) -> Vec<u8> {
    let members = members(fields);
    [b"{", members.as_slice(), b"}"].concat()
}

/// The text that a value is, if it is one.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    use serde::de::DeserializeSeed as _;
    Key.deserialize(&mut serde_json::Deserializer::from_str(value.get())).ok()
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut seen = Seen::default();
        let mut fields = Vec::with_capacity(8);
        while let Some(key) = map.next_key_seed(Key)? {
            if !seen.insert(key.clone()) {
                return Err(de::Error::custom(ObjectError));
            }
            fields.push((key, map.next_value::<&RawValue>()?));
        }
        Ok(Object { fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_bytes_and_their_order() {
        let object = Object::read(r#" {"b": [1,  2] , "a":"x\u0041", "c":1.50} "#).unwrap();
        let fields: Vec<_> = object.fields().map(|(key, value)| (key, value.get())).collect();
        assert_eq!(fields, [("b", "[1,  2]"), ("a", r#""x\u0041""#), ("c", "1.50")]);
        assert_eq!(object.text("a").unwrap(), "xA");
        assert_eq!(object.text("b"), None);
        assert_eq!(members(object.fields()), br#""b":[1,  2],"a":"x\u0041","c":1.50"#);
        assert_eq!(super::object(object.fields().skip(2)), br#"{"c":1.50}"#);
        assert_eq!(super::object(object.fields().skip(3)), b"{}");
    }

    #[test]
    fn t020_a_field_named_twice_is_refused() {
        assert_eq!(Object::read(r#"{"a":1,"\u0061":1}"#).unwrap_err(), ObjectError);
        assert_eq!(Object::read("[]").unwrap_err(), ObjectError);
        assert_eq!(Object::read("{} 1").unwrap_err(), ObjectError);
    }
}
