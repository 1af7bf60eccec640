//! What is known of the tools: the effects that an operator or admin set, and what programs declare.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use agenttrust::Effect;

use super::{read, write};
use crate::classify::{Basis, Evidence, classify};
use crate::manifest::{Declared, Manifest};
use crate::store::Kept;

/// Effects and manifests by organisation.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    effects: RwLock<HashMap<String, HashMap<String, Effect>>>,
    manifests: RwLock<HashMap<String, Versioned>>,
}

/// A manifest, and which change it is from.
#[derive(Debug, Default)]
struct Versioned {
    version: i64,
    manifest: Arc<Manifest>,
}

impl Tools {
    pub(super) fn new(
        effects: Vec<((String, String), Effect)>,
        manifests: HashMap<String, Manifest>,
    ) -> Self {
        let mut by_org: HashMap<String, HashMap<String, Effect>> = HashMap::new();
        for ((org_id, tool), effect) in effects {
            by_org.entry(org_id).or_default().insert(tool, effect);
        }
        // Every change that is still to come has a larger version than 0.
        let manifests = manifests
            .into_iter()
            .map(|(org_id, kept)| (org_id, Versioned { version: 0, manifest: Arc::new(kept) }))
            .collect();
        Self { effects: RwLock::new(by_org), manifests: RwLock::new(manifests) }
    }

    /// What an operator or admin set for this tool.
    pub(crate) fn effect(&self, org_id: &str, tool: &str) -> Option<Effect> {
        read(&self.effects).get(org_id)?.get(tool).copied()
    }

    pub(crate) fn set(&self, org_id: String, tool: String, effect: Effect) {
        write(&self.effects).entry(org_id).or_default().insert(tool, effect);
    }

    /// What is declared of this tool.
    pub(crate) fn declared(&self, org_id: &str, tool: &str) -> Option<Arc<Declared>> {
        read(&self.manifests).get(org_id)?.manifest.get(tool).cloned()
    }

    /// Everything that is declared in this organisation.
    pub(crate) fn manifest(&self, org_id: &str) -> Arc<Manifest> {
        read(&self.manifests).get(org_id).map(|kept| Arc::clone(&kept.manifest)).unwrap_or_default()
    }

    /// Takes over an organisation's manifest after a change, unless a later one was here first.
    pub(crate) fn keep(&self, org_id: String, kept: Kept) {
        let mut manifests = write(&self.manifests);
        let known = manifests.entry(org_id).or_default();
        if known.version < kept.version {
            *known = Versioned { version: kept.version, manifest: Arc::new(kept.manifest) };
        }
    }

    /// What a call of this tool counts as when its caller says nothing, as far as anything does.
    pub(crate) fn effect_in_force(
        &self,
        org_id: &str,
        tool: &str,
        declared: &Declared,
    ) -> Option<Effect> {
        let found = classify(&Evidence {
            tool,
            operator: self.effect(org_id, tool),
            hint: None,
            manifest: declared.effect,
            annotation: None,
        });
        (found.basis != Basis::Default).then_some(found.effect)
    }
}
