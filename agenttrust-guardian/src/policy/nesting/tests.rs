use super::*;

/// Returns the depth that is found for this text.
fn depth(text: &str) -> usize {
    let mut policy = Policy::default();
    Tokens::of(text).for_each(|(at, token)| policy.take(at, token));
    policy.depth()
}

fn is_refused(text: &str) -> bool {
    pieces("a.cedar", text).is_err()
}

#[test]
fn what_lies_inside_of_one_another_counts_and_what_lies_beside_does_not() {
    for (text, expected) in [
        ("a", 0),
        ("((()))", 3),
        ("[(1), ((2)), 3]", 3),
        ("a.b.c", 2),
        ("a + b * -c", 3),
        ("!!a", 2),
        ("a == b || c == d || e == f", 3),
        ("a && (b || c && d) && e", 5),
        ("if a == b then c else d + e", 2),
        ("if a then b else if c then d else e", 2),
        ("x.contains(y).contains(z)", 4),
        ("x has a.b && y like \"c\"", 3),
        ("{ a: 1 + 2, b: { c: 3 } }", 2),
        ("A::B::C::\"d\"", 0),
        ("f(a.b, c.d, e.f)", 2),
    ] {
        assert_eq!(depth(text), expected, "{text}");
    }
}

#[test]
fn end_of_a_policy_closes_everything() {
    assert!(!is_refused(&"( if ; ".repeat(1_000)));
    assert!(!is_refused(&"a || b; ".repeat(1_000)));
    assert!(!is_refused(&"([{}]),".repeat(300)));
    assert!(is_refused(&"(".repeat(MAX_DEPTH + 1)));
    assert!(!is_refused(&format!("{0}{1}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH))));
    assert!(is_refused(&"a||".repeat(MAX_DEPTH + 1)));
    assert!(!is_refused(&"a||".repeat(MAX_DEPTH)));
}

#[test]
fn what_stands_in_text_and_comments_does_not_count_and_hides_nothing() {
    let many = "([{ if ".repeat(300);
    assert_eq!(depth(&format!("\"{many} \\\" {many}\"")), 0);
    assert_eq!(depth(&format!("// \" {many}\n(")), 1);
    assert_eq!(depth(&"elif iffy if_ ".repeat(300)), 0);
    for hidden in ["\"\\\\\" ", "// \"\n ", "// \r", "1 / 2 ", "0", "\"é\"", "é"] {
        assert!(is_refused(&format!("{hidden}{many}")), "{hidden:?}");
    }
}

#[test]
fn policy_with_very_many_brackets_is_refused_because_it_may_not_be_well_formed() {
    let text = "permit (principal, action, resource) when { ".to_owned()
        + &format!("[{}", "(1), ".repeat(MAX_OPENED));
    let error = pieces("a.cedar", &format!("\n\n{text}")).unwrap_err().to_string();
    assert!(error.starts_with("a.cedar:3:"), "{error}");
    assert!(
        error.contains("the policy that begins in line 3 opens more than 1024 brackets"),
        "{error}"
    );
}
