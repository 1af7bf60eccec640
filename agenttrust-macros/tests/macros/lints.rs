//! A guarded function is warned of what the bare one is warned of, at the same place and in the same
//! words: by the compiler, and by Clippy with `pedantic` on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// The files of the functions, each of them a module but for the first.
const SOURCES: [(&str, &str); 4] = [
    ("lib", include_str!("../lints/functions/lib.rs")),
    ("clean", include_str!("../lints/functions/clean.rs")),
    ("warned", include_str!("../lints/functions/warned.rs")),
    ("exported", include_str!("../lints/functions/exported.rs")),
];

/// The lints that no longer warn of a guarded function, and why that cannot be otherwise.
const LOST: &[(&str, &str)] = &[
    ("clippy::boxed_local", "the arguments move into the closure or future that is the body"),
    ("clippy::needless_pass_by_value", "as above: the function itself does consume them"),
    ("clippy::ptr_arg", "as above, and they are captured as what they are"),
    ("clippy::extra_unused_type_parameters", "a type that the caller chooses is part of the input"),
    ("clippy::needless_lifetimes", "the lifetime is written once more, for what the body returns"),
    ("clippy::manual_async_fn", "with the check around it every such function is one async block"),
    ("clippy::unused_async", "the check is awaited"),
    (
        "clippy::needless_return",
        "looks at the end of a function, and the body is not its end any more",
    ),
    ("clippy::needless_question_mark", "as above"),
    ("clippy::only_used_in_recursion", "every call is checked with its arguments"),
    ("unconditional_recursion", "every call is checked, and the first denial ends it"),
];

/// The lints that are in no group that is usually turned on.
const STRICT: &[&str] = &[
    "clippy::restriction",
    "clippy::nursery",
    "closure_returning_async_block",
    "elided_lifetimes_in_paths",
    "explicit_outlives_requirements",
    "if_let_rescope",
    "impl_trait_redundant_captures",
    "missing_copy_implementations",
    "missing_debug_implementations",
    "non_ascii_idents",
    "redundant_imports",
    "tail_expr_drop_order",
    "unsafe_code",
    "unused_extern_crates",
    "unused_import_braces",
    "unused_macro_rules",
    "unused_results",
    "variant_size_differences",
];

/// A warning of the compiler.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Warning {
    lint: String,
    function: String,
    /// Line and column, from and to.
    place: [u64; 4],
    /// The line that it begins in.
    source: String,
    message: String,
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What the surrounding run denies, and how it is wrapped, is not what is tested.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CLIPPY_ARGS", "RUSTC_WORKSPACE_WRAPPER"] {
        cargo.env_remove(name);
    }
    cargo
}

/// Returns a crate of the functions, beside the other things that tests make.
fn write_crate(name: &str) -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let (functions, agenttrust) =
        (ours.join("tests/lints/functions/lib.rs"), ours.join("../agenttrust"));
    let manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [lib]\nname = \"lints\"\npath = {functions:?}\n\n\
         [features]\nguarded = []\n\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\
         agenttrust = {{ path = {agenttrust:?}, default-features = false, features = [\"macros\"] }}\n\n\
         [workspace]\n\n{}",
        crate::running::profiles()
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("clippy.toml"), "too-many-lines-threshold = 15\n").unwrap();
    // The same versions, and none to be looked up.
    fs::copy(ours.join("../Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

fn warnings(folder: &Path, features: &[&str], lints: &[&str]) -> BTreeSet<Warning> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let output = cargo()
        .args(["clippy", "--offline", "--message-format=json", "--features"])
        .arg(features.join(","))
        .arg("--")
        .args(lints.iter().map(|lint| format!("-W{lint}")))
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let messages: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["reason"] == "compiler-message" && line["target"]["name"] == "lints")
        .map(|line| line["message"].clone())
        .collect();
    let errors: Vec<_> = messages.iter().filter(|message| message["level"] == "error").collect();
    assert!(
        output.status.success() && errors.is_empty(),
        "{}{}",
        errors.iter().filter_map(|error| error["rendered"].as_str()).collect::<String>(),
        String::from_utf8_lossy(&output.stderr)
    );
    messages.iter().filter_map(warning).collect()
}

fn warning(message: &Value) -> Option<Warning> {
    let lint = message["code"]["code"].as_str()?.to_owned();
    let spans = message["spans"].as_array().unwrap();
    let span = spans.iter().find(|span| span["is_primary"] == true)?;
    let place = ["line_start", "column_start", "line_end", "column_end"];
    let place = place.map(|key| span[key].as_u64().unwrap());
    let file = Path::new(span["file_name"].as_str().unwrap()).file_stem()?.to_str()?;
    if !SOURCES.iter().any(|(name, _)| *name == file) {
        // It is about the manifest.
        return None;
    }
    let function = function_at(file, usize::try_from(place[0]).unwrap());
    Some(Warning {
        lint,
        function,
        place,
        source: span["text"][0]["text"].as_str().unwrap_or_default().to_owned(),
        message: message["message"].as_str().unwrap().to_owned(),
    })
}

/// Returns module and function that `line` of `file` is in; for an attribute, those of the function below it.
fn function_at(file: &str, line: usize) -> String {
    let (_, source) = SOURCES.iter().find(|(name, _)| *name == file).unwrap();
    let lines: Vec<&str> = source.lines().collect();
    let is_attribute = |text: &&&str| text.trim_start().starts_with("#[");
    let above = lines[line - 1..].iter().take_while(is_attribute).count();
    let mut before = lines[..line + above].iter().rev();
    let function = before.clone().find_map(|text| after_word(text, "fn"));
    let module = before.find_map(|text| after_word(text, "mod"));
    format!("{}::{}", module.unwrap_or(file), function.unwrap_or("none"))
}

/// Returns the name behind `fn` or `mod`.
fn after_word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let mut words = line.split([' ', '(', '<']);
    words.find(|known| *known == word)?;
    words.next().filter(|_| !line.trim_start().starts_with("//"))
}

/// Returns every function that is named after the lint which warns of it.
fn named_after_lints() -> impl Iterator<Item = (String, String)> {
    let files = SOURCES.iter().filter(|(file, _)| ["warned", "exported"].contains(file));
    let lines = files.flat_map(|(file, source)| {
        source.lines().enumerate().map(move |(at, text)| (file, at + 1, text))
    });
    lines.filter_map(|(file, line, text)| {
        let name = after_word(text, "fn").filter(|name| *name != "documented")?;
        Some((name.to_owned(), function_at(file, line)))
    })
}

impl Warning {
    /// Returns the lint as it is written in an attribute, without `clippy::`.
    fn name(&self) -> &str {
        match self.lint.as_str() {
            "E0133" => "unsafe_op_in_unsafe_fn",
            lint => lint.strip_prefix("clippy::").unwrap_or(lint),
        }
    }
}

/// Returns whether Clippy is installed; prints that a test skips without it.
fn there_is_clippy() -> bool {
    let version = cargo().args(["clippy", "--version"]).output();
    let there = version.is_ok_and(|version| version.status.success());
    if !there {
        println!("skipped: there is no `cargo clippy` here");
    }
    there
}

#[test]
fn a_guarded_function_is_warned_of_what_the_bare_one_is() {
    if !there_is_clippy() {
        return;
    }
    let folder = write_crate("lints");
    let (bare, guarded) = (warnings(&folder, &[], &[]), warnings(&folder, &["guarded"], &[]));

    for (lint, function) in named_after_lints() {
        let is_warned =
            bare.iter().any(|warning| warning.name() == lint && warning.function == function);
        assert!(is_warned, "the bare `{function}` is not warned of `{lint}`");
    }
    let unclean: Vec<_> =
        bare.iter().filter(|warning| warning.function.starts_with("clean::")).collect();
    assert!(unclean.is_empty(), "warned of in `clean`: {unclean:#?}");

    let new: Vec<_> = guarded.difference(&bare).collect();
    assert!(new.is_empty(), "warned of only when it is guarded: {new:#?}");
    let (excused, lost): (Vec<_>, Vec<_>) = bare
        .difference(&guarded)
        .partition(|warning| LOST.iter().any(|(lint, _)| *lint == warning.lint));
    assert!(lost.is_empty(), "not warned of any more when it is guarded: {lost:#?}");
    for (lint, reason) in LOST {
        let is_lost = excused.iter().any(|warning| warning.lint == *lint);
        assert!(is_lost, "`{lint}` is not lost, although {reason}: remove it from the list");
    }
}

#[test]
fn no_lint_that_a_project_may_turn_on_is_about_the_expansion() {
    if !there_is_clippy() {
        return;
    }
    let folder = write_crate("strict-lints");
    let bare = warnings(&folder, &[], STRICT);
    let guarded = warnings(&folder, &["guarded"], STRICT);
    assert!(bare.iter().any(|warning| warning.name() == "implicit_return"), "{bare:#?}");
    let new: Vec<_> = guarded
        .difference(&bare)
        // A closure that the attribute was given can be written otherwise.
        .filter(|new| !(new.name() == "implicit_return" && new.source.contains("on_denied = |")))
        .collect();
    assert!(new.is_empty(), "warned of only when it is guarded: {new:#?}");
}
