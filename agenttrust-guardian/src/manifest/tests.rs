use proptest::prelude::*;

use super::*;

fn tools(count: usize) -> Vec<ToolDeclaration> {
    (0..count).map(|n| ToolDeclaration::new(format!("tool_{n}"))).collect()
}

#[test]
fn more_tools_than_an_organisation_may_have_are_refused_and_what_is_there_may_change() {
    let mut manifest = Manifest::default();
    manifest.declare(&tools(TOOLS_MOST), Author::Program).unwrap();
    for author in [Author::Program, Author::Operator] {
        let one_more = [ToolDeclaration::new("one_more")];
        let full = manifest.clone().declare(&one_more, author).unwrap_err();
        assert_eq!(full, Full::Tools);
        assert!(full.to_string().contains("DELETE /api/v1/tools/{name}"), "{full}");
    }
    let known = [ToolDeclaration::new("tool_7").effect(Effect::Admin)];
    assert_eq!(manifest.declare(&known, Author::Program).unwrap(), ["tool_7"]);
    assert!(manifest.remove("tool_8"));
    manifest.declare(&[ToolDeclaration::new("one_more")], Author::Program).unwrap();
}

#[test]
fn tools_never_take_more_memory_than_their_organisation_has() {
    let mut manifest = Manifest::default();
    let scopes: Vec<String> = (0..75).map(|n| format!("{n:0>200}")).collect();
    let large = |n: usize| {
        let mut tool = ToolDeclaration::new(format!("tool_{n}"));
        tool.scopes.clone_from(&scopes);
        [tool]
    };
    let full = (0..1_000).find_map(|n| {
        let mut next = manifest.clone();
        let full = next.declare(&large(n), Author::Program).err();
        if full.is_none() {
            manifest = next;
        }
        full.map(|full| (n, full))
    });
    let (taken, full) = full.expect("more memory than an organisation has");
    assert_eq!(full, Full::Bytes);
    assert!((350..500).contains(&taken), "{taken}");
    // Putting the same in the place of what is there takes no more.
    assert!(manifest.declare(&large(0), Author::Operator).is_ok());
    assert!(manifest.remove("tool_1"));
    manifest.declare(&large(taken), Author::Program).unwrap();
}

#[test]
fn every_byte_is_given_back() {
    let mut manifest = Manifest::default();
    let tool = ToolDeclaration::new("x").effect(Effect::Read).scope("a:b");
    manifest.declare(&[tool], Author::Operator).unwrap();
    manifest.declare(&[ToolDeclaration::new("x")], Author::Operator).unwrap();
    assert!(manifest.bytes > 0);
    assert!(manifest.remove("x") && !manifest.remove("x"));
    assert_eq!(manifest.bytes, 0);
}

#[test]
fn scopes_of_several_programs_never_outgrow_those_of_a_check() {
    let mut manifest = Manifest::default();
    let mut tool = ToolDeclaration::new("x");
    tool.scopes = (0..256).map(|n| format!("scope_{n:03}")).collect();
    manifest.declare(&[tool], Author::Program).unwrap();
    let more = [ToolDeclaration::new("x").scope("one_more")];
    let full = manifest.clone().declare(&more, Author::Program).unwrap_err();
    assert_eq!(full, Full::Scopes { tool: "x".to_owned() });
    assert!(manifest.declare(&more, Author::Operator).is_ok());
    assert_eq!(manifest.get("x").unwrap().scopes, ["one_more"]);
}

fn declaration() -> impl Strategy<Value = ToolDeclaration> {
    let name = prop::sample::select(vec!["frobnicate", "get_it", "db_delete", "http/GET/x"]);
    // As `read` leaves them: ordered, none twice.
    let scopes = prop::collection::btree_set("[ab]", 0..3);
    (name, prop::option::of(effect()), scopes).prop_map(|(name, effect, scopes)| {
        let mut tool = ToolDeclaration::new(name);
        tool.effect = effect;
        tool.scopes = scopes.into_iter().collect();
        tool
    })
}

fn effect() -> impl Strategy<Value = Effect> {
    prop::sample::select(Effect::ALL.to_vec())
}

fn counts_as(manifest: &Manifest, tool: &str, hint: Option<Effect>) -> Effect {
    let declared = manifest.get(tool).and_then(|declared| declared.effect);
    let nothing = Evidence { tool, operator: None, hint, manifest: declared, annotation: None };
    classify(&nothing).effect
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn what_a_program_declares_never_lowers_an_effect_nor_removes_a_scope(
        vouched in prop::collection::vec(declaration(), 0..4),
        said in prop::collection::vec(declaration(), 1..6),
        hint in prop::option::of(effect()),
    ) {
        let mut manifest = Manifest::default();
        manifest.declare(&vouched, Author::Operator).unwrap();
        for said in said {
            let before = manifest.clone();
            let changed = manifest.declare(std::slice::from_ref(&said), Author::Program).unwrap();
            let tool = said.name.as_str();
            prop_assert!(counts_as(&manifest, tool, hint) >= counts_as(&before, tool, hint));
            let after = manifest.get(tool).unwrap();
            prop_assert!(said.scopes.iter().all(|scope| after.scopes.contains(scope)));
            if let Some(before) = before.get(tool) {
                prop_assert!(before.scopes.iter().all(|scope| after.scopes.contains(scope)));
                prop_assert_eq!(changed.is_empty(), before == after);
            }
            prop_assert!(manifest.declare(&[said], Author::Program).unwrap().is_empty());
        }
    }
}
