//! Expressions as tokens. There is no text that has none: what fits nowhere is a token of its own, and the parser says
//! so.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, a function or a name of an attribute: which of them, the parser knows.
    Word,
    /// `#name`.
    Name,
    /// `:value`.
    Value,
    /// Decimal digits.
    Digits,
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenIndex,
    /// `]`
    CloseIndex,
    /// `.`
    Dot,
    /// `,`
    Comma,
    /// A character that no expression has.
    Stray,
    /// Behind the last token.
    End,
}

/// A piece of an expression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Where it begins, in bytes.
    pub(super) at: usize,
}

impl Token<'_> {
    /// Is it this keyword, in capitals or not?
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }
}

/// The tokens of an expression, the last one an [`End`](Kind::End).
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(source.len() / 3 + 2);
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with([' ', '\t', '\r', '\n']) {
            at += 1;
            continue;
        }
        let (kind, len) = first(rest);
        let text = rest.get(..len).unwrap_or(rest);
        tokens.push(Token { kind, text, at });
        at += text.len();
    }
    tokens.push(Token { kind: Kind::End, text: "<EOF>", at: source.len() });
    tokens
}

/// The first token of what is not empty, and its length.
fn first(rest: &str) -> (Kind, usize) {
    const PAIRS: [(&str, Kind); 3] =
        [("<>", Kind::NotEqual), ("<=", Kind::LessOrEqual), (">=", Kind::GreaterOrEqual)];
    if let Some((_, kind)) = PAIRS.iter().find(|(pair, _)| rest.starts_with(pair)) {
        return (*kind, 2);
    }
    let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let head = rest.chars().next().unwrap_or_default();
    let parts = rest.chars().skip(1).take_while(is_part).count();
    let kind = match head {
        '=' => Kind::Equal,
        '<' => Kind::Less,
        '>' => Kind::Greater,
        '+' => Kind::Plus,
        '-' => Kind::Minus,
        '(' => Kind::Open,
        ')' => Kind::Close,
        '[' => Kind::OpenIndex,
        ']' => Kind::CloseIndex,
        '.' => Kind::Dot,
        ',' => Kind::Comma,
        '#' if parts > 0 => return (Kind::Name, 1 + parts),
        ':' if parts > 0 => return (Kind::Value, 1 + parts),
        'a'..='z' | 'A'..='Z' => return (Kind::Word, 1 + parts),
        '0'..='9' => {
            return (Kind::Digits, rest.bytes().take_while(u8::is_ascii_digit).count());
        }
        _ => Kind::Stray,
    };
    (kind, head.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_signs() {
        let texts = |source| tokens(source).iter().map(|token| token.text).collect::<Vec<_>>();
        assert_eq!(
            texts("SET a.#b[10]=:c-1"),
            ["SET", "a", ".", "#b", "[", "10", "]", "=", ":c", "-", "1", "<EOF>"]
        );
        assert_eq!(
            texts("a<=b<>c>=d<e>f"),
            ["a", "<=", "b", "<>", "c", ">=", "d", "<", "e", ">", "f", "<EOF>"]
        );
        assert_eq!(texts(" \t\r\n"), ["<EOF>"]);
        assert_eq!(texts("#:é_#1a:_"), ["#", ":", "é", "_", "#1a", ":_", "<EOF>"]);
        assert_eq!(texts("#a#b:c:d"), ["#a", "#b", ":c", ":d", "<EOF>"]);
    }

    #[test]
    fn keywords_in_any_case() {
        assert!(tokens("bEtWeEn")[0].is("BETWEEN"));
        assert!(!tokens("#in")[0].is("IN"));
    }
}
