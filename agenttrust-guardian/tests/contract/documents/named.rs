//! What documents name is there: functions by their files, and what must be explained is.

use super::{Document, documents, none_of, repository};

/// Returns the document of this name.
fn document(name: &str) -> Document {
    let found = documents().into_iter().find(|document| document.name == name);
    found.unwrap_or_else(|| panic!("{name} is not there"))
}

/// Returns the file and the function of `path/to/file.rs::function`.
fn function_of(span: &str) -> Option<(&str, &str)> {
    let (file, function) = span.split_once("::")?;
    let is_name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    (file.ends_with(".rs") && file.contains('/') && is_name(function)).then_some((file, function))
}

/// Returns why a function is not where it is said to be, if it is not.
fn fault(file: &str, function: &str) -> Option<String> {
    match std::fs::read_to_string(repository().join(file)) {
        Ok(text) => {
            let begins = [format!("fn {function}("), format!("fn {function}<")];
            let is_there = begins.iter().any(|begin| text.contains(begin));
            (!is_there).then(|| format!("{file} has no function `{function}`"))
        }
        Err(error) => Some(format!("{file} cannot be read: {error}")),
    }
}

#[test]
fn function_that_a_document_names_by_its_file_is_in_that_file() {
    let mut faults = Vec::new();
    for document in documents() {
        for (line, span) in document.spans() {
            let Some((file, function)) = function_of(&span) else { continue };
            faults.extend(
                fault(file, function).map(|said| format!("{}:{line}: {said}", document.name)),
            );
        }
    }
    none_of(&faults);
}

#[test]
fn security_model_names_the_test_of_each_promise() {
    let document = document("docs/SECURITY-MODEL.md");
    let named = document.spans().iter().filter(|(_, span)| function_of(span).is_some()).count();
    assert!(named >= 10, "{} names {named} tests as `path/to/file.rs::function`", document.name);
}

#[test]
fn function_that_is_not_in_its_file_is_found() {
    let here = "agenttrust-guardian/tests/contract/documents/named.rs";
    assert_eq!(function_of(&format!("{here}::fault")), Some((here, "fault")));
    assert_eq!(fault(here, "fault"), None);
    assert!(fault(here, "faul").is_some() && fault("src/nowhere.rs", "fault").is_some());
    for other in
        ["agenttrust::guard", "named.rs::fault", "src/a.rs", "src/a.rs::b::c", "src/a.rs::"]
    {
        assert_eq!(function_of(other), None, "{other}");
    }
}

#[test]
fn every_alert_is_explained_to_who_operates_a_guardian() {
    let rules = repository().join("agenttrust-guardian/alerts/agenttrust.rules.yml");
    let rules = std::fs::read_to_string(rules).unwrap();
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let document = document("docs/MONITORING.md");
    let explains = |alert: &str| {
        document.prose().any(|(_, line)| {
            line.starts_with(['#', '|'])
                && line.split(|c: char| !c.is_alphanumeric()).any(|word| word == alert)
        })
    };
    let faults: Vec<String> = alerts
        .filter(|alert| !explains(alert))
        .map(|alert| {
            format!("{}: no heading or row says what to do when `{alert}` fires", document.name)
        })
        .collect();
    none_of(&faults);
}
