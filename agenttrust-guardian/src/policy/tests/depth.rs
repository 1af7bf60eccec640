//! Policies that nest deep end no process: what is taken is asked and dropped on a small stack, what is not is refused
//! with its place.

use proptest::prelude::*;

use super::super::nesting;
use super::*;

/// The stack of a thread that asks: less than any has by default.
const SMALL_STACK: usize = 512 << 10;

/// Every way in which a condition nests, so many levels deep.
const SHAPES: [fn(usize) -> String; 22] = [
    |n| format!("{}1 == 2", "1 + ".repeat(n)),
    |n| format!("{}1 == 2", "1 * ".repeat(n)),
    |n| format!("{}1{} == 2", "-(".repeat(n / 2), ")".repeat(n / 2)),
    |n| format!("{}context.approved{}", "!(".repeat(n / 2), ")".repeat(n / 2)),
    |n| format!("{}context.approved{}", "!!!!(".repeat(n / 5), ")".repeat(n / 5)),
    |n| format!("{}context.approved{}", "(".repeat(n), ")".repeat(n)),
    |n| format!("{}1{} == []", "[".repeat(n), "]".repeat(n)),
    |n| format!("{}1{}{} == 2", "{a: ".repeat(n / 2), "}".repeat(n / 2), ".a".repeat(n / 2)),
    |n| format!("{}1{}{} == 2", "{a: ".repeat(n / 2), "}".repeat(n / 2), "[\"a\"]".repeat(n / 2)),
    |n| format!("{}context.approved", "if context.approved then true else ".repeat(n)),
    |n| format!("{}context.approved{}", "if ".repeat(n), " then true else false".repeat(n)),
    |n| format!("{}context.approved", "context.now == 1 || ".repeat(n)),
    |n| format!("{}context.approved", "context.now != 1 && ".repeat(n)),
    |n| format!("{}context.approved", "context.scopes.contains(\"a\") || ".repeat(n)),
    |n| format!("{}context.approved", "context.scopes.contains(\"a\") && ".repeat(n)),
    |n| format!("[1]{}", ".contains(1)".repeat(n / 2)),
    |n| format!("{}context.approved{}", "[".repeat(n / 3), "].contains(true)".repeat(n / 3)),
    |n| format!("context has a{}", ".a".repeat(n)),
    |n| format!("{}context.approved", "context has session && ".repeat(n)),
    |n| format!("context{} == 1", ".a".repeat(n)),
    |n| format!("{}context.approved", "context.access.context.hasTag(\"a\") && ".repeat(n)),
    |n| format!("true }} {} when {{ true", "when { context.approved } ".repeat(n)),
];

fn forbid(condition: &str) -> String {
    format!("@id(\"deep\") forbid (principal, action, resource) when {{ {condition} }};")
}

/// Asks about a policy, clones, prints and drops it, on a small stack. Where Cedar has no room to evaluate it, it
/// denies.
fn use_on_a_small_stack(policies: PolicySet) {
    let used = move || {
        denied(policies.decide(&FACTS));
        drop((format!("{policies:?}"), policies.clone(), policies));
    };
    std::thread::Builder::new().stack_size(SMALL_STACK).spawn(used).unwrap().join().unwrap();
}

fn is_taken(text: &str) -> bool {
    nesting::pieces("test.cedar", text).is_ok()
}

#[test]
fn policy_that_nests_too_deep_is_refused_however_its_depth_is_spelt() {
    for (number, shape) in SHAPES.iter().enumerate() {
        let error = error(&forbid(&shape(20_000)));
        assert!(error.starts_with("test.cedar:1:"), "{number}: {error}");
        assert!(error.contains("nests too deep here: 256"), "{number}: {error}");
    }
}

#[test]
fn deepest_policy_that_is_taken_is_asked_and_dropped_on_a_small_stack() {
    for (number, shape) in SHAPES.iter().enumerate() {
        let deepest =
            (1..=300).rev().map(|n| forbid(&shape(n))).find(|text| is_taken(text)).unwrap();
        // Not all of them are right by the schema: those are refused for that, where they were made.
        match PolicySet::parse("test.cedar", &deepest) {
            Ok(policies) => use_on_a_small_stack(policies),
            Err(error) => println!("{number}: {error}"),
        }
    }
}

#[test]
fn depth_is_hidden_neither_by_the_end_of_a_line_nor_by_brackets_that_do_not_match() {
    for hidden in ["// \r", "( (]) ", "{ + } : ", "[ (] , "] {
        let opened = if hidden.starts_with('/') {
            format!("{hidden}{}", "(".repeat(200_000))
        } else {
            hidden.repeat(100_000)
        };
        let error = error(&format!("permit (principal, action, resource) when {{ {opened}"));
        assert!(error.starts_with("test.cedar:"), "{error}");
    }
}

/// Returns a condition inside of another.
fn wrap(inner: &str, way: u8) -> String {
    match way {
        0 => format!("({inner})"),
        1 => format!("!({inner})"),
        2 => format!("({inner}) && context.approved"),
        3 => format!("{inner} || context.now == 1"),
        4 => format!("if context.approved then {inner} else false"),
        5 => format!("if {inner} then context.approved else true"),
        6 => format!("[{inner}].contains(true)"),
        7 => format!("{{ a: {inner} }}.a"),
        8 => format!("(if {inner} then 1 else 2) * 2 + 1 - context.confidence > -context.now"),
        9 => format!("true }} unless {{ {inner}"),
        _ => format!("({inner}) == (context has session_id && context.session_id like \"a*\")"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// As deep as may be, in whichever way: Cedar takes it, or refuses it with a sentence.
    #[test]
    fn whatever_is_taken_is_parsed_asked_and_dropped(
        ways in proptest::collection::vec((0..=10_u8, 1..80_usize), 1..12),
    ) {
        let mut condition = "context.approved".to_owned();
        'wrapped: for (way, times) in ways.iter().cycle().take(400) {
            for _ in 0..*times {
                let deeper = wrap(&condition, *way);
                if !is_taken(&forbid(&deeper)) {
                    break 'wrapped;
                }
                condition = deeper;
            }
        }
        if let Ok(policies) = PolicySet::parse("test.cedar", &forbid(&condition)) {
            use_on_a_small_stack(policies);
        }
    }
}
