//! A manifest as it was sent: looked at, and put in order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use agenttrust::Effect;
use agenttrust::internal::NAME_MAX_BYTES;
use agenttrust::model::schema::{Name, optional_effect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use super::{Declared, Json};
use crate::domain::Error;
use crate::domain::names::{check_line, check_name, check_names, is_within};
use crate::domain::numbers::whole;

/// The largest number of tools of one manifest.
const TOOLS_MOST: usize = 1_000;
/// The largest number of places that one tool is defined in.
const PLACES_MOST: usize = 64;
/// The largest length of the schemas of one tool, as they are sent, in bytes.
const SCHEMAS_MAX_BYTES: usize = 16 << 10;
/// The largest depth of a schema. Each caller that lists the tools must be able to read it.
const SCHEMA_MAX_DEPTH: usize = 64;

/// A tool of the body of `PUT /api/v1/tools`. A member that is misspelt must not read as an absent one, here or below.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeclaredTool)]
pub(crate) struct Tool {
    /// The name, as it is checked.
    #[schema(value_type = Name)]
    name: String,
    /// The effect of a call.
    #[schema(schema_with = optional_effect)]
    effect: Option<Effect>,
    /// Scopes that the agent needs beside the tool itself.
    #[serde(default)]
    #[schema(schema_with = scopes)]
    scopes: Vec<String>,
    /// The arguments of a call; their schemas are at most 16 KiB in all, nested at most 64 deep.
    #[serde(default)]
    arguments: Vec<Argument>,
    /// The places where the program defines it.
    #[serde(default)]
    #[schema(max_items = 64)]
    places: Vec<Place>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeclaredArgument)]
struct Argument {
    #[schema(value_type = Name)]
    name: String,
    /// The JSON Schema of its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    schema: Option<Box<RawValue>>,
}

#[derive(Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeclaredPlace)]
struct Place {
    #[schema(max_length = 1000, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$")]
    module: String,
    #[schema(max_length = 1000, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$")]
    file: String,
    #[serde(deserialize_with = "whole")]
    #[schema(format = "uint32", maximum = 4294967295_u64)]
    line: u32,
}

/// Returns the scopes of a tool, which travel with a check as a list with commas.
fn scopes() -> RefOr<Schema> {
    const NO_SPACE: &str = r"[^\s,\u0000-\u001F\u007F-\u009F]";
    const WITHIN: &str = r"[^,\u0000-\u001F\u007F-\u009F]";
    let scope = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(NAME_MAX_BYTES))
        .pattern(Some(format!("^{NO_SPACE}({WITHIN}*{NO_SPACE})?$")));
    RefOr::T(Schema::Array(ArrayBuilder::new().items(scope).max_items(Some(256)).build()))
}

/// A tool as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) tool: String,
    pub(crate) declared: Declared,
}

impl TryFrom<Tool> for Sent {
    type Error = Error;

    fn try_from(tool: Tool) -> Result<Self, Error> {
        let unreadable = |_| Error::invalid("tools", "hold what is no JSON; send them again");
        let declared = Declared {
            effect: tool.effect,
            scopes: tool.scopes,
            arguments: Json::from_value(&tool.arguments).map_err(unreadable)?,
            places: Json::from_value(&tool.places).map_err(unreadable)?,
        };
        Ok(Self { tool: tool.name, declared })
    }
}

/// Returns the tools of a manifest, ordered by name and none twice, their scopes likewise.
///
/// A tool that is there twice with one effect and the same scopes is one tool with more places; with
/// anything else it is an error that names both places.
pub(crate) fn parse_tools(tools: Vec<Tool>) -> Result<Vec<Sent>, Error> {
    if tools.len() > TOOLS_MOST {
        let many = format!(
            "has {} entries; {TOOLS_MOST} is the most, so send them in several manifests",
            tools.len()
        );
        return Err(Error::invalid("tools", many));
    }
    let mut by_name: BTreeMap<String, (usize, Tool)> = BTreeMap::new();
    for (index, mut tool) in tools.into_iter().enumerate() {
        check(index, &mut tool)?;
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
                check_extent(*first, kept)?;
            }
        }
    }
    by_name.into_values().map(|(_, tool)| tool.try_into()).collect()
}

fn check(index: usize, tool: &mut Tool) -> Result<(), Error> {
    check_name(&format!("tools[{index}].name"), &tool.name)?;
    let field = format!("tools[{index}].scopes");
    check_names(&field, &tool.scopes)?;
    for (place, scope) in tool.scopes.iter().enumerate() {
        if scope.contains(',') || scope.trim() != scope {
            return Err(Error::invalid(
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
    check_extent(index, tool)?;
    for (place, argument) in tool.arguments.iter_mut().enumerate() {
        if let Some(schema) = &mut argument.schema {
            let field = format!("tools[{index}].arguments[{place}].schema");
            *schema = compact(&field, schema)?;
        }
    }
    Ok(())
}

/// Looks at what grows when two entries are joined.
fn check_extent(index: usize, tool: &Tool) -> Result<(), Error> {
    let arguments: Vec<&str> = tool.arguments.iter().map(|given| given.name.as_str()).collect();
    check_names(&format!("tools[{index}].arguments"), &arguments)?;
    let bytes: usize = tool
        .arguments
        .iter()
        .flat_map(|given| &given.schema)
        .map(|schema| schema.get().len())
        .sum();
    if bytes > SCHEMAS_MAX_BYTES {
        let long = format!(
            "have schemas of {bytes} bytes in all; {SCHEMAS_MAX_BYTES} is the most, so leave some out"
        );
        return Err(Error::invalid(&format!("tools[{index}].arguments"), long));
    }
    let places = tool.places.len();
    if places > PLACES_MOST {
        let many = format!("has {places} entries; {PLACES_MOST} is the most");
        return Err(Error::invalid(&format!("tools[{index}].places"), many));
    }
    Ok(())
}

/// Returns the schema without spaces, in a form that every reader takes. Its tree lives only here, one at a time.
fn compact(field: &str, schema: &RawValue) -> Result<Box<RawValue>, Error> {
    let unreadable = |error| Error::invalid(field, format!("is not as it must be: {error}"));
    let value: Value = serde_json::from_str(schema.get()).map_err(unreadable)?;
    if !is_within(&value, SCHEMA_MAX_DEPTH) {
        let deep = format!("is nested deeper than {SCHEMA_MAX_DEPTH}; leave it out");
        return Err(Error::invalid(field, deep));
    }
    serde_json::value::to_raw_value(&value).map_err(unreadable)
}

/// Refuses two entries of one name that say different things.
fn agree((first, one): (usize, &Tool), (index, other): (usize, &Tool)) -> Result<(), Error> {
    let (at_first, at_other) = (place(first, one), place(index, other));
    let name = &one.name;
    if one.effect != other.effect {
        let effect =
            |tool: &Tool| tool.effect.map_or("not given", |effect| effect.as_str()).to_owned();
        let differs = format!(
            "is {} at {at_other}, and that of the same tool {name:?} is {} at {at_first}; \
             give it one effect, or two names",
            effect(other),
            effect(one),
        );
        return Err(Error::invalid(&format!("tools[{index}].effect"), differs));
    }
    if one.scopes != other.scopes {
        let differs = format!(
            "at {at_other} are not those of the same tool {name:?} at {at_first}; \
             give it the same scopes, or two names"
        );
        return Err(Error::invalid(&format!("tools[{index}].scopes"), differs));
    }
    Ok(())
}

fn place(index: usize, tool: &Tool) -> String {
    let first = tool.places.first();
    first.map_or_else(|| format!("tools[{index}]"), |at| format!("{}:{}", at.file, at.line))
}

fn join(kept: &mut Tool, more: Tool) {
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
