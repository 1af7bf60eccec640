//! Builds programs and runs each of them: one file a program, and one build for all, because a build for each (as
//! `trybuild` makes it, from dependencies of its own) would take minutes.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// Runs the cases in `folder`; those whose path holds what `trybuild=` names, if it is given.
pub(crate) fn every_case_in(folder: &str) {
    run("cases", &cases(folder));
}

/// Builds these programs as one package, and runs each; `package` tells it from others.
pub(crate) fn run(package: &str, cases: &[(String, PathBuf)]) {
    let built = build(package, cases);
    let mut failures = String::new();
    for (name, path) in cases {
        let ran = Command::new(built.join(format!("case_{name}{}", env::consts::EXE_SUFFIX)))
            .env("RUST_BACKTRACE", "0")
            .output();
        let fault = match ran {
            Ok(ran) if ran.status.success() => {
                print!("{}", String::from_utf8_lossy(&ran.stdout));
                continue;
            }
            Ok(ran) => text(&ran),
            Err(_) => "it was not built".to_owned(),
        };
        writeln!(failures, "\n{}: {fault}", path.display()).unwrap();
    }
    assert!(failures.is_empty(), "of {} cases these failed:\n{failures}", cases.len());
}

fn cases(folder: &str) -> Vec<(String, PathBuf)> {
    let wanted: Vec<String> =
        env::args().filter_map(|word| Some(word.strip_prefix("trybuild=")?.to_owned())).collect();
    let is_wanted = |path: &Path| {
        let path = path.to_string_lossy();
        wanted.is_empty() || wanted.iter().any(|word| path.contains(word))
    };
    let mut cases: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("rs")) && is_wanted(path))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    cases.sort();
    assert!(!cases.is_empty() || !wanted.is_empty(), "no case in {folder}");
    cases
}

/// Builds all of them as the programs of one package, and says where they are.
fn build(package: &str, cases: &[(String, PathBuf)]) -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = temporary.parent().unwrap();
    let project = temporary.join(format!("agenttrust-macros-{package}"));
    fs::create_dir_all(&project).unwrap();
    fs::write(project.join("Cargo.toml"), manifest(package, cases)).unwrap();
    fs::copy(workspace().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--bins", "--keep-going", "--offline", "--quiet", "--target-dir"])
        .arg(target)
        .current_dir(&project)
        // Thrown away: nobody edits a case so often that it pays.
        .env("CARGO_INCREMENTAL", "0")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built));
    target.join("debug")
}

/// What this package depends on when it is tested, in the versions and with the profile of the
/// workspace, so that what was built for its tests serves the cases too.
fn manifest(package: &str, cases: &[(String, PathBuf)]) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dependencies = section(own, "dev-dependencies");
    let shared = section(workspace(), "workspace.dependencies");
    let profiles = profiles();
    let mut manifest = format!(
        "[package]\nname = \"agenttrust-macros-{package}\"\nedition = \"2024\"\n\
         [workspace]\n[workspace.dependencies]\n{shared}\n\
         [dependencies]\n{dependencies}\n{profiles}\n\
         [profile.dev.package.agenttrust-macros-{package}]\ndebug = false\ncodegen-units = 1\n"
    );
    for (name, path) in cases {
        let path = path.to_str().unwrap();
        writeln!(manifest, "[[bin]]\nname = \"case_{name}\"\npath = {path:?}").unwrap();
    }
    manifest
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The profiles of the workspace, which are the end of its manifest.
pub(crate) fn profiles() -> String {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    manifest[manifest.find("[profile.dev]").unwrap()..].to_owned()
}

/// The lines of one section of the manifest in `folder`, its paths made absolute.
fn section(folder: &Path, name: &str) -> String {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let header = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| *line != header).skip(1);
    let lines: Vec<_> = lines.take_while(|line| !line.starts_with('[')).collect();
    let absolute = format!("path = {:?}", format!("{}/", folder.display()));
    lines.join("\n").replace("path = \"", absolute.trim_end_matches('"'))
}

fn text(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
