//! What is known about a call, and how it is put to Cedar.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::LazyLock;

use agenttrust::Effect;
use agenttrust::model::{SessionMode, SessionSource};
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
    Schema, Validator,
};

use super::access::{AccessFacts, Uids};
use super::delegation::{AgentFacts, DelegationFacts};
use crate::classify::http_method;

/// The largest number that the policies see. No input is longer, and the caller says how long it is: one that makes a
/// policy's arithmetic overflow would choose which policies can be evaluated.
const INPUT_CHARS_MOST: u64 = 1_000_000_000;

/// The longest policy that a reason spells out, in bytes.
const PERMIT_MOST_BYTES: usize = 512;

/// The things that a policy can speak about, as a Cedar schema with comments: every policy is validated against it.
pub const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");

/// The member that only evaluations of AuthZEN have, as the schema declares it.
const ACCESS_MEMBER: &str = "access?: Access,";

/// The source of a session that the Guardian did not issue.
const OF_THE_CALLER: &str = "caller";

/// The facts about a call when the policies are asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AuthorizationRequest<'a> {
    /// The agent's organisation.
    pub org: &'a str,
    /// The agent's id.
    pub agent_id: &'a str,
    /// The agent's name.
    pub agent_name: &'a str,
    /// The groups that the agent was registered in.
    pub groups: &'a [String],
    /// The agent's capabilities, as registered.
    pub capabilities: &'a [String],
    /// The tool's name.
    pub tool: &'a str,
    /// The effect of the call, as classified.
    pub effect: Effect,
    /// The confidence of the classification, from 0 to 1.
    pub confidence: f64,
    /// The session's id; `None` when the check named none.
    pub session_id: Option<&'a str>,
    /// The source of the session; `None` for one that the Guardian did not issue.
    pub session_source: Option<SessionSource>,
    /// The session's mode.
    pub session_mode: SessionMode,
    /// The session's scope ceiling; empty when it has none.
    pub ceiling: &'a [String],
    /// The delegation that the call is made under, if it is made under one.
    pub delegation: Option<&'a DelegationFacts>,
    /// The scopes that the tool declares, in the check or in its manifest.
    pub scopes: &'a [String],
    /// The length of the input in characters, when the check tells it; the policies see at most
    /// 1,000,000,000.
    pub input_chars: Option<u64>,
    /// The time when the check arrived, in seconds since 1970.
    pub now_unix_seconds: i64,
    /// The facts of an evaluation of AuthZEN; `None` for every other check.
    pub access: Option<&'a AccessFacts>,
}

impl<'a> AuthorizationRequest<'a> {
    /// Returns the request of an agent of an organisation to call a tool at this time, in seconds since 1970, of
    /// which nothing else is known; its effect is sure, and it is in no session.
    ///
    /// ```
    /// use agenttrust::Effect;
    /// use agenttrust_guardian::policy::{AuthorizationRequest, PolicySet};
    ///
    /// let read = AuthorizationRequest::new("org_1", "agt_1", "files_read", Effect::Read, 1_800_000_000);
    /// assert_eq!(PolicySet::default_set().decide(&read).as_str(), "allow");
    /// ```
    #[must_use]
    pub const fn new(
        org: &'a str,
        agent_id: &'a str,
        tool: &'a str,
        effect: Effect,
        now_unix_seconds: i64,
    ) -> Self {
        Self {
            org,
            agent_id,
            agent_name: "",
            groups: &[],
            capabilities: &[],
            tool,
            effect,
            confidence: 1.0,
            session_id: None,
            session_source: None,
            session_mode: SessionMode::Open,
            ceiling: &[],
            delegation: None,
            scopes: &[],
            input_chars: None,
            now_unix_seconds,
            access: None,
        }
    }

    /// Returns what the scope of a policy may name for it to be about this agent: the agent and all that it is in.
    pub(super) fn principals(&self) -> Result<Vec<EntityUid>, String> {
        let names = Vocabulary::get()?;
        let mut principals = vec![uid(&names.agent, self.agent_id), uid(&names.org, self.org)];
        principals.extend(self.groups.iter().map(|group| uid(&names.group, group)));
        Ok(principals)
    }

    /// Refuses a call of which the policies cannot see all that they may ask.
    pub(super) fn askable(&self) -> Result<(), String> {
        if self.session_mode == SessionMode::Unknown {
            return Err("the session's mode is not one that this Guardian knows".to_owned());
        }
        Ok(())
    }

    /// Returns the tool, which is in nothing.
    pub(super) fn resource(&self) -> Result<EntityUid, String> {
        Ok(uid(&Vocabulary::get()?.tool, self.tool))
    }

    /// Returns the policy that would permit this agent such calls of this tool, where it is short enough to be shown.
    /// What the built-in policies hold is held by this one too.
    pub(super) fn permit(&self) -> Option<String> {
        if self.acts_for().is_some() {
            return None;
        }
        let names = Vocabulary::get().ok()?;
        let elevate = match self.effect {
            Effect::Destructive | Effect::Admin => "@elevate ",
            Effect::Read | Effect::Mutating => "",
        };
        let policy = format!(
            "{elevate}permit (principal == {}, action == Action::\"{}\", resource == {});",
            uid(&names.agent, self.agent_id),
            self.effect,
            uid(&names.tool, self.tool),
        );
        (policy.len() <= PERMIT_MOST_BYTES).then_some(policy)
    }

    /// Returns the type and the id of the subject for which the agent acts, where an evaluation of AuthZEN names a
    /// subject that is no agent.
    pub(super) fn acts_for(&self) -> Option<(&'a str, &'a str)> {
        let access = self.access.filter(|access| !access.is_of_agent())?;
        let [subject, _] = access.parties();
        Some(subject)
    }

    /// Returns the agent, what it is in, the tool and the session.
    pub(super) fn entities(&self) -> Result<Entities, String> {
        let names = Vocabulary::get()?;
        let org = uid(&names.org, self.org);
        let mut all =
            vec![self.agent(self.agent_id, self.agent_name, self.groups, self.capabilities)?];
        let mut groups: HashSet<&String> = self.groups.iter().collect();
        let mut about = HashMap::from([
            ("name".to_owned(), text(self.tool)),
            ("effect".to_owned(), text(self.effect.as_str())),
        ]);
        if let Some(server) = server_of(self.tool) {
            about.insert("server".to_owned(), text(server));
        }
        let tool = Entity::new(uid(&names.tool, self.tool), about, HashSet::new());
        all.push(tool.map_err(|e| e.to_string())?);
        if let Some(delegation) = self.delegation {
            all.push(self.delegation(delegation)?);
            // No agent is in a chain twice, nor acts for itself.
            for AgentFacts { agent_id, agent_name, groups: of, capabilities } in &delegation.givers
            {
                all.push(self.agent(agent_id, agent_name, of, capabilities)?);
                groups.extend(of);
            }
        }
        for group in groups {
            let group = uid(&names.group, group);
            let group = Entity::new(group, HashMap::new(), HashSet::from([org.clone()]));
            all.push(group.map_err(|e| e.to_string())?);
        }
        if let Some(session_id) = self.session_id {
            let source = self.session_source.map_or(OF_THE_CALLER, SessionSource::as_str);
            let about = HashMap::from([
                ("mode".to_owned(), text(self.session_mode.as_str())),
                ("source".to_owned(), text(source)),
                ("ceiling".to_owned(), texts(self.ceiling)),
                (
                    "issued".to_owned(),
                    RestrictedExpression::new_bool(self.session_source.is_some()),
                ),
            ]);
            let session = Entity::new(uid(&names.session, session_id), about, HashSet::new());
            all.push(session.map_err(|e| e.to_string())?);
        }
        if let Some(access) = self.access {
            all.extend(access.entities(names.access_uids(access)?)?);
        }
        Entities::from_entities(all, None).map_err(|error| error.to_string())
    }

    /// Returns one agent, in its groups and its organisation.
    fn agent(
        &self,
        id: &str,
        name: &str,
        groups: &[String],
        capabilities: &[String],
    ) -> Result<Entity, String> {
        let names = Vocabulary::get()?;
        let about = HashMap::from([
            ("name".to_owned(), text(name)),
            ("capabilities".to_owned(), texts(capabilities)),
        ]);
        let groups = groups.iter().map(|group| uid(&names.group, group));
        let within = groups.chain([uid(&names.org, self.org)]).collect();
        Entity::new(uid(&names.agent, id), about, within).map_err(|error| error.to_string())
    }

    /// Returns the delegation, whose agents are named.
    fn delegation(&self, delegation: &DelegationFacts) -> Result<Entity, String> {
        let names = Vocabulary::get()?;
        let agent = |id: &str| RestrictedExpression::new_entity_uid(uid(&names.agent, id));
        let DelegationFacts { id, scope, givers } = delegation;
        let (Some(root), Some(from)) = (givers.first(), givers.last()) else {
            return Err(format!("delegation {id:?} was given by no agent"));
        };
        let about = HashMap::from([
            ("root".to_owned(), agent(&root.agent_id)),
            ("from".to_owned(), agent(&from.agent_id)),
            ("to".to_owned(), agent(self.agent_id)),
            (
                "givers".to_owned(),
                RestrictedExpression::new_set(givers.iter().map(|giver| agent(&giver.agent_id))),
            ),
            (
                "depth".to_owned(),
                RestrictedExpression::new_long(i64::try_from(givers.len()).unwrap_or(i64::MAX)),
            ),
            ("scope".to_owned(), texts(scope)),
        ]);
        let id = uid(&names.delegation, id);
        Entity::new(id, about, HashSet::new()).map_err(|error| error.to_string())
    }

    /// Returns the question itself. It is not validated against the schema each time: a test shows that every
    /// request built here conforms.
    pub(super) fn request(&self, approved: bool) -> Result<Request, String> {
        let names = Vocabulary::get()?;
        Request::new(
            uid(&names.agent, self.agent_id),
            uid(&names.action, self.effect.as_str()),
            uid(&names.tool, self.tool),
            self.context(approved)?,
            None,
        )
        .map_err(|error| error.to_string())
    }

    fn context(&self, approved: bool) -> Result<Context, String> {
        let names = Vocabulary::get()?;
        let mut pairs = vec![
            ("session_mode".to_owned(), text(self.session_mode.as_str())),
            ("scopes".to_owned(), texts(self.scopes)),
            ("ceiling".to_owned(), texts(self.ceiling)),
            ("confidence".to_owned(), RestrictedExpression::new_long(percent(self.confidence))),
            ("approved".to_owned(), RestrictedExpression::new_bool(approved)),
            ("now".to_owned(), RestrictedExpression::new_long(self.now_unix_seconds)),
        ];
        if let Some(session_id) = self.session_id {
            pairs.push(("session_id".to_owned(), text(session_id)));
            let session = uid(&names.session, session_id);
            pairs.push(("session".to_owned(), RestrictedExpression::new_entity_uid(session)));
        }
        if let Some(delegation) = self.delegation {
            let delegation = uid(&names.delegation, &delegation.id);
            let delegation = RestrictedExpression::new_entity_uid(delegation);
            pairs.push(("delegation".to_owned(), delegation));
        }
        if let Some(chars) = self.input_chars {
            let chars = i64::try_from(chars.min(INPUT_CHARS_MOST)).unwrap_or(i64::MAX);
            pairs.push(("input_chars".to_owned(), RestrictedExpression::new_long(chars)));
        }
        if let Some(access) = self.access {
            pairs.push(("access".to_owned(), names.access(access)?));
        }
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }
}

/// The schema and the names of its types, parsed once.
pub(super) struct Vocabulary {
    pub(super) validator: Validator,
    /// The same of every check that is no evaluation of AuthZEN.
    pub(super) without_access: Validator,
    agent: EntityTypeName,
    org: EntityTypeName,
    group: EntityTypeName,
    tool: EntityTypeName,
    session: EntityTypeName,
    delegation: EntityTypeName,
    action: EntityTypeName,
    access_subject: EntityTypeName,
    access_action: EntityTypeName,
    access_resource: EntityTypeName,
    access_context: EntityTypeName,
}

impl Vocabulary {
    /// Returns the built-in schema.
    ///
    /// # Errors
    ///
    /// Only if the built-in schema were broken, which tests rule out; every caller then denies.
    pub(super) fn get() -> Result<&'static Self, String> {
        static VOCABULARY: LazyLock<Result<Vocabulary, String>> = LazyLock::new(Vocabulary::parse);
        VOCABULARY
            .as_ref()
            .map_err(|error| format!("the built-in policy schema is broken: {error}"))
    }

    fn parse() -> Result<Self, String> {
        let (schema, _warnings) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
        let (without_access, _warnings) =
            Schema::from_cedarschema_str(&SCHEMA.replace(ACCESS_MEMBER, ""))
                .map_err(|error| error.to_string())?;
        let name = |name| EntityTypeName::from_str(name).map_err(|error| error.to_string());
        Ok(Self {
            validator: Validator::new(schema),
            without_access: Validator::new(without_access),
            agent: name("Agent")?,
            org: name("Org")?,
            group: name("Group")?,
            tool: name("Tool")?,
            session: name("Session")?,
            delegation: name("Delegation")?,
            action: name("Action")?,
            access_subject: name("AccessSubject")?,
            access_action: name("AccessAction")?,
            access_resource: name("AccessResource")?,
            access_context: name("AccessContext")?,
        })
    }

    /// Returns what the entities of an evaluation are called. There is one evaluation in a request, so only the type
    /// and the id of what it names tell one entity from another.
    fn access_uids(&self, access: &AccessFacts) -> Result<Uids, String> {
        let [subject, resource] = access.parties().map(|party| serde_json::to_string(&party));
        let id = |id: Result<String, serde_json::Error>| id.map_err(|error| error.to_string());
        Ok(Uids {
            subject: uid(&self.access_subject, &id(subject)?),
            action: uid(&self.access_action, ""),
            resource: uid(&self.access_resource, &id(resource)?),
            context: uid(&self.access_context, ""),
        })
    }

    /// Returns the evaluation as `context.access`.
    fn access(&self, access: &AccessFacts) -> Result<RestrictedExpression, String> {
        let Uids { subject, action, resource, context } = self.access_uids(access)?;
        let named = [
            ("subject", subject),
            ("action", action),
            ("resource", resource),
            ("context", context),
        ];
        let named =
            named.map(|(name, uid)| (name.to_owned(), RestrictedExpression::new_entity_uid(uid)));
        RestrictedExpression::new_record(named).map_err(|error| error.to_string())
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn texts(values: &[String]) -> RestrictedExpression {
    RestrictedExpression::new_set(values.iter().map(|value| text(value)))
}

/// Returns a share in percent: Cedar has no fractions. A share that is no number counts as no confidence at all.
fn percent(share: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped to 0–100, and not-a-number casts to 0"
    )]
    let percent = (share.clamp(0.0, 1.0) * 100.0).round() as i64;
    percent
}

/// Returns the part of a tool's name before the first `/`, which is the server of a proxied MCP tool; an HTTP tool has
/// none.
fn server_of(tool: &str) -> Option<&str> {
    if http_method(tool).is_some() {
        return None;
    }
    tool.split_once('/').map(|(server, _tool)| server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_and_entity_conforms_to_the_published_schema() {
        let words = ["files:read".to_owned(), "é \" \\ \u{0}".to_owned()];
        let evaluation = r#"{"subject": {"type": "user", "id": "a\"\u0001", "properties": {"a": {"b": [1, "x"]}, "c": true}},
            "action": {"name": "delete", "properties": {"soft": true, "n": 1.5}},
            "resource": {"type": "todo", "id": "", "properties": {"owner": "é \" \\", "n": -9223372036854775808}},
            "context": {"ip": "::1", "time": 1, "list": []}}"#;
        let access = AccessFacts::new(&serde_json::from_str(evaluation).unwrap()).unwrap();
        let giver = |id| AgentFacts::new(id, "\"", &words, &words);
        let delegation = DelegationFacts::new("dlg_1", &words, vec![giver("one"), giver("two")]);
        for effect in Effect::ALL {
            for (tool, list, session_id, input_chars) in [
                ("delete", &words[..], Some("ats_1"), Some(u64::MAX)),
                ("github/create", &[][..], None, None),
                (
                    "http/GET/\"}; permit(principal, action, resource)",
                    &words[..],
                    Some(""),
                    Some(0),
                ),
            ] {
                let facts = AuthorizationRequest {
                    org: "org::\"1\"",
                    agent_id: "",
                    agent_name: "name",
                    groups: list,
                    capabilities: list,
                    tool,
                    effect,
                    confidence: f64::NAN,
                    session_id,
                    session_source: input_chars.map(|_| SessionSource::Api),
                    session_mode: SessionMode::Restricted,
                    ceiling: list,
                    delegation: session_id.map(|_| &delegation),
                    scopes: list,
                    input_chars,
                    now_unix_seconds: i64::MIN,
                    access: session_id.map(|_| &access),
                };
                let schema = Vocabulary::get().unwrap().validator.schema();
                let request = facts.request(true).unwrap();
                Request::new(
                    request.principal().unwrap().clone(),
                    request.action().unwrap().clone(),
                    request.resource().unwrap().clone(),
                    request.context().unwrap().clone(),
                    Some(schema),
                )
                .unwrap();
                Entities::from_entities(facts.entities().unwrap(), Some(schema)).unwrap();
            }
        }
    }

    #[test]
    fn every_other_check_has_the_same_schema_without_what_evaluations_say() {
        assert_eq!(SCHEMA.matches(ACCESS_MEMBER).count(), 1);
        let text =
            "permit (principal, action, resource) when { context.access.subject.id == \"a\" };";
        let policies = cedar_policy::PolicySet::from_str(text).unwrap();
        let validator = &Vocabulary::get().unwrap().without_access;
        let result = validator.validate(&policies, cedar_policy::ValidationMode::Strict);
        assert!(!result.validation_passed());
    }

    #[test]
    fn confidence_is_told_in_percent() {
        for (share, expected) in [
            (1.0, 100),
            (0.9, 90),
            (0.6, 60),
            (0.3, 30),
            (0.0, 0),
            (7.0, 100),
            (-1.0, 0),
            (f64::NAN, 0),
        ] {
            assert_eq!(percent(share), expected);
        }
    }

    #[test]
    fn only_a_proxied_tool_has_a_server_which_is_its_first_part() {
        assert_eq!(server_of("github/create_issue"), Some("github"));
        assert_eq!(server_of("github/issues/create"), Some("github"));
        assert_eq!(server_of("http/GET/files/{id}"), None);
        assert_eq!(server_of("create_issue"), None);
    }
}
