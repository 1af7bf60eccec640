//! The words of the sources: what the docs of items and the texts that people read never say, and how the docs of
//! functions begin.

mod docs;
mod strings;

use std::path::{Path, PathBuf};

use self::docs::{Doc, docs};
use self::strings::strings;

/// Words that have to be read twice, each with what says the same.
const AVOIDED: [(&str, &str); 7] = [
    ("nobody", "name who does not: \"no agent\", \"no approver\", \"no caller\""),
    ("whoever", "name who does: \"the caller\", \"an operator\", \"each program that …\""),
    ("somebody", "name who does: \"a person\", \"an operator\", \"another agent\""),
    ("is none", "\"there is no …\", \"is not a …\""),
    ("unless it is said", "\"by default\", \"unless … is set\""),
    ("told of", "\"notified of\", \"sent\", \"informed about\""),
    ("anew", "\"again\", \"from the start\""),
];

/// Words in "s" that a sentence begins with, and that are no verbs.
const NO_VERBS: &str = "\
    Access Across Address Afterwards Agents Always As Besides Bodies Bytes Connections \
    Documents Events Headers Its Keys Less Members Messages Methods Microseconds Numbers \
    Ones Others Parameters Perhaps Policies Proofs Reasons Rows Scopes Seconds Settings \
    Sometimes Statements Success Texts This Tokens Tools Unless Whose";

const BEGIN: &str =
    "begin with what the function does, as in \"Returns …\", \"Reads …\", \"Sends …\"";

/// Returns whether a sentence that begins with `word` says at once what is done: a verb in the third person.
fn is_verb(word: &str) -> bool {
    let word = word.trim_end_matches([',', ';', ':', '.']);
    let mut letters = word.chars();
    letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && letters.all(|letter| letter.is_ascii_lowercase() || letter == '-')
        && word.len() > 2
        && word.ends_with('s')
        && !NO_VERBS.split(' ').any(|noun| noun == word)
}

/// Returns each avoided word in a text: its place there, and what to write.
fn avoided_in(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let text = text.to_ascii_lowercase();
    for (avoided, instead) in AVOIDED {
        for (at, _) in text.match_indices(avoided) {
            let letter_before = text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
            let after = text[at + avoided.len()..].chars().next();
            if !letter_before && !after.is_some_and(char::is_alphanumeric) {
                found.push((at, format!("\"{avoided}\": write {instead}")));
            }
        }
    }
    found
}

/// Returns what is wrong with a doc, each with its line.
fn faults(doc: &Doc, is_in_src: bool) -> Vec<(usize, String)> {
    let prose = doc.prose();
    let avoided = avoided_in(&prose.text).into_iter();
    let mut found: Vec<_> = avoided.map(|(at, said)| (prose.line_at(at), said)).collect();
    if let Some(function) = doc.function.as_ref().filter(|_| is_in_src) {
        let first = prose.text.split(' ').next().unwrap_or_default();
        // A doc that is a section alone: what the function does is in its name, and Clippy asks for the section.
        if first != "#" && !is_verb(first) {
            found.push((
                doc.line,
                format!("the doc of `{function}` begins with \"{first}\": {BEGIN}"),
            ));
        }
    }
    found
}

/// Returns what is wrong in a file of this text, a line each: `path:line: what`.
fn complaints(path: &str, text: &str) -> Vec<String> {
    // What is in `src` of a crate is read by who works on it; tests are named after their promises.
    let is_in_src = path.split('/').any(|part| part == "src");
    let docs = docs(text).unwrap_or_else(|error| panic!("{path} is no Rust: {error}"));
    let faults = docs.iter().flat_map(|doc| faults(doc, is_in_src));
    faults.map(|(line, fault)| format!("{path}:{line}: {fault}")).collect()
}

/// Collects the sources below `folder`. What is built or installed is not ours, and the lines of the macro's cases are
/// counted by the compiler's messages beside them.
fn collect(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_ours = !name.starts_with('.')
                && !["target", "node_modules"].contains(&name.as_str())
                && !path.ends_with("tests/ui");
            if is_ours {
                collect(&path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

/// Returns what is wrong with the texts of a file that people read while it runs: messages, the help of the program,
/// descriptions of endpoints.
fn complaints_about_texts(path: &str, text: &str) -> Vec<String> {
    let parts: Vec<_> = path.split('/').collect();
    let is_of_tests = |part: &str| {
        let name = part.trim_end_matches(".rs");
        ["tests", "model_tests", "differential"].contains(&name) || name.ends_with("_tests")
    };
    if !parts.contains(&"src") || parts.iter().any(|part| is_of_tests(part)) {
        return Vec::new();
    }
    let texts = strings(text).unwrap_or_else(|error| panic!("{path} is no Rust: {error}"));
    let said = |(line, text): (usize, String)| {
        let avoided = avoided_in(&text).into_iter();
        avoided.map(move |(_, said)| format!("{path}:{line}: {text:?} has {said}"))
    };
    texts.into_iter().flat_map(said).collect()
}

/// Returns every source of the repository: its path from the root, and its text.
fn sources() -> Vec<(String, String)> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let mut paths = Vec::new();
    collect(&repository, &mut paths);
    paths.sort();
    assert!(paths.len() > 1_000, "only {} files were found", paths.len());
    let source = |path: PathBuf| {
        let name = path.strip_prefix(&repository).unwrap().display().to_string();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(source).collect()
}

#[test]
fn docs_of_items_are_in_plain_words_and_those_of_functions_begin_with_a_verb() {
    let sources = sources();
    let found: Vec<String> =
        sources.iter().flat_map(|(name, text)| complaints(name, text)).collect();
    assert!(found.is_empty(), "{} docs to write again:\n{}", found.len(), found.join("\n"));
}

#[test]
fn messages_help_and_descriptions_are_in_plain_words() {
    let sources = sources();
    let found: Vec<String> =
        sources.iter().flat_map(|(name, text)| complaints_about_texts(name, text)).collect();
    assert!(found.is_empty(), "{} texts to write again:\n{}", found.len(), found.join("\n"));
}

#[test]
fn each_avoided_word_is_found_in_texts_of_the_sources_and_not_in_those_of_tests() {
    for (avoided, _) in AVOIDED {
        for text in [
            format!("const A: &str = \"it is {avoided} here\";"),
            format!("fn a() {{ warn(\"a\", format!(r#\"{avoided} \"it\"\"#)); }}"),
            format!("#[response(status = 202, description = \"{avoided}\")]\nfn a() {{}}"),
            format!("#[error(\"{}\")]\nstruct A;", avoided.replace(' ', " \\\n    ")),
            format!("#[cfg(test)]\nmod tests {{}}\nconst A: &str = \"{avoided}\";"),
        ] {
            assert_eq!(complaints_about_texts("a/src/b.rs", &text).len(), 1, "{text}");
            for elsewhere in ["a/tests/b.rs", "a/src/tests/b.rs", "a/src/b_tests.rs"] {
                assert_eq!(complaints_about_texts(elsewhere, &text), [""; 0], "{elsewhere}");
            }
        }
        for fine in [
            format!("const A: &str = \"x{avoided}\";"),
            format!("// \"{avoided}\"\n/// {avoided}\nstruct A;"),
            format!("#![doc = \"{avoided}\"]"),
            format!("#[cfg(test)]\nmod tests {{ const A: &str = \"{avoided}\"; }}"),
        ] {
            assert_eq!(complaints_about_texts("a/src/b.rs", &fine), [""; 0], "{fine}");
        }
    }
}

#[test]
fn each_avoided_word_is_found_in_docs_of_items_and_nowhere_else() {
    for (avoided, instead) in AVOIDED {
        let found =
            complaints("tests/a.rs", &format!("\n/// Waits until {avoided} is there.\nstruct A;"));
        assert_eq!(found, [format!("tests/a.rs:2: \"{avoided}\": write {instead}")]);
        let broken = avoided.replace(' ', "\n    /// ");
        let field = format!("struct A {{\n    /// One\n    /// {broken}.\n    a: u8,\n}}");
        assert_eq!(complaints("a.rs", &field).len(), 1, "{field}");
        for elsewhere in [
            format!("//! {avoided}"),
            format!("// {avoided}\nstruct A;"),
            format!("const A: &str = \"/// {avoided}\";"),
            format!("/// x{avoided}\nstruct A;"),
            format!("/// {avoided}x\nstruct A;"),
            format!("/// ```\n/// {avoided}\n/// ```\nstruct A;"),
        ] {
            assert_eq!(complaints("a.rs", &elsewhere), [""; 0], "{elsewhere}");
        }
    }
    let capital =
        complaints("a.rs", "enum A {\n    /// Nobody's, and\n    /// then somebody's.\n    B,\n}");
    assert_eq!(capital.len(), 2, "{capital:?}");
    assert!(capital[0].starts_with("a.rs:2:") && capital[1].starts_with("a.rs:3:"), "{capital:?}");
}

#[test]
fn doc_of_a_function_that_does_not_begin_with_a_verb_is_found_where_it_is_in_src() {
    for begin in ["The", "This", "Whether", "As", "Keys", "`a`", "Return", "A", "Whose,"] {
        for item in ["fn a() {}", "pub(crate) async fn a() {}", "const unsafe fn a() {}"] {
            let text =
                format!("impl A {{\n    /// {begin} of it.\n    #[must_use]\n    {item}\n}}");
            let found = complaints("one/src/a.rs", &text);
            let said = format!("the doc of `a` begins with \"{begin}\": {BEGIN}");
            assert_eq!(found, [format!("one/src/a.rs:2: {said}")]);
            assert_eq!(complaints("one/tests/a.rs", &text), [""; 0]);
        }
    }
    for fine in [
        "/// Returns it.\nfn a() {}",
        "/// Reads,\n/// the way it came.\nfn a() {}",
        "/// Long-polls.\nfn a() {}",
        "/// # Errors\n///\n/// Always.\nfn a() {}",
        "/// List agents\n#[utoipa::path(get, path = \"/agents\")]\nfn a() {}",
        "/// The second one comes first.\n#[tokio::test]\nasync fn a() {}",
        "/// Delete rows\n#[tool]\nfn a() {}",
        "/// The list.\nstruct A;",
        "/// The list.\ntype A = fn() -> u8;",
        "fn a() {}",
    ] {
        assert_eq!(complaints("one/src/a.rs", fine), [""; 0], "{fine}");
    }
    let inside = "macro_rules! a { () => {\n    /// The one.\n    fn b() {}\n} }";
    assert_eq!(complaints("one/src/a.rs", inside).len(), 1);
}
