//! What an MCP server says of one of its tools, as it was when it was first used or when an operator accepted it. A
//! server may describe another tool under the same name later, which is not the one that was looked at.

use agenttrust::Effect;
use agenttrust::guard::digest::commit;
use serde_json::{Map, Value};

use crate::domain::names::check_name;

/// The members of a tool that are pinned: what the model that calls it reads, and what the call may hold.
const PINNED: [&str; 7] =
    ["name", "title", "description", "inputSchema", "outputSchema", "annotations", "execution"];

/// Returns whether a reader may take this member for one that is pinned: some do not look at case, or at what is no
/// letter.
fn is_pinned(member: &str) -> bool {
    let letters = member.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    PINNED.iter().any(|pinned| pinned.to_ascii_lowercase() == plain)
}

/// The key of the digests. They hide nothing, so it is no secret: a server shows its tools to everyone who may call.
const KEY: [u8; 32] = *b"agenttrust.mcp.pinned-tool.v1\0\0\0";

/// The longest definition that is pinned, as JSON, in bytes.
pub(crate) const DEFINITION_MAX_BYTES: usize = 64 << 10;

/// The number of values there may be in it: in memory each takes many times its text.
const VALUES_MOST: usize = 4_096;

/// A tool of an MCP server, as it is pinned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PinnedTool {
    pub(crate) name: String,
    /// The digest that tells one definition from another: 64 hexadecimal digits.
    pub(crate) digest: String,
    /// The members that are pinned, and no others.
    pub(crate) definition: Value,
    /// The effect that its annotations raise it to: the strongest that any accepted definition had.
    pub(crate) effect_hint: Option<Effect>,
    /// The length of the definition, as JSON.
    pub(crate) bytes: usize,
}

/// A tool, as a server lists it now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListedTool {
    pub(crate) name: String,
    pub(crate) digest: String,
    /// The members that are pinned; `None` where they cannot be: too long, too many values, or two of one name that are
    /// not the same.
    pub(crate) definition: Option<Value>,
    /// The length of the definition, as JSON.
    pub(crate) bytes: usize,
}

impl ListedTool {
    /// Reads a member of `tools`; `None` for what has no name that could be called at the server of this name.
    pub(crate) fn read(server: &str, tool: &Value) -> Option<Self> {
        let tool = tool.as_object()?;
        let name = tool.get("name")?.as_str()?;
        check_name("name", name).ok()?;
        check_name("name", &format!("{server}/{name}")).ok()?;
        // Together with others these would stand for all tools, for more than one, or for another one.
        if name.contains(['*', ',']) || name.trim() != name {
            return None;
        }
        let pinned: Map<String, Value> = tool
            .iter()
            .filter(|(member, _)| is_pinned(member))
            .map(|(member, value)| (member.clone(), value.clone()))
            .collect();
        let definition = Value::Object(pinned);
        let digest = commit(&KEY, &definition).ok()?.digest;
        let bytes = definition.to_string().len();
        let fits = bytes <= DEFINITION_MAX_BYTES && values(&definition) <= VALUES_MOST;
        let definition = fits.then_some(definition);
        Some(Self { name: name.to_owned(), digest, definition, bytes })
    }

    /// Returns what it is pinned as.
    pub(crate) fn pin(&self) -> Option<PinnedTool> {
        let definition = self.definition.clone()?;
        Some(PinnedTool {
            name: self.name.clone(),
            digest: self.digest.clone(),
            effect_hint: effect_hint(&definition),
            definition,
            bytes: self.bytes,
        })
    }

    /// Returns the one of both where they are the same, else one that is neither.
    pub(super) fn or_neither(self, other: &Self) -> Self {
        if self.digest == other.digest {
            return self;
        }
        let both = Value::from(vec![self.digest.as_str(), other.digest.as_str()]);
        let digest = commit(&KEY, &both).map_or_else(|_| String::new(), |it| it.digest);
        Self { digest, definition: None, ..self }
    }
}

/// Returns how many values there are in this one, itself included. Text that was read is not nested deeper than a
/// parser goes.
fn values(value: &Value) -> usize {
    let inside: usize = match value {
        Value::Array(all) => all.iter().map(values).sum(),
        Value::Object(members) => members.values().map(values).sum(),
        _ => 0,
    };
    1 + inside
}

/// Returns what the annotations of a definition raise it to. The word of a server is taken where it makes a call
/// stricter, and where it is said: an absent annotation says nothing, and neither does that a tool only reads.
pub(crate) fn effect_hint(definition: &Value) -> Option<Effect> {
    let annotations = definition.get("annotations")?;
    let says = |name: &str| annotations.get(name).and_then(Value::as_bool);
    if says("destructiveHint") == Some(true) {
        return Some(Effect::Destructive);
    }
    (says("readOnlyHint") == Some(false)).then_some(Effect::Mutating)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(tool: &Value) -> ListedTool {
        ListedTool::read("files", tool).unwrap()
    }

    #[test]
    fn digest_tells_of_everything_that_a_model_reads_and_of_nothing_else() {
        let tool = json!({
            "name": "write", "title": "Write", "description": "writes", "annotations": { "destructiveHint": false },
            "inputSchema": { "type": "object", "properties": { "a": { "maximum": 9_007_199_254_740_993_u64 } } },
        });
        let digest = read(&tool).digest;
        let with = |pointer: &str, value: Value| {
            let mut other = tool.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            read(&other).digest
        };
        for (pointer, value) in [
            ("/name", json!("write2")),
            ("/title", json!("write")),
            ("/description", json!("writes ")),
            ("/annotations/destructiveHint", json!(true)),
            ("/inputSchema/properties/a/maximum", json!(9_007_199_254_740_992_u64)),
        ] {
            assert_ne!(with(pointer, value), digest, "{pointer}");
        }
        for member in ["outputSchema", "execution", "Description", "input_schema", "desc\0ription"]
        {
            let mut other = tool.clone();
            other[member] = json!({});
            assert_ne!(read(&other).digest, digest, "{member:?}");
        }
        let mut same = tool.clone();
        same["_meta"] = json!({ "request": 7 });
        assert_eq!(read(&same).digest, digest);
        assert_eq!(read(&same).definition, Some(tool));
    }

    #[test]
    fn tool_that_could_not_be_called_by_its_name_is_no_tool() {
        let long = "x".repeat(200);
        for bad in [
            json!(null),
            json!("write"),
            json!([]),
            json!({}),
            json!({ "name": 1 }),
            json!({ "name": "" }),
            json!({ "name": "a\u{1b}[2J" }),
            json!({ "name": long }),
            json!({ "name": "*" }),
            json!({ "name": "read*" }),
            json!({ "name": "a,b" }),
            json!({ "name": " a" }),
        ] {
            assert_eq!(ListedTool::read("files", &bad), None, "{bad}");
        }
    }

    #[test]
    fn definition_that_is_too_long_is_told_from_others_and_pinned_never() {
        let long = |text: &str| read(&json!({ "name": "a", "description": text.repeat(70_000) }));
        let (one, other) = (long("x"), long("y"));
        assert!(one.definition.is_none() && one.pin().is_none());
        assert_ne!(one.digest, other.digest);
    }

    #[test]
    fn definition_of_too_many_values_is_told_from_others_and_pinned_never() {
        let of =
            |count: usize| read(&json!({ "name": "a", "inputSchema": { "x": vec![0; count] } }));
        assert!(of(4_000).pin().is_some());
        assert!(of(4_096).pin().is_none());
        assert_ne!(of(4_096).digest, of(4_097).digest);
    }

    #[test]
    fn annotation_raises_and_never_lowers() {
        let hint = |annotations: Value| effect_hint(&json!({ "annotations": annotations }));
        assert_eq!(effect_hint(&json!({})), None);
        for nothing in [
            json!({}),
            json!(null),
            json!("destructiveHint"),
            json!({ "readOnlyHint": true }),
            json!({ "destructiveHint": false }),
            json!({ "destructiveHint": "true" }),
        ] {
            assert_eq!(hint(nothing.clone()), None, "{nothing}");
        }
        assert_eq!(hint(json!({ "readOnlyHint": false })), Some(Effect::Mutating));
        let both = json!({ "readOnlyHint": true, "destructiveHint": true });
        assert_eq!(hint(both), Some(Effect::Destructive));
    }
}
