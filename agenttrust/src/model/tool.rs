//! Tools as a program declares them: what it can do, before it does it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::effect::Effect;

/// The manifest of a program: every tool it declares, by name. It is the body of `PUT /api/v1/tools`, which sets the
/// tools it names and leaves every other one of the organisation as it is.
///
/// `Display` writes it as JSON, a line a member, as a file that people read and compare.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ToolManifest {
    /// The tools, ordered by name; no name comes twice.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub tools: Vec<ToolDeclaration>,
}

impl ToolManifest {
    /// Creates a manifest of these tools.
    #[must_use]
    pub fn new(tools: impl IntoIterator<Item = ToolDeclaration>) -> Self {
        Self { tools: tools.into_iter().collect() }
    }
}

impl fmt::Display for ToolManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}

/// A tool of a program.
///
/// ```
/// use agenttrust::Effect;
/// use agenttrust::model::ToolDeclaration;
///
/// let tool = ToolDeclaration::new("db_delete").effect(Effect::Destructive).scope("db:write");
/// assert_eq!(tool.name, "db_delete");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ToolDeclaration {
    /// The name, as it is checked.
    pub name: String,
    /// The effect of a call; `None` where the program declares none, and a Guardian has to guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub effect: Option<Effect>,
    /// Scopes that the agent needs beside the tool itself, ordered.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The arguments of a call.
    #[serde(default)]
    pub arguments: Vec<ToolArgument>,
    /// The places in the program that define the tool; more than one when several functions are one tool.
    #[serde(default)]
    pub places: Vec<ToolPlace>,
    /// The effects to which agents raised the tool, each for itself. A list of the Guardian shows them to operators,
    /// and a program declares none.
    #[serde(default, skip_serializing)]
    pub raised: Vec<RaisedEffect>,
}

/// The effect to which an agent raised a tool, for itself and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct RaisedEffect {
    /// The agent.
    pub agent_id: String,
    /// The least effect that the agent's calls of the tool count as.
    pub effect: Effect,
}

impl ToolDeclaration {
    /// Creates a tool about which nothing but its name is known.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets what a call does.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }

    /// Adds a scope that the agent needs beside the tool itself.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }
}

/// An argument of a tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ToolArgument {
    /// The name, as the body of the tool sees it.
    pub name: String,
    /// The JSON Schema of its type, where the program knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub schema: Option<Value>,
}

impl ToolArgument {
    /// Creates an argument of unknown type.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), schema: None }
    }

    /// Sets the JSON Schema of its type.
    #[must_use]
    pub fn schema(mut self, schema: Value) -> Self {
        self.schema = Some(schema);
        self
    }
}

/// A place in a program's source.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ToolPlace {
    /// The module path.
    pub module: String,
    /// The source file, as the compiler was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl ToolPlace {
    /// Creates the place of a tool: a line of a file of a module.
    #[must_use]
    pub fn new(module: impl Into<String>, file: impl Into<String>, line: u32) -> Self {
        Self { module: module.into(), file: file.into(), line }
    }
}

impl fmt::Display for ToolPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
