//! A manifest as it was sent: looked at, and put in order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use agenttrust::model::{ToolArgument, ToolDeclaration, ToolPlace};

use crate::http::ApiError;
use crate::names::{check_line, check_name, check_names};

/// How many tools one manifest has at most.
const TOOLS_MOST: usize = 1_000;
/// How many places one tool is defined in at most.
const PLACES_MOST: usize = 64;
/// How long the schemas of one tool are at most, as JSON, in bytes.
const SCHEMAS_MAX_BYTES: usize = 16 << 10;

/// The tools of a manifest, ordered by name and none twice, their scopes likewise.
///
/// A tool that is there twice with one effect and the same scopes is one tool with more places; with
/// anything else it is an error that names both places.
pub(crate) fn read(tools: Vec<ToolDeclaration>) -> Result<Vec<ToolDeclaration>, ApiError> {
    if tools.len() > TOOLS_MOST {
        let many = format!(
            "has {} entries; {TOOLS_MOST} is the most, so send them in several manifests",
            tools.len()
        );
        return Err(ApiError::invalid("tools", many));
    }
    let mut by_name: BTreeMap<String, (usize, ToolDeclaration)> = BTreeMap::new();
    for (index, mut tool) in tools.into_iter().enumerate() {
        check(index, &tool)?;
        tool.scopes.sort_unstable();
        tool.scopes.dedup();
        match by_name.entry(tool.name.clone()) {
            Entry::Vacant(free) => {
                free.insert((index, tool));
            }
            Entry::Occupied(mut taken) => {
                let (first, kept) = taken.get_mut();
                agree((*first, kept), (index, &tool))?;
                join(kept, tool);
                let (first, kept) = taken.get();
                check_extent(*first, kept)?;
            }
        }
    }
    Ok(by_name.into_values().map(|(_, tool)| tool).collect())
}

fn check(index: usize, tool: &ToolDeclaration) -> Result<(), ApiError> {
    check_name(&format!("tools[{index}].name"), &tool.name)?;
    let field = format!("tools[{index}].scopes");
    check_names(&field, &tool.scopes)?;
    for (place, scope) in tool.scopes.iter().enumerate() {
        if scope.contains(',') || scope.trim() != scope {
            return Err(ApiError::invalid(
                &format!("{field}[{place}]"),
                "holds a comma, or begins or ends with a space, which no check could send; \
                 write every scope as an entry of its own",
            ));
        }
    }
    for (place, at) in tool.places.iter().enumerate() {
        check_line(&format!("tools[{index}].places[{place}].module"), &at.module)?;
        check_line(&format!("tools[{index}].places[{place}].file"), &at.file)?;
    }
    check_extent(index, tool)
}

/// Looks at what grows when two entries are joined.
fn check_extent(index: usize, tool: &ToolDeclaration) -> Result<(), ApiError> {
    let arguments: Vec<&str> = tool.arguments.iter().map(|given| given.name.as_str()).collect();
    check_names(&format!("tools[{index}].arguments"), &arguments)?;
    let bytes: usize = tool.arguments.iter().map(schema_bytes).sum();
    if bytes > SCHEMAS_MAX_BYTES {
        let long = format!(
            "have schemas of {bytes} bytes in all; {SCHEMAS_MAX_BYTES} is the most, so leave some out"
        );
        return Err(ApiError::invalid(&format!("tools[{index}].arguments"), long));
    }
    let places = tool.places.len();
    if places > PLACES_MOST {
        let many = format!("has {places} entries; {PLACES_MOST} is the most");
        return Err(ApiError::invalid(&format!("tools[{index}].places"), many));
    }
    Ok(())
}

fn schema_bytes(argument: &ToolArgument) -> usize {
    argument.schema.as_ref().map_or(0, |schema| schema.to_string().len())
}

/// Refuses two entries of one name that say different things.
fn agree(
    (first, one): (usize, &ToolDeclaration),
    (index, other): (usize, &ToolDeclaration),
) -> Result<(), ApiError> {
    let (at_first, at_other) = (place(first, one), place(index, other));
    let name = &one.name;
    if one.effect != other.effect {
        let effect = |tool: &ToolDeclaration| {
            tool.effect.map_or("not given", |effect| effect.as_str()).to_owned()
        };
        let differs = format!(
            "is {} at {at_other}, and that of the same tool {name:?} is {} at {at_first}; \
             give it one effect, or two names",
            effect(other),
            effect(one),
        );
        return Err(ApiError::invalid(&format!("tools[{index}].effect"), differs));
    }
    if one.scopes != other.scopes {
        let differs = format!(
            "at {at_other} are not those of the same tool {name:?} at {at_first}; \
             give it the same scopes, or two names"
        );
        return Err(ApiError::invalid(&format!("tools[{index}].scopes"), differs));
    }
    Ok(())
}

fn place(index: usize, tool: &ToolDeclaration) -> String {
    tool.places.first().map_or_else(|| format!("tools[{index}]"), ToolPlace::to_string)
}

fn join(kept: &mut ToolDeclaration, more: ToolDeclaration) {
    for argument in more.arguments {
        if !kept.arguments.iter().any(|known| known.name == argument.name) {
            kept.arguments.push(argument);
        }
    }
    for place in more.places {
        if !kept.places.contains(&place) {
            kept.places.push(place);
        }
    }
}
