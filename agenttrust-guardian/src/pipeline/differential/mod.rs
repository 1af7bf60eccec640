//! The pipeline against a naive reference: the same policies, requests and state, the same answer.
//!
//! The seed is fixed, so that a failure is one tomorrow; `AGENTTRUST_SEED` gives other cases. What differs
//! is told with the seed, the policies and the request.

mod actors;
mod chance;
mod policies;
mod reference;

use agenttrust_testkit::trials;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use self::actors::{Actors, Case};
use self::chance::Chance;
use self::policies::Written;
use self::reference::{Alone, Answer, Expected};
use super::{evaluate, judge};
use crate::domain::Error;
use crate::policy::{Limit, PolicySet, Verdict};

/// The number of cases that must have agreed, in a long trial.
const CASES: usize = 100_000;

/// The number of threads, each of which tries its part of the cases: one for each of this machine's two processors.
const THREADS: u64 = 2;
const COMPANIES: usize = 5;
const SETS: usize = 60;
const CHECKS: usize = 168;

/// The numbers of cases that were compared.
#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    all_the_way: usize,
    refused: usize,
    asked: usize,
    allowed: usize,
    held: usize,
    denied: usize,
    denied_by_policy: usize,
    broken: usize,
    shadowed: usize,
}

#[test]
fn the_pipeline_and_a_naive_reference_agree() {
    let seed = std::env::var("AGENTTRUST_SEED").map_or(2_026, |seed| seed.parse().unwrap());
    let threads: Vec<_> = (0..THREADS).map(|n| std::thread::spawn(move || run(seed + n))).collect();
    let mut sum = Tally::default();
    for thread in threads {
        let tally = thread.join().unwrap();
        sum.cases += tally.cases;
        sum.all_the_way += tally.all_the_way;
        sum.refused += tally.refused;
        sum.asked += tally.asked;
        sum.allowed += tally.allowed;
        sum.held += tally.held;
        sum.denied += tally.denied;
        sum.denied_by_policy += tally.denied_by_policy;
        sum.broken += tally.broken;
        sum.shadowed += tally.shadowed;
    }
    println!("seed {seed}: {sum:?}");
    let cases = trials(CASES);
    assert!(sum.cases >= cases, "too few cases: {sum:?}");
    // Cases that all come out alike would prove little.
    assert!(sum.asked > cases / 2, "too few come before the policies: {sum:?}");
    for (what, count) in [
        ("allowed", sum.allowed),
        ("held", sum.held),
        ("denied by a policy", sum.denied_by_policy),
        ("denied because a policy is broken", sum.broken),
        ("with shadow policies", sum.shadowed),
    ] {
        assert!(count > cases / 50, "too few are {what}: {sum:?}");
    }
    assert!(sum.refused > trials(100) && sum.all_the_way >= trials(400), "{sum:?}");
}

fn run(seed: u64) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tally = Tally::default();
        for n in 0..COMPANIES {
            let mut chance = Chance::new(seed.wrapping_mul(1_000_003).wrapping_add(n as u64));
            let actors = Actors::new(&mut chance).await;
            for _ in 0..trials(SETS) {
                let written = load(&mut chance, &actors);
                let alone = Alone::parse_all(&written);
                let mut went = false;
                for _ in 0..CHECKS {
                    let case = actors.case(&mut chance);
                    let told = || told(seed, &written, &case, &actors);
                    let expected = compare(&actors, &alone, &case, &mut tally, &told);
                    // One of each set, or an agent would have too many approvals pending.
                    if !went && can_go_all_the_way(&actors, &case) {
                        went = true;
                        go_all_the_way(&actors, &case, &expected, &told).await;
                        tally.all_the_way += 1;
                    }
                }
            }
        }
        tally
    })
}

/// Puts a set in force that the validator takes, as a reload does.
fn load(chance: &mut Chance, actors: &Actors) -> Vec<Written> {
    loop {
        let written = policies::write(chance, actors);
        let text: String = written.iter().map(|policy| policy.text.as_str()).collect();
        match PolicySet::parse("generated.cedar", &text) {
            Ok(set) => {
                actors.api.guardian.engine().policies.store(set.into());
                return written;
            }
            Err(error) => assert!(error.to_string().contains("impossible"), "{error}\n{text}"),
        }
    }
}

fn compare(
    actors: &Actors,
    policies: &[Alone<'_>],
    case: &Case,
    tally: &mut Tally,
    told: &dyn Fn() -> String,
) -> Answer {
    let engine = actors.api.guardian.engine();
    tally.cases += 1;
    let wanted = tally.cases.is_multiple_of(4);
    let now = engine.clock.now().unix_seconds();
    let expected = reference::answer(actors, policies, case, now, wanted);
    let evaluation = match evaluate(engine, &case.check) {
        Ok(evaluation) => evaluation,
        Err(error) => {
            tally.refused += 1;
            assert_eq!(Expected::Error(status(error)), expected.plain, "{}", told());
            return expected;
        }
    };
    let judged = judge(engine, &case.check, &evaluation);
    assert_eq!(seen(&judged.verdict), expected.plain, "{}", told());
    assert_eq!(Some(evaluation.class.effect), expected.effect, "{}", told());
    match &judged.verdict {
        Verdict::Allow { .. } => tally.allowed += 1,
        Verdict::Hold { .. } => tally.held += 1,
        Verdict::Deny { policies, reason } => {
            tally.denied += 1;
            tally.denied_by_policy += usize::from(!policies.is_empty());
            tally.broken += usize::from(reason.contains("could not be evaluated"));
        }
    }
    let asked = judged.said.is_some();
    assert_eq!(asked, expected.was_asked, "{}", told());
    tally.asked += usize::from(asked);
    if let Some(approved) = &expected.approved {
        let again = engine.policies.load().decide_approved(&judged.facts);
        assert_eq!(seen(&again), *approved, "approved: {}", told());
    }
    let shadow = judged.said.and_then(|said| said.shadow);
    assert_eq!(shadow.as_ref().map(|shadow| seen(&shadow.verdict)), expected.shadow, "{}", told());
    tally.shadowed += usize::from(shadow.is_some());
    expected
}

/// Returns whether a case can be asked over the router too: not with a key that is kept nowhere, nor with scopes,
/// which travel in a header, nor with a proof, which would be made up.
fn can_go_all_the_way(actors: &Actors, case: &Case) -> bool {
    actors.askers[case.asker].own_org && case.check.scopes.is_none() && case.proven.is_none()
}

/// Asks the same over the router, and looks at what a client sees.
async fn go_all_the_way(
    actors: &Actors,
    case: &Case,
    expected: &Answer,
    told: &dyn Fn() -> String,
) {
    let asker = &actors.askers[case.asker];
    let check = &case.check;
    let body = json!({
        "agent_id": check.agent_id,
        "session_id": check.session_id,
        "action_name": check.tool,
        "action_effect": check.hint,
        "action_input_summary": check.summary,
    });
    let path = "/api/v1/agenttrust/check";
    let answer = actors.api.post(path, &asker.secret, body).await;
    let (allowed, held, policies) = match &expected.plain {
        Expected::Error(expected) => {
            return assert_eq!(answer.status, *expected, "{answer:?}\n{}", told());
        }
        Expected::Allow { policies, .. } => (true, false, policies),
        Expected::Hold { policies, .. } => (false, true, policies),
        Expected::Deny { policies } => (false, false, policies),
    };
    assert_eq!(answer.status, 200, "{answer:?}\n{}", told());
    assert_eq!(answer.body["allowed"], allowed, "{answer:?}\n{}", told());
    assert_eq!(answer.body["elevation_required"], held, "{answer:?}\n{}", told());
    assert_eq!(answer.body["approval_id"] != Value::Null, held, "{answer:?}\n{}", told());
    let reason = answer.text("reason");
    for id in policies.iter().take(1) {
        assert!(reason.contains(&format!("policy `{id}`")), "{answer:?}\n{}", told());
    }
}

fn seen(verdict: &Verdict) -> Expected {
    let limits = |limits: &[Limit]| {
        limits.iter().map(|limit| format!("{}: {}", limit.policy, limit.max_calls)).collect()
    };
    let policies = verdict.policies().to_vec();
    match verdict {
        Verdict::Allow { limits: all, .. } => Expected::Allow { policies, limits: limits(all) },
        Verdict::Deny { .. } => Expected::Deny { policies },
        Verdict::Hold { limits: all, terms, .. } => Expected::Hold {
            policies,
            limits: limits(all),
            terms: (terms.quorum, terms.window.map(|window| window.as_secs()), terms.single_use),
        },
    }
}

fn status(error: Error) -> u16 {
    error.into_response().status().as_u16()
}

fn told(seed: u64, written: &[Written], case: &Case, actors: &Actors) -> String {
    let policies: String = written.iter().map(|policy| policy.text.as_str()).collect();
    format!(
        "seed {seed}\n{policies}\n{case:#?}\n{:#?}\n{:#?}\n{:#?}",
        actors.agents, actors.sessions, actors.tools
    )
}
