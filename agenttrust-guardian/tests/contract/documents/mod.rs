//! The Markdown documents of the repository: every block of code, link and name in them is right.

mod blocks;
mod gate;
mod links;
mod named;
mod policies;
#[cfg(unix)]
mod run;
mod shell;

use std::path::{Path, PathBuf};

/// A Markdown document.
struct Document {
    /// Its path from the root of the repository.
    name: String,
    text: String,
}

/// A block of code in a document.
struct Block<'a> {
    /// The place of the block, as `docs/POLICIES.md:12`: the line of its fence.
    place: String,
    /// The text behind the fence, such as `rust,no_run`.
    info: &'a str,
    code: String,
}

impl Block<'_> {
    /// Returns the language of it.
    fn language(&self) -> &str {
        self.info.split([',', ' ']).next().unwrap_or_default()
    }
}

impl Document {
    /// Returns its blocks of code, in their order.
    fn blocks(&self) -> Vec<Block<'_>> {
        let mut found: Vec<Block<'_>> = Vec::new();
        let mut is_open = false;
        for (line, (text, is_code)) in self.text.lines().zip(self.is_code()).enumerate() {
            match (is_code, text.trim_start().strip_prefix("```")) {
                (true, Some(info)) => {
                    is_open = !is_open;
                    if is_open {
                        let place = format!("{}:{}", self.name, line + 1);
                        found.push(Block { place, info: info.trim(), code: String::new() });
                    }
                }
                (true, None) => {
                    let block = found.last_mut().unwrap();
                    block.code.push_str(text);
                    block.code.push('\n');
                }
                (false, _) => {}
            }
        }
        assert!(!is_open, "{}: its last block of code has no end", self.name);
        found
    }

    /// Says of each line whether it is of a block of code, its fences included.
    fn is_code(&self) -> impl Iterator<Item = bool> {
        let mut is_open = false;
        self.text.lines().map(move |line| {
            let is_fence = line.trim_start().starts_with("```");
            let was_open = is_open;
            is_open ^= is_fence;
            is_fence || was_open
        })
    }

    /// Returns the lines that are prose, with their numbers.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().zip(self.is_code()).enumerate();
        lines.filter(|(_, (_, is_code))| !is_code).map(|(line, (text, _))| (line + 1, text))
    }

    /// Returns the lines of prose that follow each other without an empty one, each with the number of its first.
    fn paragraphs(&self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = Vec::new();
        let mut last = 0;
        for (line, text) in self.prose().filter(|(_, text)| !text.trim().is_empty()) {
            match found.last_mut().filter(|_| line == last + 1) {
                Some((_, paragraph)) => {
                    paragraph.push('\n');
                    paragraph.push_str(text);
                }
                None => found.push((line, text.to_owned())),
            }
            last = line;
        }
        found
    }

    /// Returns what stands between backticks in prose, with its line.
    fn spans(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (begin, paragraph) in self.paragraphs() {
            let mut line = begin;
            for (is_code, piece) in pieces(&paragraph) {
                if is_code {
                    found.push((line, piece.replace('\n', " ")));
                }
                line += piece.matches('\n').count();
            }
        }
        found
    }
}

/// Returns a paragraph taken apart into what is code and what is not: code ends with as many backticks as it began
/// with.
fn pieces(paragraph: &str) -> Vec<(bool, &str)> {
    let mut found = Vec::new();
    let mut rest = paragraph;
    while let Some(begin) = rest.find('`') {
        let (before, marked) = rest.split_at(begin);
        let inside = marked.trim_start_matches('`');
        let fence = &marked[..marked.len() - inside.len()];
        let is_whole = |at: &usize| {
            !inside[..*at].ends_with('`') && !inside[at + fence.len()..].starts_with('`')
        };
        let Some(end) = inside.match_indices(fence).map(|(at, _)| at).find(is_whole) else { break };
        found.push((false, before));
        found.push((true, &inside[..end]));
        rest = &inside[end + fence.len()..];
    }
    found.push((false, rest));
    found
}

/// Returns the root of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Returns every document of the repository, ordered by name. What is installed or built, and what the tests' peers
/// serve, is not ours.
fn documents() -> Vec<Document> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let is_ours = !name.starts_with('.')
                    && !["target", "node_modules"].contains(&name.as_str())
                    && !path.ends_with("tests/peers");
                if is_ours {
                    collect(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    collect(&repository(), &mut paths);
    paths.sort();
    let document = |path: PathBuf| Document {
        name: path.strip_prefix(repository()).unwrap().display().to_string(),
        text: std::fs::read_to_string(&path).unwrap(),
    };
    paths.into_iter().map(document).collect()
}

/// Fails with all that was found, a line each.
#[track_caller]
fn none_of(faults: &[String]) {
    assert!(faults.is_empty(), "{} to mend:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn documents_are_found_and_taken_apart() {
    let names: Vec<String> = documents().into_iter().map(|document| document.name).collect();
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/OPERATIONS.md"] {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }
    let text = "a `b` c\n```sh\nls `d`\n```\n- e\n  ```rust,no_run\n  f\n  ```\n";
    let document = Document { name: "a.md".to_owned(), text: text.to_owned() };
    assert_eq!(document.spans(), [(1, "b".to_owned())]);
    assert_eq!(pieces("a `b\nc` d"), [(false, "a "), (true, "b\nc"), (false, " d")]);
    assert_eq!(pieces("``a`b`` c`"), [(false, ""), (true, "a`b"), (false, " c`")]);
    let lines: Vec<usize> = document.prose().map(|(line, _)| line).collect();
    assert_eq!(lines, [1, 5]);
    let blocks = document.blocks();
    let [shell, rust] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    assert_eq!((&*shell.place, shell.language(), &*shell.code), ("a.md:2", "sh", "ls `d`\n"));
    assert_eq!((rust.info, rust.language(), &*rust.code), ("rust,no_run", "rust", "  f\n"));
}
