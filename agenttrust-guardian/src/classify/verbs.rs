//! The verb table and how a name is cut into words.
//!
//! A verb that is a read in one tool and a change in the next (`check`, `open`, `resolve`, `export`) is
//! left out: unknown counts as mutating, which is the safer mistake.

use agenttrust::Effect;

/// Every known verb by its effect; the module docs above print the same table, and a test compares.
pub(super) const TABLE: [(Effect, &[&str]); 4] = [
    (
        Effect::Read,
        &[
            "browse",
            "compare",
            "count",
            "describe",
            "fetch",
            "find",
            "get",
            "inspect",
            "list",
            "lookup",
            "peek",
            "preview",
            "query",
            "read",
            "scan",
            "search",
            "select",
            "show",
            "stat",
            "summarize",
            "view",
        ],
    ),
    (
        Effect::Mutating,
        &[
            "add", "append", "apply", "approve", "archive", "assign", "book", "call", "cancel",
            "close", "comment", "commit", "copy", "create", "deploy", "disable", "edit", "email",
            "enable", "exec", "execute", "import", "insert", "install", "invoke", "launch",
            "merge", "modify", "move", "notify", "order", "patch", "pause", "pay", "post",
            "publish", "push", "put", "rename", "replace", "reply", "restart", "restore", "resume",
            "run", "save", "schedule", "send", "set", "start", "stop", "store", "submit", "sync",
            "transfer", "update", "upload", "upsert", "write",
        ],
    ),
    (
        Effect::Destructive,
        &[
            "clear",
            "del",
            "delete",
            "destroy",
            "drop",
            "erase",
            "expunge",
            "kill",
            "nuke",
            "overwrite",
            "prune",
            "purge",
            "remove",
            "reset",
            "rm",
            "rmdir",
            "shred",
            "terminate",
            "truncate",
            "uninstall",
            "unlink",
            "wipe",
        ],
    ),
    (
        Effect::Admin,
        &[
            "authorize",
            "chgrp",
            "chmod",
            "chown",
            "configure",
            "demote",
            "elevate",
            "escalate",
            "grant",
            "impersonate",
            "passwd",
            "promote",
            "provision",
            "revoke",
            "setfacl",
            "sudo",
            "useradd",
            "userdel",
            "usermod",
        ],
    ),
];

/// The effect of the first known verb in `name`.
pub(super) fn first_in(name: &str) -> Option<Effect> {
    words(name).find_map(effect_of)
}

fn effect_of(word: &str) -> Option<Effect> {
    TABLE
        .iter()
        .find(|(_, verbs)| verbs.iter().any(|verb| verb.eq_ignore_ascii_case(word)))
        .map(|(effect, _)| *effect)
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| matches!(c, '_' | '-' | '.' | '/' | ':' | ' ') || c.is_ascii_digit())
        .flat_map(humps)
        .filter(|word| !word.is_empty())
}

/// Cuts `camelCase`, and `SQLDrop` into `SQL` and `Drop`.
fn humps(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (hump, after) = rest.split_at(hump_end(rest));
        rest = after;
        Some(hump)
    })
}

fn hump_end(word: &str) -> usize {
    let mut chars = word.char_indices().peekable();
    let mut previous: Option<char> = None;
    while let Some((at, current)) = chars.next() {
        if let Some(previous) = previous
            && current.is_uppercase()
        {
            let starts_a_word = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
            if !previous.is_uppercase() || starts_a_word {
                return at;
            }
        }
        previous = Some(current);
    }
    word.len()
}
