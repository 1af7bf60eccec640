//! What the README shows of policies is what the Guardian takes.

use agenttrust_guardian::policy::PolicySet;

#[test]
fn policies_of_the_readme_are_valid_sets() {
    let readme = include_str!("../../../README.md");
    let blocks = readme.split("```").skip(1).step_by(2);
    let sets = blocks.filter_map(|block| block.strip_prefix("cedar\n"));
    let ids: Vec<String> = sets
        .flat_map(|policies| {
            let set = PolicySet::parse("README.md", policies).unwrap();
            set.ids().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for id in ["refunds", "prod-drops", "search"] {
        assert!(ids.iter().any(|named| named == id), "{id}");
    }
}
