//! Configurations of MCP clients, turned into a first `portcullis.yaml`.
//!
//! Claude Desktop, Cursor and their like write `mcpServers`, VS Code writes `servers` and `inputs`,
//! 1MCP adds `tags`. Each server becomes an entry; what has no counterpart is noted, with its place.
//!
//! 1MCP shows a server to who asks for *any* of its tags, so a server with several gets `require: any`.
//! A server without tags gets one of its own, so that each can be granted alone.
//!
//! INVARIANTS: no secret is in what comes out (`value`), every key is carried over or noted
//! (`server`), and what is written loads: a server that would not is left out and noted.
//!
//! To know one more client: its keys in `server`, its references in `reference`.

mod command;
mod json;
mod name;
mod reference;
mod server;
mod value;
mod write;
mod yaml;

use std::collections::BTreeSet;

use server::Server;
use value::Variables;
pub(crate) use yaml::{list, scalar};

use crate::{
    config::secrecy,
    diagnostic::{Place, Placed},
    name::{ServerName, TagName},
};

/// A file of a client: its name for places, and its text.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The name, as the user would write it.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
}

/// A configuration made from others.
#[derive(Debug)]
pub struct Imported {
    /// `portcullis.yaml`, but for its first line.
    pub yaml: String,
    /// Its servers.
    pub servers: Vec<ServerName>,
    /// The tags of each of them, in the same order, and whether one of them is enough.
    pub tags: Vec<(Vec<TagName>, bool)>,
    /// What could not be carried over, and where it stands.
    pub left: Vec<Placed<String>>,
    /// What is not as it was.
    pub changed: Vec<Placed<String>>,
    /// Variables that must be set, and what each is to hold.
    pub variables: Vec<(String, Placed<String>)>,
}

/// Why nothing can be made of the files.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file is no JSON.
    #[error("{}: {}", .0.place, .0.value)]
    Json(Placed<String>),
    /// No file has a server that can be carried over.
    #[error("there is no server in it to carry over{}", lines(.0))]
    Nothing(Vec<Placed<String>>),
}

fn lines(notes: &[Placed<String>]) -> String {
    notes.iter().map(|note| format!("\n  {}: {}", note.place, note.value)).collect()
}

/// What is to be said of the files.
#[derive(Debug, Default)]
struct Notes {
    left: Vec<Placed<String>>,
    changed: Vec<Placed<String>>,
}

impl Notes {
    /// Something is not carried over.
    fn add(&mut self, place: &Place, text: String) {
        self.left.push(Placed::new(clean(&text), place.clone()));
    }

    /// Something is not as it was.
    fn tell(&mut self, place: &Place, text: String) {
        self.changed.push(Placed::new(clean(&text), place.clone()));
    }
}

/// A note without what may be a secret: keys and names are anybody's texts.
fn clean(text: &str) -> String {
    let words: Vec<String> =
        text.split(' ')
            .map(|word| {
                if secrecy::is_marked(word) || value::is_random(word) {
                    "`…`".to_owned()
                } else {
                    yaml::comment(word)
                }
            })
            .collect();
    words.join(" ")
}

/// Turns the files into one configuration.
///
/// # Errors
/// When a file is no JSON, or no server comes out.
pub fn import(sources: &[Source<'_>]) -> Result<Imported, ImportError> {
    let mut notes = Notes::default();
    let mut variables = Variables::default();
    let mut roots = Vec::new();
    for source in sources {
        let root = json::read(source.name, source.text).map_err(ImportError::Json)?;
        root.texts(&mut |text| variables.reserve(text));
        roots.push(root);
    }
    let mut entries: Vec<json::Entry> = Vec::new();
    for root in &roots {
        for entry in found(root, &mut notes) {
            if server::is_off(&entry.1) {
                notes.add(&entry.0.place, format!("the server `{}` is disabled there, and left out", entry.0.value));
            } else if let Some((first, _)) =
                entries.iter().find(|(name, node)| name.value == entry.0.value && node.same(&entry.1))
            {
                notes.tell(
                    &entry.0.place,
                    format!("`{}` is the same at {}, and is written once", first.value, first.place),
                );
            } else {
                entries.push(entry.clone());
            }
        }
    }
    let wanted: Vec<&str> = entries
        .iter()
        .map(|(name, _)| if clean(&name.value).contains('…') { "" } else { name.value.as_str() })
        .collect();
    let mut servers: Vec<(ServerName, Server)> = Vec::new();
    for (name, entry) in name::servers(&wanted).into_iter().zip(&entries) {
        let before = variables.clone();
        let Some(server) = server::read(&name, entry, &mut variables, &mut notes) else {
            variables = before;
            continue;
        };
        let place = &entry.0.place;
        if let Some(why) = write::problem(&name, &server) {
            notes.add(place, format!("`{}` is left out: {why}", entry.0.value));
            variables = before;
            continue;
        }
        if name.as_str() != entry.0.value {
            notes.tell(place, format!("the server `{}` is `{name}` here", entry.0.value));
        }
        servers.push((name, server));
    }
    let mut taken: BTreeSet<TagName> = servers.iter().flat_map(|(_, server)| server.tags.iter().cloned()).collect();
    for (name, server) in servers.iter_mut().filter(|(_, server)| server.tags.is_empty()) {
        server.tags.extend(name::own_tag(name, &taken));
        taken.extend(server.tags.iter().cloned());
    }
    notes.left.sort_by(|a, b| a.place.cmp(&b.place));
    notes.changed.sort_by(|a, b| a.place.cmp(&b.place));
    if servers.is_empty() {
        return Err(ImportError::Nothing(notes.left));
    }
    let variables: Vec<_> = variables
        .needed()
        .into_iter()
        .map(|(name, about)| (name, Placed::new(clean(&about.value), about.place)))
        .collect();
    let names = sources.iter().map(|source| source.name).collect::<Vec<_>>();
    let yaml = write::whole(&names, &servers, &notes, &variables);
    let Notes { left, changed } = notes;
    let tags = servers.iter().map(|(_, server)| (server.tags.clone(), server.tags.len() > 1)).collect();
    Ok(Imported { yaml, servers: servers.into_iter().map(|(name, _)| name).collect(), tags, left, changed, variables })
}

/// The servers of a file, whatever client wrote it.
fn found<'r>(root: &'r json::Node, notes: &mut Notes) -> Vec<&'r json::Entry> {
    let mut found = Vec::new();
    let Some(entries) = root.entries() else {
        notes.add(&root.place, "the file holds no object, so no servers".into());
        return found;
    };
    for (key, value) in entries {
        match key.value.as_str() {
            "mcpServers" | "servers" | "context_servers" => match value.entries() {
                Some(servers) => found.extend(servers),
                None => notes.add(&value.place, format!("`{}` is no object, so it has no servers", key.value)),
            },
            // VS Code's settings.json.
            "mcp" => {
                found.extend(["servers", "mcpServers"].iter().filter_map(|key| value.get(key)?.entries()).flatten())
            }
            // What is asked for by them is a variable here.
            "inputs" | "$schema" | "version" => {}
            "mcpTemplates" | "templateSettings" => {
                notes.add(&key.place, format!("`{}`: servers are the same for every caller", key.value));
            }
            _ => notes.add(&key.place, format!("`{}` is a setting of the client", key.value)),
        }
    }
    found
}
