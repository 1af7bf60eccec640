//! The answer that is promised, written down once more and as plainly as possible. Every policy is asked alone. Nothing
//! is looked up, kept or skipped, and nothing is taken from the Guardian but the ids that it gave out.

use agenttrust::Effect;
use agenttrust::model::SessionMode;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityUid, PolicySet, Request,
    Response, RestrictedExpression,
};

use super::actors::{Actors, Agent, Asker, Case, ExpectedTool, Named, Place, Session, TOOLS};
use super::policies::{ApprovalRequirements, Written};
use crate::Role;

/// The expected outcome of a check.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    /// A request that is not a check, with its HTTP status.
    Error(u16),
    Allow {
        policies: Vec<String>,
        limits: Vec<String>,
    },
    Deny {
        policies: Vec<String>,
    },
    Hold {
        policies: Vec<String>,
        limits: Vec<String>,
        terms: (u32, Option<u64>, bool),
    },
}

/// The expected outcomes of a case: as it is, and where the policies decide, once it is approved and with `@shadow`
/// policies enforced.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) effect: Option<Effect>,
    pub(super) plain: Expected,
    /// Whether the policies decide.
    pub(super) was_asked: bool,
    pub(super) approved: Option<Expected>,
    pub(super) shadow: Option<Expected>,
}

/// A policy of a set, ready to be asked alone.
pub(super) struct Alone<'a> {
    written: &'a Written,
    set: PolicySet,
}

impl<'a> Alone<'a> {
    pub(super) fn parse_all(written: &'a [Written]) -> Vec<Self> {
        let alone = |written: &'a Written| Self { written, set: written.bare.parse().unwrap() };
        written.iter().map(alone).collect()
    }
}

/// Returns the answer; what would become of the call once approved only when that is `wanted`.
pub(super) fn answer(
    actors: &Actors,
    policies: &[Alone<'_>],
    case: &Case,
    now: i64,
    wanted: bool,
) -> Answer {
    let without_policies =
        |effect, plain| Answer { effect, plain, was_asked: false, approved: None, shadow: None };
    let (agent, is_first) = match asked_about(actors, case) {
        Ok(agent) => (&actors.agents[agent], agent == 0),
        Err(status) => return without_policies(None, Expected::Error(status)),
    };
    let session = usable(actors, case).filter(|session| serves(actors, case, session));
    let known = &actors.tools[case.tool];
    // What an agent says of a tool counts for that agent alone.
    let raised = known.raised.filter(|_| is_first);
    let (effect, confidence) = classify(&TOOLS[case.tool], known, raised, case.check.hint);
    let mut scopes = case.check.scopes.clone().unwrap_or_default();
    scopes.extend(
        known.scopes.iter().filter(|scope| !scopes.contains(scope)).cloned().collect::<Vec<_>>(),
    );
    let ceilings = [session.and_then(|session| session.ceiling.as_ref()), agent.floor.1.as_ref()];
    let mut bounds = [&agent.capabilities].into_iter().chain(ceilings.into_iter().flatten());
    let needed = || scopes.iter().map(String::as_str).chain([TOOLS[case.tool].name]);
    let in_bounds = bounds.all(|bound| needed().all(|name| covered(bound, name)));
    let is_issued = matches!(case.session, Some(Place::Issued(_) | Place::Unknown(_)));
    // A proof says something of the agent whose key it was made with, and of no other.
    let unproven = agent.requires_proof && case.proven != case.agent;
    if !agent.active || is_issued && session.is_none() || unproven || !in_bounds {
        return without_policies(Some(effect), Expected::Deny { policies: Vec::new() });
    }
    let call = Call {
        agent,
        tool: case.tool,
        effect,
        confidence,
        session_id: case.check.session_id.as_deref(),
        session,
        mode: strictest(session.map_or(SessionMode::Open, |session| session.mode), agent.floor.0),
        ceiling: ceilings.into_iter().flatten().next().cloned().unwrap_or_default(),
        scopes,
        input_chars: case.check.summary.as_deref().map(length),
        now,
    };
    let outcomes = Outcomes::decide(&call, policies, wanted);
    let enforced = |written: &Written| !written.shadow;
    let shadow = policies.iter().any(|alone| alone.written.shadow);
    Answer {
        effect: Some(effect),
        plain: decide(&call, &outcomes, enforced),
        was_asked: true,
        approved: wanted.then(|| decide_approved(&call, &outcomes, enforced)),
        shadow: shadow.then(|| decide(&call, &outcomes, |_| true)),
    }
}

/// Returns the agent that a case is about, or the status with which the asker is turned away.
fn asked_about(actors: &Actors, case: &Case) -> Result<usize, u16> {
    let asker = &actors.askers[case.asker];
    if !may_ask(asker, case.agent) {
        return Err(403);
    }
    let (Some(agent), true) = (case.agent, asker.own_org) else { return Err(404) };
    if asker.role == Role::Gateway {
        match &case.session {
            None | Some(Place::Own(_)) => return Err(403),
            Some(Place::Issued(_) | Place::Unknown(_)) => {}
        }
        if usable(actors, case).is_some_and(|session| session.source != "api") {
            return Err(403);
        }
    }
    Ok(agent)
}

/// Returns the session of a case, where it was issued to its agent and is not over.
fn usable<'a>(actors: &'a Actors, case: &Case) -> Option<&'a Session> {
    let Some(Place::Issued(session)) = case.session else { return None };
    let session = &actors.sessions[session];
    (session.live && Some(session.agent) == case.agent).then_some(session)
}

/// Returns whether a session serves the asker of a case: a gateway, only one that it opened itself.
fn serves(actors: &Actors, case: &Case, session: &Session) -> bool {
    actors.askers[case.asker].role != Role::Gateway || session.at_gateway
}

fn may_ask(asker: &Asker, agent: Option<usize>) -> bool {
    match asker.role {
        Role::Admin | Role::Gateway => true,
        Role::Agent => agent.is_some_and(|n| asker.agents.contains(&n)),
        _ => false,
    }
}

/// Returns the effect, and how sure that is in percent.
fn classify(
    tool: &Named,
    known: &ExpectedTool,
    raised: Option<Effect>,
    hint: Option<Effect>,
) -> (Effect, i64) {
    if let Some(effect) = known.set {
        return (effect, 100);
    }
    let told = known.declared.is_some() || hint.is_some();
    let verb = if told { tool.verb } else { tool.verb_alone };
    let words = [known.declared, raised, hint, verb];
    let effect = words.into_iter().flatten().max().unwrap_or(Effect::Mutating);
    let confidence = if known.declared.is_some() {
        100
    } else if raised.or(hint).is_some() {
        90
    } else if verb.is_some() {
        60
    } else {
        30
    };
    (effect, confidence)
}

fn covered(capabilities: &[String], name: &str) -> bool {
    capabilities.iter().any(|capability| {
        if capability == "*" || capability == name {
            return true;
        }
        if let Some(prefix) = capability.strip_suffix('*') {
            let twin = prefix.strip_suffix(':').map(|word| format!("{word}_"));
            return name.starts_with(prefix) || twin.is_some_and(|twin| name.starts_with(&twin));
        }
        capability.replacen(':', "_", 1) == name
    })
}

fn strictest(one: SessionMode, other: SessionMode) -> SessionMode {
    [SessionMode::Supervised, SessionMode::Restricted]
        .into_iter()
        .find(|mode| [one, other].contains(mode))
        .unwrap_or(SessionMode::Open)
}

fn length(summary: &str) -> usize {
    let counted = summary.strip_prefix('[').and_then(|rest| rest.strip_suffix(" chars]"));
    counted.map_or_else(|| summary.chars().count(), |digits| digits.parse().unwrap())
}

/// The facts about a call that the policies are asked about.
struct Call<'a> {
    agent: &'a Agent,
    tool: usize,
    effect: Effect,
    confidence: i64,
    session_id: Option<&'a str>,
    session: Option<&'a Session>,
    mode: SessionMode,
    ceiling: Vec<String>,
    scopes: Vec<String>,
    input_chars: Option<usize>,
    now: i64,
}

/// The response of each policy that was asked about the call: as it is and, if asked for, as it is once approved.
struct Outcomes<'a> {
    plain: Vec<(&'a Written, Response)>,
    approved: Vec<(&'a Written, Response)>,
}

impl<'a> Outcomes<'a> {
    fn decide(call: &Call<'_>, policies: &[Alone<'a>], with_approved: bool) -> Self {
        let entities = entities(call);
        let ask = |approved| {
            let request = request(call, approved);
            let ask = |Alone { written, set }: &Alone<'a>| {
                (*written, Authorizer::new().is_authorized(&request, set, &entities))
            };
            policies.iter().map(ask).collect()
        };
        let plain: Vec<(&Written, Response)> = ask(false);
        let held = is_held_by_supervision(call)
            || policies.iter().any(|alone| alone.written.elevate.is_some());
        let approved = if held || with_approved { ask(true) } else { Vec::new() };
        Self { plain, approved }
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.parse().unwrap(), EntityId::new(id))
}

fn text(value: impl Into<String>) -> RestrictedExpression {
    RestrictedExpression::new_string(value.into())
}

fn texts(values: &[String]) -> RestrictedExpression {
    RestrictedExpression::new_set(values.iter().map(text))
}

fn long(value: i64) -> RestrictedExpression {
    RestrictedExpression::new_long(value)
}

fn truth(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}

fn entity<const N: usize>(
    uid: EntityUid,
    attributes: [(&str, Option<RestrictedExpression>); N],
    parents: impl IntoIterator<Item = EntityUid>,
) -> Entity {
    let attributes =
        attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Entity::new(uid, attributes.collect(), parents.into_iter().collect()).unwrap()
}

fn entities(call: &Call<'_>) -> Entities {
    let tool = &TOOLS[call.tool];
    let org = uid("Org", "org_default");
    let groups = || call.agent.groups.iter().map(|id| uid("Group", id));
    let mut entities: Vec<Entity> =
        groups().map(|group| entity(group, [], [org.clone()])).collect();
    entities.push(entity(
        uid("Tool", tool.name),
        [
            ("name", Some(text(tool.name))),
            ("effect", Some(text(call.effect.as_str()))),
            ("server", tool.server.map(text)),
        ],
        [],
    ));
    entities.push(entity(
        uid("Agent", &call.agent.id),
        [
            ("name", Some(text(&call.agent.name))),
            ("capabilities", Some(texts(&call.agent.capabilities))),
        ],
        groups().chain([org.clone()]),
    ));
    if let Some(id) = call.session_id {
        entities.push(entity(
            uid("Session", id),
            [
                ("mode", Some(text(call.mode.as_str()))),
                ("ceiling", Some(texts(&call.ceiling))),
                ("source", Some(text(call.session.map_or("caller", |session| session.source)))),
                ("issued", Some(truth(call.session.is_some()))),
            ],
            [],
        ));
    }
    Entities::from_entities(entities, None).unwrap()
}

fn request(call: &Call<'_>, approved: bool) -> Request {
    let session = call.session_id.map(|id| uid("Session", id));
    let context = [
        ("session_mode", Some(text(call.mode.as_str()))),
        ("session_id", call.session_id.map(text)),
        ("session", session.map(RestrictedExpression::new_entity_uid)),
        ("scopes", Some(texts(&call.scopes))),
        ("ceiling", Some(texts(&call.ceiling))),
        ("input_chars", call.input_chars.map(|chars| long(i64::try_from(chars).unwrap()))),
        ("confidence", Some(long(call.confidence))),
        ("approved", Some(truth(approved))),
        ("now", Some(long(call.now))),
    ];
    let context = context.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Request::new(
        uid("Agent", &call.agent.id),
        uid("Action", call.effect.as_str()),
        uid("Tool", TOOLS[call.tool].name),
        Context::from_pairs(context).unwrap(),
        None,
    )
    .unwrap()
}

fn is_held_by_supervision(call: &Call<'_>) -> bool {
    call.mode == SessionMode::Supervised && call.effect >= Effect::Destructive
}

/// Policies by what they do to a call.
#[derive(Default)]
struct Sorted {
    /// No approval lifts these.
    denying: Vec<String>,
    holding: Vec<(String, ApprovalRequirements)>,
    permitting: Vec<String>,
    limits: Vec<String>,
}

fn sort(
    call: &Call<'_>,
    outcomes: &[(&Written, Response)],
    wanted: impl Fn(&Written) -> bool,
) -> Sorted {
    let mut sorted = Sorted::default();
    for (written, response) in outcomes.iter().filter(|(written, _)| wanted(written)) {
        let id = written.id.clone();
        let matched = if written.permits {
            response.decision() == Decision::Allow
        } else {
            response.diagnostics().reason().next().is_some()
        };
        let broken = response.diagnostics().errors().next().is_some();
        let lifts_nothing = written.permits && written.elevate.is_none() && written.limit.is_none();
        if broken && !lifts_nothing || matched && !written.permits && written.elevate.is_none() {
            sorted.denying.push(id);
        } else if matched {
            if let Some(terms) = written.elevate {
                sorted.holding.push((id.clone(), terms));
            }
            if written.permits {
                sorted.limits.extend(written.limit.map(|most| format!("{id}: {most}")));
                sorted.permitting.push(id);
            }
        }
    }
    if is_held_by_supervision(call) {
        sorted.holding.push(("supervised-hold".to_owned(), (1, None, true)));
    }
    sorted.denying.sort();
    sorted.holding.sort();
    sorted.permitting.sort();
    sorted.limits.sort();
    sorted
}

fn decide(call: &Call<'_>, outcomes: &Outcomes<'_>, wanted: impl Fn(&Written) -> bool) -> Expected {
    let sorted = sort(call, &outcomes.plain, &wanted);
    if !sorted.denying.is_empty() || sorted.holding.is_empty() {
        return allowed_or_denied(sorted);
    }
    match decide_approved(call, outcomes, wanted) {
        Expected::Allow { limits, .. } => {
            let all = || sorted.holding.iter().map(|(_, terms)| *terms);
            let windows = || all().map(|(_, window, _)| window);
            let window = windows().map(|window| window.unwrap_or(300)).min();
            let terms = (
                all().map(|(quorum, ..)| quorum).max().unwrap(),
                window.filter(|_| windows().any(|window| window.is_some())),
                all().any(|(.., single)| single),
            );
            let policies = sorted.holding.into_iter().map(|(id, _)| id).collect();
            Expected::Hold { policies, limits, terms }
        }
        denied => denied,
    }
}

fn decide_approved(
    call: &Call<'_>,
    outcomes: &Outcomes<'_>,
    wanted: impl Fn(&Written) -> bool,
) -> Expected {
    allowed_or_denied(sort(call, &outcomes.approved, wanted))
}

fn allowed_or_denied(sorted: Sorted) -> Expected {
    if sorted.denying.is_empty() && !sorted.permitting.is_empty() {
        Expected::Allow { policies: sorted.permitting, limits: sorted.limits }
    } else {
        Expected::Deny { policies: sorted.denying }
    }
}
