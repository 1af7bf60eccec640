//! Builds programs and runs them, many files a program. A program for each would take minutes to link, and a build for
//! each from dependencies of its own, as `trybuild` makes it, even longer.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// The number of programs that the cases are spread over: they are built beside each other.
const PROGRAMS: usize = 2;

/// A package of programs.
struct Package {
    name: &'static str,
    /// The name and the root of the library that its programs share.
    library: Option<(&'static str, PathBuf)>,
    /// The name and the root of each program.
    programs: Vec<(String, PathBuf)>,
}

/// A case: a program, and which of its cases is meant where it has several.
struct Case {
    path: PathBuf,
    program: String,
    name: Option<String>,
}

/// Runs the cases of `tests/ui`, each in a process of its own; those whose path holds what `trybuild=` names, if it is
/// given.
///
/// Those in `pass` are modules of a program, and those in `roots` are programs, because they speak of the root of
/// their crate.
pub(crate) fn every_case() {
    let mut programs = Vec::new();
    let mut cases = Vec::new();
    for (name, path) in files("tests/ui/roots") {
        let program = format!("case_{name}");
        programs.push((program.clone(), path.clone()));
        cases.push(Case { path, program, name: None });
    }
    let modules = files("tests/ui/pass");
    for (number, modules) in modules.chunks(modules.len().div_ceil(PROGRAMS).max(1)).enumerate() {
        let program = format!("cases_{number}");
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{program}.rs"));
        fs::write(&root, root_of(modules)).unwrap();
        programs.push((program.clone(), root));
        cases.extend(modules.iter().map(|(name, path)| Case {
            path: path.clone(),
            program: program.clone(),
            name: Some(name.clone()),
        }));
    }
    assert!(!cases.is_empty() || !wanted().is_empty(), "there is no case");
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/counting.rs");
    run(&Package { name: "cases", library: Some(("counting", library)), programs }, &cases);
}

/// Builds this program as a package of this name, and runs it.
pub(crate) fn run_program(package: &'static str, root: &Path) {
    let programs = vec![(package.to_owned(), root.to_owned())];
    let case = Case { path: root.to_owned(), program: package.to_owned(), name: None };
    run(&Package { name: package, library: None, programs }, &[case]);
}

fn run(package: &Package, cases: &[Case]) {
    let built = build(package);
    let mut failures = String::new();
    for case in cases {
        let ran = Command::new(built.join(format!("{}{}", case.program, env::consts::EXE_SUFFIX)))
            .args(&case.name)
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
        writeln!(failures, "\n{}: {fault}", case.path.display()).unwrap();
    }
    assert!(failures.is_empty(), "of {} cases these failed:\n{failures}", cases.len());
}

/// Returns what of a path has to be there for a case to be run, any of these.
fn wanted() -> Vec<String> {
    env::args().filter_map(|word| Some(word.strip_prefix("trybuild=")?.to_owned())).collect()
}

/// Returns the names and paths of the cases in `folder` that are wanted.
fn files(folder: &str) -> Vec<(String, PathBuf)> {
    let wanted = wanted();
    let is_wanted = |path: &Path| {
        let path = path.to_string_lossy();
        wanted.is_empty() || wanted.iter().any(|word| path.contains(word))
    };
    let mut files: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("rs")) && is_wanted(path))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    files
}

/// Returns the root of a program that runs the one of these cases which its argument names.
fn root_of(cases: &[(String, PathBuf)]) -> String {
    let (mut modules, mut arms) = (String::new(), String::new());
    for (name, path) in cases {
        writeln!(modules, "#[path = {:?}]\nmod {name};", path.to_str().unwrap()).unwrap();
        writeln!(arms, "        {name:?} => {name}::main(),").unwrap();
    }
    format!(
        "{modules}\nfn main() {{\n    let case = std::env::args().nth(1).unwrap();\n    match &*case {{\n{arms}        \
         _ => panic!(\"there is no case {{case}}\"),\n    }}\n}}\n"
    )
}

/// Builds the package, and says where its programs are.
fn build(package: &Package) -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = temporary.parent().unwrap();
    let project = temporary.join(format!("agenttrust-macros-{}", package.name));
    fs::create_dir_all(&project).unwrap();
    fs::write(project.join("Cargo.toml"), manifest(package)).unwrap();
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

/// Returns what this package depends on when it is tested, in the versions and with the profile of the
/// workspace, so that what was built for its tests serves the cases too.
fn manifest(package: &Package) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dependencies = section(own, "dev-dependencies");
    let shared = section(workspace(), "workspace.dependencies");
    let profiles = profiles();
    let name = package.name;
    let mut manifest = format!(
        "[package]\nname = \"agenttrust-macros-{name}\"\nedition = \"2024\"\n\
         [workspace]\n[workspace.dependencies]\n{shared}\n\
         [dependencies]\n{dependencies}\n{profiles}\n\
         [profile.dev.package.agenttrust-macros-{name}]\ndebug = false\ncodegen-units = 1\n"
    );
    if let Some((name, root)) = &package.library {
        writeln!(manifest, "[lib]\nname = {name:?}\npath = {:?}", root.to_str().unwrap()).unwrap();
    }
    for (name, root) in &package.programs {
        writeln!(manifest, "[[bin]]\nname = {name:?}\npath = {:?}", root.to_str().unwrap())
            .unwrap();
    }
    manifest
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the profiles of the workspace, which are the end of its manifest.
pub(crate) fn profiles() -> String {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    manifest[manifest.find("[profile.dev]").unwrap()..].to_owned()
}

/// Returns the lines of one section of the manifest in `folder`, its paths made absolute.
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
