//! `@shadow` policies: they change nothing, and say what they would change.

use super::*;

#[test]
fn are_never_enforced_and_tell_what_would_change() {
    let policies = set(r#"
        permit (principal, action, resource);
        @id("trial") @shadow forbid (principal, action, resource);
    "#);
    allowed(policies.decide(&FACTS));
    allowed(policies.decide_approved(&FACTS));
    let shadow = policies.shadow(&FACTS).unwrap();
    assert_eq!(shadow.changed_by, ["trial"]);
    assert_eq!(denied(shadow.verdict).0, ["trial"]);
    assert!(!policies.ids().any(|id| id == "trial"));
    assert_eq!(PolicySet::default_set().shadow(&FACTS), None);
}

#[test]
fn count_as_changing_something_only_where_each_alone_would() {
    let changed = |text: &str| set(text).shadow(&FACTS).unwrap().changed_by;
    // Held by the first; the second holds it on the same terms, the third on others, the rest not at all.
    let held = changed(
        r#"@id("hold") @elevate permit (principal, action, resource);
           @id("same") @shadow @elevate permit (principal, action, resource);
           @id("two") @shadow @elevate @quorum("2") permit (principal, action, resource);
           @id("later") @shadow forbid (principal, action, resource) when { context.approved };
           @id("plain") @shadow permit (principal, action, resource);
           @id("other") @shadow forbid (principal, action == Action::"read", resource);"#,
    );
    assert_eq!(held, ["later", "two"]);
    // It is the reason of the change, though the answer names the forbid.
    let permitted = changed(
        r#"@id("ask") @elevate forbid (principal, action, resource);
           @id("permit") @shadow permit (principal, action, resource);"#,
    );
    assert_eq!(permitted, ["permit"]);
    // One that cannot be evaluated denies.
    let broken = changed(
        r#"permit (principal, action, resource);
           @id("broken") @shadow forbid (principal, action, resource)
           when { context.now + 9223372036854775807 > 0 };"#,
    );
    assert_eq!(broken, ["broken"]);
    let denied = changed(
        r#"@id("never") forbid (principal, action, resource);
           @id("too") @shadow forbid (principal, action, resource);"#,
    );
    assert_eq!(denied, [""; 0]);
}

#[test]
fn never_permit_what_no_enforced_policy_permits() {
    denied(set("@shadow permit (principal, action, resource);").decide(&FACTS));
}

#[test]
fn tell_the_strictest_of_an_agent_and_of_each_that_gave_it_a_delegation() {
    let scope = ["*".to_owned()];
    let givers = ["agt_7", "agt_8"].map(|id| AgentFacts::new(id, id, &[], &scope));
    let delegation = DelegationFacts::new("dlg_1", &scope, givers.to_vec());
    let facts = AuthorizationRequest { delegation: Some(&delegation), ..FACTS };
    let found = |text: &str| {
        let policies = set(&format!("permit (principal, action, resource); {text}"));
        let Shadow { verdict, changed_by } = policies.shadow(&facts).unwrap();
        (policies.decide(&facts).as_str(), verdict.as_str(), changed_by.join(" "))
    };
    const OTHER: &str =
        r#"@id("other") @shadow forbid (principal == Agent::"agt_9", action, resource);"#;
    assert_eq!(found(OTHER), ("allow", "allow", String::new()));
    let denied = format!(r#"{OTHER} forbid (principal == Agent::"agt_7", action, resource);"#);
    assert_eq!(found(&denied), ("deny", "deny", String::new()));
    let held = r#"@id("hold") @elevate @shadow permit (principal == Agent::"agt_8", action, resource);
                  @id("never") @shadow forbid (principal == Agent::"agt_7", action, resource);"#;
    assert_eq!(found(held), ("allow", "deny", "hold never".to_owned()));
}

#[test]
fn change_what_the_same_set_would_say_with_one_of_them_enforced() {
    const OVERFLOWS: &str = "when { context.now + 9223372036854775807 > 0 }";
    let kinds = [
        "permit (principal, action, resource);".to_owned(),
        "@elevate permit (principal, action, resource);".to_owned(),
        r#"@elevate @quorum("3") permit (principal, action, resource);"#.to_owned(),
        "permit (principal, action, resource) when { context.approved };".to_owned(),
        format!("permit (principal, action, resource) {OVERFLOWS};"),
        format!(r#"@limit("1/1h") permit (principal, action, resource) {OVERFLOWS};"#),
        "forbid (principal, action, resource);".to_owned(),
        "forbid (principal, action, resource) when { context.approved };".to_owned(),
        r#"@elevate @window("1h") forbid (principal, action, resource);"#.to_owned(),
        format!("@elevate forbid (principal, action, resource) {OVERFLOWS};"),
    ];
    let text = |picked: &[usize], is_shadow: &dyn Fn(usize) -> bool| -> String {
        let one = |(place, kind): (usize, &usize)| {
            let shadow = if is_shadow(place) { "@shadow" } else { "" };
            format!("@id(\"{place}\") {shadow} {}\n", kinds[*kind])
        };
        picked.iter().enumerate().map(one).collect()
    };
    let terms = |verdict: Verdict| match verdict {
        Verdict::Hold { terms, .. } => ("hold", Some(terms)),
        other => (other.as_str(), None),
    };
    let mut changing = 0;
    for first in 0..kinds.len() {
        for second in (first % 2..kinds.len()).step_by(2) {
            // One is enforced, and three are not.
            let picked = [first, second, (first + second) % 7, (first * 3 + second) % 10];
            let policies = set(&text(&picked, &|place| place > 0));
            let shadow = policies.shadow(&FACTS).unwrap();
            let now = terms(policies.decide(&FACTS));
            let mut expected = Vec::new();
            for alone in 1..picked.len() {
                let then = set(&text(&picked, &|place| place > 0 && place != alone));
                if terms(then.decide(&FACTS)) != now {
                    expected.push(alone.to_string());
                }
            }
            assert_eq!(shadow.changed_by, expected, "{}", text(&picked, &|place| place > 0));
            let all = set(&text(&picked, &|_| false)).decide(&FACTS);
            assert_eq!(shadow.verdict, all);
            changing += expected.len();
        }
    }
    assert!(changing > 20, "{changing}");
}
