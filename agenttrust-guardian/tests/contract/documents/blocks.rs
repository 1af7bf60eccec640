//! Blocks of code: each says its language, and is right in it.

use super::{Block, documents, none_of, repository};

/// Languages in which a block is shown as it is: what a program prints, and files of other programs.
const SHOWN: [&str; 8] = ["text", "conf", "ini", "sql", "http", "promql", "python", "diff"];

/// Words that a diagram of Mermaid begins with, of those that GitHub draws.
const DIAGRAMS: [&str; 6] =
    ["flowchart", "graph", "sequenceDiagram", "stateDiagram-v2", "classDiagram", "erDiagram"];

/// The attributes that a block in Rust may have: it is compiled in any case.
const OF_RUST: [&str; 3] = ["no_run", "should_panic", "compile_fail"];

/// Returns what is wrong with a block, if anything is.
fn fault(block: &Block<'_>) -> Option<String> {
    let said = match block.language() {
        "" => {
            "a block of code without a language; one that is shown as it is says `text`".to_owned()
        }
        "rust" => {
            let mut attributes = block.info.split(',').skip(1);
            let unknown = attributes.find(|attribute| !OF_RUST.contains(attribute))?;
            format!(
                "`{unknown}`: a block in Rust is compiled, so it says one of {OF_RUST:?} or nothing"
            )
        }
        "json" => serde_json::from_str::<serde_json::Value>(&block.code).err()?.to_string(),
        "toml" => block.code.parse::<toml::Table>().err()?.to_string(),
        "yaml" => yaml(&block.code)?,
        "mermaid" => {
            let first = block.code.split_whitespace().next().unwrap_or_default();
            if DIAGRAMS.contains(&first) {
                return None;
            }
            format!("a diagram begins with one of {DIAGRAMS:?}, and not with {first:?}")
        }
        // By tests of their own.
        "cedar" | "sh" | "bash" => return None,
        shown if SHOWN.contains(&shown) => return None,
        unknown => format!(
            "the language `{unknown}` is not known here; add how it is checked, or say `text`"
        ),
    };
    Some(format!("{}: {said}", block.place))
}

/// Returns what is wrong with YAML as plain as ours: without a parser of all of it.
fn yaml(code: &str) -> Option<String> {
    let lines =
        code.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    for line in lines {
        if line.contains('\t') {
            return Some(format!("YAML has no tabs: {line:?}"));
        }
        let is_outermost = !line.starts_with(' ');
        if is_outermost && !line.starts_with('-') && !line.contains(": ") && !line.ends_with(':') {
            return Some(format!("neither a key nor an item of a list: {line:?}"));
        }
    }
    None
}

#[test]
fn every_block_of_code_says_its_language_and_is_right_in_it() {
    let documents = documents();
    let blocks = documents.iter().flat_map(super::Document::blocks);
    none_of(&blocks.filter_map(|block| fault(&block)).collect::<Vec<_>>());
}

#[test]
fn block_that_is_not_right_in_its_language_is_found() {
    let of = |info, code: &str| {
        fault(&Block { place: "a.md:1".to_owned(), info, code: code.to_owned() })
    };
    for (info, code, said) in [
        ("", "a", "without a language"),
        ("basic", "a", "`basic`"),
        ("rust,ignore", "a", "`ignore`"),
        ("json", "{ \"a\": … }", "expected value"),
        ("toml", "a = ", "TOML parse error"),
        ("yaml", "a:\n\t- b", "no tabs"),
        ("yaml", "a\n", "neither a key"),
        ("mermaid", "flow a --> b", "\"flow\""),
    ] {
        let found = of(info, code).unwrap_or_else(|| panic!("{info}: {code:?} is not found"));
        assert!(found.starts_with("a.md:1: ") && found.contains(said), "{found}");
    }
    for (info, code) in [
        ("text", "a"),
        ("rust,no_run", "fn main() {}"),
        ("json", "{}"),
        ("toml", "a = 1"),
        ("yaml", "# b\na:\n  - b: c\n"),
        ("mermaid", "\nflowchart TD\n  a --> b"),
    ] {
        assert_eq!(of(info, code), None);
    }
}

/// The blocks in Rust are compiled as doc tests: those of a crate's README with the crate, all others with the package
/// `agenttrust-tests`.
#[test]
fn every_document_with_rust_in_it_is_compiled() {
    let read = |path: String| std::fs::read_to_string(repository().join(path)).unwrap_or_default();
    let tests = read("tests/src/lib.rs".to_owned());
    let missing = documents().into_iter().filter(|document| {
        let of_crate = document.name.strip_suffix("/README.md").is_some_and(|krate| {
            read(format!("{krate}/src/lib.rs")).contains("#![doc = include_str!(\"../README.md\")]")
        });
        let has_rust = document.blocks().iter().any(|block| block.language() == "rust");
        has_rust && !of_crate && !tests.contains(&format!("\"../../{}\"", document.name))
    });
    let faults = missing.map(|document| {
        format!(
            "{}: it has code in Rust that is compiled nowhere; add it to `tests/src/lib.rs`",
            document.name
        )
    });
    none_of(&faults.collect::<Vec<_>>());
}
