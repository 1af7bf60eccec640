//! The rules of PROTOCOL "What our Guardian decides" that are the policies' to keep.

use std::time::Duration;

use agenttrust::Effect;
use agenttrust::model::{SessionMode, SessionSource};

use super::*;

const FACTS: AuthorizationRequest<'_> = AuthorizationRequest {
    org: "org_1",
    agent_id: "agt_1",
    agent_name: "librarian",
    groups: &[],
    capabilities: &[],
    tool: "delete_file",
    effect: Effect::Destructive,
    confidence: 0.6,
    session_id: None,
    session_source: None,
    session_mode: SessionMode::Open,
    ceiling: &[],
    delegation: None,
    scopes: &[],
    input_chars: Some(1),
    now_unix_seconds: 1_800_000_000,
    access: None,
};

fn set(text: &str) -> PolicySet {
    PolicySet::parse("test.cedar", text).unwrap()
}

fn error(text: &str) -> String {
    PolicySet::parse("test.cedar", text).unwrap_err().to_string()
}

fn denied(verdict: Verdict) -> (Vec<String>, String) {
    match verdict {
        Verdict::Deny { policies, reason } => (policies, reason),
        other => panic!("not denied: {other:?}"),
    }
}

fn held(verdict: Verdict) -> (ApprovalRequirements, Vec<String>, String) {
    match verdict {
        Verdict::Hold { terms, policies, reason, .. } => (terms, policies, reason),
        other => panic!("not held: {other:?}"),
    }
}

fn allowed(verdict: Verdict) -> (Vec<String>, String) {
    match verdict {
        Verdict::Allow { policies, reason, .. } => (policies, reason),
        other => panic!("not allowed: {other:?}"),
    }
}

mod the_default_set {
    use super::*;

    #[test]
    fn read_and_mutating_are_allowed_destructive_and_admin_are_held() {
        let policies = PolicySet::default_set();
        for session_mode in [SessionMode::Open, SessionMode::Restricted, SessionMode::Supervised] {
            for effect in Effect::ALL {
                let facts = AuthorizationRequest { effect, session_mode, ..FACTS };
                let verdict = policies.decide(&facts);
                if effect < Effect::Destructive {
                    let (ids, reason) = allowed(verdict);
                    assert_eq!(ids, ["default-allow"]);
                    assert_eq!(
                        reason,
                        "allowed by policy `default-allow`: read and mutating tools are allowed"
                    );
                } else {
                    let (terms, ids, reason) = held(verdict);
                    assert_eq!(terms, ApprovalRequirements::default());
                    assert!(ids.contains(&"default-hold".to_owned()));
                    assert!(reason.starts_with("held by policy `default-hold`") || ids.len() == 2);
                }
                allowed(policies.decide_approved(&facts));
            }
        }
    }

    #[test]
    fn it_is_the_published_files() {
        let ids: Vec<_> = PolicySet::default_set().ids().map(String::from).collect();
        assert_eq!(ids, ["default-allow", "default-hold", "supervised-hold"]);
    }
}

mod held_or_denied {
    use super::*;

    const PERMIT: &str = r#"@id("all") permit (principal, action, resource);"#;

    #[test]
    fn deny_beats_elevate_and_elevate_beats_allow() {
        let elevate = r#"@id("ask") @elevate permit (principal, action, resource);"#;
        let forbid =
            r#"@id("never") @reason("not on fridays") forbid (principal, action, resource);"#;
        held(set(&format!("{PERMIT} {elevate}")).decide(&FACTS));
        let all = set(&format!("{PERMIT} {elevate} {forbid}"));
        for verdict in [all.decide(&FACTS), all.decide_approved(&FACTS)] {
            let (ids, reason) = denied(verdict);
            assert_eq!(ids, ["never"]);
            assert_eq!(reason, "denied by policy `never`: not on fridays");
        }
    }

    #[test]
    fn an_elevate_permit_alone_permits_only_after_approval() {
        let policies = set("@elevate permit (principal, action, resource);");
        let (_, ids, _) = held(policies.decide(&FACTS));
        assert_eq!(ids, ["test.cedar#1"]);
        allowed(policies.decide_approved(&FACTS));
    }

    #[test]
    fn an_elevate_forbid_is_switched_off_by_approval_with_or_without_saying_so() {
        for unless in ["", "unless { context.approved }"] {
            let policies = set(&format!(
                r#"{PERMIT} @id("ask") @elevate forbid (principal, action, resource) {unless};"#
            ));
            let (_, ids, _) = held(policies.decide(&FACTS));
            assert_eq!(ids, ["ask"]);
            allowed(policies.decide_approved(&FACTS));
        }
    }

    #[test]
    fn nobody_is_asked_to_approve_the_impossible() {
        // Nothing permits it, approved or not.
        let (ids, reason) =
            denied(set("@elevate forbid (principal, action, resource);").decide(&FACTS));
        assert!(ids.is_empty());
        assert!(reason.contains("no policy permits this destructive call"), "{reason}");
        assert!(reason.contains("an approval would not change that"), "{reason}");
        // One of two determining forbids is no @elevate.
        let mixed = format!(
            "{PERMIT} @elevate forbid (principal, action, resource); \
             @id(\"hard\") forbid (principal, action, resource);"
        );
        assert_eq!(denied(set(&mixed).decide(&FACTS)).0, ["hard"]);
        // A forbid that comes into force with the approval itself.
        let trap = format!(
            "{PERMIT} @elevate forbid (principal, action, resource); \
             @id(\"trap\") forbid (principal, action, resource) when {{ context.approved }};"
        );
        assert_eq!(denied(set(&trap).decide(&FACTS)).0, ["trap"]);
    }

    #[test]
    fn a_permit_that_needs_approval_without_elevate_is_a_denial() {
        let policies = set("permit (principal, action, resource) when { context.approved };");
        denied(policies.decide(&FACTS));
        allowed(policies.decide_approved(&FACTS));
    }

    #[test]
    fn no_match_denies_and_says_so() {
        let policies = set(r#"permit (principal, action == Action::"read", resource);"#);
        let (ids, reason) = denied(policies.decide(&FACTS));
        assert!(ids.is_empty());
        let tells = "no policy permits this destructive call; to permit it, add `";
        let told =
            reason.strip_prefix(tells).and_then(|rest| rest.strip_suffix("` to the policies"));
        let told = told.unwrap_or_else(|| panic!("{reason}"));
        // What it says to add is a policy, and does what is said of it.
        held(set(told).decide(&FACTS));
        let read = AuthorizationRequest { effect: Effect::Read, tool: "a\"b\\\u{202e}", ..FACTS };
        let (_, reason) =
            denied(set("forbid (principal, action == Action::\"admin\", resource);").decide(&read));
        allowed(set(reason.split('`').nth(1).unwrap()).decide(&read));
        // A name of any length makes no reason of any length.
        let long = "\u{202e}".repeat(66);
        let (_, reason) = denied(policies.decide(&AuthorizationRequest { tool: &long, ..FACTS }));
        assert_eq!(reason, "no policy permits this destructive call");
    }

    #[test]
    fn several_annotations_merge_to_the_strictest() {
        let policies = set(&format!(
            r#"{PERMIT}
            @id("a") @elevate @quorum("3") @window("1h") forbid (principal, action, resource);
            @id("b") @elevate @window("2m") @reason("b says so") forbid (principal, action, resource);
            @id("c") @elevate @window("10m") permit (principal, action, resource);"#
        ));
        let (terms, ids, reason) = held(policies.decide(&FACTS));
        let window = Some(Duration::from_secs(120));
        assert_eq!(
            terms,
            ApprovalRequirements { quorum: 3, window, single_use: false, pending: None }
        );
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(reason, "held by policy `a`; policy `b`: b says so; policy `c`");

        let bare = set(&format!(
            r#"{PERMIT} @elevate @window("1h") forbid (principal, action, resource);
            @elevate forbid (principal, action, resource);"#
        ));
        // A bare @elevate means one use within the default window; a longer grant does not loosen it.
        let terms = held(bare.decide(&FACTS)).0;
        assert_eq!(
            terms,
            ApprovalRequirements {
                window: Some(DEFAULT_WINDOW),
                ..ApprovalRequirements::default()
            }
        );

        let single =
            set(r#"@elevate @window("1h") @single_use permit (principal, action, resource);
            @elevate @window("2h") @quorum("2") permit (principal, action, resource);"#);
        let window = Some(Duration::from_secs(3600));
        assert_eq!(
            held(single.decide(&FACTS)).0,
            ApprovalRequirements { quorum: 2, window, single_use: true, pending: None }
        );

        let waits = set(&format!(
            r#"{PERMIT} @elevate @pending("2h") forbid (principal, action, resource);
            @elevate @pending("1h") forbid (principal, action, resource);
            @elevate forbid (principal, action, resource);"#
        ));
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(held(waits.decide(&FACTS)).0.pending, hour);
    }

    #[test]
    fn a_long_list_of_policies_is_shortened_in_the_reason_and_whole_in_the_verdict() {
        let (ids, reason) =
            allowed(set(&PERMIT.replace("@id(\"all\")", "").repeat(5)).decide(&FACTS));
        assert_eq!(ids.len(), 5);
        assert!(reason.ends_with("; and 2 more"), "{reason}");
    }

    #[test]
    fn a_supervised_session_holds_destructive_and_admin_whatever_the_folder_says() {
        let policies = set(PERMIT);
        for effect in Effect::ALL {
            let facts =
                AuthorizationRequest { effect, session_mode: SessionMode::Supervised, ..FACTS };
            if effect < Effect::Destructive {
                allowed(policies.decide(&facts));
            } else {
                assert_eq!(held(policies.decide(&facts)).1, ["supervised-hold"]);
                allowed(policies.decide_approved(&facts));
            }
        }
        allowed(policies.decide(&FACTS));
    }

    #[test]
    fn a_session_mode_of_a_newer_version_permits_nothing() {
        let facts = AuthorizationRequest {
            session_mode: SessionMode::Unknown,
            effect: Effect::Read,
            ..FACTS
        };
        denied(set(PERMIT).decide(&facts));
        denied(set(PERMIT).decide_approved(&facts));
    }
}

mod limits {
    use super::*;

    fn limits(verdict: Verdict) -> Vec<Limit> {
        match verdict {
            Verdict::Allow { limits, .. } | Verdict::Hold { limits, .. } => limits,
            Verdict::Deny { .. } => panic!("denied: {verdict:?}"),
        }
    }

    fn limit(policy: &str, most: u32, seconds: u64, per: Per) -> Limit {
        let window = Duration::from_secs(seconds);
        Limit { policy: policy.to_owned(), max_calls: most, window, per, giver: None }
    }

    #[test]
    fn of_every_permit_that_matches_are_told() {
        let policies = set(r#"
            @id("b") @limit("2/1h per session") permit (principal, action, resource);
            @id("a") @limit("60/1m") permit (principal, action, resource);
            @id("c") permit (principal, action, resource);
            @id("d") @limit("1/1s") permit (principal, action == Action::"read", resource);"#);
        let expected = [limit("a", 60, 60, Per::Agent), limit("b", 2, 3_600, Per::Session)];
        assert_eq!(limits(policies.decide(&FACTS)), expected);
        assert_eq!(limits(policies.decide_approved(&FACTS)), expected);
        assert_eq!(limits(PolicySet::default_set().decide(&FACTS)), []);
    }

    #[test]
    fn of_a_held_call_are_those_that_hold_once_it_is_approved() {
        let policies = set(r#"
            @id("ask") @elevate @limit("3/1d") permit (principal, action, resource);
            @id("then") @limit("9/1d") permit (principal, action, resource) when { context.approved };"#);
        let verdict = policies.decide(&FACTS);
        assert!(matches!(verdict, Verdict::Hold { .. }));
        let expected = [limit("ask", 3, 86_400, Per::Agent), limit("then", 9, 86_400, Per::Agent)];
        assert_eq!(limits(verdict), expected);
    }
}

mod a_policy_that_cannot_be_evaluated {
    use super::*;

    const OVERFLOW: &str =
        "when { context has input_chars && context.input_chars + 9223372036854775807 > 0 };";

    #[test]
    fn denies_when_it_forbids_elevated_or_not_approved_or_not() {
        for annotation in ["", "@elevate"] {
            let policies = set(&format!(
                "permit (principal, action, resource); \
                 @id(\"broken\") {annotation} forbid (principal, action, resource) {OVERFLOW}"
            ));
            for verdict in [policies.decide(&FACTS), policies.decide_approved(&FACTS)] {
                let (ids, reason) = denied(verdict);
                assert_eq!(ids, ["broken"]);
                assert!(
                    reason.contains("policy `broken` forbids and could not be evaluated"),
                    "{reason}"
                );
            }
            allowed(policies.decide(&AuthorizationRequest { input_chars: None, ..FACTS }));
        }
    }

    #[test]
    fn denies_when_it_asks_for_approval_because_leaving_it_out_would_lift_the_hold() {
        let policies = set(&format!(
            "@id(\"all\") permit (principal, action, resource); \
             @id(\"ask\") @elevate permit (principal, action, resource) {OVERFLOW}"
        ));
        for verdict in [policies.decide(&FACTS), policies.decide_approved(&FACTS)] {
            let (ids, reason) = denied(verdict);
            assert_eq!(ids, ["ask"]);
            assert!(
                reason.contains("policy `ask` asks for approval and could not be evaluated"),
                "{reason}"
            );
        }
        allowed(policies.decide(&AuthorizationRequest { input_chars: None, ..FACTS }));
    }

    #[test]
    fn denies_when_it_limits_because_leaving_it_out_would_lift_the_limit() {
        let policies = set(&format!(
            "@id(\"all\") permit (principal, action, resource); \
             @id(\"few\") @limit(\"1/1d\") permit (principal, action, resource) {OVERFLOW}"
        ));
        for verdict in [policies.decide(&FACTS), policies.decide_approved(&FACTS)] {
            let (ids, reason) = denied(verdict);
            assert_eq!(ids, ["few"]);
            assert!(
                reason.contains("policy `few` limits how often it permits and could not be"),
                "{reason}"
            );
        }
        allowed(policies.decide(&AuthorizationRequest { input_chars: None, ..FACTS }));
    }

    #[test]
    fn a_count_of_characters_that_no_input_has_does_not_break_arithmetic() {
        let policies = set("@id(\"all\") permit (principal, action, resource); \
             @id(\"big\") forbid (principal, action, resource) \
             when { context has input_chars && context.input_chars * 4 + 1 > 4000000000 };");
        let (ids, reason) =
            denied(policies.decide(&AuthorizationRequest { input_chars: Some(u64::MAX), ..FACTS }));
        assert_eq!(ids, ["big"]);
        assert!(!reason.contains("could not be evaluated"), "{reason}");
    }

    #[test]
    fn permits_nothing_when_it_permits_and_the_denial_says_which() {
        let broken = format!("@id(\"broken\") permit (principal, action, resource) {OVERFLOW}");
        let (_, reason) = denied(set(&broken).decide(&FACTS));
        assert!(reason.contains("policy `broken` could not be evaluated"), "{reason}");
        let (ids, _) = allowed(
            set(&format!("{broken} @id(\"ok\") permit (principal, action, resource);"))
                .decide(&FACTS),
        );
        assert_eq!(ids, ["ok"]);
    }
}

mod what_a_policy_can_see {
    use super::*;

    #[test]
    fn agent_tool_session_and_call() {
        let words = ["files:read".to_owned()];
        let groups = ["night shift".to_owned(), "ops".to_owned()];
        let facts = AuthorizationRequest {
            tool: "github/delete_repo",
            capabilities: &words,
            scopes: &words,
            ceiling: &words,
            session_id: Some("ats_1"),
            session_source: Some(SessionSource::Api),
            groups: &groups,
            ..FACTS
        };
        for condition in [
            r#"principal == Agent::"agt_1""#,
            r#"principal in Org::"org_1""#,
            r#"principal in Group::"ops" && principal in Group::"night shift""#,
            r#"!(principal in Group::"Ops") && !(principal in Group::"org_1")"#,
            r#"principal.name == "librarian""#,
            r#"principal.capabilities.contains("files:read")"#,
            r#"resource == Tool::"github/delete_repo""#,
            r#"resource.name like "github/*""#,
            r#"resource.effect == "destructive""#,
            r#"resource has server && resource.server == "github""#,
            r#"context.session_mode == "open""#,
            r#"context has session_id && context.session_id == "ats_1""#,
            r#"context has session && context.session == Session::"ats_1""#,
            r#"context has session && context.session.issued && context.session.source == "api""#,
            r#"context has session && context.session.mode == context.session_mode"#,
            r#"context has session && context.session.ceiling == context.ceiling"#,
            r#"!(context has delegation)"#,
            r#"context.scopes.contains("files:read") && context.ceiling.contains("files:read")"#,
            r#"context has input_chars && context.input_chars < 2"#,
            r#"context.confidence == 60"#,
            r#"!context.approved && context.now == 1800000000"#,
        ] {
            let policies =
                set(&format!("permit (principal, action, resource) when {{ {condition} }};"));
            allowed(policies.decide(&facts));
            let negated =
                set(&format!("permit (principal, action, resource) unless {{ {condition} }};"));
            denied(negated.decide(&facts));
        }
    }

    #[test]
    fn a_session_that_the_caller_named_itself_is_not_issued() {
        let policies = set(r#"permit (principal, action, resource)
               when { context has session && !context.session.issued && context.session.source == "caller" };"#);
        allowed(policies.decide(&AuthorizationRequest { session_id: Some("mine"), ..FACTS }));
        denied(policies.decide(&FACTS));
        let issued = AuthorizationRequest {
            session_id: Some("ats_1"),
            session_source: Some(SessionSource::Mcp),
            ..FACTS
        };
        denied(policies.decide(&issued));
    }

    #[test]
    fn a_policy_may_speak_of_delegations_before_there_are_any() {
        let policies = set(r#"permit (principal, action, resource);
               @id("deep") forbid (principal, action, resource)
               when { context has delegation && context.delegation.depth > 2
                      && context.delegation.from in Group::"contractors"
                      && context.delegation.scope.contains("files:*") };"#);
        allowed(policies.decide(&FACTS));
    }

    #[test]
    fn policies_are_told_the_whole_chain_of_a_delegation() {
        let scope = ["files:*".to_owned()];
        let groups = ["contractors".to_owned()];
        let giver = |id, groups: &[String]| AgentFacts::new(id, id, groups, &scope);
        let chain = [giver("agt_7", &[]), giver("agt_8", &groups)];
        let delegation = DelegationFacts::new("dlg_1", &scope, chain.to_vec());
        let facts = AuthorizationRequest { delegation: Some(&delegation), ..FACTS };
        for (said, denies) in [
            ("context has delegation", true),
            ("context.delegation.depth == 2", true),
            ("context.delegation.depth == 1", false),
            ("context.delegation.root == Agent::\"agt_7\"", true),
            ("context.delegation.from == Agent::\"agt_8\"", true),
            ("context.delegation.to == principal", true),
            ("context.delegation.from in Group::\"contractors\"", true),
            ("context.delegation.root in Group::\"contractors\"", false),
            ("context.delegation.root in Org::\"org_1\"", true),
            ("context.delegation.root.name == \"agt_7\"", true),
            ("context.delegation.root.capabilities.contains(\"files:*\")", true),
            ("context.delegation.givers.contains(Agent::\"agt_8\")", true),
            ("context.delegation.givers.contains(principal)", false),
            ("context.delegation.scope.contains(\"files:*\")", true),
        ] {
            let policies = set(&format!(
                "permit (principal, action, resource); \
                 forbid (principal, action, resource) when {{ context has delegation && {said} }};"
            ));
            allowed(policies.decide(&FACTS));
            let verdict = policies.decide(&facts);
            assert_eq!(verdict.as_str(), if denies { "deny" } else { "allow" }, "{said}");
        }
    }

    #[test]
    fn names_are_compared_byte_for_byte() {
        let policies = set(r#"permit (principal, action, resource == Tool::"foo-bar");"#);
        allowed(policies.decide(&AuthorizationRequest { tool: "foo-bar", ..FACTS }));
        for tool in ["foo_bar", "Foo-bar", "foo-bar ", "server/foo-bar"] {
            denied(policies.decide(&AuthorizationRequest { tool, ..FACTS }));
        }
    }
}

mod cost {
    use super::*;

    /// Returns a set with so many policies about one tool each, and one about all.
    fn about_tools(count: usize) -> PolicySet {
        let mut text =
            r#"@id("all") permit (principal, action == Action::"read", resource);"#.to_owned();
        for n in 0..count {
            text += &format!(
                "@id(\"tool-{n}\") forbid (principal, action, resource == Tool::\"tool_{n}\") \
                 when {{ context.session_mode == \"restricted\" && resource.name like \"*{n}*\" }};\n"
            );
        }
        set(&text)
    }

    #[test]
    fn follows_the_policies_that_can_matter_not_all_that_there_are() {
        let facts = AuthorizationRequest { tool: "tool_7", effect: Effect::Read, ..FACTS };
        for count in [10, 300] {
            let policies = about_tools(count);
            assert_eq!(policies.list().len(), count + 2);
            assert_eq!(policies.inner.enforced.candidates(&facts), 2);
            allowed(policies.decide(&facts));
        }
    }
}

mod depth;
mod loading;
mod shadow_policies;
