//! A Python with what a test drives: the one of `AGENTTRUST_TEST_PYTHON`, else the one of `.venv` in the root of the
//! repository.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// Returns a Python that has this package in this version. Where there is no such Python, prints why and returns
/// `None`.
pub(crate) fn python_with(package: &str, version: &str) -> Option<PathBuf> {
    python_with_all(&[(package, version)])
}

/// Returns a Python that has all of these packages, each in its version.
pub(crate) fn python_with_all(packages: &[(&str, &str)]) -> Option<PathBuf> {
    let given = std::env::var_os("AGENTTRUST_TEST_PYTHON").map(PathBuf::from);
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let mut reasons = Vec::new();
    for python in given.into_iter().chain([venv]) {
        match packages.iter().try_for_each(|(package, version)| has(&python, package, version)) {
            Ok(()) => return Some(python),
            Err(reason) => reasons.push(format!("{}: {reason:#}", python.display())),
        }
    }
    let wanted: Vec<_> =
        packages.iter().map(|(name, version)| format!("'{name}=={version}'")).collect();
    let wanted = wanted.join(" ");
    // Past the capture of the test's own output: a skip that nobody sees is taken for a pass.
    let said = format!(
        "skipped: the Python packages are not here; install them with \
         `python3 -m venv .venv && .venv/bin/pip install {wanted}` ({})\n",
        reasons.join("; ")
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), said.as_bytes());
    None
}

fn has(python: &Path, package: &str, version: &str) -> Result<()> {
    // What is imported of `a2a-sdk[signing]` is `a2a`.
    let package = package.split('[').next().unwrap_or(package);
    let module = package.split('-').next().unwrap_or(package);
    let ask = format!("import {module}, importlib.metadata as m; print(m.version('{package}'))");
    let output = Command::new(python).args(["-c", &ask]).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(if output.status.success() {
        &output.stdout
    } else {
        &output.stderr
    })
    .trim()
    .lines()
    .next_back()
    .unwrap_or_default()
    .to_owned();
    ensure!(output.status.success(), said);
    ensure!(said == version, "it has {package} {said}, not {version}");
    Ok(())
}
