//! [`Run`]: an example that ran to its end in a folder of its own.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use crate::built::example;

const EXAMPLE_TIMEOUT: Duration = Duration::from_secs(120);

/// The output of an example, and the folder that it worked in.
pub(crate) struct Run {
    pub(crate) printed: String,
    pub(crate) folder: TempDir,
}

impl Run {
    /// Runs an example; it must end well.
    pub(crate) async fn of_example(name: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = example(name);
        command.arg(folder.path()).stdin(Stdio::null());
        let output = tokio::time::timeout(EXAMPLE_TIMEOUT, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{name} did not end")).expect("it starts");
        let printed = String::from_utf8(output.stdout).expect("it prints text");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {}\n{printed}\n{complained}", output.status);
        for line in printed.lines() {
            assert!(line.chars().count() < 100, "too long for a README: {line}");
        }
        Self { printed, folder }
    }

    /// Checks that each of these was printed, one after the other. Long lines are wrapped: the words are compared.
    pub(crate) fn shows(&self, promised: &[&str]) {
        let words = self.printed.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut rest = words.as_str();
        for promise in promised {
            let Some((_, after)) = rest.split_once(promise) else {
                panic!("no {promise:?}, or not in its place, in\n{}", self.printed);
            };
            rest = after;
        }
    }

    /// Returns the names of the files in its folder, whatever the transcript says.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is still there");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("an entry").file_name().into_string().expect("a name")
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}
