//! Pages as browsers read them.

use html5gum::{Token, Tokenizer};

/// An element, with its attributes sorted by name and the text in it up to the next element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) text: String,
    /// The names of the elements around it, outermost first.
    pub(super) around: Vec<String>,
}

impl Element {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_in(&self, name: &str) -> bool {
        self.around.iter().any(|other| other == name)
    }
}

/// Elements that have no end.
const VOID: [&str; 5] = ["meta", "link", "input", "path", "br"];

/// The elements of a page in order. Every one that begins must end, in order.
pub(super) fn elements(page: &str) -> Vec<Element> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut found: Vec<Element> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for token in Tokenizer::new(page) {
        match token.unwrap() {
            Token::StartTag(tag) => {
                let name = text(&tag.name);
                let attributes = tag.attributes.iter().map(|(name, value)| (text(name), text(value))).collect();
                found.push(Element { name: name.clone(), attributes, text: String::new(), around: open.clone() });
                if !VOID.contains(&name.as_str()) && !tag.self_closing {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => {
                assert_eq!(open.pop(), Some(text(&tag.name)), "an element does not end where it should")
            }
            Token::String(string) => {
                if let Some(last) = found.last_mut() {
                    last.text.push_str(&text(&string));
                }
            }
            Token::Doctype(_) => {}
            Token::Comment(comment) => panic!("a comment: {comment:?}"),
            Token::Error(error) => panic!("{error:?}"),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

/// Everything that is read, without the elements.
pub(super) fn read(page: &str) -> String {
    elements(page).iter().map(|element| element.text.as_str()).collect::<Vec<_>>().join(" ")
}
