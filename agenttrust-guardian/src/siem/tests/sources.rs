//! Every kind that a source of the Guardian writes has a row in the table, and the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::KINDS;

/// Returns the texts of a source that read like a kind, without what is only compiled for tests.
fn texts(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let is_of_audit = ["Record", "record(", "told(", "refused", "from_body"]
        .iter()
        .any(|word| code.contains(word));
    if !is_of_audit {
        return BTreeSet::new();
    }
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let parts = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    let mut found: BTreeSet<String> = code
        .split('"')
        .filter(|text| parts(text).len() == 2 && parts(text).iter().all(|part| is_word(part)))
        .map(str::to_owned)
        .collect();
    // A kind of one word is one where a row is made.
    for made in ["Record::new(\"", "Row::from_body(\""] {
        let after = code.split(made).skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(after.map(str::to_owned));
    }
    found
}

fn sources(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            // The table itself, and tests.
            if !["tests", "model_tests", "differential"].contains(&name)
                && !path.ends_with("src/siem")
            {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "harness.rs" {
            for text in texts(&std::fs::read_to_string(&path).unwrap()) {
                found.insert(text, path.display().to_string());
            }
        }
    }
}

/// The words that look like a kind in a source that writes to the audit, and are not one.
const NO_KINDS: &[&str] = &[
    "agenttrust.db",
    "agenttrust.approval_id",
    "agenttrust.check_id",
    "agenttrust.decision",
    "agenttrust.effect",
    "agenttrust.policies",
    "approvals.id",
    "denial.binding_token",
    "metadata.groups",
    "restrictions.not_after",
    "result.kind",
    "service.version",
    "standing_tests.rs",
    "writer_tests.rs",
];

#[test]
fn every_kind_that_the_audit_writes_has_a_row_in_the_table() {
    let mut found = BTreeMap::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50, "{found:?}");
    for (text, file) in &found {
        assert!(
            KINDS.contains(&text.as_str()) || NO_KINDS.contains(&text.as_str()),
            "{file} names {text:?}, which reads like a kind of row: give it a row in siem/kinds.rs and a body in \
             siem/samples.rs, or name it in NO_KINDS"
        );
    }
    for kind in KINDS {
        assert!(
            found.contains_key(*kind),
            "no source writes {kind:?}; take its row out of siem/kinds.rs"
        );
    }
    assert_eq!(KINDS.iter().collect::<BTreeSet<_>>().len(), KINDS.len(), "a kind has two rows");
}

#[test]
fn kind_in_a_source_is_found_wherever_it_is_named() {
    let source = "//! told(\"in.comment\")\nfn f() { record(key, \"moon.risen\", 1); let k = if x { \"moon.set\" }; }\n\
                  fn g() { Record::new(\"dawn\", o) }\n#[cfg(test)]\nmod tests { const K: &str = \"in.test\"; }";
    let found: Vec<_> = texts(source).into_iter().collect();
    assert_eq!(found, ["dawn", "moon.risen", "moon.set"]);
    assert!(texts("const K: &str = \"no.audit\";").is_empty());
}
