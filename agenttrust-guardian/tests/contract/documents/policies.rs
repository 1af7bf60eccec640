//! What the documents show of policies is what the program takes, written as it writes it.

use std::process::{Command, Output};

use super::{documents, none_of};

/// Runs `agenttrust policy COMMAND` over this one file.
fn policy(command: &[&str], policies: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shown.cedar"), policies).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    program.arg("policy").args(command).arg(folder.path());
    program.env_remove("AGENTTRUST_DATABASE").output().unwrap()
}

/// Returns why the program does not take these policies as they are written, if it does not.
fn fault(policies: &str) -> Option<String> {
    let checked = policy(&["check"], policies);
    let formatted = policy(&["fmt", "--check"], policies);
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if !checked.status.success() {
        return Some(said(&checked));
    }
    let is_usual = formatted.status.success();
    (!is_usual)
        .then(|| "it is not in the usual form; write it as `agenttrust policy fmt` does".to_owned())
}

#[test]
fn policies_that_documents_show_are_valid_sets_in_the_usual_form() {
    let documents = documents();
    let blocks = documents.iter().flat_map(super::Document::blocks);
    let policies: Vec<_> = blocks.filter(|block| block.language() == "cedar").collect();
    for id in ["refunds", "prod-drops", "search"] {
        let shown = format!("@id(\"{id}\")");
        assert!(policies.iter().any(|block| block.code.contains(&shown)), "{id} is shown nowhere");
    }
    let faults = policies
        .iter()
        .filter_map(|block| fault(&block.code).map(|said| format!("{}: {said}", block.place)));
    none_of(&faults.collect::<Vec<_>>());
}

#[test]
fn policy_that_the_program_would_refuse_or_write_otherwise_is_found() {
    assert_eq!(fault("@id(\"a\")\npermit (principal, action, resource);\n"), None);
    let refused = fault("permit (principal, action, resorce);\n").unwrap();
    assert!(refused.contains("shown.cedar:1:"), "{refused}");
    let otherwise = fault("permit(principal,action,resource);\n").unwrap();
    assert!(otherwise.contains("usual form"), "{otherwise}");
}
