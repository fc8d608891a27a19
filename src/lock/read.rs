//! From the tree of a lock to what was pinned: every problem gathered, each with its place.

use std::str::FromStr;

use serde::Deserialize;

use super::{Entry, Hints, Lock, Offered, Tool};
use crate::{
    config::{Json, Named, Node, Written, findings, written},
    diagnostic::{Diagnostic, Place, Placed},
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
    instructions: Option<Written<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ToolSection {
    #[serde(rename = "title")]
    _title: Option<Json>,
    description: Option<Written<String>>,
    input_schema: Option<Json>,
    #[serde(rename = "outputSchema")]
    _output_schema: Option<Json>,
    annotations: Option<Written<Named<Json>>>,
    digest: Option<Written<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EntrySection {
    #[serde(rename = "name")]
    _name: Option<Json>,
    #[serde(rename = "title")]
    _title: Option<Json>,
    #[serde(rename = "mimeType")]
    _mime_type: Option<Json>,
    #[serde(rename = "arguments")]
    _arguments: Option<Json>,
    description: Option<Written<String>>,
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
    read: fn(S, Place, &mut Vec<Diagnostic>) -> T,
) -> Vec<(K, T)> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut found = Vec::new();
    for (Placed { value: name, place }, section) in entries {
        let name = name.parse::<K>();
        if let Err(error) = &name {
            findings.push(findings::INVALID_IDENTIFIER.at(&place, error.to_string()));
        }
        let entry = section.value.map(|section| read(section, place, findings));
        found.extend(name.ok().zip(entry));
    }
    found
}

fn offered(section: OfferedSection, place: Place, findings: &mut Vec<Diagnostic>) -> Offered {
    let OfferedSection { tools, prompts, resources, instructions } = section;
    Offered {
        tools: named(tools, findings, tool).into_iter().collect(),
        prompts: named(prompts, findings, entry).into_iter().collect(),
        resources: named(resources, findings, entry).into_iter().collect(),
        instructions: instructions.and_then(|text| text.value),
        place,
    }
}

fn tool(section: ToolSection, place: Place, findings: &mut Vec<Diagnostic>) -> Tool {
    let ToolSection { _title, description, input_schema, _output_schema, annotations, digest } = section;
    let mut hints = Hints::default();
    let Named(said) = annotations.and_then(|said| said.value).unwrap_or_default();
    for (Placed { value: name, .. }, Written { place, value }) in said {
        let hint = match name.as_str() {
            "readOnlyHint" => &mut hints.read_only,
            "destructiveHint" => &mut hints.destructive,
            "idempotentHint" => &mut hints.idempotent,
            "openWorldHint" => &mut hints.open_world,
            // Further annotations are the server's own.
            _ => continue,
        };
        match value {
            Some(Json(serde_json::Value::Bool(value))) => *hint = value,
            Some(_) => findings.push(findings::WRONG_TYPE.at(&place, format!("`{name}` must be `true` or `false`"))),
            None => {}
        }
    }
    Tool {
        description: description.and_then(|text| text.value),
        input_schema: input_schema.map(|Json(schema)| schema),
        hints,
        digest: sealed(digest, findings),
        place,
    }
}

fn entry(section: EntrySection, place: Place, findings: &mut Vec<Diagnostic>) -> Entry {
    let EntrySection { _name, _title, _mime_type, _arguments, description, digest } = section;
    Entry { description: description.and_then(|text| text.value), digest: sealed(digest, findings), place }
}

/// A digest as we write it.
fn sealed(written: Option<Written<String>>, findings: &mut Vec<Diagnostic>) -> Option<String> {
    let Placed { value, place } = written?.placed()?;
    let fits = value
        .strip_prefix("sha256:")
        .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    if !fits {
        let finding = findings::WRONG_TYPE.at(&place, "`digest` must be `sha256:` and 64 hexadecimal digits");
        findings.push(finding.help("write the lock again instead of changing it by hand"));
        return None;
    }
    Some(value)
}
