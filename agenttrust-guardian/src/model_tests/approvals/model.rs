//! What the protocol says becomes of approvals: in memory, one step at a time, as plainly as it goes.

use std::collections::BTreeSet;
use std::time::Duration;

use agenttrust::model::{ApprovalStatus, Binds, BoundTo};

/// The time for which an approval may be pending.
const PENDING: Duration = Duration::from_secs(300);
/// The windows of an approval that is bound to the input, and of all others.
const WINDOW: Duration = Duration::from_secs(600);
const WINDOW_LOOSE: Duration = Duration::from_secs(300);
/// The number of different keys that have to approve.
const QUORUM: u32 = 2;
const PENDING_MOST: usize = 20;
const DENIALS_MOST: usize = 3;
const DENIALS_WITHIN: Duration = Duration::from_secs(600);

/// The holder of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyHolder {
    /// The agent of this number.
    Agent(usize),
    /// A program that speaks for every agent.
    Fleet,
    /// May ask and decide.
    Admin,
    /// May decide.
    Operator(usize),
}

impl KeyHolder {
    fn may_ask_for(self, agent: usize) -> bool {
        match self {
            Self::Agent(own) => own == agent,
            Self::Fleet | Self::Admin => true,
            Self::Operator(_) => false,
        }
    }

    fn may_decide(self) -> bool {
        matches!(self, Self::Admin | Self::Operator(_))
    }

    /// Returns whether this key was made with that one, or with one that was.
    pub(super) fn comes_from(self, maker: Self) -> bool {
        matches!((self, maker), (Self::Operator(0 | 1), Self::Admin))
    }

    pub(super) fn owner(self) -> Option<&'static str> {
        matches!(self, Self::Operator(2 | 3) | Self::Fleet).then_some("bob")
    }

    fn has_owner_of(self, other: Self) -> bool {
        self.owner().is_some() && self.owner() == other.owner()
    }

    /// Returns whether this key is that requester's.
    pub(super) fn is_of(self, requester: Self) -> bool {
        self == requester || self.comes_from(requester) || self.has_owner_of(requester)
    }

    /// Returns whether both count as one approver.
    pub(super) fn is_one_with(self, other: Self) -> bool {
        self.is_of(other) || other.comes_from(self)
    }
}

/// The input of the tool, as a check gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Silent,
    Counted,
    Summary(u8),
    Digest(u8),
    /// A digest of a part of it.
    Part(Binds, u8),
    /// A digest and a summary: the digest counts.
    Both(u8),
}

/// A check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) agent: usize,
    /// The session; 0 stands for no session.
    pub(super) session: u8,
    pub(super) tool: u8,
    /// Whether the caller says that the effect is `admin`; else it is `destructive`.
    pub(super) admin: bool,
    pub(super) input: Input,
}

impl Ask {
    /// Returns what of the input is bound.
    pub(super) fn bound(self) -> (BoundTo, u8) {
        match self.input {
            Input::Silent | Input::Counted => (BoundTo::Name, 0),
            Input::Summary(n) => (BoundTo::Summary, n),
            Input::Digest(n) | Input::Both(n) => (BoundTo::Input, n),
            Input::Part(Binds::Request, n) => (BoundTo::Request, n),
            Input::Part(_, n) => (BoundTo::Method, n),
        }
    }

    /// Returns whether it is the same call, whatever its effect: a denial of one holds for the other.
    fn is_for_the_same_as(self, other: Self) -> bool {
        self.agent == other.agent
            && self.session == other.session
            && self.tool == other.tool
            && self.bound() == other.bound()
    }

    fn falls_under(self, other: Self) -> bool {
        self.is_for_the_same_as(other) && self.admin == other.admin
    }

    fn window(self) -> Duration {
        if self.bound().0 == BoundTo::Input { WINDOW } else { WINDOW_LOOSE }
    }

    /// Returns whether an approval of this serves once.
    pub(super) fn once(self) -> bool {
        !self.admin || self.bound().0 != BoundTo::Input
    }
}

/// A step of one of the actors.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Check {
        who: KeyHolder,
        ask: Ask,
    },
    Decide {
        who: KeyHolder,
        approval: usize,
        approve: bool,
    },
    /// Shows the approver the input, or another one.
    Disclose {
        approval: usize,
        honest: bool,
    },
    RevokeKey(usize),
    RevokeAgent(usize),
}

/// The answer of the Guardian to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Allowed, by the approval of this id.
    Allowed(String),
    Held(String),
    Denied(Denial),
    /// The status of an approval after a vote, and how many votes count if the answer tells.
    Status(ApprovalStatus, Option<u32>),
    Done,
    /// An error of this status.
    Refused(u16),
}

/// The reason of a denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    Revoked,
    /// The approval of this id was denied.
    Standing(String),
    TooManyPending,
    TooManyDenials,
}

/// An approval.
#[derive(Clone, Debug)]
pub(super) struct Approval {
    pub(super) id: String,
    pub(super) ask: Ask,
    askers: BTreeSet<KeyHolder>,
    votes: BTreeSet<KeyHolder>,
    status: ApprovalStatus,
    expires: Duration,
    pub(super) decided: Option<(KeyHolder, Duration)>,
    pub(super) uses: u32,
    pub(super) shown: bool,
    /// Whether it ever was.
    pub(super) was_shown: bool,
}

impl Approval {
    pub(super) fn status(&self, now: Duration) -> ApprovalStatus {
        match self.status {
            ApprovalStatus::Pending | ApprovalStatus::Approved if self.expires <= now => {
                ApprovalStatus::Expired
            }
            status => status,
        }
    }

    /// Returns whether it may still allow something.
    fn is_open(&self, now: Duration) -> bool {
        matches!(self.status(now), ApprovalStatus::Pending | ApprovalStatus::Approved)
    }
}

/// The approvals and revocations, as the rules have them.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// The time since the beginning.
    pub(super) now: Duration,
    pub(super) approvals: Vec<Approval>,
    revoked_keys: BTreeSet<KeyHolder>,
    revoked_agents: BTreeSet<usize>,
}

impl Model {
    /// Returns the approvers whose votes on this approval count: of keys that work and are not the requester's. An
    /// owner is one, and of keys that come from each other the last one is.
    pub(super) fn votes(&self, approval: &Approval) -> u32 {
        let counts = |who: &&KeyHolder| {
            !self.revoked_keys.contains(who) && !approval.askers.iter().any(|one| who.is_of(*one))
        };
        let voters: Vec<KeyHolder> = approval.votes.iter().filter(counts).copied().collect();
        let last = voters.iter().filter(|who| !voters.iter().any(|other| other.comes_from(**who)));
        let (owned, unowned): (Vec<KeyHolder>, Vec<KeyHolder>) =
            last.partition(|who| who.owner().is_some());
        let owners: BTreeSet<_> = owned.iter().map(|who| who.owner()).collect();
        u32::try_from(owners.len() + unowned.len()).unwrap()
    }

    pub(super) fn is_revoked(&self, who: KeyHolder) -> bool {
        self.revoked_keys.contains(&who)
    }

    /// Takes a step and says what the answer must be. `fresh` is the id that a new approval gets.
    /// `admitted` is a key that works no more and was looked at when it did.
    pub(super) fn step(&mut self, act: &Act, fresh: &str, admitted: bool) -> Said {
        match *act {
            Act::Check { who, ask } => self.check(who, ask, fresh),
            Act::Decide { who, .. } if self.is_revoked(who) && !admitted => Said::Refused(401),
            Act::Decide { who, approval, approve } => self.decide(who, approval, approve),
            Act::Disclose { approval, honest } => self.disclose(approval, honest),
            Act::RevokeKey(operator) => {
                // Asked twice at once both are told that it is done, asked later that it is gone.
                self.revoked_keys.insert(KeyHolder::Operator(operator));
                Said::Done
            }
            Act::RevokeAgent(agent) => {
                self.revoked_agents.insert(agent);
                let now = self.now;
                for approval in self.approvals.iter_mut().filter(|one| one.ask.agent == agent) {
                    if approval.is_open(now) {
                        approval.status = ApprovalStatus::Expired;
                        approval.shown = false;
                    }
                }
                Said::Done
            }
        }
    }

    fn check(&mut self, who: KeyHolder, ask: Ask, fresh: &str) -> Said {
        if !who.may_ask_for(ask.agent) {
            return Said::Refused(403);
        }
        if let Some(denial) = self.standing_denial(ask) {
            return Said::Denied(denial);
        }
        let now = self.now;
        // Whoever asks has asked, also where it approved before.
        for one in self.approvals.iter_mut().filter(|one| one.ask.falls_under(ask)) {
            if one.is_open(now) {
                one.askers.insert(who);
            }
        }
        if let Some(said) = self.by_an_approval_that_is_there(ask) {
            return said;
        }
        if let Some(denial) = self.too_many(ask) {
            return Said::Denied(denial);
        }
        self.approvals.push(Approval {
            id: fresh.to_owned(),
            ask,
            askers: BTreeSet::from([who]),
            votes: BTreeSet::new(),
            status: ApprovalStatus::Pending,
            expires: now + PENDING,
            decided: None,
            uses: 0,
            shown: false,
            was_shown: false,
        });
        Said::Held(fresh.to_owned())
    }

    /// Returns the denial of before that is the answer, whatever is asked.
    fn standing_denial(&self, ask: Ask) -> Option<Denial> {
        if self.revoked_agents.contains(&ask.agent) {
            return Some(Denial::Revoked);
        }
        let denied = self.approvals.iter().filter(|one| {
            one.ask.is_for_the_same_as(ask)
                && one.status == ApprovalStatus::Denied
                && one.expires > self.now
        });
        // Ids are in the order of time.
        denied.map(|one| &one.id).max().map(|id| Denial::Standing(id.clone()))
    }

    /// Uses an approval that covers this, or waits for it.
    fn by_an_approval_that_is_there(&mut self, ask: Ask) -> Option<Said> {
        let now = self.now;
        let lost: BTreeSet<String> = self
            .approvals
            .iter()
            .filter(|one| self.votes(one) < QUORUM)
            .map(|one| one.id.clone())
            .collect();
        let mut same = self.approvals.iter_mut().filter(|one| one.ask.falls_under(ask));
        let approval = same.find(|one| match one.status(now) {
            ApprovalStatus::Pending => true,
            ApprovalStatus::Approved => !lost.contains(&one.id),
            _ => false,
        })?;
        let id = approval.id.clone();
        if approval.status == ApprovalStatus::Pending {
            return Some(Said::Held(id));
        }
        approval.uses += 1;
        if ask.once() {
            approval.status = ApprovalStatus::Consumed;
        }
        Some(Said::Allowed(id))
    }

    /// Returns why no approval is opened for this any more.
    fn too_many(&self, ask: Ask) -> Option<Denial> {
        let of_agent = || self.approvals.iter().filter(|one| one.ask.agent == ask.agent);
        let denials = of_agent().filter(|one| {
            one.ask.tool == ask.tool
                && one.status == ApprovalStatus::Denied
                && one.decided.is_some_and(|(_, at)| at + DENIALS_WITHIN > self.now)
        });
        if denials.count() >= DENIALS_MOST {
            return Some(Denial::TooManyDenials);
        }
        let pending = of_agent().filter(|one| one.status(self.now) == ApprovalStatus::Pending);
        (pending.count() >= PENDING_MOST).then_some(Denial::TooManyPending)
    }

    fn decide(&mut self, who: KeyHolder, approval: usize, approve: bool) -> Said {
        if !who.may_decide() {
            return Said::Refused(403);
        }
        let now = self.now;
        let found = &self.approvals[approval];
        let asked = found.askers.iter().any(|one| who.is_of(*one));
        let status = found.status(now);
        if status != ApprovalStatus::Pending {
            let was_approved = match status {
                ApprovalStatus::Approved | ApprovalStatus::Consumed => Some(true),
                ApprovalStatus::Denied => Some(false),
                _ => None,
            };
            let said_so = found.decided.is_some_and(|(by, _)| by == who);
            return if was_approved == Some(approve) && said_so {
                Said::Status(status, None)
            } else {
                Said::Refused(409)
            };
        }
        if asked {
            return Said::Refused(403);
        }
        if approve {
            self.approvals[approval].votes.insert(who);
        }
        let votes = self.votes(&self.approvals[approval]);
        let found = &mut self.approvals[approval];
        if approve && votes < QUORUM {
            return Said::Status(ApprovalStatus::Pending, Some(votes));
        }
        found.decided = Some((who, now));
        found.shown = false;
        if approve {
            found.status = ApprovalStatus::Approved;
            found.expires = now + found.ask.window();
        } else {
            found.status = ApprovalStatus::Denied;
        }
        Said::Status(found.status, Some(votes))
    }

    fn disclose(&mut self, approval: usize, honest: bool) -> Said {
        let now = self.now;
        let found = &mut self.approvals[approval];
        if matches!(found.ask.bound().0, BoundTo::Name | BoundTo::Summary) {
            Said::Refused(409)
        } else if !honest {
            Said::Refused(400)
        } else if found.status(now) != ApprovalStatus::Pending {
            Said::Refused(409)
        } else {
            found.shown = true;
            found.was_shown = true;
            Said::Done
        }
    }
}
