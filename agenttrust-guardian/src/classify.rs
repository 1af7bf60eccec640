//! What a call does to the world, and how sure we are: an effect from all the evidence there is.
//!
//! The effect that an operator or admin set is final. Otherwise the strongest of what the caller hinted,
//! what an operator's or admin's manifest or an MCP annotation says, what the manifest of an agent's key
//! raised it to, and what the first known verb in the tool's name says. So a hint never lowers what other
//! evidence says; where there is none, the hint alone decides, and a `frobnicate` that is hinted to read,
//! reads. With nothing at all: mutating.
//!
//! What an agent's key says of a tool is taken only where it raises what is found without it, and makes
//! nobody surer than a hint does.
//!
//! | what the effect rests on | confidence |
//! |---|---|
//! | an operator's word, an operator's manifest or an annotation | 1.0 |
//! | the caller's hint, or an agent's manifest that says more than those | 0.9 |
//! | the name only | 0.6 |
//! | nothing | 0.3 |
//!
//! # Verbs
//!
//! A name is cut into words at `_`, `-`, `.`, `/`, `:`, space, digits and inside camelCase; the
//! *first* word that is in this table decides, so `list_deleted` reads:
//!
//! | effect | verbs |
//! |---|---|
//! | read | browse compare count describe fetch find get inspect list lookup peek preview query read scan search select show stat summarize view |
//! | mutating | add append apply approve archive assign book call cancel close comment commit copy create deploy disable edit email enable exec execute import insert install invoke launch merge modify move notify order patch pause pay post publish push put rename replace reply restart restore resume run save schedule send set start stop store submit sync transfer update upload upsert write |
//! | destructive | clear del delete destroy drop erase expunge kill nuke overwrite prune purge remove reset rm rmdir shred terminate truncate uninstall unlink wipe |
//! | admin | authorize chgrp chmod chown configure demote elevate escalate grant impersonate passwd promote provision revoke setfacl sudo useradd userdel usermod |
//!
//! Of `server/tool` only the tool counts. Of `http/{METHOD}/{template}` only the method, in capitals:
//! `GET`, `HEAD` and `OPTIONS` read, `DELETE` is destructive, every other one mutating. `http/` before
//! anything else may be a server of that name or a method that nobody knows: its last part counts, and
//! it is mutating at least.

mod verbs;

use agenttrust::Effect;

/// Everything that is known about what a call does.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The tool's name, as it was checked.
    pub tool: &'a str,
    /// What an operator or admin set for the tool.
    pub operator: Option<Effect>,
    /// What the caller of this check says.
    pub hint: Option<Effect>,
    /// What the manifest of an operator or admin says.
    pub manifest: Option<Effect>,
    /// What the manifest of an agent's key raised it to.
    pub raised: Option<Effect>,
    /// What an MCP annotation that is present says.
    pub annotation: Option<Effect>,
}

/// An effect, and how it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Classification {
    /// What the call does.
    pub effect: Effect,
    /// How sure that is, from 0 to 1.
    pub confidence: f64,
    /// What it rests on.
    pub basis: Basis,
}

/// The best evidence that a classification rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// An operator's word, an operator's manifest or an annotation.
    Registered,
    /// The caller's hint, or an agent's manifest.
    Hinted,
    /// The tool's name.
    Name,
    /// Nothing.
    Default,
}

impl Basis {
    /// The word for the audit: `registered`, `hinted`, `name` or `default`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Hinted => "hinted",
            Self::Name => "name",
            Self::Default => "default",
        }
    }

    const fn confidence(self) -> f64 {
        match self {
            Self::Registered => 1.0,
            Self::Hinted => 0.9,
            Self::Name => 0.6,
            Self::Default => 0.3,
        }
    }
}

/// Weighs the evidence; see the [module](self) for the rule.
///
/// ```
/// use agenttrust::Effect;
/// use agenttrust_guardian::classify::{Evidence, classify};
///
/// let understated = Evidence {
///     tool: "db_delete",
///     operator: None,
///     hint: Some(Effect::Read),
///     manifest: None,
///     raised: None,
///     annotation: None,
/// };
/// assert_eq!(classify(&understated).effect, Effect::Destructive);
/// ```
#[must_use]
pub fn classify(evidence: &Evidence<'_>) -> Classification {
    if let Some(effect) = evidence.operator {
        let basis = Basis::Registered;
        return Classification { effect, confidence: basis.confidence(), basis };
    }
    let registered = evidence.manifest.max(evidence.annotation);
    let named = effect_of_name(evidence.tool);
    let basis = if registered.is_some() && registered >= evidence.raised {
        Basis::Registered
    } else if evidence.hint.is_some() || evidence.raised.is_some() {
        Basis::Hinted
    } else if named.is_some() {
        Basis::Name
    } else {
        Basis::Default
    };
    // `None` orders below every effect, so the strongest word wins and a missing one never does.
    let effect =
        registered.max(evidence.raised).max(evidence.hint).max(named).unwrap_or(Effect::Mutating);
    Classification { effect, confidence: basis.confidence(), basis }
}

fn effect_of_name(tool: &str) -> Option<Effect> {
    match http_method(tool) {
        Some("GET" | "HEAD" | "OPTIONS") => return Some(Effect::Read),
        Some("DELETE") => return Some(Effect::Destructive),
        Some(_) => return Some(Effect::Mutating),
        None => {}
    }
    let (server, name) = tool.rsplit_once('/').unwrap_or(("", tool));
    let named = verbs::first_in(name);
    if server.starts_with("http/") { named.max(Some(Effect::Mutating)) } else { named }
}

/// The method of an HTTP tool, `http/{METHOD}/{template}`; `None` for every other tool, those of an MCP
/// server that is named `http` among them.
pub(crate) fn http_method(tool: &str) -> Option<&str> {
    let (method, _template) = tool.strip_prefix("http/")?.split_once('/')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    is_method.then_some(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Evidence<'_> = Evidence {
        tool: "frobnicate",
        operator: None,
        hint: None,
        manifest: None,
        raised: None,
        annotation: None,
    };

    fn named(tool: &str) -> Effect {
        classify(&Evidence { tool, ..NOTHING }).effect
    }

    #[test]
    fn an_operators_word_is_final_and_may_lower() {
        let found = classify(&Evidence {
            tool: "delete_draft",
            operator: Some(Effect::Read),
            hint: Some(Effect::Admin),
            manifest: Some(Effect::Admin),
            raised: Some(Effect::Admin),
            annotation: Some(Effect::Admin),
        });
        assert_eq!(
            found,
            Classification { effect: Effect::Read, confidence: 1.0, basis: Basis::Registered }
        );
    }

    #[test]
    fn the_strongest_evidence_wins_so_a_hint_lowers_no_other() {
        for (hint, manifest, annotation, strongest) in [
            (Effect::Read, Effect::Destructive, Effect::Mutating, Effect::Destructive),
            (Effect::Admin, Effect::Read, Effect::Read, Effect::Admin),
            (Effect::Read, Effect::Read, Effect::Admin, Effect::Admin),
        ] {
            let found = classify(&Evidence {
                hint: Some(hint),
                manifest: Some(manifest),
                annotation: Some(annotation),
                ..NOTHING
            });
            assert_eq!(found.effect, strongest);
            assert_eq!(found.basis, Basis::Registered);
        }
        let hinted = Evidence { tool: "db_delete", hint: Some(Effect::Read), ..NOTHING };
        assert_eq!(classify(&hinted).effect, Effect::Destructive);
    }

    #[test]
    fn confidence_tells_registered_hinted_named_and_default_apart() {
        let manifest = Evidence { manifest: Some(Effect::Read), ..NOTHING };
        let annotation =
            Evidence { annotation: Some(Effect::Read), hint: Some(Effect::Read), ..NOTHING };
        let hint = Evidence { hint: Some(Effect::Read), ..NOTHING };
        let name = Evidence { tool: "get_file", ..NOTHING };
        for (evidence, confidence, effect) in [
            (manifest, 1.0, Effect::Read),
            (annotation, 1.0, Effect::Read),
            (hint, 0.9, Effect::Read),
            (name, 0.6, Effect::Read),
            (NOTHING, 0.3, Effect::Mutating),
        ] {
            let found = classify(&evidence);
            assert!((found.confidence - confidence).abs() < f64::EPSILON, "{evidence:?}");
            assert_eq!(found.effect, effect, "{evidence:?}");
        }
    }

    #[test]
    fn what_an_agents_key_raised_is_worth_a_hint_and_lowers_nothing() {
        for (manifest, raised, effect, basis) in [
            (None, Effect::Admin, Effect::Admin, Basis::Hinted),
            (Some(Effect::Read), Effect::Admin, Effect::Admin, Basis::Hinted),
            (Some(Effect::Admin), Effect::Admin, Effect::Admin, Basis::Registered),
            (Some(Effect::Admin), Effect::Destructive, Effect::Admin, Basis::Registered),
        ] {
            let hint = Some(Effect::Read);
            let found = classify(&Evidence { manifest, raised: Some(raised), hint, ..NOTHING });
            assert_eq!((found.effect, found.basis), (effect, basis), "{manifest:?} {raised}");
        }
    }

    #[test]
    fn the_first_known_verb_in_the_name_decides() {
        for (tool, effect) in [
            ("list_deleted", Effect::Read),
            ("list_delete", Effect::Read),
            ("web_search", Effect::Read),
            ("db_delete", Effect::Destructive),
            ("db-delete", Effect::Destructive),
            ("db.delete", Effect::Destructive),
            ("db:delete", Effect::Destructive),
            ("db delete", Effect::Destructive),
            ("deleteUser", Effect::Destructive),
            ("userDelete", Effect::Destructive),
            ("SQLDropTable", Effect::Destructive),
            ("S3DELETE", Effect::Destructive),
            ("delete2", Effect::Destructive),
            ("grant_role", Effect::Admin),
            ("sudo", Effect::Admin),
            ("send_email", Effect::Mutating),
            ("deleted_items", Effect::Mutating),
            ("getaway", Effect::Mutating),
            ("", Effect::Mutating),
            ("löschen", Effect::Mutating),
        ] {
            assert_eq!(named(tool), effect, "{tool}");
        }
        assert_eq!(classify(&Evidence { tool: "getaway", ..NOTHING }).basis, Basis::Default);
    }

    #[test]
    fn of_a_servers_tool_only_the_tool_counts() {
        assert_eq!(named("delete-service/list_items"), Effect::Read);
        assert_eq!(named("get/delete_item"), Effect::Destructive);
    }

    #[test]
    fn an_http_tool_is_classified_by_its_method_alone() {
        for (tool, effect) in [
            ("http/GET/delete/{id}", Effect::Read),
            ("http/HEAD/files", Effect::Read),
            ("http/OPTIONS/files", Effect::Read),
            ("http/DELETE/get/{id}", Effect::Destructive),
            ("http/DELETE/(unmatched)", Effect::Destructive),
            ("http/POST/delete", Effect::Mutating),
            ("http/PURGE/cache", Effect::Mutating),
        ] {
            assert_eq!(named(tool), effect, "{tool}");
        }
    }

    #[test]
    fn a_server_named_http_hides_no_verb_behind_what_is_no_method() {
        for (tool, effect) in [
            ("http/foo/delete_all", Effect::Destructive),
            ("http/delete_all", Effect::Destructive),
            ("http/list", Effect::Read),
            ("http/Foo/grant_role", Effect::Admin),
            ("http//delete_all", Effect::Destructive),
            // A method in small letters is one of its own, and a route's name tells nothing about it.
            ("http/get/list", Effect::Mutating),
            ("http/delete/list", Effect::Mutating),
        ] {
            assert_eq!(named(tool), effect, "{tool}");
        }
    }

    #[test]
    fn a_hint_is_all_there_is_for_a_name_without_a_verb() {
        let hinted = Evidence { hint: Some(Effect::Read), ..NOTHING };
        assert_eq!(classify(&hinted).effect, Effect::Read);
        assert_eq!(classify(&NOTHING).effect, Effect::Mutating);
    }

    #[test]
    fn the_documented_verb_table_is_the_one_in_use() {
        for (effect, verbs) in verbs::TABLE {
            let row = format!("//! | {effect} | {} |", verbs.join(" "));
            assert!(include_str!("classify.rs").contains(&row), "the module docs lack: {row}");
        }
    }
}
