use proptest::prelude::*;
use serde_json::json;

use super::*;

fn sent(tool: serde_json::Value) -> Sent {
    let tool: Tool = serde_json::from_str(&tool.to_string()).unwrap();
    tool.try_into().unwrap()
}

impl Manifest {
    /// Takes a change over.
    fn apply(&mut self, ToolChange { tool, after, .. }: ToolChange) {
        if after == ToolFacts::default() {
            self.tools.remove(&tool);
        } else {
            self.tools.insert(tool, after);
        }
    }
}

fn keep(manifest: &mut Manifest, changes: Vec<ToolChange>) {
    for change in changes {
        manifest.apply(change);
    }
}

fn tools(count: usize) -> Vec<Sent> {
    (0..count).map(|n| sent(json!({ "name": format!("tool_{n}") }))).collect()
}

fn says(agent: &str, tool: impl Into<String>, effect: Effect) -> Said {
    Said { tool: tool.into(), effect, agents: vec![agent.into()] }
}

fn raises(agent: &str, names: std::ops::Range<usize>) -> Vec<Said> {
    names.map(|n| says(agent, format!("raised_{n}"), Effect::Admin)).collect()
}

#[test]
fn more_tools_than_an_organisation_may_have_are_refused_and_what_is_there_may_change() {
    let mut manifest = Manifest::default();
    let all = manifest.declare(tools(DECLARED_MOST)).unwrap();
    keep(&mut manifest, all);
    let one_more = || vec![sent(json!({ "name": "one_more" }))];
    let full = manifest.declare(one_more()).unwrap_err();
    assert_eq!(full, Full::Declared);
    assert!(full.to_string().contains("DELETE /api/v1/tools/{name}"), "{full}");
    let known = vec![sent(json!({ "name": "tool_7", "effect": "admin" }))];
    assert_eq!(manifest.declare(known).unwrap().len(), 1);
    let removed = manifest.remove("tool_8").unwrap();
    manifest.apply(removed);
    assert_eq!(manifest.declare(one_more()).unwrap().len(), 1);
}

#[test]
fn tools_never_take_more_memory_than_their_organisation_has() {
    let mut manifest = Manifest::default();
    let schema = "x".repeat(15_000);
    let large = |n: usize| {
        let arguments = json!([{ "name": "a", "schema": { "title": schema } }]);
        vec![sent(json!({ "name": format!("tool_{n}"), "arguments": arguments }))]
    };
    let full = (0..1_000).find_map(|n| match manifest.declare(large(n)) {
        Ok(changes) => {
            keep(&mut manifest, changes);
            None
        }
        Err(full) => Some((n, full)),
    });
    let (taken, full) = full.expect("more memory than an organisation has");
    assert_eq!(full, Full::Bytes);
    assert!((400..425).contains(&taken), "{taken}");
    // Putting the same, or less, in the place of what is there takes no more.
    assert!(manifest.declare(large(0)).unwrap().is_empty());
    assert_eq!(manifest.declare(vec![sent(json!({ "name": "tool_0" }))]).unwrap().len(), 1);
    let removed = manifest.remove("tool_1").unwrap();
    manifest.apply(removed);
    assert_eq!(manifest.declare(large(taken)).unwrap().len(), 1);
}

#[test]
fn each_agent_fills_a_quota_of_its_own_which_holds_no_other_and_no_operator_up() {
    let mut manifest = Manifest::default();
    let all = manifest.raise(raises("one", 0..RAISED_BY_AGENT), 0).unwrap();
    keep(&mut manifest, all);
    let full = manifest.raise(raises("one", 0..RAISED_BY_AGENT + 1), 0).unwrap_err();
    assert_eq!(full, Full::RaisedByAgent("one".to_owned()));
    assert!(full.to_string().contains("DELETE /api/v1/tools/{name}"), "{full}");
    assert!(
        manifest.raise(raises("one", 0..RAISED_BY_AGENT), 0).unwrap().is_empty(),
        "nothing new"
    );
    let other = manifest.raise(raises("other", 0..RAISED_BY_AGENT), 0).unwrap();
    assert_eq!(other.len(), RAISED_BY_AGENT);
    keep(&mut manifest, other);
    // Of two agents of one key the one that has no room left holds up the other: wholly or not at all.
    let both = Said { agents: vec!["new".into(), "one".into()], ..says("", "more", Effect::Admin) };
    let full = manifest.raise(vec![both], 0).unwrap_err();
    assert_eq!(full, Full::RaisedByAgent("one".to_owned()));
    assert_eq!(manifest.declare(tools(DECLARED_MOST)).unwrap().len(), DECLARED_MOST);
    let removed = manifest.remove("raised_7").unwrap();
    manifest.apply(removed);
    let more = raises("one", RAISED_BY_AGENT..RAISED_BY_AGENT + 1);
    assert_eq!(manifest.raise(more, 0).unwrap().len(), 1);
}

#[test]
fn all_agents_together_take_no_more_memory_than_there_is_for_them() {
    let mut manifest = Manifest::default();
    let agents = RAISED_IN_ORGANISATION / RAISED_BY_AGENT;
    for agent in 0..agents {
        let all = manifest.raise(raises(&agent.to_string(), 0..RAISED_BY_AGENT), 0).unwrap();
        keep(&mut manifest, all);
    }
    assert_eq!(manifest.raised(), RAISED_IN_ORGANISATION);
    let full = manifest.raise(raises("more", 0..1), 0).unwrap_err();
    assert_eq!(full, Full::RaisedInAll);
    assert!(full.to_string().contains("DELETE /api/v1/tools/{name}"), "{full}");
    // What is raised already may rise, and what an agent leaves is there for others.
    assert!(manifest.raise(raises("0", 0..1), RAISED_IN_ALL).unwrap().is_empty());
    assert_eq!(manifest.forget_agent("7"), RAISED_BY_AGENT);
    let all = manifest.raise(raises("more", 0..RAISED_BY_AGENT), manifest.raised()).unwrap();
    keep(&mut manifest, all);
    let full = Manifest::default().raise(raises("x", 0..1), RAISED_IN_ALL).unwrap_err();
    assert_eq!(full, Full::RaisedInAll);
    assert_eq!(Manifest::default().raise(raises("x", 0..1), RAISED_IN_ALL - 1).unwrap().len(), 1);
}

#[test]
fn quota_of_the_agents_is_theirs_also_where_operators_declared_the_most() {
    let mut manifest = Manifest::default();
    let all = manifest.declare(tools(DECLARED_MOST)).unwrap();
    keep(&mut manifest, all);
    let raised = manifest.raise(raises("one", 0..RAISED_BY_AGENT), 0).unwrap();
    assert_eq!(raised.len(), RAISED_BY_AGENT);
}

#[test]
fn agent_that_is_forgotten_leaves_what_others_say() {
    let mut manifest = Manifest::default();
    let declared = manifest.declare(vec![sent(json!({ "name": "b" }))]).unwrap();
    keep(&mut manifest, declared);
    for (agent, tool) in [("one", "a"), ("one", "b"), ("one", "c"), ("other", "c")] {
        let raised = manifest.raise(vec![says(agent, tool, Effect::Admin)], 0).unwrap();
        keep(&mut manifest, raised);
    }
    assert_eq!(manifest.forget_agent("one"), 3);
    assert_eq!(manifest.forget_agent("one"), 0);
    assert_eq!(manifest.iter().map(|(tool, _)| tool.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(manifest.get("c").raised.of("other"), Some(Effect::Admin));
    assert_eq!(manifest.get("c").raised.of("one"), None);
}

#[test]
fn what_was_raised_by_nobody_knows_whom_counts_for_everybody() {
    let mut known = ToolFacts::default();
    known.raised.raise("".into(), Effect::Destructive);
    known.raised.raise("one".into(), Effect::Admin);
    let effect = |agent: &str| known.classify("frob", agent, Some(Effect::Read)).effect;
    assert_eq!((effect("one"), effect("other")), (Effect::Admin, Effect::Destructive));
    assert_eq!(known.in_force("frob", &[]), Some(Effect::Destructive));
    assert_eq!(known.raised.by_agents().count(), 1);
}

#[test]
fn tool_of_which_nothing_is_known_any_more_takes_no_room() {
    let mut manifest = Manifest::default();
    let declared = manifest.declare(tools(1)).unwrap();
    keep(&mut manifest, declared);
    for effect in [Some(Effect::Read), None] {
        let set = manifest.set("other", effect);
        manifest.apply(set);
    }
    let removed = manifest.remove("tool_0").unwrap();
    manifest.apply(removed);
    assert!(manifest.remove("tool_0").is_none());
    assert_eq!(manifest.iter().count(), 0);
}

#[test]
fn what_an_agents_key_says_of_money_holds_against_a_weaker_hint() {
    let mut manifest = Manifest::default();
    let raised = manifest.raise(vec![says("one", "pay_it", Effect::Destructive)], 0).unwrap();
    keep(&mut manifest, raised);
    let found = manifest.get("pay_it").classify("pay_it", "one", Some(Effect::Mutating));
    assert_eq!(found.effect, Effect::Destructive);
}

fn declaration() -> impl Strategy<Value = (String, Option<Effect>)> {
    let name = prop::sample::select(vec!["frob", "get_it", "db_delete", "pay_it"]);
    (name.prop_map(str::to_owned), prop::option::of(effect()))
}

fn effect() -> impl Strategy<Value = Effect> {
    prop::sample::select(Effect::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn what_an_agents_key_says_never_lowers_an_effect_nor_makes_it_certain(
        declared in prop::collection::vec(declaration(), 0..4),
        said in prop::collection::vec((declaration(), effect()), 1..6),
        hint in prop::option::of(effect()),
    ) {
        let mut manifest = Manifest::default();
        for (tool, effect) in declared {
            let changes = manifest.declare(vec![sent(json!({ "name": tool, "effect": effect }))]);
            keep(&mut manifest, changes.unwrap());
        }
        for ((tool, _), effect) in said {
            let before = manifest.get(&tool);
            let changes = manifest.raise(vec![says("one", tool.clone(), effect)], 0).unwrap();
            keep(&mut manifest, changes);
            let after = manifest.get(&tool);
            prop_assert_eq!(&after.declared, &before.declared);
            let [was, is] = [&before, &after].map(|known| known.classify(&tool, "one", hint));
            prop_assert!(is.effect >= was.effect);
            prop_assert!(is.confidence <= was.confidence.max(0.9));
            let [was, is] = [&before, &after].map(|known| known.classify(&tool, "other", hint));
            prop_assert_eq!((was.effect, was.confidence), (is.effect, is.confidence), "for another");
            let again = manifest.raise(vec![says("one", tool, effect)], 0).unwrap();
            prop_assert!(again.is_empty(), "said twice");
        }
    }
}
