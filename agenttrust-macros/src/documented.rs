//! Keeps "What it expands to" true: the page shows what the macro really writes.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, MetaList};

use crate::guarded::guarded;

const PAGE: &str = include_str!("lib.rs");

/// Returns the code block after `heading` that follows ````
/// ```kind ````, without the comment signs.
fn code_block(heading: &str, kind: &str) -> String {
    let (_, section) =
        PAGE.split_once(&format!("/// {heading}\n")).expect("the page has the section");
    let (_, block) =
        section.split_once(&format!("/// ```{kind}\n")).expect("the section has the block");
    let lines = block.lines().take_while(|line| *line != "/// ```");
    let lines = lines.map(|line| line.trim_start_matches("///").trim_start());
    // Lines that readers of the page do not see.
    let lines = lines.filter(|line| !line.starts_with("# ") && *line != "#");
    lines.fold(String::new(), |mut all, line| {
        all.push_str(line);
        all.push('\n');
        all
    })
}

/// Returns what the macro makes of a function with its attribute.
fn expansion(source: &str) -> TokenStream {
    let split = |input: ParseStream<'_>| {
        let attrs = input.call(Attribute::parse_outer)?;
        Ok((attrs, input.parse::<TokenStream>()?))
    };
    let (attrs, item) = split.parse_str(source).expect("the example is a function");
    let [attr] = &attrs[..] else { panic!("the example has one attribute") };
    let keys: &MetaList = attr.meta.require_list().expect("the attribute has keys");
    guarded(keys.tokens.clone(), item)
}

/// Returns the tokens as the page shows them: without the paths that lead to what is named, and
/// without the prefix of our own names. The spacing may differ.
fn as_shown(tokens: TokenStream) -> String {
    let words = tokens.to_string();
    let words = words.replace(":: agenttrust :: __private :: ", "").replace("agenttrust_", "");
    let mut shown = words;
    for path in ["option :: Option", "result :: Result", "clone", "time", "marker"] {
        shown = shown.replace(&format!(":: core :: {path} :: "), "");
    }
    shown.replace(":: core :: ", "").split_whitespace().collect()
}

#[test]
fn the_page_shows_what_the_macro_writes() {
    let heading = "# What it expands to";
    let written = as_shown(expansion(&code_block(heading, "")));
    let shown: TokenStream =
        code_block(heading, "text").parse().expect("the page shows something that can be read");
    assert_eq!(as_shown(shown), written);
}

#[test]
fn every_key_has_a_section_with_an_example() {
    for key in crate::attr::KEYS {
        let named = format!("`{}`", key.name);
        let section = PAGE
            .split("/// ## ")
            .skip(1)
            .find(|section| section.lines().next().is_some_and(|title| title.contains(&named)))
            .unwrap_or_else(|| panic!("no section about {named}"));
        let example = section.split("/// ```\n").nth(1).unwrap_or_default();
        assert!(example.contains(key.name), "the section about {named} has no example of it");
    }
}
