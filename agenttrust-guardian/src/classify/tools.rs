//! The rule beside what a careful person says that real tools do: the tools of public MCP servers, each
//! labelled by someone who had not seen the rule.

use super::*;

/// The tools, each with its server and label.
const TOOLS: &str = include_str!("../../tests/data/tools.tsv");

/// Tools that do more than their verb says. `write`, `edit` and `run` are mutating, by the rule; that these
/// replace a whole file, or delete what they manage, is in their documentation alone.
const MORE_THAN_THEIR_VERB: [&str; 9] = [
    "@modelcontextprotocol/server-filesystem/edit_file",
    "@modelcontextprotocol/server-filesystem/write_file",
    "@wonderwhy-er/desktop-commander/edit_block",
    "@wonderwhy-er/desktop-commander/write_file",
    "@wonderwhy-er/desktop-commander/write_pdf",
    "github/github-mcp-server/actions_run_trigger",
    "github/github-mcp-server/discussion_comment_write",
    "github/github-mcp-server/label_write",
    "github/github-mcp-server/projects_write",
];

/// Tools that are labelled stronger than mutating, with no verb in their names.
const WITHOUT_A_VERB: [&str; 6] = [
    "driverd12/MCP_sandbox_playground/transcript.retention",
    "mcp-server-kubernetes/kubectl_generic",
    "mcp-server-kubernetes/node_management",
    "tevonsb/homeassistant-mcp/addon",
    "tevonsb/homeassistant-mcp/automation_config",
    "tevonsb/homeassistant-mcp/package",
];

struct Tool {
    name: String,
    label: Effect,
    found: Classification,
}

/// Returns every tool of the table, behind its server's name as the Guardian's proxy has it.
fn tools() -> Vec<Tool> {
    let tool = |line: &str| {
        let [server, tool, label] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let name = format!("{server}/{tool}");
        let evidence = Evidence {
            tool: &name,
            operator: None,
            hint: None,
            manifest: None,
            raised: None,
            annotation: None,
        };
        let found = classify(&evidence);
        Tool { label: label.parse().unwrap(), found, name }
    };
    TOOLS.lines().map(tool).collect()
}

#[test]
fn no_real_tool_with_a_verb_is_weaker_than_its_label() {
    let tools = tools();
    assert!(tools.len() >= 300, "{} tools", tools.len());
    let (mut verbless, mut weaker) = (Vec::new(), Vec::new());
    for Tool { name, label, found } in &tools {
        if found.effect < *label {
            println!("{name} is {label} by its label and {} by its name", found.effect);
            let list = if found.basis == ClassificationSource::Default {
                &mut verbless
            } else {
                &mut weaker
            };
            list.push(name.as_str());
        }
    }
    verbless.sort_unstable();
    weaker.sort_unstable();
    assert_eq!(verbless, WITHOUT_A_VERB);
    assert_eq!(weaker, MORE_THAN_THEIR_VERB);
}

#[test]
fn few_real_tools_that_read_are_taken_for_more() {
    let tools = tools();
    let reads: Vec<&Tool> = tools.iter().filter(|tool| tool.label == Effect::Read).collect();
    let called = |which: fn(Effect) -> bool| {
        let which = |tool: &&&Tool| which(tool.found.effect);
        reads.iter().filter(which).map(|tool| tool.name.as_str()).collect::<Vec<_>>()
    };
    let stronger = called(|effect| effect > Effect::Mutating);
    let mutating = called(|effect| effect == Effect::Mutating);
    println!("{} reads, of which mutating {mutating:#?} and stronger {stronger:#?}", reads.len());
    assert!(reads.len() >= 100);
    assert!(100 * stronger.len() <= 2 * reads.len(), "{} stronger", stronger.len());
    assert!(100 * mutating.len() <= 10 * reads.len(), "{} mutating", mutating.len());
}
