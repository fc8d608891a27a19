//! Which headers an answer carries, and which line says so.
//!
//! Those that say what the answer is (`Content-Type`, a challenge, what `cors` tells browsers) are not
//! among them: they depend on the answer itself.

use std::fmt;

use serde::Serialize;

use crate::{
    diagnostic::Place,
    policy::{EndpointClass, Engine},
};

/// A header that an answer is given, or that is taken from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Its name, in lower case.
    pub name: String,
    /// Its value; nothing where it is taken away.
    pub value: Option<String>,
    /// The policy that says so.
    pub policy: String,
    /// The line behind that; nothing where the preset says it and no line of the file.
    pub place: Option<Place>,
}

/// The headers of answers of a class, to callers that come by TLS or not, to pages or not; sorted by name.
///
/// # Errors
/// Where that cannot be decided, in words; what is built in goes out then.
pub fn headers(engine: &Engine, class: EndpointClass, tls: bool, page: bool) -> Result<Vec<Carried>, String> {
    let headers = engine.emit(class, tls, page)?;
    let carried = headers.iter().map(|header| Carried {
        name: header.name.to_string(),
        value: header.value.as_ref().map(ToString::to_string),
        policy: header.reason.policy.to_string(),
        place: header.reason.place.clone(),
    });
    Ok(carried.collect())
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, policy, place } = self;
        match value {
            Some(value) => write!(f, "{name}: {value}")?,
            None => write!(f, "{name} is taken away")?,
        }
        write!(f, "  by {policy}")?;
        match place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}
