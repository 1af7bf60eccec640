//! What a program lists of itself: every guarded function, called or not.

#![allow(dead_code, reason = "a tool is listed without being called")]

use agenttrust::{AgentTrustError, Effect, ToolDeclaration, guarded};
use serde::Serialize;

type Output<T = ()> = Result<T, AgentTrustError>;

struct Db;

#[derive(Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
struct Request {
    path: String,
}

struct Parameters<T>(T);

#[guarded(effect = "destructive", scopes("db:write", "db:admin"), skip(db))]
async fn drop_table(db: &Db, table: &str, mut tables: Vec<String>) -> Output {
    let _ = (db, table);
    tables.clear();
    Ok(())
}

#[guarded]
fn silent() -> Output {
    Ok(())
}

const NAMED: &str = concat!("named", "_", "elsewhere");

#[guarded(tool = NAMED)]
fn named() -> Output {
    Ok(())
}

#[guarded(effect = "read")]
fn read_request(Parameters(request): Parameters<Request>, opaque: &Db) -> Output {
    let _ = (request.path, opaque);
    Ok(())
}

#[guarded(effect = "read")]
fn generic<T: Serialize, const N: usize>(item: T, items: [u8; N]) -> Output {
    let _ = (item, items);
    Ok(())
}

struct Store<Item>(Item);

#[guarded(effect = "mutating")]
impl<Item: Serialize> Store<Item> {
    fn put(&self, item: Item, at: u32) -> Output {
        let _ = (item, at);
        Ok(())
    }

    #[guarded(skip)]
    fn left_out() {}
}

impl<T: Serialize> Store<T> {
    #[guarded(effect = "mutating")]
    fn put_alone(&self, item: T, of: &Self) -> Output {
        let _ = (item, of);
        Ok(())
    }
}

trait Defaults {
    #[guarded(effect = "admin", skip(self))]
    fn by_default(&self) -> Output {
        Ok(())
    }
}

mod twice {
    use super::{Output, guarded};

    pub(super) mod first {
        use super::{Output, guarded};

        #[guarded(tool = "merged", effect = "read", scopes("a", "b"))]
        fn one(left: u8) -> Output {
            let _ = left;
            Ok(())
        }
    }

    #[guarded(tool = "merged", effect = "read", scopes("b", "a"))]
    fn another(right: u8) -> Output {
        let _ = right;
        Ok(())
    }
}

fn tool(name: &str) -> ToolDeclaration {
    let mut tools = agenttrust::tools().expect("no two tools of this file contradict each other");
    tools.retain(|tool| tool.name == name);
    let [tool] = &tools[..] else { panic!("{name}: {tools:?}") };
    tool.clone()
}

fn argument_names(tool: &ToolDeclaration) -> Vec<&str> {
    tool.arguments.iter().map(|argument| argument.name.as_str()).collect()
}

#[test]
fn every_guarded_function_is_listed_whether_it_was_called_or_not() {
    let tools = agenttrust::tools().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    let expected = [
        "by_default",
        "drop_table",
        "generic",
        "merged",
        "named_elsewhere",
        "put",
        "put_alone",
        "read_request",
        "silent",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_tool_is_listed_with_what_its_attribute_says_and_where_it_is() {
    let drop_table = tool("drop_table");
    assert_eq!(drop_table.effect, Some(Effect::Destructive));
    assert_eq!(drop_table.scopes, ["db:admin", "db:write"]);
    assert_eq!(argument_names(&drop_table), ["table", "tables"]);
    let [place] = &drop_table.places[..] else { panic!("{drop_table:?}") };
    assert!(place.file.ends_with("tools.rs"), "{place}");
    assert_eq!(place.module, module_path!());
    let source = include_str!("tools.rs");
    let line = source.lines().nth(place.line as usize - 1).unwrap();
    assert!(line.contains("async fn drop_table"), "line {} is {line:?}", place.line);
    assert_eq!(tool("silent").effect, None);
    assert_eq!(tool("by_default").effect, Some(Effect::Admin));
}

#[test]
fn methods_of_one_block_have_their_own_lines() {
    let [place] = &tool("put").places[..] else { panic!() };
    let line = include_str!("tools.rs").lines().nth(place.line as usize - 1).unwrap();
    assert!(line.contains("fn put("), "line {} is {line:?}", place.line);
}

#[test]
fn functions_that_say_the_same_of_one_name_are_one_tool_with_both_places() {
    let merged = tool("merged");
    assert_eq!(merged.places.len(), 2, "{merged:?}");
    let mut names = argument_names(&merged);
    names.sort_unstable();
    assert_eq!(names, ["left", "right"]);
}

#[test]
fn those_that_declare_no_effect_are_told_from_those_that_do() {
    let mut tools = agenttrust::tools().unwrap();
    tools.retain(|tool| tool.effect.is_none());
    let undeclared: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(undeclared, ["named_elsewhere", "silent"]);
    assert!(tools.iter().all(|tool| tool.places[0].file.ends_with("tools.rs")), "{tools:?}");
}

#[test]
fn the_manifest_is_the_list_as_json() {
    let json = agenttrust::manifest().unwrap().to_string();
    let manifest: agenttrust::ToolManifest = serde_json::from_str(&json).unwrap();
    assert_eq!(manifest.tools, agenttrust::tools().unwrap());
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["tools"][1]["name"], "drop_table");
    assert_eq!(value["tools"][1]["effect"], "destructive");
}

#[cfg(feature = "schemars")]
#[test]
fn an_argument_has_the_schema_of_its_type_where_it_is_known() {
    let schema_of = |tool: &ToolDeclaration, name: &str| {
        let argument = tool.arguments.iter().find(|argument| argument.name == name).unwrap();
        argument.schema.clone()
    };
    let drop_table = tool("drop_table");
    assert_eq!(schema_of(&drop_table, "table").unwrap()["type"], "string");
    assert_eq!(schema_of(&drop_table, "tables").unwrap()["items"]["type"], "string");
    let request = tool("read_request");
    let schema = schema_of(&request, "request").unwrap();
    assert_eq!(schema["properties"]["path"]["type"], "string", "{schema}");
    // No schema: a type without one, type parameters of the function, of the block, and of a block
    // that cannot be seen, and `Self`.
    assert_eq!(schema_of(&request, "opaque"), None);
    assert_eq!(schema_of(&tool("generic"), "item"), None);
    assert_eq!(schema_of(&tool("generic"), "items"), None);
    assert_eq!(schema_of(&tool("put"), "item"), None);
    assert_eq!(schema_of(&tool("put"), "at").unwrap()["type"], "integer");
    assert_eq!(schema_of(&tool("put_alone"), "item"), None);
    assert_eq!(schema_of(&tool("put_alone"), "of"), None);
}
