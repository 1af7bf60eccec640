//! The gate installs what the documents say that a machine needs: the same packages, of the same versions.

use super::{documents, repository};

/// Returns the blocks `sh` of CONTRIBUTING.md, and the text of `.ci/run`.
fn both() -> (String, String) {
    let document = documents().into_iter().find(|document| document.name == "CONTRIBUTING.md");
    let document = document.unwrap();
    let blocks = document.blocks().into_iter().filter(|block| block.language() == "sh");
    let shown = blocks.map(|block| block.code).collect();
    (shown, std::fs::read_to_string(repository().join(".ci/run")).unwrap())
}

/// Returns the packages of Python with their versions, `a==1.2` or `a[b]==1.2`, ordered.
fn pinned(text: &str) -> Vec<&str> {
    let words = text.split_whitespace().map(|word| word.trim_matches('\''));
    let mut found: Vec<_> = words.filter(|word| word.contains("==")).collect();
    found.retain(|word| word.starts_with(|letter: char| letter.is_ascii_lowercase()));
    found.sort_unstable();
    found
}

/// Returns the folders in which npm installs, ordered.
fn folders(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| line.contains("npm ci"));
    let mut found: Vec<_> =
        lines.filter_map(|line| line.trim().strip_prefix("(cd ")?.split(" &&").next()).collect();
    found.sort_unstable();
    found
}

#[test]
fn contributing_installs_the_packages_that_the_gate_installs() {
    let (shown, gate) = both();
    assert_eq!(pinned(&shown), pinned(&gate));
    assert!(pinned(&shown).len() >= 8, "{:?}", pinned(&shown));
    assert_eq!(folders(&shown), folders(&gate));
    assert!(folders(&shown).len() >= 4, "{:?}", folders(&shown));
}
