//! What a call does to the world, and how sure we are: an effect from all the evidence there is.
//!
//! The effect that an operator or admin set is final. Otherwise the strongest of these: the caller's hint, an
//! operator's or admin's manifest, an MCP annotation, what the manifest of an agent's key raised it to, and the
//! strongest known verb in the tool's name. So a hint never lowers what other evidence says; without any, the hint
//! alone decides, and a `frobnicate` that is hinted to read, reads. With nothing at all: mutating.
//!
//! What an agent's key says of a tool is taken only where it raises what is found without it, and never makes
//! the Guardian surer than a hint does.
//!
//! | what the effect rests on | confidence |
//! |---|---|
//! | an operator's word, an operator's manifest or an annotation | 1.0 |
//! | the caller's hint, or an agent's manifest that says more than those | 0.9 |
//! | the name only | 0.6 |
//! | nothing | 0.3 |
//!
//! # The name
//!
//! Of `http/{METHOD}/{template}` the method alone decides, in capitals: `GET`, `HEAD` and `OPTIONS` read,
//! `DELETE` is destructive, every other one mutating. `http/` before anything else may be a server of that
//! name or an unknown method: it is mutating at least.
//!
//! Every other name is cut at `/` into parts, and these at what is no letter and inside camelCase into
//! words; the *strongest* word that is in the table decides. Words are compared whole, in capitals or
//! not, so a participle is no verb: `list_deleted` reads.
//!
//! | words | |
//! |---|---|
//! | read | analyse analyze browse calculate compare describe detect diff discover echo enumerate examine explain explore fetch find get grep inspect lookup ls parse peek read retrieve simulate stat suggest validate whoami |
//! | read, or a thing | check count df du list ping preview ps pwd query scan screenshot search show tree uname uptime view what which who why |
//! | mutating | abort accept acknowledge activate add adjust adopt allocate allow alter amend append apply approve arrange assign associate attach ban bind broadcast checkin checkout clone collapse compose compress connect consume copy cp create deactivate decline decompress decrement delegate deliver deny deprecate dequeue deregister detach disable disassociate disconnect dismiss dispatch distribute downgrade drag duplicate edit eject emit enable encrypt enqueue enroll extend fix follow freeze generate halt hide increment ingest initialize inject insert install interact invalidate invite invoke join kick logout make mark migrate mkdir modify mount move mute mv navigate notify offboard onboard paste persist populate press publish push put reactivate reassign rebase reboot rebuild recompute reconcile reconfigure recover redeploy redirect redo refactor refresh regenerate reindex reject reload rename renew reopen reorder repair replace replicate reprocess reschedule resend resize restart restore resubmit resume retry revert rewrite rotate save send set setup shutdown snooze sort spawn squash submit subscribe suspend tap toggle touch unarchive unassign unban unblock undelete undo unfollow unfreeze unlike unlock unmark unmute unpin unpublish unregister unset unshare unstar unsubscribe update upsert write |
//! | mutating, or a thing | block book call comment commit email order patch place post queue record register reply review stage store switch |
//! | mutating, or an event | archive backup bookmark build change close complete deploy download draw export favorite favourite fill flag forward import launch leave like load lock login merge open pause pin release reserve rollback run schedule seed share ship sign split star start stash stop swap sync track trigger upgrade upload vote zip |
//! | destructive | decommission del delete deprovision destroy discard drop erase evict expunge finalise finalize flush flushall flushdb forget hdel kill lrem nuke obliterate overwrite prune purge recreate reformat reimage remove reprovision rm rmdir scrub shred srem terminate truncate uninstall unlink wipe xdel zap zrem |
//! | destructive, or a thing | trash |
//! | destructive, or an event | cancel clean cleanup clear empty reset void |
//! | admin | administer authorise authorize chattr chgrp chmod chown configure demote elevate escalate impersonate manage passwd promote provision revoke setfacl sudo useradd userdel usermod |
//! | admin, or a thing | grant |
//! | money and execution | buy charge eval evaluate exec execute pay payout purchase refund reimburse remit sell spend transfer withdraw |
//! | runs a program | aws az bash cli cmd code command commands gcloud javascript kubectl migration migrations powershell process processes python script scripts shell sql terminal |
//! | rights | access acl acls config configuration iam permission permissions policies policy privilege privileges rbac role roles |
//! | begins again | also and or plus then to |
//! | two words: read | docker logs, docker ps, git blame, git log, git status, kubectl logs, kubectl top |
//! | two words: mutating | check in, check off, check out, git fetch |
//! | two words: destructive | kubectl apply, run container, run query, terraform apply, tofu apply, write query |
//!
//! - A word that reads counts in the last part only, a stronger one in every part: `get/user` is unknown,
//!   `files/delete_user/v2` is destructive.
//! - Some verbs are as often nouns. One that may be **a thing** counts, but for two cases: a read stands before it in
//!   its part, or the part is not the last and a read is in the last. So `email_user` and `orders/email` send,
//!   `get_email` and `email/list` read.
//! - One that may be **an event** counts, but for two reads before it: one of the first row, which are no nouns, or a
//!   `list` that opens the part and another word follows. So `query_run` and `scan_start` run and start, `get_run` and
//!   `list_workflow_run_jobs` read.
//! - A word that **begins again** takes away what stands before it: `get_user_and_email` sends.
//! - A verb of **money and execution** is destructive where no read stands before it in its part and only the name says
//!   an effect. Where a hint, a manifest or an annotation says one, it is mutating at least. So is a **program** behind
//!   apply, call, complete, interact, invoke, launch, run, spawn or start where no read stands before those in the
//!   part: `run_shell_command`, `start_process`.
//! - A verb that is stronger than a read makes a name admin that has a word of **rights** in any part:
//!   `add_role`, `iam/create_user`.
//! - **Two words** in a row of the table say something else together than one by one.
//! - A word that is not what it looks like is unknown, and a name that has one is mutating at least. Such words have
//!   letters of several scripts (`d\u{435}lete` with a Cyrillic letter), full-width letters or invisible characters, or
//!   are not ASCII and read like a word of the table. Latin letters beside Chinese, Japanese or Korean ones, and whole
//!   words of another language, are just unknown.
//!
//! So a verb that is in the table makes a name never weaker than it says, save where it is a noun by these
//! places. What is not in the table is unknown: with no known word at all a name is mutating.

mod confusables;
mod name;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tools;
mod verbs;
mod words;

use agenttrust::Effect;

/// Holds everything that is known about what a call does.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Evidence<'a> {
    /// The tool's name, as it was checked.
    pub tool: &'a str,
    /// The effect that an operator or admin set for the tool.
    pub operator: Option<Effect>,
    /// The effect that the caller of this check hints.
    pub hint: Option<Effect>,
    /// The effect that the manifest of an operator or admin declares.
    pub manifest: Option<Effect>,
    /// The effect that the manifest of an agent's key raised it to.
    pub raised: Option<Effect>,
    /// The effect that an MCP annotation says, where one is present.
    pub annotation: Option<Effect>,
}

impl<'a> Evidence<'a> {
    /// Returns the evidence that is a tool's name and nothing else.
    #[must_use]
    pub const fn new(tool: &'a str) -> Self {
        Self { tool, operator: None, hint: None, manifest: None, raised: None, annotation: None }
    }
}

/// An effect, and how it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Classification {
    /// The effect of the call.
    pub effect: Effect,
    /// The confidence, from 0 to 1.
    pub confidence: f64,
    /// The evidence that the classification rests on.
    pub basis: ClassificationSource,
}

/// The best evidence that a classification rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClassificationSource {
    /// An operator's word, an operator's manifest or an annotation.
    Registered,
    /// The caller's hint, or an agent's manifest.
    Hinted,
    /// The tool's name.
    Name,
    /// No evidence: the default applies.
    Default,
}

impl ClassificationSource {
    /// Returns the word for the audit: `registered`, `hinted`, `name` or `default`.
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
/// let mut understated = Evidence::new("db_delete");
/// understated.hint = Some(Effect::Read);
/// assert_eq!(classify(&understated).effect, Effect::Destructive);
/// ```
#[must_use]
pub fn classify(evidence: &Evidence<'_>) -> Classification {
    if let Some(effect) = evidence.operator {
        let basis = ClassificationSource::Registered;
        return Classification { effect, confidence: basis.confidence(), basis };
    }
    let registered = evidence.manifest.max(evidence.annotation);
    let said = name::read_tool_name(evidence.tool);
    // What an agent's key raised is no word that its tool does less than its name says.
    let is_told = evidence.hint.max(registered).is_some();
    let named = if is_told { said.beside_others } else { said.alone };
    let basis = if registered.is_some() && registered >= evidence.raised {
        ClassificationSource::Registered
    } else if evidence.hint.is_some() || evidence.raised.is_some() {
        ClassificationSource::Hinted
    } else if named.is_some() {
        ClassificationSource::Name
    } else {
        ClassificationSource::Default
    };
    // `None` orders below every effect, so the strongest word wins and a missing one never does.
    let effect =
        registered.max(evidence.raised).max(evidence.hint).max(named).unwrap_or(Effect::Mutating);
    Classification { effect, confidence: basis.confidence(), basis }
}

/// Returns the method of an HTTP tool, `http/{METHOD}/{template}`; `None` for every other tool, those of an MCP
/// server that is named `http` among them.
pub(crate) fn http_method(tool: &str) -> Option<&str> {
    let (method, _template) = tool.strip_prefix("http/")?.split_once('/')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    is_method.then_some(method)
}
