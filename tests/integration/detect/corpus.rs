//! The corpora: what attacks, and what is ordinary.

use std::{fs, path::Path};

use portcullis::{
    detect::{self, Body, Detector, Detectors},
    mcp,
};
use serde_json::Value;

/// Something that detectors look at.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// A string of a body.
    Text(String),
    /// A body.
    Json(String),
    Path(String),
    Query(String),
    Header(String, Vec<u8>),
}

impl Item {
    pub(super) fn found(&self) -> Detectors {
        self.found_by(Detectors::ALL)
    }

    pub(super) fn found_by(&self, wanted: Detectors) -> Detectors {
        match self {
            Self::Text(text) => detect::argument(text, wanted),
            Self::Json(json) => {
                let body = Body::new(wanted);
                mcp::check_heard(json, &body).unwrap_or_else(|error| panic!("{error}: {json}"));
                body.found()
            }
            Self::Path(path) => detect::path(path, wanted),
            Self::Query(query) => detect::query(query, wanted),
            Self::Header(name, value) => detect::header(name, value, wanted),
        }
    }

    pub(super) fn shown(&self) -> String {
        let text = format!("{self:?}");
        text.chars().take(200).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixture(name: &str) -> String {
    read(&root().join("tests/fixtures/detect").join(name))
}

/// What this detector is to find.
pub(super) fn attacks(detector: Detector) -> Vec<Item> {
    let text = fixture(&format!("attacks/{detector}.ndjson"));
    text.lines()
        .map(|line| attack(&serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))))
        .collect()
}

fn attack(value: &Value) -> Item {
    let Some(object) = value.as_object() else { return Item::Text(value.as_str().unwrap().to_owned()) };
    let (kind, value) = object.iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    let size = || usize::try_from(value.as_u64().unwrap()).unwrap();
    let pair = || (value[0].as_str().unwrap().to_owned(), value[1].as_str().unwrap());
    match kind.as_str() {
        "json" => Item::Json(text()),
        "path" => Item::Path(text()),
        "query" => Item::Query(text()),
        "header" => Item::Header(pair().0, pair().1.into()),
        "hex" => {
            let bytes = pair().1.as_bytes().chunks(2);
            let bytes = bytes.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap());
            Item::Header(pair().0, bytes.collect())
        }
        "deep" => Item::Json(format!("{}1{}", "[".repeat(size()), "]".repeat(size()))),
        "deepobject" => Item::Json(format!("{}1{}", r#"{"a":"#.repeat(size()), "}".repeat(size()))),
        "long" => Item::Text("a".repeat(size())),
        "many" => Item::Json(format!("[{}0]", "0,".repeat(size()))),
        "longpath" => Item::Path(format!("/{}", "a".repeat(size()))),
        "longquery" => Item::Query(format!("a={}", "a".repeat(size()))),
        "parameters" => Item::Query(vec!["a=b"; size()].join("&")),
        "longheader" => Item::Header("x-a".into(), vec![b'a'; size()]),
        other => panic!("no attack is written as `{other}`"),
    }
}

/// Arguments as coding agents send them.
pub(super) fn ordinary() -> Vec<Item> {
    let lines = ["shell.txt", "sql.txt", "paths.txt"].map(|name| fixture(&format!("ordinary/{name}")));
    let blocks = ["code.blocks", "prose.blocks"].map(|name| fixture(&format!("ordinary/{name}")));
    let lines = lines.iter().flat_map(|text| text.lines());
    let blocks = blocks.iter().flat_map(|text| text.split("%%%%\n"));
    lines.chain(blocks).map(|text| Item::Text(text.to_owned())).collect()
}

/// Header fields of real clients.
pub(super) fn heads() -> Vec<Item> {
    let text = fixture("ordinary/heads.txt");
    text.lines()
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            Item::Header(name.into(), value.into())
        })
        .collect()
}

/// Paths and queries of real clients.
pub(super) fn targets() -> Vec<Item> {
    let text = fixture("ordinary/targets.txt");
    text.lines()
        .flat_map(|line| {
            let (path, query) = line.split_once('?').unwrap_or((line, ""));
            [Item::Path(path.into()), Item::Query(query.into())]
        })
        .collect()
}

/// Every file of this repository that is not about attacks.
pub(super) fn files() -> Vec<Item> {
    let mut files = Vec::new();
    for folder in ["benches", "docs", "examples", "policies", "schema", "snapshots", "src", "tests"] {
        walk(&root().join(folder), &mut files);
    }
    for file in ["README.md", "CHANGELOG.md", "Cargo.toml", "deny.toml"] {
        files.push(read(&root().join(file)));
    }
    files.into_iter().map(Item::Text).collect()
}

/// Every line of these.
pub(super) fn lines() -> Vec<Item> {
    let mut lines: Vec<String> = Vec::new();
    for file in files() {
        let Item::Text(text) = file else { panic!("files are text") };
        lines.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    lines.sort();
    lines.dedup();
    lines.into_iter().map(Item::Text).collect()
}

fn walk(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let attacks =
            path.ends_with("src/detect") || path.ends_with("fixtures/detect") || path.ends_with("integration/detect");
        if path.is_dir() && !attacks && !path.ends_with("node_modules") {
            walk(&path, files);
        } else if path.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            files.push(text);
        }
    }
}
