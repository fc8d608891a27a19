//! `notes`: Markdown notes in one directory, as tools and as resources `notes://NAME`.
//!
//! INVARIANT: nothing outside the directory is read or written: a name is letters, digits, `-` and
//! `_`, its file is `NAME.md`, and what is no regular file there (a link, say) does not exist.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{Arguments, Demo, Done, Effect, Failure, tool};

const LARGEST: u64 = 1024 * 1024;
const SCHEME: &str = "notes://";
const NAME: &str = "The note's name: 1 to 64 letters, digits, `-` or `_`.";

/// The demo server `notes`.
#[derive(Debug)]
pub(super) struct Notes {
    dir: PathBuf,
}

impl Notes {
    /// Keeps notes in `dir`, which is made if it is not there.
    pub(super) fn open(dir: &Path) -> Result<Self, String> {
        let fail = |error: io::Error| format!("the directory `{}` cannot be used: {error}", dir.display());
        fs::create_dir_all(dir).map_err(fail)?;
        Ok(Self { dir: dir.canonicalize().map_err(fail)? })
    }

    /// The names of all notes, sorted.
    fn names(&self) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(|error| failed("the notes cannot be listed", &error))? {
            let entry = entry.map_err(|error| failed("the notes cannot be listed", &error))?;
            let file = entry.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".md")).filter(|name| is_name(name));
            if let (Some(name), true) = (name, entry.file_type().is_ok_and(|kind| kind.is_file())) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The file of a note that is there.
    fn file(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name)?;
        let known = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file);
        match known {
            Some(about) if about.len() <= LARGEST => Ok(path),
            Some(_) => Err(Failure::Failed(format!("the note `{name}` is larger than 1 MiB"))),
            None => Err(Failure::Failed(format!("there is no note `{name}`"))),
        }
    }

    fn path(&self, name: &str) -> Result<PathBuf, Failure> {
        if is_name(name) {
            return Ok(self.dir.join(format!("{name}.md")));
        }
        let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
        Err(Failure::Failed(format!("`{shown}` is no name of a note: 1 to 64 letters, digits, `-` or `_`")))
    }

    #[expect(clippy::disallowed_methods, reason = "the notes are what this server is for")]
    fn content(&self, name: &str) -> Result<String, Failure> {
        fs::read_to_string(self.file(name)?).map_err(|error| failed("the note cannot be read", &error))
    }

    /// Writes a note whole or not at all. Answers whether it is new.
    fn write(&self, name: &str, text: &str) -> Result<bool, Failure> {
        let path = self.path(name)?;
        if text.len() as u64 > LARGEST {
            return Err(Failure::Failed("a note has at most 1 MiB".into()));
        }
        let before = fs::symlink_metadata(&path).ok();
        if before.as_ref().is_some_and(|about| !about.is_file()) {
            return Err(Failure::Failed(format!("`{name}` is not a note")));
        }
        let draft = self.dir.join(format!(".{name}.{}.draft", std::process::id()));
        let written = fs::File::create_new(&draft)
            .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
            .and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            drop(fs::remove_file(&draft));
        }
        written.map(|()| before.is_none()).map_err(|error| failed("the note cannot be written", &error))
    }

    fn search(&self, query: &str, progress: &mut dyn FnMut(usize, usize)) -> Result<Done, Failure> {
        let names = self.names()?;
        let wanted = query.to_lowercase();
        let mut found = Vec::new();
        for (done, name) in names.iter().enumerate() {
            // A note that went away, or is too large, has no lines that fit.
            let text = self.content(name).unwrap_or_default();
            found.extend(
                text.lines()
                    .enumerate()
                    .filter(|(_, line)| line.to_lowercase().contains(&wanted))
                    .map(|(number, line)| format!("{name}:{}: {line}", number + 1)),
            );
            progress(done + 1, names.len());
        }
        Ok(Done::found(found.join("\n"), json!({"matches": found})))
    }
}

impl Demo for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn instructions(&self) -> &'static str {
        "Keeps Markdown notes. Each note is also a resource `notes://NAME`."
    }

    fn tools(&self) -> Vec<Value> {
        let name = ("name", NAME, true);
        vec![
            tool("list_notes", "List notes", "The names of all notes.", Effect::Reads, &[]),
            tool("read_note", "Read a note", "The text of a note.", Effect::Reads, &[name]),
            tool(
                "search_notes",
                "Search the notes",
                "The lines of all notes that contain a text, whatever its case.",
                Effect::Reads,
                &[("query", "The text to look for.", true)],
            ),
            tool(
                "write_note",
                "Write a note",
                "Writes a note; what it said before is lost.",
                Effect::Writes,
                &[name, ("text", "The whole text, in Markdown.", true)],
            ),
            tool("delete_note", "Delete a note", "Deletes a note for good.", Effect::Destroys, &[name]),
        ]
    }

    fn call(&self, tool: &str, arguments: &Arguments, progress: &mut dyn FnMut(usize, usize)) -> Result<Done, Failure> {
        match tool {
            "list_notes" => {
                arguments.only(&[])?;
                let names = self.names()?;
                Ok(Done::found(names.join("\n"), json!({"notes": names})))
            }
            "read_note" => {
                arguments.only(&["name"])?;
                Ok(Done::said(self.content(arguments.text("name")?)?))
            }
            "search_notes" => {
                arguments.only(&["query"])?;
                self.search(arguments.text("query")?, progress)
            }
            "write_note" => {
                arguments.only(&["name", "text"])?;
                let name = arguments.text("name")?;
                let new = self.write(name, arguments.text("text")?)?;
                let text = format!("{} `{name}`", if new { "wrote the new note" } else { "wrote the note" });
                Ok(Done { resources_changed: new, ..Done::said(text) })
            }
            "delete_note" => {
                arguments.only(&["name"])?;
                let name = arguments.text("name")?;
                fs::remove_file(self.file(name)?).map_err(|error| failed("the note cannot be deleted", &error))?;
                Ok(Done { resources_changed: true, ..Done::said(format!("deleted the note `{name}`")) })
            }
            _ => Err(Failure::Unknown(format!("there is no tool `{tool}`"))),
        }
    }

    fn prompts(&self) -> Option<Vec<Value>> {
        Some(vec![json!({
            "name": "summarize_note",
            "title": "Summarize a note",
            "description": "Asks for a summary of a note in three sentences.",
            "arguments": [{"name": "name", "description": NAME, "required": true}]
        })])
    }

    fn prompt(&self, name: &str, arguments: &Arguments) -> Result<String, Failure> {
        if name != "summarize_note" {
            return Err(Failure::Unknown(format!("there is no prompt `{name}`")));
        }
        let text = self.content(arguments.text("name")?)?;
        Ok(format!("Summarize this note in three sentences.\n\n{text}"))
    }

    fn resources(&self) -> Option<Vec<Value>> {
        let names = self.names().unwrap_or_default();
        let entry =
            |name: &String| json!({"uri": format!("{SCHEME}{name}"), "name": name, "mimeType": "text/markdown"});
        Some(names.iter().map(entry).collect())
    }

    fn templates(&self) -> Vec<Value> {
        vec![json!({"uriTemplate": "notes://{name}", "name": "note", "mimeType": "text/markdown"})]
    }

    fn read(&self, uri: &str) -> Result<(String, &'static str), Failure> {
        let name =
            uri.strip_prefix(SCHEME).ok_or_else(|| Failure::Unknown("resources here are `notes://NAME`".into()))?;
        Ok((self.content(name)?, "text/markdown"))
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::Failed(format!("{what}: {}", error.kind()))
}
