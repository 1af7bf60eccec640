//! What is tried: steps as they are drawn, before it is known which approvals there will be.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::model::{Act, Ask, Input, KeyHolder, Model};
use agenttrust::model::{ApprovalStatus, Binds};

pub(super) const AGENTS: usize = 2;
pub(super) const OPERATORS: usize = 5;
/// The number of operators that keep their keys.
const OPERATORS_LEFT: usize = 2;

/// The approval that a step is about: the n-th newest in this state, else of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick {
    status: Option<ApprovalStatus>,
    nth: usize,
}

impl Pick {
    fn approval_in(self, model: &Model) -> Option<usize> {
        let wanted = |status: Option<ApprovalStatus>| -> Vec<usize> {
            let newest_first = model.approvals.iter().enumerate().rev();
            newest_first
                .filter(|(_, one)| status.is_none_or(|status| one.status(model.now) == status))
                .map(|(index, _)| index)
                .collect()
        };
        let found = Some(wanted(self.status)).filter(|found| !found.is_empty());
        let found = found.unwrap_or_else(|| wanted(None));
        found.get(self.nth % found.len().max(1)).copied()
    }
}

/// In what a check differs from the one that an approval was opened for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Twist {
    No,
    Agent,
    Session,
    Tool,
    Effect,
    Input(Input),
}

/// A step as it is drawn.
#[derive(Clone, Debug)]
pub(super) enum Intent {
    Check {
        who: KeyHolder,
        ask: Ask,
    },
    /// The check that an approval was opened for, or one that differs from it.
    Again {
        who: Option<KeyHolder>,
        pick: Pick,
        twist: Twist,
    },
    Decide {
        who: KeyHolder,
        pick: Pick,
        approve: bool,
    },
    Disclose {
        pick: Pick,
        honest: bool,
    },
    RevokeKey(usize),
    RevokeAgent(usize),
}

impl Intent {
    /// Returns what it is now; `None` while there is no approval to do it to.
    pub(super) fn resolve(&self, model: &Model) -> Option<Act> {
        Some(match *self {
            Self::Check { who, ask } => Act::Check { who, ask },
            Self::Again { who, pick, twist } => {
                let mut ask = model.approvals[pick.approval_in(model)?].ask;
                match twist {
                    Twist::No => {}
                    Twist::Agent => ask.agent = (ask.agent + 1) % AGENTS,
                    Twist::Session => ask.session = (ask.session + 1) % 3,
                    Twist::Tool => ask.tool = (ask.tool + 1) % 2,
                    Twist::Effect => ask.admin = !ask.admin,
                    Twist::Input(input) => ask.input = input,
                }
                Act::Check { who: who.unwrap_or(KeyHolder::Agent(ask.agent)), ask }
            }
            Self::Decide { who, pick, approve } => {
                Act::Decide { who, approval: pick.approval_in(model)?, approve }
            }
            Self::Disclose { pick, honest } => {
                Act::Disclose { approval: pick.approval_in(model)?, honest }
            }
            Self::RevokeKey(operator) => Act::RevokeKey(operator),
            Self::RevokeAgent(agent) => Act::RevokeAgent(agent),
        })
    }
}

/// The next thing to happen.
#[derive(Clone, Debug)]
pub(super) enum Transition {
    One(Intent),
    AtOnce(Vec<Intent>),
    /// This many seconds pass.
    Pass(u64),
    Restart,
}

/// The agents and operators that are left, and how likely their votes are: all that is known before
/// the answers are there.
#[derive(Clone, Debug)]
pub(super) struct Living {
    /// The probability that a decision is a yes.
    kind: f64,
    operators: BTreeSet<usize>,
    agents: BTreeSet<usize>,
}

/// The steps that are drawn, and how often.
#[derive(Debug)]
pub(super) struct Lifecycle;

impl ReferenceStateMachine for Lifecycle {
    type State = Living;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Living> {
        let (operators, agents) = ((0..OPERATORS).collect(), (0..AGENTS).collect());
        let everybody = Living { kind: 0.95, operators, agents };
        let moody = prop_oneof![2 => Just(0.95), 1 => Just(0.15)];
        moody.prop_map(move |kind| Living { kind, ..everybody.clone() }).boxed()
    }

    fn transitions(living: &Living) -> BoxedStrategy<Transition> {
        let kind = living.kind;
        let revocation = prop_oneof![
            5 => (0..OPERATORS).prop_map(Intent::RevokeKey),
            1 => (0..AGENTS).prop_map(Intent::RevokeAgent),
        ];
        let alone = prop_oneof![
            24 => intent(pick().boxed(), kind),
            1 => revocation.clone(),
        ];
        // Steps that meet: all about one approval, or all the same check.
        let meeting = pick().prop_flat_map(move |pick| {
            let one = prop_oneof![
                20 => intent(Just(pick).boxed(), kind),
                1 => revocation.clone(),
            ];
            vec(one, 2..=6)
        });
        let identical = (pick(), 2..=8_usize).prop_map(|(pick, count)| {
            vec![Intent::Again { who: None, pick, twist: Twist::No }; count]
        });
        prop_oneof![
            14 => alone.prop_map(Transition::One),
            4 => meeting.prop_map(Transition::AtOnce),
            2 => identical.prop_map(Transition::AtOnce),
            2 => select(&[1, 60, 150, 299, 300, 301, 599, 600]).prop_map(Transition::Pass),
            1 => Just(Transition::Restart),
        ]
        .boxed()
    }

    fn apply(mut living: Living, transition: &Transition) -> Living {
        for intent in intents(transition) {
            match intent {
                Intent::RevokeKey(operator) => drop(living.operators.remove(operator)),
                Intent::RevokeAgent(agent) => drop(living.agents.remove(agent)),
                _ => {}
            }
        }
        living
    }

    fn preconditions(living: &Living, transition: &Transition) -> bool {
        let left = Self::apply(living.clone(), transition);
        left.operators.len() >= OPERATORS_LEFT && !left.agents.is_empty()
    }
}

fn intents(transition: &Transition) -> &[Intent] {
    match transition {
        Transition::One(intent) => std::slice::from_ref(intent),
        Transition::AtOnce(intents) => intents,
        Transition::Pass(_) | Transition::Restart => &[],
    }
}

fn intent(pick: BoxedStrategy<Pick>, kind: f64) -> BoxedStrategy<Intent> {
    let check = (asker(), ask()).prop_map(|(who, ask)| Intent::Check { who, ask });
    let again = (proptest::option::weighted(0.3, asker()), pick.clone(), twist())
        .prop_map(|(who, pick, twist)| Intent::Again { who, pick, twist });
    let decide = (decider(), pick.clone(), prop::bool::weighted(kind))
        .prop_map(|(who, pick, approve)| Intent::Decide { who, pick, approve });
    let disclose = (pick, prop::bool::weighted(0.8))
        .prop_map(|(pick, honest)| Intent::Disclose { pick, honest });
    prop_oneof![2 => check, 5 => again, 10 => decide, 1 => disclose].boxed()
}

fn select<T: Clone + std::fmt::Debug + 'static>(from: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(from.to_vec())
}

fn pick() -> impl Strategy<Value = Pick> + Clone {
    let status = prop_oneof![
        6 => Just(Some(ApprovalStatus::Pending)),
        4 => Just(Some(ApprovalStatus::Approved)),
        2 => Just(None),
    ];
    let nth = prop_oneof![5 => Just(0), 3 => Just(1), 2 => 0..20_usize];
    (status, nth).prop_map(|(status, nth)| Pick { status, nth })
}

fn asker() -> impl Strategy<Value = KeyHolder> {
    prop_oneof![
        6 => (0..AGENTS).prop_map(KeyHolder::Agent),
        2 => Just(KeyHolder::Fleet),
        2 => Just(KeyHolder::Admin),
    ]
}

fn decider() -> impl Strategy<Value = KeyHolder> {
    prop_oneof![
        12 => (0..OPERATORS).prop_map(KeyHolder::Operator),
        3 => Just(KeyHolder::Admin),
        1 => Just(KeyHolder::Fleet),
        1 => (0..AGENTS).prop_map(KeyHolder::Agent),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    (0..AGENTS, 0..3_u8, 0..2_u8, any::<bool>(), input())
        .prop_map(|(agent, session, tool, admin, input)| Ask { agent, session, tool, admin, input })
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => (0..2_u8).prop_map(Input::Digest),
        1 => (0..2_u8).prop_map(Input::Both),
        2 => (select(&Binds::ALL[..]), 0..2_u8).prop_map(|(part, n)| Input::Part(part, n)),
        1 => (0..2_u8).prop_map(Input::Summary),
        1 => Just(Input::Counted),
        1 => Just(Input::Silent),
    ]
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        10 => Just(Twist::No),
        3 => input().prop_map(Twist::Input),
        4 => select(&[Twist::Agent, Twist::Session, Twist::Tool, Twist::Effect]),
    ]
}
