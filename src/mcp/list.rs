//! What a server's list answer holds: entries with their very bytes.
//!
//! An entry is passed on as it came, but for its name, which the gateway may prefix: the place of
//! the name's value is kept, so that another can be put there. Nothing else of an entry is read,
//! and annotations are never believed (CL-22, CL-23).
//!
//! A list decides what may be called, so it is checked whole: no key twice at any depth. An icon that
//! is neither `https` nor `data` is left out; none is ever fetched (CL-24).

use std::ops::Range;

use serde_json::value::RawValue;

use super::{
    hidden::{self, Hidden},
    id::Id,
    method::Method,
    object::Object,
    result::with_value,
    strict::{self, Untidy},
};

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The method that asks for it.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Tools => Method::ToolsList,
            Self::Prompts => Method::PromptsList,
            Self::Resources => Method::ResourcesList,
            Self::Templates => Method::ResourcesTemplatesList,
        }
    }

    /// The field of the answer that holds the entries.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The field of an entry that tells it from the others.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    /// The capability without which a server has none.
    #[must_use]
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources | Self::Templates => "resources",
        }
    }
}

/// A list answer that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not clear JSON.
    #[error("the list is {0}")]
    Untidy(#[from] Untidy),
    /// Not a list of this kind.
    #[error("the answer is no list of `{0}`")]
    NotAList(&'static str),
    /// An entry without its key.
    #[error("an entry has no `{0}`")]
    Nameless(&'static str),
}

/// One answer to a list request.
#[derive(Debug, Clone)]
pub struct Page {
    /// The entries, in the server's order.
    pub entries: Vec<Entry>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
    /// How long the server says that it stays good. Modern only; less than nothing is nothing.
    pub ttl_ms: Option<u64>,
    /// Whether the server says that it is the same for everybody. Modern only.
    pub public: bool,
}

impl Page {
    /// Takes a list answer apart.
    ///
    /// # Errors
    /// When it is no clear list of this kind.
    pub fn read(kind: Kind, result: &str) -> Result<Self, PageError> {
        strict::check(result)?;
        let not_a_list = || PageError::NotAList(kind.field());
        let answer = Object::read(result).map_err(|_| not_a_list())?;
        let raw = answer.get(kind.field()).ok_or_else(not_a_list)?;
        let raw: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| not_a_list())?;
        let entries = raw.into_iter().map(|raw| Entry::read(kind, raw)).collect::<Result<_, _>>()?;
        let next_cursor = answer.text("nextCursor").map(String::from);
        let ttl_ms = answer.get("ttlMs").and_then(|ttl| ttl.get().parse::<i64>().ok());
        let ttl_ms = ttl_ms.map(|ttl| u64::try_from(ttl).unwrap_or(0));
        let public = answer.text("cacheScope").is_some_and(|scope| scope == "public");
        Ok(Self { entries, next_cursor, ttl_ms, public })
    }
}

/// A tool, prompt, resource or template as its server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    json: Box<str>,
    key: Box<str>,
    key_at: Range<usize>,
    /// The entry as callers get it, where that is not as it came.
    told: Option<Box<Self>>,
    /// Whether it hides text where it cannot be shown.
    hides: bool,
}

impl Entry {
    fn read(kind: Kind, raw: &RawValue) -> Result<Self, PageError> {
        let nameless = || PageError::Nameless(kind.key());
        let object = Object::read(raw.get()).map_err(|_| nameless())?;
        let mut entry = match without_odd_icons(raw.get(), &object) {
            Some(without) => Self::of(kind, &without)?,
            None => Self::of(kind, raw.get())?,
        };
        match hidden::look(&entry.json) {
            Hidden::Nothing => {}
            Hidden::Shown(shown) => entry.told = Some(Box::new(Self::of(kind, &shown)?)),
            Hidden::Kept => entry.hides = true,
        }
        Ok(entry)
    }

    fn of(kind: Kind, json: &str) -> Result<Self, PageError> {
        let nameless = || PageError::Nameless(kind.key());
        let object = Object::read(json).map_err(|_| nameless())?;
        let value = object.get(kind.key()).ok_or_else(nameless)?.get();
        let key = object.text(kind.key()).ok_or_else(nameless)?;
        let start = value.as_ptr() as usize - json.as_ptr() as usize;
        Ok(Self { key: key.into(), key_at: start..start + value.len(), json: json.into(), told: None, hides: false })
    }

    /// The name of a tool or prompt, the URI of a resource or template.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The entry as it came.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The entry as callers get it: what is hidden in its descriptions is shown (T-183).
    #[must_use]
    pub fn told(&self) -> &Self {
        self.told.as_deref().unwrap_or(self)
    }

    /// Whether it hides text where it cannot be shown, so that nobody gets it.
    #[must_use]
    pub const fn hides(&self) -> bool {
        self.hides
    }

    /// The entry under another name.
    #[must_use]
    pub fn with_name(&self, name: &str) -> String {
        let mut out = Vec::with_capacity(self.json.len() + name.len());
        self.write_with_name(name, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// Appends the entry under another name.
    pub fn write_with_name(&self, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.json.get(..self.key_at.start).unwrap_or_default().as_bytes());
        Id::Text(name.into()).write(out);
        out.extend_from_slice(self.json.get(self.key_at.end..).unwrap_or_default().as_bytes());
    }

    /// A field of the entry as its very bytes, such as `inputSchema`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&RawValue> {
        Object::read(&self.json).ok()?.get(name)
    }
}

/// The entry without the icons that a reader had better not open, where it has any.
fn without_odd_icons(json: &str, entry: &Object<'_>) -> Option<String> {
    let icons = entry.get("icons")?;
    let all: Vec<&RawValue> = serde_json::from_str(icons.get()).unwrap_or_default();
    let good: Vec<&str> = all.iter().filter(|icon| may_be_opened(icon)).map(|icon| icon.get()).collect();
    let unread = all.is_empty() && icons.get() != "[]";
    (unread || good.len() < all.len()).then(|| with_value(json, "icons", &format!("[{}]", good.join(","))))
}

fn may_be_opened(icon: &RawValue) -> bool {
    Object::read(icon.get()).is_ok_and(|icon| {
        icon.text("src").is_some_and(|src| {
            let scheme = src.split(':').next().unwrap_or_default();
            ["https", "data"].iter().any(|safe| scheme.eq_ignore_ascii_case(safe))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOLS: &str = r#"{"tools":[{"title":"name","inputSchema":{"type":"object","properties":{"name":{}}, "$x":1.0},
        "name" : "re\u0061d" ,"_meta":{"name":"no"}}],"nextCursor":"2"}"#;

    #[test]
    fn cl22_an_entry_under_another_name_differs_in_its_name_alone() {
        let page = Page::read(Kind::Tools, TOOLS).unwrap();
        let [entry] = page.entries.as_slice() else { panic!() };
        assert_eq!(entry.key(), "read");
        assert_eq!(page.next_cursor.as_deref(), Some("2"));
        assert!(TOOLS.contains(entry.json()));
        assert_eq!(entry.with_name("files__read"), entry.json().replace(r#""re\u0061d""#, r#""files__read""#));
        assert!(entry.field("inputSchema").unwrap().get().ends_with(r#", "$x":1.0}"#));
    }

    #[test]
    fn each_kind_has_its_field_and_its_key() {
        for kind in Kind::ALL {
            let text = format!(r#"{{"{}":[{{"{}":"x"}}],"nextCursor":null}}"#, kind.field(), kind.key());
            let page = Page::read(kind, &text).unwrap();
            assert_eq!(page.entries[0].key(), "x");
            assert_eq!(page.next_cursor, None);
        }
    }

    #[test]
    fn cl24_an_icon_that_is_neither_https_nor_data_is_left_out() {
        let icons = |written: &str| {
            let text = format!(r#"{{"tools":[{{"icons":{written}, "name":"a","x":1.0}}]}}"#);
            let page = Page::read(Kind::Tools, &text).unwrap();
            let [entry] = page.entries.as_slice() else { panic!() };
            assert_eq!(entry.with_name("b"), entry.json().replace("\"a\"", "\"b\""));
            entry.field("icons").unwrap().get().to_owned()
        };
        let good = r#"[{"src":"https://a/x.png"}, {"src":"data:image/png;base64,AA=="}]"#;
        assert_eq!(icons(good), good, "what is good keeps its very bytes");
        for bad in ["javascript:alert(1)", "http://a/x.png", "file:///etc/passwd", "//a/x.png", " javascript:x", ""] {
            assert_eq!(icons(&format!(r#"[{{"src":"{bad}"}},{{"src":"https://a"}}]"#)), r#"[{"src":"https://a"}]"#);
        }
        for odd in ["7", "[7]", r#"[{"src":7}]"#, "{}"] {
            assert_eq!(icons(odd), "[]");
        }
    }

    #[test]
    fn ca06_hints_are_read_and_a_negative_one_is_none() {
        let hints = |rest: &str| {
            let page = Page::read(Kind::Tools, &format!(r#"{{"tools":[]{rest}}}"#)).unwrap();
            (page.ttl_ms, page.public)
        };
        assert_eq!(hints(r#","ttlMs":5000,"cacheScope":"public""#), (Some(5000), true));
        assert_eq!(hints(r#","ttlMs":-1,"cacheScope":"private""#), (Some(0), false));
        assert_eq!(hints(r#","ttlMs":"x","cacheScope":7"#), (None, false));
        assert_eq!(hints(""), (None, false));
    }

    #[test]
    fn t020_t167_unclear_lists_are_refused() {
        for bad in [
            "{}",
            "[]",
            r#"{"tools":{}}"#,
            r#"{"tools":[1]}"#,
            r#"{"tools":[{}]}"#,
            r#"{"tools":[{"name":1}]}"#,
            r#"{"tools":[{"name":"a","name":"b"}]}"#,
            r#"{"tools":[{"name":"a","inputSchema":{"type":1,"type":2}}]}"#,
        ] {
            assert!(Page::read(Kind::Tools, bad).is_err(), "{bad}");
        }
    }
}
