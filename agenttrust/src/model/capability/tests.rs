//! What a set of capabilities covers.

use proptest::prelude::*;

use super::*;

fn set(names: &[&str]) -> CapabilitySet {
    CapabilitySet::parse(names).unwrap()
}

#[test]
fn a_pair_covers_exactly_its_colon_and_its_underscore_form() {
    let caps = set(&["web:search"]);
    assert!(caps.covers("web:search"));
    assert!(caps.covers("web_search"));
    for other in ["web-search", "web/search", "web:searches", "web_search_2", "WEB_SEARCH", "web"] {
        assert!(!caps.covers(other), "{other}");
    }
}

#[test]
fn a_colon_star_covers_what_starts_with_colon_or_underscore() {
    let caps = set(&["files:*"]);
    assert!(caps.covers("files:read"));
    assert!(caps.covers("files_read"));
    assert!(!caps.covers("files"));
    assert!(!caps.covers("files/read"));
    assert!(!caps.covers("filesystem_read"));
}

#[test]
fn a_slash_star_covers_what_starts_with_the_slash() {
    let caps = set(&["github/*", "http/GET/*"]);
    assert!(caps.covers("github/create_issue"));
    assert!(caps.covers("http/GET/files/{name}"));
    assert!(!caps.covers("github_create_issue"));
    assert!(!caps.covers("http/DELETE/files/{name}"));
}

#[test]
fn a_star_alone_covers_all_and_no_capabilities_cover_nothing() {
    assert!(set(&["*"]).covers("anything/at all"));
    let none = CapabilitySet::default();
    assert!(none.is_empty());
    assert!(!none.covers("anything"));
}

#[test]
fn names_without_the_guides_notation_are_compared_byte_for_byte() {
    let caps = set(&["foo_bar", "a:b:c", "x:y:*"]);
    assert!(caps.covers("foo_bar"));
    assert!(!caps.covers("foo-bar"));
    assert!(!caps.covers("foo:bar"));
    assert!(caps.covers("a:b:c"));
    assert!(!caps.covers("a_b:c"));
    assert!(caps.covers("x:y:z"));
    assert!(!caps.covers("x:y_z"));
}

#[test]
fn a_star_anywhere_else_is_refused_as_malformed() {
    for name in ["a*", "a*b", "*a", "a:*:b", "a_*", "a.*", "**", "a:**", ":*", "/*", "*:b", "*/*"] {
        let error = CapabilitySet::parse(&[name]).unwrap_err();
        assert_eq!(error.name(), name);
        assert!(!error.is_conflict());
        assert!(error.to_string().contains("`*`"), "{error}");
    }
}

#[test]
fn a_malformed_name_is_refused_with_the_spelling_that_may_have_been_meant() {
    for (name, spelling) in [
        ("files*", "\"files:*\""),
        ("files_*", "\"files:*\""),
        ("files.*", "\"files:*\""),
        ("files:", "\"files:*\""),
        ("files:**", "\"files:*\""),
        ("github/*/issues", "\"github/*\""),
        ("http/GET*", "\"http/GET/*\""),
        ("http/GET/notes*", "\"http/GET/notes/*\""),
        ("http/*/notes", "`http/GET/*`"),
        ("", "`files:read`"),
    ] {
        let said = CapabilitySet::parse(&[name]).unwrap_err().to_string();
        assert!(said.contains(spelling), "{said}");
        let written = spelling.trim_matches(['"', '`']);
        assert!(CapabilitySet::parse(&[written]).is_ok(), "{written}");
    }
    for name in ["**", ":b", "*x", "/*", "_*"] {
        let said = CapabilitySet::parse(&[name]).unwrap_err().to_string();
        assert!(!said.contains("such as"), "{said}");
    }
}

#[test]
fn whatever_may_be_the_name_of_a_tool_is_a_capability() {
    // `http` may be a tool, `http:read` covers the tool `http_read`, and nothing keeps a space out of a name.
    for name in ["http", "http:read", "http:*", "http/GET", "send mail", "search", "a,b", " a "] {
        assert!(set(&[name]).covers(name.trim_end_matches('*')), "{name}");
    }
    for name in ["web:search", "files:*", "github/*", "*", "http/GET/*", "http/DELETE/notes/{id}"] {
        assert!(CapabilitySet::parse(&[name]).is_ok(), "{name}");
    }
}

#[test]
fn a_pair_beside_its_underscore_form_is_a_conflict_in_either_order() {
    for names in [["a:b", "a_b"], ["a_b", "a:b"]] {
        let error = CapabilitySet::parse(&names).unwrap_err();
        assert!(error.is_conflict());
        assert!(error.to_string().contains("\"a_b\""), "{error}");
    }
    assert!(CapabilitySet::parse(&["a:*", "a_b"]).is_ok());
}

#[test]
fn a_malformed_name_is_refused_and_named() {
    let long = "é".repeat(200);
    for name in ["", "a\nb", ":b", "a:", long.as_str()] {
        let error = CapabilitySet::parse(&["ok", name]).unwrap_err();
        assert_eq!(error.name(), name);
        assert!(!error.is_conflict());
    }
    let many: Vec<String> = (0..=MAX_CAPABILITIES).map(|n| format!("tool_{n}")).collect();
    assert_eq!(CapabilitySet::parse(&many).unwrap_err().name(), "tool_1000");
}

#[test]
fn names_keep_their_order_and_a_repeated_one_counts_once() {
    let caps = set(&["b", "a", "b"]);
    assert_eq!(caps.names().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(caps, set(&["a", "b"]));
    assert_ne!(caps, set(&["a"]));
}

#[test]
fn names_that_are_given_once_each_are_shared_and_others_copied() {
    let names: Arc<[String]> = ["b".to_owned(), "a:*".to_owned()].into();
    let caps = CapabilitySet::share(Arc::clone(&names)).unwrap();
    assert!(std::ptr::eq(caps.as_slice(), &*names));
    assert!(std::ptr::eq(caps.clone().as_slice(), &*names));
    let twice: Arc<[String]> = ["b".to_owned(), "b".to_owned()].into();
    assert_eq!(CapabilitySet::share(twice).unwrap().as_slice(), ["b"]);
    assert!(CapabilitySet::share([String::new()].into()).is_err());
}

#[test]
fn narrowing_names_the_first_capability_that_is_not_covered() {
    let agent = set(&["files:*", "web:search"]);
    assert!(agent.covers_all_of(&set(&["files:read", "files_list", "files:sub:*", "web:search"])));
    assert_eq!(agent.first_uncovered(&set(&["files:read", "db:read", "*"])), Some("db:read"));
    // A name is covered only when all that it covers is: `a:b/c` covers `a_b/c` too.
    assert_eq!(set(&["a:b/*"]).first_uncovered(&set(&["a:b/c"])), Some("a:b/c"));
    // `a_b` covers one of the two names of `a:b` only.
    assert_eq!(set(&["a_b"]).first_uncovered(&set(&["a:b"])), Some("a:b"));
    assert!(!agent.covers_all_of(&set(&["*"])));
    assert!(agent.covers_all_of(&CapabilitySet::default()));
}

#[test]
fn what_two_sets_have_in_common_is_the_narrower_of_each_two() {
    let agent = set(&["files:*", "web:search", "db:read"]);
    let both = |names: &[&str]| agent.in_common_with(&set(names)).as_slice().to_vec();
    assert_eq!(both(&["*"]), ["files:*", "web:search", "db:read"]);
    assert_eq!(both(&["files:read", "db:*", "mail:send"]), ["db:read", "files:read"]);
    assert_eq!(both(&["web_search"]), ["web_search"]);
    assert!(both(&[]).is_empty() && both(&["files"]).is_empty());
    // Both of them would be in it, and no set may hold both.
    assert_eq!(set(&["a:b"]).in_common_with(&set(&["a_b", "a:*"])).as_slice(), ["a:b"]);
}

fn name() -> impl Strategy<Value = String> {
    // Few letters, so that generated names collide and contain one another.
    let word = "[ab]{1,2}";
    prop_oneof![
        (word, "[:_/]", word).prop_map(|(a, mid, b)| format!("{a}{mid}{b}")),
        (word, "[:/]").prop_map(|(a, mid)| format!("{a}{mid}*")),
        (word, "[:_/]", word, "[:/]").prop_map(|(a, m, b, end)| format!("{a}{m}{b}{end}*")),
        (word, "[:_/]", word, "[:_/]", word).prop_map(|(a, m, b, n, c)| format!("{a}{m}{b}{n}{c}")),
        Just("*".to_owned()),
        word.prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_narrower_set_never_covers_more(
        wide in prop::collection::vec(name(), 0..4),
        narrow in prop::collection::vec(name(), 0..4),
        tools in prop::collection::vec("[ab]{1,2}[:_/]?[ab]{0,2}[:_/]?[ab]{0,2}", 1..40),
    ) {
        let (Ok(wide), Ok(narrow)) = (CapabilitySet::parse(&wide), CapabilitySet::parse(&narrow)) else {
            return Ok(());
        };
        prop_assert!(wide.covers_all_of(&wide));
        if wide.covers_all_of(&narrow) {
            let twins: Vec<_> = narrow.names().map(|name| name.replacen(':', "_", 1)).collect();
            for tool in tools.iter().chain(&twins).map(String::as_str).chain(narrow.names()) {
                prop_assert!(!narrow.covers(tool) || wide.covers(tool), "{tool}");
            }
        } else {
            prop_assert!(narrow.names().any(|name| Some(name) == wide.first_uncovered(&narrow)));
        }
    }

    #[test]
    fn what_two_sets_have_in_common_is_never_more_than_either_covers(
        one in prop::collection::vec(name(), 0..5),
        other in prop::collection::vec(name(), 0..5),
        tools in prop::collection::vec("[ab]{1,2}[:_/]?[ab]{0,2}[:_/]?[ab]{0,2}", 1..40),
    ) {
        let (Ok(one), Ok(other)) = (CapabilitySet::parse(&one), CapabilitySet::parse(&other)) else {
            return Ok(());
        };
        let both = one.in_common_with(&other);
        prop_assert!(one.covers_all_of(&both) && other.covers_all_of(&both));
        // It is kept, and read again.
        prop_assert_eq!(&CapabilitySet::parse(both.as_slice()).unwrap(), &both);
        for tool in tools.iter().map(String::as_str) {
            prop_assert!(!both.covers(tool) || (one.covers(tool) && other.covers(tool)), "{tool}");
        }
        if one.covers_all_of(&other) {
            prop_assert!(both.covers_all_of(&other), "nothing is lost");
        }
    }

    #[test]
    fn no_name_makes_parsing_panic(names in prop::collection::vec(".{0,300}", 0..4)) {
        let _ = CapabilitySet::parse(&names);
    }
}
