//! Token trees that can be made up, broken and shown.

use std::fmt;

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::Index;

const WORDS: &[&str] = &[
    "_",
    "as",
    "async",
    "await",
    "break",
    "const",
    "continue",
    "crate",
    "default",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro_rules",
    "match",
    "mod",
    "move",
    "mut",
    "pub",
    "ref",
    "return",
    "safe",
    "self",
    "Self",
    "static",
    "struct",
    "super",
    "trait",
    "true",
    "type",
    "union",
    "unsafe",
    "use",
    "where",
    "while",
    "yield", //
    "effect",
    "tool",
    "guard",
    "skip",
    "skip_all",
    "input",
    "scopes",
    "on_elevation",
    "wait",
    "on_denied",
    "guarded",
    "cfg",
    "cfg_attr",
    "track_caller",
    "allow", //
    "a",
    "path",
    "db",
    "T",
    "u8",
    "Result",
    "Box",
    "Pin",
    "Future",
    "Output",
    "BoxFuture",
    "State",
    "agenttrust",
];

const RAW: &[&str] = &["r#fn", "r#type", "r#a", "r#effect", "r#skip", "r#async"];

const LITERALS: &[&str] = &[
    "1",
    "1u8",
    "-1",
    "1.5",
    "1e5",
    "0x1f",
    "18446744073709551616",
    "'a'",
    "b'a'",
    "\"\"",
    "\" \"",
    "\"read\"",
    "\"reed\"",
    "\"destructive\"",
    "\"wait\"",
    "\"5m\"",
    "\"99999999999999999999h\"",
    "\"5µ\"",
    "\"db:write\"",
    "\"\\u{0}\"",
    "b\"read\"",
    "c\"read\"",
    "r#\"read\"#",
    "\"C\"",
];

const MARKS: &str = "~!@#$%^&*-=+|;:,<.>/?'";

/// A token tree, as text.
#[derive(Clone)]
enum Token {
    Word(String),
    Literal(String),
    Mark(char, Spacing),
    Group(Delimiter, Vec<Token>),
}

/// A stream of them, which shows itself as the compiler would.
#[derive(Clone)]
pub(super) struct Tokens(Vec<Token>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&write(self), f)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.stream())
    }
}

impl Tokens {
    /// Returns the tokens of a text, which must be balanced.
    pub(super) fn parse(text: &str) -> Self {
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        Self(stream.into_iter().map(from_tree).collect())
    }

    pub(super) fn stream(&self) -> TokenStream {
        self.0.iter().map(write).collect()
    }
}

fn from_tree(token: TokenTree) -> Token {
    match token {
        TokenTree::Ident(ident) => Token::Word(ident.to_string()),
        TokenTree::Literal(literal) => Token::Literal(literal.to_string()),
        TokenTree::Punct(punct) => Token::Mark(punct.as_char(), punct.spacing()),
        TokenTree::Group(group) => {
            Token::Group(group.delimiter(), group.stream().into_iter().map(from_tree).collect())
        }
    }
}

fn write(token: &Token) -> TokenTree {
    match token {
        Token::Word(word) => match word.strip_prefix("r#") {
            Some(raw) => Ident::new_raw(raw, Span::call_site()).into(),
            None => Ident::new(word, Span::call_site()).into(),
        },
        Token::Literal(text) => text.parse::<Literal>().unwrap().into(),
        Token::Mark(mark, spacing) => Punct::new(*mark, *spacing).into(),
        Token::Group(delimiter, inner) => {
            Group::new(*delimiter, inner.iter().map(write).collect()).into()
        }
    }
}

fn delimiter() -> impl Strategy<Value = Delimiter> {
    prop_oneof![
        Just(Delimiter::Parenthesis),
        Just(Delimiter::Brace),
        Just(Delimiter::Bracket),
        Just(Delimiter::None),
    ]
}

fn token() -> impl Strategy<Value = Token> {
    let spacing = prop_oneof![Just(Spacing::Alone), Just(Spacing::Joint)];
    let mark = prop::sample::select(MARKS.chars().collect::<Vec<_>>());
    let leaf = prop_oneof![
        6 => prop::sample::select(WORDS).prop_map(|word| Token::Word(word.to_owned())),
        1 => prop::sample::select(RAW).prop_map(|word| Token::Word(word.to_owned())),
        2 => prop::sample::select(LITERALS).prop_map(|text| Token::Literal(text.to_owned())),
        5 => (mark, spacing).prop_map(|(mark, spacing)| Token::Mark(mark, spacing)),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        (delimiter(), prop::collection::vec(inner, 0..6))
            .prop_map(|(delimiter, inner)| Token::Group(delimiter, inner))
    })
}

/// Returns tokens that mean nothing together.
pub(super) fn random() -> impl Strategy<Value = Tokens> {
    prop::collection::vec(token(), 0..12).prop_map(Tokens)
}

/// A mistake that a person may make in tokens.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Delete(Index),
    Double(Index),
    Swap(Index, Index),
    Empty(Index),
    Enclose(Index, Delimiter),
    Redelimit(Index, Delimiter),
    Replace(Index, Tokens),
    /// A piece of other tokens, before this one.
    Splice(Index, Tokens, Index),
}

/// Returns a few mistakes, with pieces of `items` and `attributes`.
pub(super) fn edits(
    items: impl Strategy<Value = Tokens> + 'static,
    attributes: impl Strategy<Value = Tokens> + 'static,
) -> BoxedStrategy<Vec<Edit>> {
    let at = any::<Index>;
    let donor = prop_oneof![items, attributes];
    let edit = prop_oneof![
        3 => at().prop_map(Edit::Delete),
        2 => at().prop_map(Edit::Double),
        2 => (at(), at()).prop_map(|(left, right)| Edit::Swap(left, right)),
        1 => at().prop_map(Edit::Empty),
        1 => (at(), delimiter()).prop_map(|(at, delimiter)| Edit::Enclose(at, delimiter)),
        1 => (at(), delimiter()).prop_map(|(at, delimiter)| Edit::Redelimit(at, delimiter)),
        2 => (at(), token()).prop_map(|(at, token)| Edit::Replace(at, Tokens(vec![token]))),
        2 => (at(), donor, at()).prop_map(|(at, donor, piece)| Edit::Splice(at, donor, piece)),
    ];
    prop::collection::vec(edit, 1..4).boxed()
}

/// Returns the tokens with every mistake made, one after the other.
pub(super) fn edited(mut tokens: Tokens, edits: &[Edit]) -> Tokens {
    for edit in edits {
        if !tokens.0.is_empty() {
            edit.apply(&mut tokens.0);
        }
    }
    tokens
}

impl Edit {
    fn apply(&self, tokens: &mut Vec<Token>) {
        let count = count(tokens);
        match self {
            Self::Delete(at) => {
                with(tokens, at.index(count), |among, here| drop(among.remove(here)));
            }
            Self::Double(at) => with(tokens, at.index(count), |among, here| {
                among.insert(here, among[here].clone());
            }),
            Self::Swap(left, right) => {
                let (left, right) = (left.index(count), right.index(count));
                let (one, other) = (copy(tokens, left), copy(tokens, right));
                // The later one first: replacing it moves nothing in front of it.
                let (first, last) = if left < right { (left, right) } else { (right, left) };
                let (early, late) = if left < right { (other, one) } else { (one, other) };
                with(tokens, last, |among, here| among[here] = late);
                with(tokens, first, |among, here| among[here] = early);
            }
            Self::Empty(at) => with(tokens, at.index(count), |among, here| {
                if let Token::Group(_, inner) = &mut among[here] {
                    inner.clear();
                }
            }),
            Self::Enclose(at, delimiter) => with(tokens, at.index(count), |among, here| {
                among[here] = Token::Group(*delimiter, vec![among[here].clone()]);
            }),
            Self::Redelimit(at, delimiter) => with(tokens, at.index(count), |among, here| {
                if let Token::Group(known, _) = &mut among[here] {
                    *known = *delimiter;
                }
            }),
            Self::Replace(at, by) => with(tokens, at.index(count), |among, here| {
                among.splice(here..=here, by.0.iter().cloned());
            }),
            Self::Splice(at, donor, piece) => {
                let mut donor = donor.0.clone();
                let piece = piece.index(self::count(&donor).max(1));
                let piece = copy(&mut donor, piece);
                with(tokens, at.index(count), |among, here| among.insert(here, piece));
            }
        }
    }
}

fn count(tokens: &[Token]) -> usize {
    let inside = |token: &Token| match token {
        Token::Group(_, inner) => count(inner),
        _ => 0,
    };
    tokens.iter().map(|token| 1 + inside(token)).sum()
}

fn copy(tokens: &mut Vec<Token>, at: usize) -> Token {
    let mut found = Token::Mark(',', Spacing::Alone);
    with(tokens, at, |among, here| found = among[here].clone());
    found
}

/// Calls `edit` with the tokens around the one that is number `at`, groups counted before what is in
/// them.
fn with(tokens: &mut Vec<Token>, at: usize, edit: impl FnOnce(&mut Vec<Token>, usize)) {
    let mut before = 0;
    for here in 0..tokens.len() {
        if before == at {
            return edit(tokens, here);
        }
        before += 1;
        if let Token::Group(_, inner) = &mut tokens[here] {
            let inside = count(inner);
            if at < before + inside {
                return with(inner, at - before, edit);
            }
            before += inside;
        }
    }
}
