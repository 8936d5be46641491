//! Documents of requests, read into a tree.
//!
//! Bounded: in depth and elements here, in length by who reads the body. Names are without their namespace, which clients leave out or
//! give as they please.

use crate::s3::error::{Error, Result};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Deeper than any document of the service.
const DEPTH_MAX: usize = 16;
/// More than any document of the service has: an upload of 10 000 parts with checksums is completed by 50 001 elements.
const NODES_MAX: usize = 1 << 17;

/// An element.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Self>,
}

impl Node {
    /// The root of a document, which must have this name.
    pub(crate) fn parse(document: &[u8], root: &str) -> Result<Self> {
        let node = Self::read(document).ok_or_else(Error::malformed_xml)?;
        if node.name == root { Ok(node) } else { Err(Error::malformed_xml()) }
    }

    /// The root of a document.
    pub(crate) fn read(document: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(document).ok()?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        let mut nodes = 0;
        loop {
            let done = match reader.read_event().ok()? {
                Event::Start(start) => {
                    nodes += 1;
                    if open.len() == DEPTH_MAX || nodes > NODES_MAX || root.is_some() {
                        return None;
                    }
                    open.push(Self::of(&start)?);
                    None
                }
                Event::Empty(start) if root.is_none() && nodes < NODES_MAX => {
                    nodes += 1;
                    Some(Self::of(&start)?)
                }
                Event::End(_) => open.pop(),
                Event::Text(text) => {
                    if let Some(node) = open.last_mut() {
                        node.text.push_str(&text);
                    }
                    None
                }
                Event::CData(text) => {
                    open.last_mut()?.text.push_str(&text);
                    None
                }
                Event::GeneralRef(reference) => {
                    open.last_mut()?.text.push_str(&resolved(&reference)?);
                    None
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
                Event::Eof => return root.filter(|_| open.is_empty()),
                Event::Empty(_) | Event::DocType(_) => return None,
            };
            if let Some(node) = done {
                match open.last_mut() {
                    Some(parent) => parent.children.push(node),
                    None => root = Some(node),
                }
            }
        }
    }

    fn of(start: &BytesStart<'_>) -> Option<Self> {
        for attribute in start.attributes() {
            attribute.ok()?;
        }
        Some(Self { name: start.local_name().into_inner().to_owned(), ..Self::default() })
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of this name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| &*child.text)
    }

    /// The text of a child that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str> {
        self.text_of(name).ok_or_else(Error::malformed_xml)
    }

    /// The number in the first child of this name.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let parse = |text: &str| text.trim().parse().map_err(|_| Error::malformed_xml());
        self.text_of(name).map(parse).transpose()
    }

    /// `true` or `false` in the first child of this name.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.text_of(name).map(str::trim) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(Error::malformed_xml()),
        }
    }
}

fn resolved(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(char) = reference.resolve_char_ref().ok()? {
        return Some(char.to_string());
    }
    resolve_predefined_entity(reference).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_trees() {
        let text =
            "<?xml version=\"1.0\"?><a xmlns=\"x\"><b>1&amp;2&#x41;</b><c:d xmlns:c=\"y\"/><b> </b></a>\n";
        let node = Node::parse(text.as_bytes(), "a").unwrap();
        assert_eq!(node.text_of("b"), Some("1&2A"));
        assert_eq!(node.all("b").count(), 2);
        assert!(node.child("d").is_some());
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "<a>".repeat(20) + &"</a>".repeat(20);
        for text in ["", "a", "<a>", "<a></b>", "<a/><b/>", "<!DOCTYPE a><a/>", "<a>&nope;</a>", &deep] {
            assert!(Node::parse(text.as_bytes(), "a").is_err(), "{text}");
        }
        assert!(Node::parse(b"<a>\xff</a>", "a").is_err());
    }

    #[test]
    fn elements_are_bounded() {
        let count = |child: &str, count: usize| {
            let text = format!("<a>{}</a>", child.repeat(count - 1));
            Node::parse(text.as_bytes(), "a").map(|node| node.children.len())
        };
        for child in ["<b/>", "<b></b>"] {
            assert_eq!(count(child, NODES_MAX).unwrap(), NODES_MAX - 1);
            assert_eq!(count(child, NODES_MAX + 1).unwrap_err().code, "MalformedXML");
        }
    }
}
