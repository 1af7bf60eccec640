//! Agents of one Guardian, their keys, sessions and tools, made through its API, and what was asked for.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::model::SessionMode;
use agenttrust::{CreateAgentRequest, Effect};
use agenttrust_testkit::{ADMIN, escaped};
use axum::http::Method;
use serde_json::json;

use super::chance::Chance;
use crate::Role;
use crate::domain::{DEFAULT_ORG, Fingerprint, Key};
use crate::harness::{Api, open_with};
use crate::pipeline::{Check, Proof};

pub(super) const GROUPS: [&str; 3] = ["ops", "contractors", "night shift"];

/// A tool: what its name says, what it says where nothing else does, and the server in it.
pub(super) struct Named {
    pub(super) name: &'static str,
    pub(super) verb: Option<Effect>,
    pub(super) verb_alone: Option<Effect>,
    pub(super) server: Option<&'static str>,
}

const fn tool(name: &'static str, verb: Option<Effect>, server: Option<&'static str>) -> Named {
    Named { name, verb, verb_alone: verb, server }
}

pub(super) const TOOLS: [Named; 18] = [
    tool("web_search", Some(Effect::Read), None),
    tool("web:search", Some(Effect::Read), None),
    tool("files_read", Some(Effect::Read), None),
    tool("files:write", Some(Effect::Mutating), None),
    tool("files_delete", Some(Effect::Destructive), None),
    tool("list_deleted", Some(Effect::Read), None),
    tool("db_delete", Some(Effect::Destructive), None),
    tool("db-delete", Some(Effect::Destructive), None),
    tool("grant_access", Some(Effect::Admin), None),
    tool("frobnicate", None, None),
    tool("github/create_issue", Some(Effect::Mutating), Some("github")),
    tool("github/delete_repo", Some(Effect::Destructive), Some("github")),
    tool("http/GET/items/{id}", Some(Effect::Read), None),
    tool("http/DELETE/items/{id}", Some(Effect::Destructive), None),
    tool(
        "\"); permit(principal,action,resource);//",
        None,
        Some("\"); permit(principal,action,resource);"),
    ),
    tool("ünïcode_get", Some(Effect::Read), None),
    tool("github/delete/list", Some(Effect::Destructive), Some("github")),
    Named {
        name: "pay_invoice",
        verb: Some(Effect::Mutating),
        verb_alone: Some(Effect::Destructive),
        server: None,
    },
];

/// The number of the first of them that are asked about, and written about, more often than the others.
pub(super) const OFTEN: usize = 8;

const CAPABILITIES: [&str; 9] = [
    "*",
    "web:search",
    "files:*",
    "files_delete",
    "db_delete",
    "github/*",
    "grant_access",
    "http/*",
    "frobnicate",
];

const SCOPES: [&str; 5] = ["files:read", "files_read", "web:search", "github/repo", "db_delete"];

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) capabilities: Vec<String>,
    pub(super) groups: Vec<&'static str>,
    pub(super) active: bool,
    pub(super) requires_proof: bool,
    /// The thumbprint of its key.
    thumbprint: Option<Arc<str>>,
    pub(super) floor: (SessionMode, Option<Vec<String>>),
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) agent: usize,
    pub(super) mode: SessionMode,
    pub(super) ceiling: Option<Vec<String>>,
    pub(super) source: &'static str,
    /// Whether the gateway among the askers opened it.
    pub(super) at_gateway: bool,
    pub(super) live: bool,
}

/// The facts about a tool that the Guardian should know.
#[derive(Clone, Debug, Default)]
pub(super) struct ExpectedTool {
    pub(super) set: Option<Effect>,
    pub(super) declared: Option<Effect>,
    pub(super) scopes: Vec<String>,
    /// The effect that the first of the agents raised it to, for itself.
    pub(super) raised: Option<Effect>,
}

pub(super) struct Asker {
    pub(super) role: Role,
    pub(super) agents: Vec<usize>,
    pub(super) own_org: bool,
    pub(super) secret: String,
    key: Arc<Key>,
}

/// The askers, and the agents, sessions and tools that they ask about.
pub(super) struct Actors {
    pub(super) api: Api,
    pub(super) agents: Vec<Agent>,
    pub(super) sessions: Vec<Session>,
    /// The tools, in the order of [`TOOLS`].
    pub(super) tools: Vec<ExpectedTool>,
    pub(super) askers: Vec<Asker>,
    /// The key of the gateway among them.
    gateway: String,
}

/// A check, as it is asked and as the reference hears of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) asker: usize,
    /// `None` for one that does not exist.
    pub(super) agent: Option<usize>,
    pub(super) tool: usize,
    pub(super) session: Option<Place>,
    /// The agent whose key it came with a proof of.
    pub(super) proven: Option<usize>,
    pub(super) check: Check,
}

/// The session that a case names.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// An ad-hoc session by this id.
    Own(&'static str),
    Issued(usize),
    /// An id as if it had been issued.
    Unknown(&'static str),
}

const TTL: Duration = Duration::from_secs(24 * 3_600);

impl Actors {
    pub(super) async fn new(chance: &mut Chance) -> Self {
        let api = open_with(|builder| builder.session_ttl(TTL)).await;
        let mut actors = Self {
            gateway: api.key(Role::Gateway, &[]).await,
            api,
            agents: Vec::new(),
            sessions: Vec::new(),
            tools: Vec::new(),
            askers: Vec::new(),
        };
        for n in 0..6 {
            actors.register(chance, n).await;
        }
        for _ in 0..2 {
            actors.open_session(chance).await;
        }
        // Those are over, and the next ones are not.
        actors.api.guardian.engine().clock.advance(TTL + Duration::from_secs(1));
        actors.sessions.iter_mut().for_each(|session| session.live = false);
        for _ in 0..12 {
            actors.open_session(chance).await;
        }
        actors.know(chance).await;
        actors.change(chance).await;
        actors.hire(chance).await;
        actors
    }

    async fn register(&mut self, chance: &mut Chance, n: usize) {
        let mut capabilities: Vec<String> = match chance.below(12) {
            0 => Vec::new(),
            1..=10 => vec!["*".to_owned()],
            _ => chance.some(&CAPABILITIES[1..], 6).iter().map(ToString::to_string).collect(),
        };
        capabilities.dedup();
        let groups = chance.some(&GROUPS, 2);
        let name =
            (*chance.pick(&["worker", "librarian", "\" || true"])).to_owned() + &n.to_string();
        let request = CreateAgentRequest {
            name: name.clone(),
            capabilities: capabilities.clone(),
            metadata: json!({ "groups": groups }).as_object().unwrap().clone(),
            ..Default::default()
        };
        let id = self.api.guardian.client().agents().create(&request).await.unwrap().id;
        let known = self.api.guardian.engine().registry.agents.get(DEFAULT_ORG, &id).unwrap();
        self.agents.push(Agent {
            id,
            name,
            capabilities,
            groups,
            active: true,
            requires_proof: false,
            thumbprint: known.thumbprint.clone(),
            floor: (SessionMode::Open, None),
        });
    }

    /// Opens a session, in one of the two ways that there are.
    async fn open_session(&mut self, chance: &mut Chance) {
        let agent = chance.below(self.agents.len());
        let Agent { id, capabilities, .. } = &self.agents[agent];
        let ceiling = Some(chance.some(capabilities, 3)).filter(|ceiling| !ceiling.is_empty());
        let mut at_gateway = false;
        let (answer, mode, ceiling, source) = if chance.one_in(2) {
            let Some(scopes) = ceiling else { return };
            let names: Vec<&str> = scopes.iter().map(String::as_str).collect();
            let body = json!({ "token": self.api.token(id, &names).await });
            let path = "/api/v1/agenttrust/api-sessions/init";
            at_gateway = !chance.one_in(4);
            let key = if at_gateway { self.gateway.as_str() } else { ADMIN };
            let answer = self.api.post(path, key, body).await;
            (answer, SessionMode::Restricted, Some(scopes), "api")
        } else {
            let mode = match (chance.below(3), &ceiling) {
                (0, Some(_)) => SessionMode::Restricted,
                (1, None) => SessionMode::Open,
                _ => SessionMode::Supervised,
            };
            let more = json!({ "mode": mode, "scope_ceiling": ceiling });
            (self.api.session(ADMIN, id, more).await, mode, ceiling, "mcp")
        };
        let id = answer.ok().text("session_id");
        self.sessions.push(Session { id, agent, mode, ceiling, source, at_gateway, live: true });
    }

    /// Declares tools, and sets the effect of some.
    async fn know(&mut self, chance: &mut Chance) {
        let raiser = self.api.key(Role::Agent, &[&self.agents[0].id]).await;
        for Named { name, verb, .. } in &TOOLS {
            let mut known = ExpectedTool::default();
            if chance.one_in(3) {
                known.declared = chance.one_in(2).then(|| *chance.pick(&Effect::ALL));
                known.scopes = chance.some(&SCOPES, 2).iter().map(ToString::to_string).collect();
                let tool =
                    json!({ "name": name, "effect": known.declared, "scopes": known.scopes });
                let body = json!({ "tools": [tool] });
                self.api.put("/api/v1/tools", ADMIN, body).await.ok();
            }
            let covered = self.agents[0].capabilities.iter().any(|name| name == "*");
            if covered && known.declared.is_none() && chance.one_in(4) {
                let effect = *chance.pick(&[Effect::Destructive, Effect::Admin]);
                let body = json!({ "tools": [{ "name": name, "effect": effect }] });
                self.api.put("/api/v1/tools", &raiser, body).await.ok();
                // What says no more than the name is not kept.
                known.raised = Some(effect).filter(|effect| Some(*effect) > *verb);
            }
            if chance.one_in(6) {
                let effect = *chance.pick(&Effect::ALL);
                known.set = Some(effect);
                let path = format!("/api/v1/tools/{}/effect", escaped(name));
                let body = json!({ "effect": effect });
                self.api.put(&path, ADMIN, body).await.ok();
            }
            self.tools.push(known);
        }
    }

    /// Gives some agents a floor, and takes some out of service.
    async fn change(&mut self, chance: &mut Chance) {
        for n in 0..self.agents.len() {
            let id = self.agents[n].id.clone();
            let ceiling = Some(chance.some(&CAPABILITIES, 3)).filter(|ceiling| !ceiling.is_empty());
            let floor = match (chance.below(8), ceiling) {
                (0, Some(ceiling)) => Some((SessionMode::Restricted, Some(ceiling))),
                (1, ceiling) => Some((SessionMode::Supervised, ceiling)),
                _ => None,
            };
            if let Some((mode, ceiling)) = floor {
                let body = json!({ "mode": mode, "scope_ceiling": ceiling });
                let path = format!("/api/v1/agents/{id}/floor");
                self.api.put(&path, ADMIN, body).await.ok();
                let ceiling = ceiling.map(|names| names.iter().map(ToString::to_string).collect());
                self.agents[n].floor = (mode, ceiling);
            }
            if chance.one_in(6) {
                let body = Some(json!({ "requires_proof": true }));
                let path = format!("/api/v1/agents/{id}");
                self.api.ask(Method::PATCH, &path, ADMIN, body).await.ok();
                self.agents[n].requires_proof = true;
            }
            // The first one stays, so that there is always somebody.
            if n > 0 && chance.one_in(10) {
                let path = format!("/api/v1/agents/{id}/suspend");
                self.api.post(&path, ADMIN, json!({})).await.ok();
                self.agents[n].active = false;
            }
        }
    }

    /// Makes keys of every role.
    async fn hire(&mut self, chance: &mut Chance) {
        let mut secrets = vec![(Role::Admin, Vec::new(), ADMIN.to_owned())];
        for role in [Role::Agent, Role::Agent, Role::Gateway, Role::Auditor, Role::Operator] {
            let mut bound = Vec::new();
            if role == Role::Agent {
                bound = chance.some(&[0, 1, 2, 3, 4], 4);
                bound.push(5);
            }
            let ids: Vec<&str> =
                bound.iter().map(|n: &usize| self.agents[*n].id.as_str()).collect();
            let secret = match role {
                Role::Gateway => self.gateway.clone(),
                _ => self.api.key(role, &ids).await,
            };
            secrets.push((role, bound.clone(), secret));
        }
        for (role, agents, secret) in secrets {
            let engine = self.api.guardian.engine();
            let hash = Fingerprint::from_text(&secret);
            let key = engine.registry.keys.get(&hash, engine.clock.now()).unwrap();
            self.askers.push(Asker { role, agents, own_org: true, secret, key });
        }
        let secret = "sk_of_another_org".to_owned();
        let key = Key {
            id: "key_other".to_owned(),
            org_id: "org_other".to_owned(),
            role: Role::Admin,
            agents: Vec::new(),
            gateway: None,
            owner: None,
        };
        let (role, agents, key) = (Role::Admin, Vec::new(), Arc::new(key));
        self.askers.push(Asker { role, agents, own_org: false, secret, key });
    }

    /// Returns the agent whose key a check came with a proof of: mostly one that needs it.
    fn proven(&self, chance: &mut Chance, agent: Option<usize>) -> Option<usize> {
        let needs = agent.is_some_and(|n| self.agents[n].requires_proof);
        match chance.below(8) {
            0 => Some(chance.below(self.agents.len())),
            1..=5 if needs => agent,
            _ => None,
        }
    }

    pub(super) fn case(&self, chance: &mut Chance) -> Case {
        // Mostly those who may ask at all.
        let asker = match chance.below(60) {
            n @ 0..=5 => 1 + n % 2,
            6..=8 => 3,
            9 => 4 + chance.below(3),
            _ => 0,
        };
        let agent = (!chance.one_in(100)).then(|| chance.below(self.agents.len()));
        let tools = if chance.one_in(2) { OFTEN } else { TOOLS.len() };
        let tool = chance.below(tools);
        let session = match chance.below(20) {
            0..=7 => None,
            8..=10 => Some(Place::Own(if chance.one_in(2) { "mine" } else { "yours" })),
            11 if chance.one_in(3) => Some(Place::Unknown("ats_never")),
            12 => Some(Place::Issued(chance.below(self.sessions.len()))),
            // One of the agent's own, if it has one.
            _ => {
                let over = chance.one_in(20);
                let own = |n: &usize| {
                    Some(self.sessions[*n].agent) == agent && (self.sessions[*n].live || over)
                };
                let own: Vec<usize> = (0..self.sessions.len()).filter(own).collect();
                (!own.is_empty()).then(|| Place::Issued(*chance.pick(&own)))
            }
        };
        let id = match &session {
            None => None,
            Some(Place::Own(id) | Place::Unknown(id)) => Some((*id).to_owned()),
            Some(Place::Issued(n)) => Some(self.sessions[*n].id.clone()),
        };
        let proven = self.proven(chance, agent);
        let check = Check {
            key: Arc::clone(&self.askers[asker].key),
            agent_id: agent.map_or("agt_nobody".to_owned(), |n| self.agents[n].id.clone()),
            session_id: id,
            session_is_generated: chance.one_in(4),
            tool: TOOLS[tool].name.to_owned(),
            hint: chance.one_in(3).then(|| *chance.pick(&Effect::ALL)),
            source: "api".to_owned(),
            scopes: chance
                .one_in(4)
                .then(|| chance.some(&SCOPES, 2).iter().map(ToString::to_string).collect()),
            digest: None,
            binds: None,
            key_id: None,
            task_message: None,
            proof: proven
                .and_then(|n| self.agents[n].thumbprint.clone())
                .map(|thumbprint| Proof { thumbprint, once: None }),
            trace: None,
            access: None,
            _place: None,
            summary: match chance.below(4) {
                0 => Some("[0 chars]".to_owned()),
                1 => Some(format!("[{} chars]", chance.below(300))),
                2 => Some("ünder a hundred".to_owned()),
                _ => None,
            },
        };
        Case { asker, agent, tool, session, proven, check }
    }
}
