//! Sets that cannot be loaded say where, and those that can are named.

use super::*;

#[test]
fn a_syntax_error_names_file_line_and_column() {
    for (text, place) in [
        ("\n\n  permt (principal, action, resource);", "test.cedar:3:3: "),
        ("// é\npermit (principal, action, resorce);", "test.cedar:2:28: "),
        ("permit (principal, action, resource)", "test.cedar:1:37: "),
        ("permit (principal, action, resource) when { context.x == };", "test.cedar:1:58: "),
    ] {
        let error = error(text);
        assert!(error.starts_with(place), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn what_the_schema_does_not_know_is_refused_with_its_place() {
    for (text, place, what) in [
        (r#"permit (principal, action == Action::"raed", resource);"#, ":1:", "raed"),
        ("permit (principal, action, resource)\nwhen { context.nme == 1 };", ":2:", "nme"),
        (
            "permit (principal, action, resource) when { context.input.cents < 1 };",
            ":1:",
            "policies see no arguments of a call, only the length of its input",
        ),
        ("permit (principal is User, action, resource);", ":1:", "User"),
        ("permit (principal, action, resource) when { principal.name == 1 };", ":1:", "type"),
        (
            "permit (principal, action, resource) when { context.session_id == \"a\" };",
            ":1:",
            "session_id",
        ),
        (
            "permit (principal, action, resource);\n\npermit (principal, action, resource)\n  when { false };",
            ":3:",
            "impossible",
        ),
        ("permit (principal is Tool, action, resource);", ":1:", ""),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("test.cedar{place}")), "{error}");
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_bad_annotation_is_refused_at_its_policy() {
    let text =
        "permit (principal, action, resource);\n\n  @elevte\npermit (principal, action, resource);";
    assert_eq!(
        error(text),
        "test.cedar:3:3: unknown annotation `@elevte`; did you mean `@elevate`?"
    );
    let twice = error("@id(\"a\") @id(\"b\") permit (principal, action, resource);");
    assert!(twice.starts_with("test.cedar:1:"), "{twice}");
}

#[test]
fn a_duplicate_id_is_refused_and_names_both_places() {
    let text = "@id(\"a\") permit (principal, action, resource);\n  @id(\"a\") forbid (principal, action, resource);";
    assert_eq!(
        error(text),
        "test.cedar:2:3: the id `a` is already given at test.cedar:1:1; give each policy its own @id"
    );
    let built_in = error("@id(\"supervised-hold\") permit (principal, action, resource);");
    assert!(built_in.contains("supervised.cedar (built in):4:1"), "{built_in}");
    // A policy without @id is counted, and its number is an id like any other.
    let counted = "permit (principal, action, resource); @id(\"test.cedar#1\") permit (principal, action, resource);";
    assert!(error(counted).contains("already given at test.cedar:1:1"));
}

#[test]
fn a_template_is_refused_because_nothing_fills_its_slot() {
    let error = error(
        "permit (principal, action, resource);\npermit (principal == ?principal, action, resource);",
    );
    assert!(error.starts_with("test.cedar:2:1: "), "{error}");
}

#[test]
fn text_without_a_policy_is_refused() {
    for text in ["", "// nothing yet\n"] {
        assert!(error(text).contains("no policy here"));
    }
}

#[test]
fn a_folder_is_loaded_in_the_order_of_names_and_other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("b.cedar", "permit (principal, action, resource);");
    write(
        "a.cedar",
        "@elevate permit (principal, action, resource); forbid (principal, action, resource) when { context.approved };",
    );
    write("notes.txt", "no policy");
    let policies = PolicySet::load_dir(folder.path()).unwrap();
    let ids: Vec<_> = policies.ids().collect();
    assert_eq!(ids, ["a.cedar#1", "a.cedar#2", "b.cedar#1", "supervised-hold"]);
}

#[test]
fn one_broken_file_refuses_the_folder_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.cedar", b"permit (principal, action, resource);");
    write("b.cedar", b"\npermit (principal action, resource);");
    let error = PolicySet::load_dir(folder.path()).unwrap_err();
    assert!(error.file().ends_with("b.cedar"), "{error}");
    assert_eq!((error.line(), error.column()), (Some(2), Some(19)));

    write("b.cedar", b"permit (principal, action, resource);\n// \xff");
    let error = PolicySet::load_dir(folder.path()).unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(2), Some(4)), "{error}");

    let long = [b' '].repeat((1 << 20) + 1);
    write("b.cedar", &long);
    assert!(PolicySet::load_dir(folder.path()).unwrap_err().to_string().contains("split it"));
}

#[test]
fn an_id_given_in_two_files_names_both() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.cedar", "b.cedar"] {
        let text = "@id(\"same\") permit (principal, action, resource);";
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let error = PolicySet::load_dir(folder.path()).unwrap_err().to_string();
    assert!(error.contains("a.cedar:1:1") && error.contains("b.cedar:1:1"), "{error}");
}

#[test]
fn a_set_tells_what_is_in_it() {
    let policies = set(
        "@id(\"a\") @reason(\"why\") @limit(\"2/1h\")\npermit (principal, action, resource);\n\
         \n  @elevate @shadow forbid (principal, action, resource);",
    );
    let [built_in, a, second] = policies.list() else { panic!("{:?}", policies.list()) };
    assert_eq!(built_in.id, "supervised-hold");
    assert_eq!((a.id.as_str(), a.place.as_str()), ("a", "test.cedar:1:1"));
    assert!(a.permits && !a.shadow && a.terms.is_none());
    assert_eq!(a.reason.as_deref(), Some("why"));
    assert_eq!(a.limit.as_ref().unwrap().max_calls, 2);
    assert_eq!((second.id.as_str(), second.place.as_str()), ("test.cedar#2", "test.cedar:4:3"));
    assert!(
        !second.permits && second.shadow && second.terms == Some(ApprovalRequirements::default())
    );
}

#[test]
fn the_same_files_are_the_same_set_wherever_they_are() {
    let files = |names: [&str; 2]| {
        let text = |n| format!("@id(\"{n}\") permit (principal, action, resource);");
        names.map(|name| (name.to_owned(), text(name))).to_vec()
    };
    let one = PolicySet::of_files(files(["b.cedar", "a.cedar"])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files(["a.cedar", "b.cedar"]) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::write(folder.path().join(".#a.cedar"), "not saved yet").unwrap();
    let read = PolicySet::load_dir(folder.path()).unwrap();
    assert_eq!(one.sha256(), read.sha256());
    assert_eq!(one.sha256().len(), 64);
    let other = PolicySet::of_files(files(["b.cedar", "c.cedar"])).unwrap();
    assert_ne!(one.sha256(), other.sha256());
}

#[test]
fn a_folder_that_is_missing_or_empty_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        PolicySet::load_dir(folder.path()).unwrap_err().to_string().contains("no *.cedar file")
    );
    let missing = PolicySet::load_dir(&folder.path().join("nope")).unwrap_err();
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
}

#[test]
fn more_policies_than_a_set_has_are_refused_with_their_number_before_one_is_parsed() {
    let file = |name: &str, count: usize| (name.to_owned(), "no policy;\n".repeat(count));
    let error = PolicySet::of_files(vec![file("a.cedar", 9_999), file("b.cedar", 3)]).unwrap_err();
    assert_eq!((error.file(), error.line(), error.column()), ("b.cedar", Some(2), Some(1)));
    let error = error.to_string();
    assert!(error.contains("has 10002 policies, and 10000 is the most"), "{error}");
    assert!(error.contains("take some out"), "{error}");
    let error = PolicySet::of_files(vec![file("a.cedar", 10_000)]).unwrap_err();
    assert!(error.line() == Some(1) && !error.to_string().contains("is the most"), "{error}");
}

#[test]
fn folder_of_more_files_than_a_set_has_policies_is_refused_with_their_number() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..10_001 {
        std::fs::write(folder.path().join(format!("{number}.cedar")), "").unwrap();
    }
    let error = PolicySet::load_dir(folder.path()).unwrap_err().to_string();
    assert!(error.contains("has 10001 *.cedar files, and 10000 policies is the most"), "{error}");
}
