//! What PROTOCOL says the answer is, written down once more and as plainly as possible: every policy is
//! asked alone, nothing is looked up, kept or skipped, and nothing is taken from the Guardian but the ids
//! that it gave out.

use std::str::FromStr;

use agenttrust::Effect;
use agenttrust::model::SessionMode;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, Response,
};
use serde_json::{Value, json};

use super::policies::Written;
use super::world::{Agent, Asker, Case, Known, Place, Session, TOOLS, World};
use crate::Role;

/// What is to come of a check.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    /// It is no check: an HTTP status.
    Error(u16),
    Allow {
        policies: Vec<String>,
        limits: Vec<String>,
    },
    Deny {
        policies: Vec<String>,
    },
    /// With quorum, window in seconds and single use.
    Hold {
        policies: Vec<String>,
        limits: Vec<String>,
        terms: (u32, Option<u64>, bool),
    },
}

/// What is to come of it as it is, and where the policies decide, once it is approved and with `@shadow`
/// policies enforced.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) effect: Option<Effect>,
    pub(super) plain: Expected,
    pub(super) approved: Option<Expected>,
    pub(super) shadow: Option<Expected>,
}

/// One policy of a set, ready to be asked alone.
pub(super) struct Alone<'a> {
    written: &'a Written,
    set: PolicySet,
}

impl<'a> Alone<'a> {
    pub(super) fn of(written: &'a [Written]) -> Vec<Self> {
        let alone = |written: &'a Written| Self { written, set: written.bare.parse().unwrap() };
        written.iter().map(alone).collect()
    }
}

pub(super) fn answer(world: &World, policies: &[Alone<'_>], case: &Case, now: i64) -> Answer {
    let error = |status| Answer {
        effect: None,
        plain: Expected::Error(status),
        approved: None,
        shadow: None,
    };
    let asker = &world.askers[case.asker];
    if !may_ask(asker, case.agent) {
        return error(403);
    }
    let (Some(n), true) = (case.agent, asker.own_org) else { return error(404) };
    let agent = &world.agents[n];
    let session = match &case.session {
        Some(Place::Issued(n)) => Some(&world.sessions[*n]),
        _ => None,
    };
    let usable = session.is_some_and(|session| session.live && session.agent == n);
    if asker.role == Role::Gateway {
        match &case.session {
            None | Some(Place::Own(_)) => return error(403),
            Some(Place::Issued(_)) if usable && session.unwrap().source != "api" => {
                return error(403);
            }
            Some(_) => {}
        }
    }
    let known = &world.tools[case.tool];
    let (effect, confidence) = classify(TOOLS[case.tool].verb, known, case.check.hint);
    let mut scopes = case.check.scopes.clone().unwrap_or_default();
    scopes.extend(
        known.scopes.iter().filter(|scope| !scopes.contains(scope)).cloned().collect::<Vec<_>>(),
    );
    let denied = Answer {
        effect: Some(effect),
        plain: Expected::Deny { policies: Vec::new() },
        approved: None,
        shadow: None,
    };
    let named_an_issued_one = matches!(case.session, Some(Place::Issued(_) | Place::Unknown(_)));
    if !agent.active || (named_an_issued_one && !usable) {
        return denied;
    }
    let session = session.filter(|_| usable);
    let ceilings = [session.and_then(|session| session.ceiling.as_ref()), agent.floor.1.as_ref()];
    let needed = scopes.iter().map(String::as_str).chain([TOOLS[case.tool].name]);
    for name in needed {
        if !covered(&agent.capabilities, name)
            || ceilings.into_iter().flatten().any(|ceiling| !covered(ceiling, name))
        {
            return denied;
        }
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
    let outcomes = Outcomes::of(&call, policies);
    let enforced = |written: &Written| !written.shadow;
    let shadow = policies.iter().any(|alone| alone.written.shadow);
    Answer {
        effect: Some(effect),
        plain: decide(&call, &outcomes, enforced),
        approved: Some(decide_approved(&call, &outcomes, enforced)),
        shadow: shadow.then(|| decide(&call, &outcomes, |_| true)),
    }
}

fn may_ask(asker: &Asker, agent: Option<usize>) -> bool {
    match asker.role {
        Role::Admin | Role::Gateway => true,
        Role::Agent => agent.is_some_and(|n| asker.agents.contains(&n)),
        _ => false,
    }
}

/// The effect, and how sure that is in percent.
fn classify(verb: Option<Effect>, known: &Known, hint: Option<Effect>) -> (Effect, i64) {
    if let Some(effect) = known.set {
        return (effect, 100);
    }
    let words = [known.declared, known.raised, hint, verb];
    let effect = words.into_iter().flatten().max().unwrap_or(Effect::Mutating);
    let confidence = if known.declared.is_some() {
        100
    } else if known.raised.or(hint).is_some() {
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

/// All that is known of a call that the policies are asked about.
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

/// What became of one policy that was asked about the call as it is, and as it is once approved.
struct Outcome<'a> {
    written: &'a Written,
    plain: Response,
    approved: Response,
}

/// What became of all of them.
struct Outcomes<'a>(Vec<Outcome<'a>>);

impl<'a> Outcomes<'a> {
    fn of(call: &Call<'_>, policies: &[Alone<'a>]) -> Self {
        let (entities, [plain, approved]) = asked(call);
        let ask = |set: &PolicySet, request: &Request| {
            Authorizer::new().is_authorized(request, set, &entities)
        };
        let outcome = |Alone { written, set }: &Alone<'a>| Outcome {
            written,
            plain: ask(set, &plain),
            approved: ask(set, &approved),
        };
        Self(policies.iter().map(outcome).collect())
    }
}

/// The call as Cedar is asked about it: as it is, and once it is approved.
fn asked(call: &Call<'_>) -> (Entities, [Request; 2]) {
    let uid = |kind: &str, id: &str| json!({ "type": kind, "id": id });
    let tool = &TOOLS[call.tool];
    let org = uid("Org", "org_default");
    let mut parents: Vec<Value> = call.agent.groups.iter().map(|id| uid("Group", id)).collect();
    let mut entities: Vec<Value> = parents
        .iter()
        .map(|group| json!({ "uid": group, "attrs": {}, "parents": [org] }))
        .collect();
    parents.push(org);
    let mut about = json!({ "name": tool.name, "effect": call.effect });
    if let Some(server) = tool.server {
        about["server"] = json!(server);
    }
    entities.push(json!({ "uid": uid("Tool", tool.name), "attrs": about, "parents": [] }));
    entities.push(json!({
        "uid": uid("Agent", &call.agent.id),
        "attrs": { "name": call.agent.name, "capabilities": call.agent.capabilities },
        "parents": parents,
    }));
    let mut context = json!({
        "session_mode": call.mode,
        "scopes": call.scopes,
        "ceiling": call.ceiling,
        "confidence": call.confidence,
        "now": call.now,
    });
    if let Some(id) = call.session_id {
        entities.push(json!({
            "uid": uid("Session", id),
            "attrs": {
                "mode": call.mode,
                "ceiling": call.ceiling,
                "source": call.session.map_or("caller", |session| session.source),
                "issued": call.session.is_some(),
            },
            "parents": [],
        }));
        context["session_id"] = json!(id);
        context["session"] = json!({ "__entity": uid("Session", id) });
    }
    if let Some(chars) = call.input_chars {
        context["input_chars"] = json!(chars);
    }
    let entity = |value: Value| EntityUid::from_json(value).unwrap();
    let requests = [false, true].map(|approved| {
        context["approved"] = json!(approved);
        Request::new(
            entity(uid("Agent", &call.agent.id)),
            EntityUid::from_str(&format!("Action::\"{}\"", call.effect)).unwrap(),
            entity(uid("Tool", tool.name)),
            Context::from_json_value(context.clone(), None).unwrap(),
            None,
        )
        .unwrap()
    });
    (Entities::from_json_value(Value::Array(entities), None).unwrap(), requests)
}

/// Policies by what they do to a call.
#[derive(Default)]
struct Sorted {
    /// No approval lifts these.
    denying: Vec<String>,
    holding: Vec<(String, (u32, Option<u64>, bool))>,
    permitting: Vec<String>,
    limits: Vec<String>,
}

fn sort(
    call: &Call<'_>,
    Outcomes(outcomes): &Outcomes<'_>,
    wanted: impl Fn(&Written) -> bool,
    is_approved: bool,
) -> Sorted {
    let mut sorted = Sorted::default();
    for Outcome { written, plain, approved } in outcomes {
        if !wanted(written) {
            continue;
        }
        let response = if is_approved { approved } else { plain };
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
    if call.mode == SessionMode::Supervised && call.effect >= Effect::Destructive {
        sorted.holding.push(("supervised-hold".to_owned(), (1, None, true)));
    }
    sorted.denying.sort();
    sorted.holding.sort();
    sorted.permitting.sort();
    sorted.limits.sort();
    sorted
}

fn decide(call: &Call<'_>, outcomes: &Outcomes<'_>, wanted: impl Fn(&Written) -> bool) -> Expected {
    let sorted = sort(call, outcomes, &wanted, false);
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
    allowed_or_denied(sort(call, outcomes, wanted, true))
}

fn allowed_or_denied(sorted: Sorted) -> Expected {
    if sorted.denying.is_empty() && !sorted.permitting.is_empty() {
        Expected::Allow { policies: sorted.permitting, limits: sorted.limits }
    } else {
        Expected::Deny { policies: sorted.denying }
    }
}
