//! What the README shows of policies is what the Guardian takes.

use agenttrust_guardian::policy::PolicySet;

#[test]
fn policies_of_the_readme_are_a_valid_set() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("```cedar\n").expect("a block of policies");
    let (policies, _) = rest.split_once("```").expect("its end");
    let set = PolicySet::parse("README.md", policies).unwrap();
    for id in ["prod-drops", "search"] {
        assert!(set.ids().any(|named| named == id), "{id}");
    }
}
