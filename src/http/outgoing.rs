//! Which header fields go out with every answer: the question *emit*, asked once for each kind of answer.
//!
//! Everything that the listener answers passes here, its own refusals too. A field of the preset (of
//! order 0) gives way to what an answer says of itself, such as a page whose policy for content has a
//! nonce; an entry of the file does not. Where the policies cannot be asked, what is built in goes out.
//!
//! INVARIANT: nothing a caller sends stands in a field from here. A refusal is kept by nobody, whatever is
//! written: what one caller has brought about must not be what others are shown.
//! SPEC: design §3 *emit*; SM-20, SM-21, SM-26.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    compile::header::built_in,
    gateway::{Gateway, Revision},
    policy::{EndpointClass, Engine},
};

/// The fields that answers are given, of the revision in force.
#[derive(Debug)]
pub(crate) struct Outgoing {
    gateway: Arc<Gateway>,
    made: ArcSwap<Table>,
}

/// The fields of one revision, by class, TLS and whether the answer is a page.
#[derive(Debug)]
struct Table {
    serial: u64,
    cells: Vec<OnceLock<Arc<[Field]>>>,
}

/// One field.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: HeaderName,
    /// Nothing takes the field away.
    value: Option<HeaderValue>,
    /// Whether it gives way to what the answer says of itself.
    yields: bool,
}

impl Outgoing {
    /// What goes out by the revisions of a gateway.
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        let made = ArcSwap::from_pointee(Table::of(&gateway.revision()));
        Self { gateway, made }
    }

    /// Gives an answer its fields.
    pub(super) fn give(&self, class: EndpointClass, tls: bool, status: StatusCode, answer: &mut HeaderMap) {
        let revision = self.gateway.revision();
        let mut table = self.made.load_full();
        if table.serial != revision.serial() {
            table = Arc::new(Table::of(&revision));
            self.made.store(Arc::clone(&table));
        }
        let fields = table.fields(&revision.snapshot.engine, class, tls, is_page(answer));
        put(&fields, status, answer);
    }
}

/// Puts fields into an answer.
fn put(fields: &[Field], status: StatusCode, answer: &mut HeaderMap) {
    for Field { name, value, yields } in fields {
        match value {
            Some(_) if *yields && answer.contains_key(name) => {}
            Some(value) => _ = answer.insert(name, value.clone()),
            None => _ = answer.remove(name),
        }
    }
    if status.is_client_error() || status.is_server_error() {
        answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

impl Table {
    fn of(revision: &Revision) -> Self {
        Self { serial: revision.serial(), cells: (0..EndpointClass::ALL.len() * 4).map(|_| OnceLock::new()).collect() }
    }

    fn fields(&self, engine: &Engine, class: EndpointClass, tls: bool, page: bool) -> Arc<[Field]> {
        let nth = EndpointClass::ALL.into_iter().position(|other| other == class).unwrap_or_default();
        let cell = self.cells.get(nth * 4 + usize::from(tls) * 2 + usize::from(page));
        let make = || made(engine, class, tls, page);
        cell.map_or_else(make, |cell| Arc::clone(cell.get_or_init(make)))
    }
}

/// The fields that policies say, or what is built in.
fn made(engine: &Engine, class: EndpointClass, tls: bool, page: bool) -> Arc<[Field]> {
    let said = engine.emit(class, tls, page).and_then(|headers| {
        let fields = headers.iter().map(|header| field(&header.name, header.value.as_deref(), header.order <= 0));
        fields.collect::<Result<Arc<[Field]>, String>>()
    });
    said.unwrap_or_else(|error| {
        tracing::error!(%class, %error, "which headers go out cannot be decided: what is built in does");
        built_in(class, tls, page).filter_map(|header| field(header.name, Some(header.value), false).ok()).collect()
    })
}

fn field(name: &str, value: Option<&str>, yields: bool) -> Result<Field, String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
    let value = value.map(HeaderValue::from_str).transpose().map_err(|error| error.to_string())?;
    Ok(Field { name, value, yields })
}

fn is_page(answer: &HeaderMap) -> bool {
    let kind = answer.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compile, config::load_text};

    fn engine(headers: &str) -> Engine {
        let config = load_text("f", &format!("version: 1\nheaders: {headers}\n"), &|_| None).config.unwrap();
        Engine::new(Arc::new(compile::bundle(&config, None).unwrap())).unwrap()
    }

    /// What an answer that says something of itself goes out with.
    fn sent(headers: &str, class: EndpointClass, said: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut answer: HeaderMap =
            said.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        put(&made(&engine(headers), class, true, is_page(&answer)), StatusCode::OK, &mut answer);
        answer
    }

    #[test]
    fn the_preset_gives_way_to_what_an_answer_says_of_itself_and_an_entry_does_not() {
        let page = [
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", "default-src 'none'; style-src 'nonce-a'"),
            ("cache-control", "no-store, private"),
        ];
        let own = sent("{}", EndpointClass::Consent, &page);
        assert_eq!(own["content-security-policy"], page[1].1);
        assert_eq!(own["cache-control"], page[2].1);
        assert_eq!(own["x-frame-options"], "DENY");
        let replaced = sent("[{set: {Cache-Control: no-cache}}]", EndpointClass::Consent, &page);
        assert_eq!(replaced["cache-control"], "no-cache");
        let removed = sent("[{remove: [cache-control]}]", EndpointClass::Consent, &page);
        assert!(!removed.contains_key("cache-control"));
        // One that says nothing of it has the preset's.
        let plain = sent("{}", EndpointClass::Consent, &page[..1]);
        assert!(plain["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        let json = sent("{}", EndpointClass::Mcp, &[("content-type", "application/json")]);
        assert!(!json.contains_key("content-security-policy"));
    }

    #[test]
    fn sm26_a_refusal_is_kept_by_nobody() {
        let entries =
            ["[{set: {Cache-Control: \"public, max-age=300\"}}]", "[{remove: [Cache-Control]}]", "{preset: none}"];
        for headers in entries {
            let fields = made(&engine(headers), EndpointClass::Metadata, false, false);
            for (status, kept) in
                [(200, false), (400, true), (403, true), (404, true), (429, true), (500, true), (503, true)]
            {
                let mut answer = HeaderMap::new();
                put(&fields, StatusCode::from_u16(status).unwrap(), &mut answer);
                let no_store = answer.get("cache-control").is_some_and(|value| value == "no-store");
                assert_eq!(no_store, kept, "{headers} {status}");
            }
        }
    }

    #[test]
    fn sm20_what_is_built_in_is_the_preset() {
        let engine = engine("{preset: strict}");
        for class in EndpointClass::ALL {
            for (tls, page) in [(false, false), (false, true), (true, false), (true, true)] {
                let said: Vec<_> = engine
                    .emit(class, tls, page)
                    .unwrap()
                    .iter()
                    .map(|h| (h.name.to_string(), h.value.as_ref().unwrap().to_string()))
                    .collect();
                let built: Vec<_> =
                    built_in(class, tls, page).map(|h| (h.name.to_ascii_lowercase(), h.value.to_owned())).collect();
                assert_eq!(said, built, "{class} {tls} {page}");
            }
        }
    }
}
