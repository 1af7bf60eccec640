//! Whatever tokens come in, the macro answers: with the whole function behind the check, or with what
//! is wrong and the item as it was.

mod answer;
mod corpus;
mod tokens;

use proc_macro2::{Delimiter, Group, TokenStream};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use quote::quote;

use self::answer::{Answer, answer};
use self::corpus::{ATTRIBUTES, ITEMS};
use self::tokens::{Edit, Tokens, edited, edits, random};

/// The depth to which one test nests groups: far beyond what people write.
const DEEP: usize = 96;

/// Returns the same cases every time; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` give others, and more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_260),
        chosen => chosen,
    };
    let cases = default.cases.max(2_000);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..default }
}

fn from_corpus(corpus: &'static [&'static str]) -> impl Strategy<Value = Tokens> {
    prop::sample::select(corpus).prop_map(Tokens::parse)
}

/// Returns an attribute that most functions can have, more often than not.
fn attribute() -> impl Strategy<Value = Tokens> {
    prop_oneof![3 => from_corpus(&ATTRIBUTES[..1]), 2 => from_corpus(ATTRIBUTES)]
}

/// Returns an item that can have most attributes, more often than not.
fn item() -> impl Strategy<Value = Tokens> {
    prop_oneof![3 => from_corpus(&ITEMS[..1]), 2 => from_corpus(ITEMS)]
}

/// Returns one of `corpus`, with mistakes in it and pieces of another one.
fn broken(corpus: &'static [&'static str]) -> impl Strategy<Value = Tokens> {
    let edits: BoxedStrategy<Vec<Edit>> = edits(from_corpus(ITEMS), from_corpus(ATTRIBUTES));
    (from_corpus(corpus), edits).prop_map(|(tokens, edits)| edited(tokens, &edits))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_tokens_are_answered(attribute in random(), item in random()) {
        answer(&attribute.stream(), &item.stream())?;
    }

    #[test]
    fn a_broken_item_is_answered(attribute in attribute(), item in broken(ITEMS)) {
        answer(&attribute.stream(), &item.stream())?;
    }

    #[test]
    fn a_broken_attribute_is_answered(attribute in broken(ATTRIBUTES), item in item()) {
        answer(&attribute.stream(), &item.stream())?;
    }

    #[test]
    fn broken_attributes_on_broken_items_are_answered(
        attribute in broken(ATTRIBUTES),
        item in broken(ITEMS),
    ) {
        answer(&attribute.stream(), &item.stream())?;
    }
}

fn parsed(text: &str) -> TokenStream {
    Tokens::parse(text).stream()
}

fn answered(attribute: &str, item: &str) -> Answer {
    answer(&parsed(attribute), &parsed(item))
        .unwrap_or_else(|error| panic!("#[guarded({attribute})]\n{item}\n{error}"))
}

#[test]
fn every_attribute_on_every_item_is_answered() {
    for attribute in ATTRIBUTES {
        for item in ITEMS {
            answered(attribute, item);
        }
    }
}

/// Makes sure that the properties above do not hold only because nothing is ever expanded.
#[test]
fn every_attribute_of_the_corpus_expands_on_some_item_and_the_other_way_round() {
    let expands = |attribute: &str, item: &str| answered(attribute, item) == Answer::Expanded;
    for attribute in ATTRIBUTES {
        assert!(ITEMS.iter().any(|item| expands(attribute, item)), "{attribute} never expands");
    }
    for item in ITEMS.iter().filter(|item| !corpus::NEVER_GUARDED.contains(item)) {
        let expanded = ATTRIBUTES.iter().any(|attribute| expands(attribute, item));
        assert!(expanded, "{item} is never expanded");
    }
}

#[test]
fn groups_within_groups_within_groups_are_answered() {
    // The stack of the compiler's own threads.
    let compiler = std::thread::Builder::new().stack_size(8 << 20);
    compiler.spawn(nested_groups_are_answered).unwrap().join().unwrap();
}

fn nested_groups_are_answered() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("&", ""), ("!", "")] {
        let deep = |inner: &str| format!("{}{inner}{}", open.repeat(DEEP), close.repeat(DEEP));
        let items = [
            format!("fn tool() -> Result<u8, Error> {{ {} }}", deep("a")),
            format!("fn tool(a: {}) -> Result<u8, Error> {{ Ok(1) }}", deep("u8")),
            format!("fn tool({}: u8) -> Result<u8, Error> {{ Ok(1) }}", deep("a")),
            format!("fn tool() -> {} {{ Ok(1) }}", deep("u8")),
            format!("fn tool() -> Vec{} {{ Ok(1) }}", deep("Vec<u8>")),
            format!("fn tool() where {}: Sized {{ Ok(1) }}", deep("u8")),
            format!("impl {} {{ fn tool() -> Result<u8, Error> {{ Ok(1) }} }}", deep("Tools")),
            deep("fn"),
        ];
        for item in &items {
            answered("", item);
            answered("effect = \"destructive\"", item);
        }
        for key in ["guard", "tool", "on_denied", "crate", "effect"] {
            answered(&format!("{key} = {}", deep("a")), ITEMS[0]);
        }
        answered(&format!("skip{}", deep("a")), ITEMS[0]);
        answered(&deep("effect"), ITEMS[0]);
    }
}

/// Passes a body as `$body` of a `macro_rules!` does: in an invisible group, which is not seen in any text.
#[test]
fn what_stands_beside_a_body_in_an_invisible_group_is_not_lost() {
    let function = parsed("fn tool() -> Result<u8, Error>");
    for (body, expected) in [
        ("{ Ok(1) }", Answer::Expanded),
        ("{ Ok(1) } fn other() {}", Answer::Refused),
        ("{ Ok(1) } { Ok(2) }", Answer::Refused),
    ] {
        let body = Group::new(Delimiter::None, parsed(body));
        let item = quote!(#function #body);
        assert_eq!(answer(&parsed(""), &item).unwrap(), expected, "{body}");
    }
}
