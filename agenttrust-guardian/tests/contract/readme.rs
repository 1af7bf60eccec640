//! What the README shows of policies is what the Guardian takes.

use agenttrust_guardian::policy::PolicySet;

/// The policies that the README shows.
fn sets() -> impl Iterator<Item = &'static str> {
    let readme = include_str!("../../../README.md");
    let blocks = readme.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix("cedar\n"))
}

#[test]
fn policies_of_the_readme_are_valid_sets() {
    let ids: Vec<String> = sets()
        .flat_map(|policies| {
            let set = PolicySet::parse("README.md", policies).unwrap();
            set.ids().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for id in ["refunds", "prod-drops", "search"] {
        assert!(ids.iter().any(|named| named == id), "{id}");
    }
}

#[test]
#[cfg(feature = "cli")]
fn policies_of_the_readme_are_written_as_the_program_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    for (number, policies) in sets().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.cedar")), policies).unwrap();
    }
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    let folder_name = folder.path();
    let output = program.args(["policy", "fmt"]).arg(folder_name).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for (number, policies) in sets().enumerate() {
        let written = std::fs::read_to_string(folder_name.join(format!("{number}.cedar"))).unwrap();
        assert_eq!(policies, written, "write it in the README as `agenttrust policy fmt` does");
    }
}
