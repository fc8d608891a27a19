//! The shapes that written forms are made of: a value with its place, names with their entries,
//! a text or a map, a list or a map.
//!
//! A [`Written`] never fails to be read: what is wrong below it becomes a finding and leaves it
//! empty, so that one bad entry hides no other. Only [`super::deserialize`] knows the names by
//! which these shapes ask for their places.

use std::{borrow::Cow, fmt, marker::PhantomData, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::diagnostic::{Place, Placed};

/// Asks the reader for a place and a value.
pub(super) const WRITTEN: &str = "$written";
/// Asks the reader for a text or a map.
pub(super) const TEXT_OR: &str = "$text-or";

/// Asks the reader for a list or a map.
pub(super) const LIST_OR: &str = "$list-or";

/// Asks the reader for a value as JSON, whatever it is.
pub(super) const JSON: &str = "$json";

/// A value as written, and where; without value if a finding says what is wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Written<T> {
    /// Where it is written.
    pub(crate) place: Place,
    /// The value, unless a finding says what is wrong with it.
    pub(crate) value: Option<T>,
}

impl<T> Written<T> {
    /// The value with its place, if it is good.
    pub(crate) fn placed(self) -> Option<Placed<T>> {
        let place = self.place;
        self.value.map(|value| Placed::new(value, place))
    }
}

/// A map from names that the author chose, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Named<T>(pub(crate) Vec<(Placed<String>, Written<T>)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A plain text, or a map that says more.
#[derive(Debug, Clone)]
pub(crate) enum TextOr<M> {
    /// A plain text.
    Text(String),
    /// A map.
    Map(M),
}

/// A plain list of entries, or a map that says more.
#[derive(Debug, Clone)]
pub(crate) enum ListOr<T, M> {
    /// A plain list.
    List(Vec<Written<T>>),
    /// A map.
    Map(M),
}

/// Any value at all, as JSON: what is not ours to understand.
#[derive(Debug, Clone)]
pub(crate) struct Json(pub(crate) serde_json::Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Shape;

        impl Visitor<'_> for Shape {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Json, E> {
                serde_json::from_str(text).map(Json).map_err(E::custom)
            }
        }

        from.deserialize_newtype_struct(JSON, Shape)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Shape<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Shape<T> {
            type Value = Written<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let place = (|| {
                    Ok(Some(Place {
                        file: Arc::from(match from.next_element::<String>()? {
                            Some(file) => file,
                            None => return Ok(None),
                        }),
                        line: from.next_element()?.unwrap_or_default(),
                        column: from.next_element()?.unwrap_or_default(),
                        start: from.next_element()?.unwrap_or_default(),
                        end: from.next_element()?.unwrap_or_default(),
                    }))
                })()?;
                let place = place.ok_or_else(|| serde::de::Error::custom("has no place"))?;
                // A failure is on record already: the reader reports it before it hands it on.
                Ok(Written { place, value: from.next_element().unwrap_or_default() })
            }
        }

        from.deserialize_newtype_struct(WRITTEN, Shape(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Shape<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Shape<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = from.next_entry::<Written<String>, Written<T>>()? {
                    if let Some(key) = key.placed() {
                        entries.push((key, value));
                    }
                }
                Ok(Named(entries))
            }
        }

        from.deserialize_map(Shape(PhantomData))
    }
}

impl<'de, M: Deserialize<'de>> Deserialize<'de> for TextOr<M> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Shape<M>(PhantomData<M>);

        impl<'de, M: Deserialize<'de>> Visitor<'de> for Shape<M> {
            type Value = TextOr<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a map")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(text.to_owned()))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
                M::deserialize(from).map(TextOr::Map)
            }
        }

        from.deserialize_newtype_struct(TEXT_OR, Shape(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>, M: Deserialize<'de>> Deserialize<'de> for ListOr<T, M> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Shape<T, M>(PhantomData<(T, M)>);

        impl<'de, T: Deserialize<'de>, M: Deserialize<'de>> Visitor<'de> for Shape<T, M> {
            type Value = ListOr<T, M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or a map")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = from.next_element()? {
                    entries.push(entry);
                }
                Ok(ListOr::List(entries))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
                M::deserialize(from).map(ListOr::Map)
            }
        }

        from.deserialize_newtype_struct(LIST_OR, Shape(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Written<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": value })
    }
}

impl<M: JsonSchema> JsonSchema for TextOr<M> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TextOr_{}", M::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<M>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, map] })
    }
}

impl<T: JsonSchema, M: JsonSchema> JsonSchema for ListOr<T, M> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOr_{}", M::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (entry, map) = (generator.subschema_for::<T>(), generator.subschema_for::<M>());
        schemars::json_schema!({ "anyOf": [{ "type": "array", "items": entry }, map] })
    }
}
