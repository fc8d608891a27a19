//! The Cedar schema that every policy of a bundle is checked against.
//!
//! The vocabulary is fixed; facts that differ from request to request are declared only where some
//! policy reads them, so that every other bundle's contexts can be built once per token. A tool whose
//! arguments some rule reads is called by an action of its own, whose context has them, typed.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use cedar_policy::{Schema, Validator};

use super::argument::Typing;
use crate::policy::{EndpointClass, TYPED, VOLATILE, Verb};

/// Schemas that are kept; with one more all are forgotten.
const MOST: usize = 8;

/// A schema, and what is known to fit it.
pub(super) struct Known {
    pub(super) schema: Arc<Schema>,
    pub(super) validator: Validator,
    /// The molds of policies that were typed by it, and nothing was found in.
    pub(super) fits: Mutex<HashSet<Arc<str>>>,
}

/// The schemas so far.
static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Known>>>> = LazyLock::new(Mutex::default);

/// The schema of a text, read once.
///
/// # Errors
/// What Cedar says of a text that is no schema.
pub(super) fn of(text: &str) -> Result<Arc<Known>, String> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(text) {
        return Ok(Arc::clone(known));
    }
    let new = Arc::new(Known::read(text)?);
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(text.to_owned(), Arc::clone(&new));
    Ok(new)
}

impl Known {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let (schema, _) = Schema::from_cedarschema_str(text).map_err(|error| error.to_string())?;
        let validator = Validator::new(schema.clone());
        Ok(Self { schema: Arc::new(schema), validator, fits: Mutex::default() })
    }
}

/// The schema with the given volatile facts declared, and with the typed arguments of some tools.
pub(super) fn text(volatile: &[&str], typing: &Typing) -> String {
    let declared = |fact: &str| match fact {
        "address" => "        address: ipaddr,\n",
        "now" => "        now: datetime,\n",
        _ => "        tls: Bool,\n",
    };
    let volatile: String = VOLATILE.iter().filter(|fact| volatile.contains(fact)).map(|fact| declared(fact)).collect();
    let facts = format!(
        "{volatile}        client?: String,\n        filtered: Bool,\n        groups: Set<String>,\n        named: Set<String>,\n        oauth: Bool,\n        scopes: Set<String>,\n"
    );
    let mut text = String::from(
        "namespace Portcullis {\n\
         \x20   // Who asks. None has attributes: what is known of a caller is in the context.\n\
         \x20   entity User;\n\
         \x20   entity Client;\n\
         \x20   entity Anonymous enum [\"anonymous\"];\n\
         \n\
         \x20   // What is asked about. A server's own `server` is itself.\n\
         \x20   entity Server = { server: Server };\n\
         \x20   entity Tool = { name: String, server: Server };\n\
         \x20   entity Prompt = { name: String, server: Server };\n\
         \x20   entity Resource = { server: Server, uri: String };\n\
         \x20   entity Scope;\n\
         \n\
         \x20   // Who sends a request, before anything of it is believed, and for which endpoint.\n\
         \x20   entity Peer enum [\"peer\"];\n",
    );
    let classes: Vec<String> = EndpointClass::ALL.iter().map(|class| format!("\"{class}\"")).collect();
    // Writing to a string does not fail.
    _ = write!(text, "    entity Endpoint enum [{}];\n\n", classes.join(", "));
    _ = write!(
        text,
        "    // What is known when an entry of a list is shown.\n    type Showing = {{\n{facts}    }};\n\n"
    );
    _ = write!(
        text,
        "    // What is known when something is called, read or got.\n    type Acting = {{\n{facts}        drifted: Bool,\n        findings: Set<String>,\n    }};\n\n"
    );
    text.push_str("    // May this caller do this?\n    action \"use\";\n");
    for verb in Verb::ALL {
        let context = if verb.acts() { "Acting" } else { "Showing" };
        _ = writeln!(
            text,
            "    action \"{}\" in [\"use\"] appliesTo {{ principal: [User, Client, Anonymous], resource: [{}], context: {context} }};",
            verb.action(),
            verb.resources().join(", "),
        );
    }
    if !typing.records.is_empty() {
        text.push_str("\n    // May this caller call this with these arguments?\n");
    }
    for (server, tool, record) in
        typing.records.iter().flat_map(|(server, tools)| tools.iter().map(move |(tool, record)| (server, tool, record)))
    {
        _ = write!(
            text,
            "    action {} in [\"tools/call\"] appliesTo {{ principal: [User, Client, Anonymous], resource: [Tool], context: {{\n        args: {},\n{facts}        drifted: Bool,\n        findings: Set<String>,\n    }} }};\n",
            super::render::string(&format!("{TYPED}{server}/{tool}")),
            record.cedar(),
        );
    }
    text.push_str(
        "\n    // May this scope be granted?\n    action \"grant\" appliesTo { principal: [User, Client], resource: [Scope], context: { client?: String, groups: Set<String> } };\n",
    );
    text.push_str(FRONT);
    text.push_str("}\n");
    text
}

/// The questions of a request as such. What they are told differs from request to request in any case, so
/// all of it is always declared.
const FRONT: &str = "
    // May this request come in?
    action \"request\" appliesTo { principal: [Peer], resource: [Endpoint], context: {
        address: ipaddr,
        findings: Set<String>,
        forwarded: Bool,
        host_known: Bool,
        method: String,
        misled: Bool,
        now: datetime,
        oauth: Bool,
        origin?: { loopback: Bool, own: Bool, text: String },
        server?: String,
        tls: Bool,
    } };

    // Which rate tiers does it draw from: before the caller is known, and after?
    action \"charge\";
    action \"charge/address\" in [\"charge\"] appliesTo { principal: [Anonymous], resource: [Endpoint], context: {
        address: ipaddr,
        now: datetime,
        oauth: Bool,
        server?: String,
        tls: Bool,
    } };
    action \"charge/caller\" in [\"charge\"] appliesTo { principal: [User, Client, Anonymous], resource: [Endpoint], context: {
        address: ipaddr,
        client?: String,
        groups: Set<String>,
        now: datetime,
        oauth: Bool,
        scopes: Set<String>,
        server?: String,
        tls: Bool,
        tool?: String,
    } };

    // Which headers go out with an answer?
    action \"respond\" appliesTo { principal: [Peer], resource: [Endpoint], context: { oauth: Bool, page: Bool, tls: Bool } };
";
