//! From the tree of a lock to what was pinned: every problem gathered, each with its place.

use std::{str::FromStr, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Entry, Hints, Lock, Offered, Part, Said, Tool};
use crate::{
    config::{Json, Named, Node, Written, findings, written},
    diagnostic::{Diagnostic, Place, Placed},
    mcp::Kind,
    name::NameError,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockSection {
    version: Written<u64>,
    servers: Option<Written<Named<OfferedSection>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfferedSection {
    tools: Option<Written<Named<ToolSection>>>,
    prompts: Option<Written<Named<EntrySection>>>,
    resources: Option<Written<Named<EntrySection>>>,
    templates: Option<Written<Named<EntrySection>>>,
    instructions: Option<Written<String>>,
    digest: Option<Written<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ToolSection {
    title: Option<Json>,
    description: Option<Written<String>>,
    input_schema: Option<Json>,
    output_schema: Option<Json>,
    annotations: Option<Written<Named<Json>>>,
    other: Option<Json>,
    digest: Option<Written<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EntrySection {
    name: Option<Json>,
    title: Option<Json>,
    mime_type: Option<Json>,
    arguments: Option<Json>,
    description: Option<Written<String>>,
    other: Option<Json>,
    digest: Option<Written<String>>,
}

pub(super) fn read(tree: &Node, findings: &mut Vec<Diagnostic>) -> Option<Lock> {
    let before = findings.len();
    let LockSection { version, servers } = written(tree, findings)?;
    if let Some(number) = version.value.filter(|number| *number != 1) {
        let message = format!("version {number} of `portcullis.lock` is not supported");
        findings.push(findings::UNSUPPORTED_VERSION.at(&version.place, message));
    }
    let servers = named(servers, findings, offered);
    (findings.len() == before).then_some(Lock { servers: servers.into_iter().collect() })
}

/// The entries whose names fit their grammar, each read.
fn named<K: FromStr<Err = NameError>, S, T>(
    section: Option<Written<Named<S>>>,
    findings: &mut Vec<Diagnostic>,
    read: impl Fn(S, &str, Place, &mut Vec<Diagnostic>) -> T,
) -> Vec<(K, T)> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut found = Vec::new();
    for (Placed { value: text, place }, section) in entries {
        let name = text.parse::<K>();
        if let Err(error) = &name {
            findings.push(findings::INVALID_IDENTIFIER.at(&place, error.to_string()));
        }
        let entry = section.value.map(|section| read(section, &text, place, findings));
        found.extend(name.ok().zip(entry));
    }
    found
}

fn offered(section: OfferedSection, _: &str, place: Place, findings: &mut Vec<Diagnostic>) -> Offered {
    let OfferedSection { tools, prompts, resources, templates, instructions, digest } = section;
    let before = findings.len();
    let instructions = instructions.and_then(|text| text.value);
    let mut offered = Offered {
        tools: named(tools, findings, tool).into_iter().collect(),
        prompts: named(prompts, findings, entry(Part::Prompt.kind().key())).into_iter().collect(),
        resources: named(resources, findings, entry(Kind::Resources.key())).into_iter().collect(),
        templates: named(templates, findings, entry(Part::Template.kind().key())).into_iter().collect(),
        instructions_said: instructions.as_deref().map(|text| Arc::new(Said::of(text.into()))),
        instructions,
        digest: String::new(),
        place,
    };
    offered.digest = offered.inventory().digest();
    // Below a part that is wrong already, it would only say so again.
    if findings.len() == before {
        sealed(digest, &offered.digest, findings);
    }
    offered
}

fn tool(section: ToolSection, name: &str, place: Place, findings: &mut Vec<Diagnostic>) -> Tool {
    let ToolSection { title, description, input_schema, output_schema, annotations, other, digest } = section;
    let mut hints = Hints::default();
    let annotated = annotations.is_some();
    let mut kept = Map::new();
    let Named(said) = annotations.and_then(|said| said.value).unwrap_or_default();
    for (Placed { value: name, .. }, Written { place, value }) in said {
        let Some(Json(value)) = value else { continue };
        let hint = match name.as_str() {
            "readOnlyHint" => Some(&mut hints.read_only),
            "destructiveHint" => Some(&mut hints.destructive),
            "idempotentHint" => Some(&mut hints.idempotent),
            "openWorldHint" => Some(&mut hints.open_world),
            // Further annotations are the server's own.
            _ => None,
        };
        match (hint, &value) {
            (Some(hint), Value::Bool(value)) => *hint = *value,
            (Some(_), _) => {
                findings.push(findings::WRONG_TYPE.at(&place, format!("`{name}` must be `true` or `false`")))
            }
            (None, _) => {}
        }
        kept.insert(name, value);
    }
    let description = description.and_then(|text| text.value);
    let input_schema = input_schema.map(|Json(schema)| schema);
    let fields = [
        ("annotations", annotated.then_some(Value::Object(kept))),
        ("description", description.as_deref().map(Value::from)),
        ("inputSchema", input_schema.clone()),
        ("outputSchema", output_schema.map(|Json(schema)| schema)),
        ("title", title.map(|Json(title)| title)),
    ];
    let said = whole(Part::Tool.kind().key(), name, fields, other);
    sealed(digest, said.digest(), findings);
    Tool { description, input_schema, hints, said: Arc::new(said), place }
}

fn entry(key: &'static str) -> impl Fn(EntrySection, &str, Place, &mut Vec<Diagnostic>) -> Entry {
    move |section, name, place, findings| {
        let EntrySection { name: called, title, mime_type, arguments, description, other, digest } = section;
        let description = description.and_then(|text| text.value);
        let fields = [
            ("arguments", arguments.map(|Json(arguments)| arguments)),
            ("description", description.as_deref().map(Value::from)),
            ("mimeType", mime_type.map(|Json(kind)| kind)),
            ("name", called.map(|Json(name)| name)),
            ("title", title.map(|Json(title)| title)),
        ];
        let said = whole(key, name, fields, other);
        sealed(digest, said.digest(), findings);
        Entry { description, said: Arc::new(said), place }
    }
}

/// An entry as its server lists it.
fn whole<const N: usize>(key: &str, name: &str, fields: [(&str, Option<Value>); N], other: Option<Json>) -> Said {
    let mut said = match other {
        Some(Json(Value::Object(other))) => other,
        Some(Json(_)) | None => Map::new(),
    };
    said.extend(fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))));
    said.insert(key.to_owned(), name.into());
    Said::of(said.into())
}

/// Whether a digest, where there is one, is that of what stands beside it.
fn sealed(written: Option<Written<String>>, digest: &str, findings: &mut Vec<Diagnostic>) {
    let Some(Placed { value, place }) = written.and_then(Written::placed) else { return };
    let fits = value
        .strip_prefix("sha256:")
        .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    let problem = match () {
        () if !fits => "`digest` must be `sha256:` and 64 hexadecimal digits",
        () if value != digest => "`digest` is not that of what stands here",
        () => return,
    };
    let finding = findings::WRONG_TYPE.at(&place, problem);
    findings.push(finding.help("write the lock again with `portcullis lock` instead of changing it by hand"));
}
