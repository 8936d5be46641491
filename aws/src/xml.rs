//! A document of XML, written from the outside in.

use std::fmt::Write as _;

/// A document in the making.
#[derive(Debug)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn new() -> Self {
        Self("<?xml version=\"1.0\"?>".to_owned())
    }

    /// With the encoding in its first line.
    pub(crate) fn with_encoding() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    /// An element with what `content` writes.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.element_with(name, &[], content);
    }

    pub(crate) fn element_with(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self),
    ) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.escape(value);
            self.0.push('"');
        }
        self.0.push('>');
        content(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element with a text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.element(name, |xml| xml.escape(text));
    }

    /// A text within the element that is being written.
    pub(crate) fn content(&mut self, text: &str) {
        self.escape(text);
    }

    /// An element with nothing.
    pub(crate) fn empty(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push_str("/>");
    }

    /// A reader of XML takes a bare carriage return for a line feed, so it is written as a reference.
    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\r' => self.0.push_str("&#xD;"),
                c if c < ' ' && c != '\n' && c != '\t' => {
                    // No document may have them, and names of objects do.
                    let _ = write!(self.0, "&#x{:x};", u32::from(c));
                }
                c => self.0.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut xml = Xml::new();
        xml.element_with("a", &[("x", "\"1\"")], |xml| {
            xml.text("b", "<&>\r\n");
            xml.empty("c");
        });
        let text = "<?xml version=\"1.0\"?><a x=\"&quot;1&quot;\"><b>&lt;&amp;&gt;&#xD;\n</b><c/></a>";
        assert_eq!(xml.finish(), text);
    }
}
