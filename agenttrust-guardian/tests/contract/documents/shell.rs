//! Lines for a shell: the commands, subcommands and options of our programs in them are there.
//!
//! Nothing is run but the program's help: `agenttrust ARGUMENTS --help` fails at an argument that it does not know.

mod words;

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use self::words::commands;
use super::{Document, documents, none_of, repository};

/// The subcommands of cargo that are used here, and below them the options, with whether a value follows.
const CARGO: [&str; 12] = [
    "add", "bench", "build", "check", "clippy", "deny", "doc", "fmt", "install", "publish", "run",
    "test",
];
const WITH_VALUE: [&str; 9] = [
    "-p",
    "--package",
    "--bin",
    "--example",
    "--test",
    "--bench",
    "--features",
    "--path",
    "--manifest-path",
];
const ALONE: [&str; 15] = [
    "--workspace",
    "--all",
    "--all-targets",
    "--all-features",
    "--no-default-features",
    "--no-deps",
    "--lib",
    "--doc",
    "--bins",
    "--examples",
    "--release",
    "--locked",
    "--offline",
    "--check",
    "-q",
];

/// The packages of the workspace, as cargo knows them.
static PACKAGES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = cargo.current_dir(repository()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["packages"].as_array().unwrap().clone()
});

/// Returns what is wrong with a command, if anything is.
fn fault(command: &[String]) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    match program.trim_start_matches("./") {
        "agenttrust" => agenttrust(arguments),
        "cargo" => cargo(arguments),
        script if script.starts_with("scripts/") || script == ".ci/run" => {
            self::script(script, arguments)
        }
        _ => None,
    }
}

/// Asks the program for its help with these arguments.
fn agenttrust(arguments: &[String]) -> Option<String> {
    // What follows `--` is another program's.
    let own = arguments.iter().take_while(|argument| *argument != "--");
    let mut program = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    let output = program.args(own).arg("--help").output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (!output.status.success()).then(|| error.lines().next().unwrap_or_default().to_owned())
}

/// Returns whether a package has a target of this kind and name.
fn has_target(package: &Value, kind: &str, name: &str) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets.into_iter().any(|target| {
        target["name"] == name
            && target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|of| of == kind))
    })
}

fn cargo(arguments: &[String]) -> Option<String> {
    // `cargo run -- ARGUMENTS`: of a reader's own program, or of ours where it is named.
    let own: Vec<&str> =
        arguments.iter().map(String::as_str).take_while(|argument| *argument != "--").collect();
    let Some((subcommand, options)) = own.split_first() else {
        return Some("cargo does nothing".to_owned());
    };
    if !CARGO.contains(subcommand) {
        return Some(format!("`cargo {subcommand}` is not one of {CARGO:?}"));
    }
    let value = |names: &[&str]| {
        let at = options.iter().position(|option| names.contains(option))?;
        options.get(at + 1).copied()
    };
    let named = value(&["-p", "--package"]);
    let packages: Vec<&Value> = PACKAGES
        .iter()
        .filter(|package| named.is_none_or(|name| package["name"] == name))
        .collect();
    if packages.is_empty() {
        return Some(format!("there is no package {named:?}"));
    }
    let kinds =
        [("--bin", "bin"), ("--example", "example"), ("--test", "test"), ("--bench", "bench")];
    for (option, kind) in kinds {
        if let Some(name) = value(&[option])
            && !packages.iter().any(|package| has_target(package, kind, name))
        {
            return Some(format!("there is no {kind} `{name}`"));
        }
    }
    // Of a program to add us to, features are those of the crate that is added.
    let features = value(&["--features"])
        .filter(|_| *subcommand != "add")
        .into_iter()
        .flat_map(|list| list.split(','));
    for feature in features {
        if !packages.iter().any(|package| package["features"].get(feature).is_some()) {
            return Some(format!("there is no feature `{feature}`"));
        }
    }
    if value(&["--bin"]) == Some("agenttrust") && *subcommand == "run" {
        return agenttrust(arguments.get(own.len() + 1..).unwrap_or_default());
    }
    let is_value = |at: usize| at > 0 && WITH_VALUE.contains(&options[at - 1]);
    let unknown = options.iter().enumerate().find(|(at, option)| {
        option.starts_with('-')
            && !is_value(*at)
            && !WITH_VALUE.contains(option)
            && !ALONE.contains(option)
    });
    unknown.map(|(_, option)| format!("no option `{option}` of cargo is known here"))
}

/// Looks whether a script is there, and speaks of the options that it is given.
fn script(script: &str, arguments: &[String]) -> Option<String> {
    let Ok(text) = std::fs::read_to_string(repository().join(Path::new(script))) else {
        return Some(format!("there is no {script}"));
    };
    let mut options = arguments.iter().filter(|argument| argument.starts_with('-'));
    let unknown = options.find(|option| !text.contains(option.as_str()))?;
    Some(format!("{script} does not speak of `{unknown}`"))
}

/// Returns the faults of all commands in the blocks and the spans of a document.
fn faults(document: &Document) -> Vec<String> {
    let blocks = document.blocks().into_iter();
    let shell = blocks.filter(|block| ["sh", "bash"].contains(&block.language()));
    let shell = shell.map(|block| (block.place.clone(), block.code));
    let programs = ["agenttrust ", "cargo ", "scripts/", ".ci/run"];
    let spans = document
        .spans()
        .into_iter()
        .filter(|(_, span)| programs.iter().any(|program| span.starts_with(program)));
    // What may be left out or come again is marked there: `[--tools FILE]…`.
    let spans = spans.map(|(line, span)| {
        (format!("{}:{line}", document.name), span.replace(['[', ']', '…'], ""))
    });
    // One in a sentence may name an option without its value.
    let lacks_a_value = |said: &String| said.contains("a value is required for");
    let of = |place: &str, text: &str, is_whole: bool| {
        let commands = commands(text).into_iter();
        let faults = commands.filter_map(|command| {
            let said = fault(&command).filter(|said| is_whole || !lacks_a_value(said))?;
            Some(format!("{place}: `{}`: {said}", command.join(" ")))
        });
        faults.collect::<Vec<_>>()
    };
    let of_blocks = shell.flat_map(|(place, text)| of(&place, &text, true));
    of_blocks.chain(spans.flat_map(|(place, text)| of(&place, &text, false))).collect()
}

#[test]
fn commands_of_our_programs_in_documents_are_there_with_their_options() {
    none_of(&documents().iter().flat_map(faults).collect::<Vec<_>>());
}

#[test]
fn command_or_option_that_is_not_there_is_found() {
    let of = |line: &str| commands(line).iter().find_map(|command| fault(command));
    for line in [
        "agenttrust serve --dev                  # in one terminal",
        "agenttrust agents create shopbot --capability refund",
        "ID=$(agenttrust check shopbot db_drop) || exit",
        "agenttrust mcp run --server files -- npx -y --nothing",
        "cargo run -- order-8",
        "cargo test -p agenttrust-guardian --features otel --test serve otel",
        "cargo run -p agenttrust-guardian --bin agenttrust -- serve --dev",
        "scripts/parity --check",
        "curl --nothing",
    ] {
        assert_eq!(of(line), None, "{line}");
    }
    for (line, said) in [
        ("agenttrust server", "server"),
        ("agenttrust agents make shopbot", "make"),
        ("export A=$(agenttrust serve --devv)", "--devv"),
        ("(cd x && agenttrust policy check DIR --tool x.json)", "--tool"),
        ("cargo tests", "tests"),
        ("cargo test -p agenttrust-nothing", "agenttrust-nothing"),
        ("cargo test -p agenttrust-guardian --test server", "server"),
        ("cargo test --features nothing", "nothing"),
        ("cargo test --workspac", "--workspac"),
        ("cargo run -p agenttrust-guardian --bin agenttrust -- server", "server"),
        ("scripts/nothing", "scripts/nothing"),
        ("scripts/parity --nothing", "--nothing"),
    ] {
        let found = of(line).unwrap_or_else(|| panic!("{line} is not found"));
        assert!(found.contains(said), "{line}: {found}");
    }
}
