//! The words that are known, and what each says of a tool that has it in its name.
//!
//! A verb that is a read in one tool and a change in the next (`open`, `resolve`, `select`, `export`) is
//! no read here: unknown counts as mutating, which is the safer mistake. The verbs of changing are many
//! more than the rule alone needs, because a word that is not here hides behind a read: `list` would be
//! all that is known of `star_list`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use agenttrust::Effect;

use super::words;

/// The meaning of a known word, by the place where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A verb that reads, and is hardly ever a noun: `get`.
    Read,
    /// A verb that reads, or the name of what something else is done to: `list`, `query`.
    ReadOrThing,
    /// A verb that has this effect wherever it stands: `delete`.
    Verb(Effect),
    /// A verb that has this effect where a verb can stand, and is a noun elsewhere: `order`, `comment`.
    VerbOrThing(Effect),
    /// The same; but it is a verb also behind a read that may be a noun: `run` in `query_run`.
    VerbOrEvent(Effect),
    /// A verb that spends, or runs what it is given.
    Power,
    /// A program that can do anything when it is run: `command`.
    Program,
    /// A name of rights, so that changing it is for admins: `role`.
    Rights,
    /// A word that begins a new phrase, so that a verb can follow: `and`.
    Joint,
}

/// A row of the table: its heading, what its words say, and the words.
pub(super) type Row = (&'static str, Word, &'static str);

/// Every known word; the module docs above print the same table, and a test compares.
pub(super) const TABLE: [Row; 14] = [
    (
        "read",
        Word::Read,
        "analyse analyze browse calculate compare describe detect diff discover echo \
         enumerate examine explain explore fetch find get grep inspect lookup ls parse peek \
         read retrieve simulate stat suggest validate whoami",
    ),
    (
        "read, or a thing",
        Word::ReadOrThing,
        "check count df du list ping preview ps pwd query scan screenshot search show tree \
         uname uptime view what which who why",
    ),
    (
        "mutating",
        Word::Verb(Effect::Mutating),
        "abort accept acknowledge activate add adjust adopt allocate allow alter amend append \
         apply approve arrange assign associate attach ban bind broadcast checkin checkout \
         clone collapse compose compress connect consume copy cp create deactivate decline \
         decompress decrement delegate deliver deny deprecate dequeue deregister detach \
         disable disassociate disconnect dismiss dispatch distribute downgrade drag duplicate \
         edit eject emit enable encrypt enqueue enroll extend fix follow freeze generate halt \
         hide increment ingest initialize inject insert install interact invalidate invite \
         invoke join kick logout make mark migrate mkdir modify mount move mute mv navigate \
         notify offboard onboard paste persist populate press publish push put reactivate \
         reassign rebase reboot rebuild recompute reconcile reconfigure recover redeploy \
         redirect redo refactor refresh regenerate reindex reject reload rename renew reopen \
         reorder repair replace replicate reprocess reschedule resend resize restart restore \
         resubmit resume retry revert rewrite rotate save send set setup shutdown snooze sort \
         spawn squash submit subscribe suspend tap toggle touch unarchive unassign unban \
         unblock undelete undo unfollow unfreeze unlike unlock unmark unmute unpin unpublish \
         unregister unset unshare unstar unsubscribe update upsert write",
    ),
    (
        "mutating, or a thing",
        Word::VerbOrThing(Effect::Mutating),
        "block book call comment commit email order patch place post queue record register \
         reply review stage store switch",
    ),
    (
        "mutating, or an event",
        Word::VerbOrEvent(Effect::Mutating),
        "archive backup bookmark build change close complete deploy download draw export \
         favorite favourite fill flag forward import launch leave like load lock login merge \
         open pause pin release reserve rollback run schedule seed share ship sign split star \
         start stash stop swap sync track trigger upgrade upload vote zip",
    ),
    (
        "destructive",
        Word::Verb(Effect::Destructive),
        "decommission del delete deprovision destroy discard drop erase evict expunge \
         finalise finalize flush flushall flushdb forget hdel kill lrem nuke obliterate \
         overwrite prune purge recreate reformat reimage remove reprovision rm rmdir scrub \
         shred srem terminate truncate uninstall unlink wipe xdel zap zrem",
    ),
    ("destructive, or a thing", Word::VerbOrThing(Effect::Destructive), "trash"),
    (
        "destructive, or an event",
        Word::VerbOrEvent(Effect::Destructive),
        "cancel clean cleanup clear empty reset void",
    ),
    (
        "admin",
        Word::Verb(Effect::Admin),
        "administer authorise authorize chattr chgrp chmod chown configure demote elevate \
         escalate impersonate manage passwd promote provision revoke setfacl sudo useradd \
         userdel usermod",
    ),
    ("admin, or a thing", Word::VerbOrThing(Effect::Admin), "grant"),
    (
        "money and execution",
        Word::Power,
        "buy charge eval evaluate exec execute pay payout purchase refund reimburse remit \
         sell spend transfer withdraw",
    ),
    (
        "runs a program",
        Word::Program,
        "aws az bash cli cmd code command commands gcloud javascript kubectl migration \
         migrations powershell process processes python script scripts shell sql terminal",
    ),
    (
        "rights",
        Word::Rights,
        "access acl acls config configuration iam permission permissions policies policy privilege privileges rbac \
         role roles",
    ),
    ("begins again", Word::Joint, "also and or plus then to"),
];

/// Two words in a row that say something else together; documented and compared likewise.
pub(super) const PAIRS: [(&str, Effect, &[&str]); 3] = [
    (
        "two words: read",
        Effect::Read,
        &[
            "docker logs",
            "docker ps",
            "git blame",
            "git log",
            "git status",
            "kubectl logs",
            "kubectl top",
        ],
    ),
    ("two words: mutating", Effect::Mutating, &["check in", "check off", "check out", "git fetch"]),
    (
        "two words: destructive",
        Effect::Destructive,
        &[
            "kubectl apply",
            "run container",
            "run query",
            "terraform apply",
            "tofu apply",
            "write query",
        ],
    ),
];

/// The words behind which a program is run.
pub(super) const RUNNERS: &[&str] =
    &["apply", "call", "complete", "interact", "invoke", "launch", "run", "spawn", "start"];

/// Returns what these two words in a row say together.
pub(super) fn pair(word: &str, next: &str) -> Option<Effect> {
    let is = |pair: &&str| {
        let (one, other) = pair.split_once(' ').unwrap_or((pair, ""));
        one.eq_ignore_ascii_case(word) && other.eq_ignore_ascii_case(next)
    };
    PAIRS.iter().find(|(_, _, pairs)| pairs.iter().any(is)).map(|(_, effect, _)| *effect)
}

/// Returns whether a program that follows this word is run.
pub(super) fn runs(word: &str) -> bool {
    RUNNERS.iter().any(|runner| runner.eq_ignore_ascii_case(word))
}

/// The length that no known word exceeds, in bytes.
const LONGEST: usize = 16;

/// Returns what this word says, in capitals or not.
pub(super) fn known(word: &str) -> Option<Word> {
    static WORDS: LazyLock<HashMap<&str, Word>> = LazyLock::new(|| {
        let of =
            |&(_, says, words): &Row| words.split_ascii_whitespace().map(move |word| (word, says));
        TABLE.iter().flat_map(of).collect()
    });
    // Most words are in small letters already; the others are put so without an allocation.
    if let Some(says) = WORDS.get(word) {
        return Some(*says);
    }
    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    WORDS.get(std::str::from_utf8(lower).ok()?).copied()
}

/// Returns the strongest verb of destroying or of rights that stands anywhere in these letters, whatever is around it.
pub(super) fn hidden_in(letters: &str) -> Option<Effect> {
    // Shorter ones stand in too many words.
    const SHORTEST: usize = 4;
    let letters = letters.to_ascii_lowercase();
    let of = |&(_, says, words): &Row| match says {
        Word::Verb(effect) if effect >= Effect::Destructive => words
            .split_ascii_whitespace()
            .any(|word| word.len() >= SHORTEST && letters.contains(word))
            .then_some(effect),
        _ => None,
    };
    TABLE.iter().filter_map(of).max()
}

/// Returns whether this word, which is not ASCII, looks like a known one.
pub(super) fn looks_known(word: &str) -> bool {
    static LOOKS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let of = |&(_, _, words): &Row| words.split_ascii_whitespace().map(words::look);
        TABLE.iter().flat_map(of).collect()
    });
    LOOKS.contains(&words::look(word))
}
