//! Sets of policies as an operator might write them, odd ones included.

use super::actors::{Actors, GROUPS, OFTEN, TOOLS};
use super::chance::Chance;

/// Quorum, window in seconds, and single use.
pub(super) type ApprovalRequirements = (u32, Option<u64>, bool);

/// A policy: its text, and what is meant by it.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) id: String,
    pub(super) permits: bool,
    /// The approval that it takes, if it is `@elevate`.
    pub(super) elevate: Option<ApprovalRequirements>,
    pub(super) limit: Option<u32>,
    pub(super) shadow: bool,
    /// The policy without its annotations.
    pub(super) bare: String,
    pub(super) text: String,
}

/// The conditions that a policy may have. The first two of these cannot be evaluated for some
/// calls.
const CONDITIONS: [&str; 27] = [
    "context has input_chars && context.input_chars + 9223372036854775807 > 0",
    "context.confidence * 9223372036854775807 == 0",
    r#"context.session_mode == "supervised""#,
    r#"context.session_mode == "open""#,
    "context.approved",
    "!context.approved",
    "context has session",
    "context has session && context.session.issued",
    r#"context has session && context.session.source == "api""#,
    r#"context has session && context.session.mode != "open""#,
    r#"context has session && context.session == Session::"mine""#,
    r#"context has session && context.session.ceiling.contains("web:search")"#,
    "context has input_chars && context.input_chars > 100",
    r#"principal in Group::"ops""#,
    r#"principal in Group::"contractors" || resource.effect == "read""#,
    r#"principal.capabilities.contains("files:*")"#,
    r#"principal.name like "w*""#,
    r#"resource.name like "*delete*""#,
    r#"resource has server && resource.server == "github""#,
    r#"resource.effect == "destructive""#,
    r#"context.scopes.contains("files:read")"#,
    "context.scopes.isEmpty()",
    r#"context.ceiling.contains("files:read")"#,
    "context.confidence < 60",
    "context.confidence >= 90",
    "context.now > 1000",
    "context has delegation",
];

/// Returns a set of one to nine policies.
pub(super) fn write(chance: &mut Chance, actors: &Actors) -> Vec<Written> {
    (0..=chance.below(9)).map(|n| policy(chance, actors, n)).collect()
}

fn policy(chance: &mut Chance, actors: &Actors, n: usize) -> Written {
    let permits = !chance.one_in(3);
    let bare = format!(
        "{} ({}, {}, {}){};",
        if permits { "permit" } else { "forbid" },
        principal(chance, actors),
        action(chance),
        resource(chance),
        conditions(chance),
    );
    let id = format!("p{n}");
    let mut text = format!("@id(\"{id}\")");
    let elevate = chance.one_in(3).then(|| {
        let quorum = u32::try_from(chance.below(3)).unwrap();
        let window = chance.one_in(2).then(|| 60 * (1 + chance.below(10) as u64));
        let single = chance.one_in(3);
        text += " @elevate";
        if quorum > 0 {
            text += &format!(" @quorum(\"{quorum}\")");
        }
        if let Some(window) = window {
            text += &format!(" @window(\"{window}s\")");
        }
        if single {
            text += " @single_use";
        }
        (quorum.max(1), window, single || window.is_none())
    });
    let limit = (permits && chance.one_in(6)).then_some(1_000_000);
    if let Some(most) = limit {
        text += &format!(" @limit(\"{most}/1s\")");
    }
    let shadow = chance.one_in(8);
    if shadow {
        text += " @shadow";
    }
    text += &format!("\n{bare}\n");
    Written { id, permits, elevate, limit, shadow, bare, text }
}

fn principal(chance: &mut Chance, actors: &Actors) -> String {
    let agent = &chance.pick(&actors.agents).id;
    let group = *chance.pick(&GROUPS);
    match chance.below(11) {
        0 => format!("principal == Agent::\"{agent}\""),
        1 => format!("principal in Agent::\"{agent}\""),
        2 => format!("principal in Group::\"{group}\""),
        3 => format!("principal is Agent in Group::\"{group}\""),
        4 => "principal in Org::\"org_default\"".to_owned(),
        5 => "principal in Org::\"org_other\"".to_owned(),
        6 => "principal is Agent".to_owned(),
        _ => "principal".to_owned(),
    }
}

fn action(chance: &mut Chance) -> String {
    let effects = ["read", "mutating", "destructive", "admin"];
    let one = *chance.pick(&effects);
    match chance.below(6) {
        0 => format!("action == Action::\"{one}\""),
        1 => format!("action in Action::\"{one}\""),
        2 | 3 => {
            let mut some = chance.some(&effects, 4);
            some.push(one);
            let some: Vec<_> = some.iter().map(|word| format!("Action::\"{word}\"")).collect();
            format!("action in [{}]", some.join(", "))
        }
        _ => "action".to_owned(),
    }
}

fn resource(chance: &mut Chance) -> String {
    let tools = if chance.one_in(2) { &TOOLS[..OFTEN] } else { &TOOLS[..] };
    let tool = chance.pick(tools).name.replace('"', "\\\"");
    match chance.below(10) {
        0 | 1 => format!("resource == Tool::\"{tool}\""),
        2 => format!("resource in Tool::\"{tool}\""),
        3 => format!("resource is Tool in Tool::\"{tool}\""),
        4 => "resource is Tool".to_owned(),
        _ => "resource".to_owned(),
    }
}

fn conditions(chance: &mut Chance) -> String {
    let word = |chance: &mut Chance| if chance.one_in(3) { "unless" } else { "when" };
    match chance.below(6) {
        0 | 1 => String::new(),
        // Those that cannot be evaluated, more often than the others.
        5 => format!(" {} {{ {} }}", word(chance), chance.pick(&CONDITIONS[..2])),
        2 | 3 => format!(" {} {{ {} }}", word(chance), chance.pick(&CONDITIONS)),
        _ => {
            let joint = if chance.one_in(2) { "&&" } else { "||" };
            let (one, other) = (*chance.pick(&CONDITIONS), *chance.pick(&CONDITIONS));
            format!(" {} {{ ({one}) {joint} ({other}) }}", word(chance))
        }
    }
}
