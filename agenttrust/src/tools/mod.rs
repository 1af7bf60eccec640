//! What this program can do: [`tools`] and [`manifest`].

pub(crate) mod registered;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use self::registered::{GuardedArgument, GuardedFunction};
use crate::error::{AgentTrustError, Result};
use crate::model::{ToolArgument, ToolDeclaration, ToolManifest, ToolPlace};

/// Returns every tool that is guarded with `#[guarded]` anywhere in this program, ordered by name.
///
/// They are collected when the program is linked, so a tool is listed whether it was called or not.
/// Several functions may be one tool, when they say the same of it; then they are one entry with
/// several places. Arguments are those that are captured; with the feature `schemars`, each whose type
/// implements `JsonSchema` has its schema. The type of an argument that mentions `Self`, or what the
/// function or its `impl` block is generic over, is not known at link time and has none. Where
/// `#[guarded]` stands on a method it does not see the block, so there only types of the standard library
/// and those with a path (`crate::Request`) have one; on the block it sees all.
///
/// Tools that are guarded by a layer, or whose name is made at run time, are not listed.
///
/// # Errors
///
/// [`Validation`](AgentTrustError::Validation) when two functions give one tool different effects or scopes. It names
/// both places, since a reader of the list could not tell which of them holds.
///
/// ```
/// use agenttrust::{AgentTrustError, Effect, guarded};
///
/// #[guarded(effect = "read")]
/// fn list_files(folder: &str) -> Result<Vec<String>, AgentTrustError> {
///     Ok(vec![folder.to_owned()])
/// }
///
/// let tools = agenttrust::tools()?;
/// assert_eq!(tools[0].name, "list_files");
/// assert_eq!(tools[0].effect, Some(Effect::Read));
/// assert_eq!(tools[0].arguments[0].name, "folder");
/// # Ok::<(), AgentTrustError>(())
/// ```
pub fn tools() -> Result<Vec<ToolDeclaration>> {
    merge(inventory::iter::<GuardedFunction>().copied())
}

/// Does the same as [`tools`], as the document that a Guardian takes and that people keep beside the source: its
/// `Display` is JSON.
///
/// # Errors
///
/// As for [`tools`].
///
/// ```
/// let manifest = agenttrust::manifest()?;
/// assert!(manifest.to_string().starts_with("{\n  \"tools\":"));
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
pub fn manifest() -> Result<ToolManifest> {
    Ok(ToolManifest::new(tools()?))
}

fn merge(functions: impl Iterator<Item = GuardedFunction>) -> Result<Vec<ToolDeclaration>> {
    // Link order is nobody's choice: the list must not depend on it.
    let mut functions: Vec<_> = functions.collect();
    functions.sort_by_key(|function| (function.tool, function.file, function.line));
    let mut tools = BTreeMap::new();
    for function in functions {
        let tool = declare(&function);
        match tools.entry(tool.name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(tool);
            }
            Entry::Occupied(mut entry) => join(entry.get_mut(), tool)?,
        }
    }
    Ok(tools.into_values().collect())
}

/// Warns of every tool that functions of this program give several effects.
pub(crate) fn warn_of_several_effects() {
    for (tool, effects) in several_effects(inventory::iter::<GuardedFunction>().copied()) {
        tracing::warn!(
            tool,
            effects,
            "functions of this program give one tool several effects, and each asks with its own; give them the \
             same one, or one of them another name with `tool = \"..\"`"
        );
    }
}

/// Returns the tools that have several effects, each with these and where they are given.
fn several_effects(
    functions: impl Iterator<Item = GuardedFunction>,
) -> Vec<(&'static str, String)> {
    let mut by_tool: BTreeMap<&'static str, Vec<GuardedFunction>> = BTreeMap::new();
    for function in functions {
        by_tool.entry(function.tool).or_default().push(function);
    }
    by_tool.retain(|_, functions| {
        let first = functions.first().map(|function| function.effect);
        functions.iter().any(|function| Some(function.effect) != first)
    });
    let said = |mut functions: Vec<GuardedFunction>| {
        functions.sort_by_key(|function| (function.effect, function.file, function.line));
        let said = functions.iter().map(|function| {
            let effect = function.effect.map_or("none", |effect| effect.as_str());
            format!("{effect} at {}:{}", function.file, function.line)
        });
        said.collect::<Vec<_>>().join(", ")
    };
    by_tool.into_iter().map(|(tool, functions)| (tool, said(functions))).collect()
}

fn declare(function: &GuardedFunction) -> ToolDeclaration {
    let mut tool = ToolDeclaration::new(function.tool);
    tool.effect = function.effect;
    tool.scopes = function.scopes.iter().map(|&scope| scope.to_owned()).collect();
    tool.scopes.sort();
    tool.arguments = function.arguments.iter().map(argument).collect();
    tool.places = vec![ToolPlace::new(function.module, function.file, function.line)];
    tool
}

fn argument(argument: &GuardedArgument) -> ToolArgument {
    let mut declared = ToolArgument::new(argument.name);
    declared.schema = argument.schema.and_then(|schema| schema());
    declared
}

fn join(tool: &mut ToolDeclaration, other: ToolDeclaration) -> Result<()> {
    if (tool.effect, &tool.scopes) != (other.effect, &other.scopes) {
        return Err(AgentTrustError::invalid(format!(
            "tool {:?} is {}, and {}: give both the same effect and scopes, or one of them another \
             name with `tool = \"..\"`",
            tool.name,
            said_at(tool),
            said_at(&other)
        )));
    }
    for argument in other.arguments {
        match tool.arguments.iter_mut().find(|known| known.name == argument.name) {
            Some(known) => known.schema = known.schema.take().or(argument.schema),
            None => tool.arguments.push(argument),
        }
    }
    tool.places.extend(other.places);
    Ok(())
}

/// Returns `read with scopes "a, b" at src/files.rs:10`.
fn said_at(tool: &ToolDeclaration) -> String {
    let effect = tool.effect.map_or("without an effect", |effect| effect.as_str());
    let scopes = match tool.scopes.as_slice() {
        [] => String::new(),
        scopes => format!(" with scopes {:?}", scopes.join(", ")),
    };
    let place = tool.places.first().map_or_else(String::new, |place| format!(" at {place}"));
    format!("{effect}{scopes}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Effect;

    const LIST: GuardedFunction = GuardedFunction {
        tool: "list",
        effect: Some(Effect::Read),
        scopes: &["files:read"],
        arguments: &[GuardedArgument { name: "folder", schema: None }],
        module: "files",
        file: "src/files.rs",
        line: 10,
    };

    #[test]
    fn one_name_with_one_effect_and_scopes_is_one_tool_with_two_places() {
        let again = GuardedFunction {
            arguments: &[
                GuardedArgument { name: "folder", schema: Some(|| Some("string".into())) },
                GuardedArgument { name: "depth", schema: None },
            ],
            file: "src/mail.rs",
            ..LIST
        };
        let other = GuardedFunction { tool: "a", ..LIST };
        for functions in [[LIST, again, other], [other, again, LIST]] {
            let tools = merge(functions.into_iter()).unwrap();
            let [a, list] = &tools[..] else { panic!("{tools:?}") };
            assert_eq!((a.name.as_str(), list.name.as_str()), ("a", "list"));
            let places: Vec<_> = list.places.iter().map(ToString::to_string).collect();
            assert_eq!(places, ["src/files.rs:10", "src/mail.rs:10"]);
            let names: Vec<_> = list.arguments.iter().map(|argument| &argument.name).collect();
            assert_eq!(names, ["folder", "depth"]);
            assert_eq!(list.arguments[0].schema, Some("string".into()));
        }
    }

    #[test]
    fn one_name_with_two_effects_is_an_error_that_names_both_places() {
        let other = GuardedFunction { effect: Some(Effect::Admin), line: 20, ..LIST };
        let error = merge([other, LIST].into_iter()).unwrap_err().to_string();
        for part in ["\"list\"", "read", "src/files.rs:10", "admin", "src/files.rs:20", "tool ="] {
            assert!(error.contains(part), "{error} lacks {part}");
        }
        let silent = GuardedFunction { effect: None, line: 30, ..LIST };
        let error = merge([LIST, silent].into_iter()).unwrap_err().to_string();
        assert!(error.contains("without an effect"), "{error}");
    }

    #[test]
    fn tool_with_several_effects_is_told_with_each_of_its_places() {
        let admin = GuardedFunction { effect: Some(Effect::Admin), line: 20, ..LIST };
        let again = GuardedFunction { line: 30, ..LIST };
        let silent = GuardedFunction { effect: None, file: "src/mail.rs", ..LIST };
        // One effect, and one each: nothing to tell of.
        let scopes = GuardedFunction { tool: "b", scopes: &[], ..LIST };
        let same = GuardedFunction { tool: "b", line: 40, ..LIST };
        let alone = GuardedFunction { tool: "a", effect: None, ..LIST };
        let told = several_effects([again, same, admin, alone, silent, scopes, LIST].into_iter());
        let effects = "none at src/mail.rs:10, read at src/files.rs:10, read at src/files.rs:30, admin at \
                       src/files.rs:20";
        assert_eq!(told, [("list", effects.to_owned())]);
    }

    #[test]
    fn one_name_with_other_scopes_is_an_error_and_their_order_is_not() {
        let both = GuardedFunction { scopes: &["a", "b"], ..LIST };
        let turned = GuardedFunction { scopes: &["b", "a"], line: 20, ..LIST };
        assert_eq!(merge([both, turned].into_iter()).unwrap()[0].scopes, ["a", "b"]);
        let error = merge([both, LIST].into_iter()).unwrap_err().to_string();
        assert!(error.contains("\"a, b\"") && error.contains("files:read"), "{error}");
    }
}
