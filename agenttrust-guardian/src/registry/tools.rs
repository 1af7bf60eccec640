//! The effects that an operator or admin set for a tool.

use std::collections::HashMap;
use std::sync::RwLock;

use agenttrust::Effect;

use super::{read, write};

/// Effects by organisation and tool.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    by_org: RwLock<HashMap<String, HashMap<String, Effect>>>,
}

impl Tools {
    pub(super) fn new(effects: Vec<((String, String), Effect)>) -> Self {
        let mut by_org: HashMap<String, HashMap<String, Effect>> = HashMap::new();
        for ((org_id, tool), effect) in effects {
            by_org.entry(org_id).or_default().insert(tool, effect);
        }
        Self { by_org: RwLock::new(by_org) }
    }

    /// What was set for this tool.
    pub(crate) fn effect(&self, org_id: &str, tool: &str) -> Option<Effect> {
        read(&self.by_org).get(org_id)?.get(tool).copied()
    }

    pub(crate) fn set(&self, org_id: String, tool: String, effect: Effect) {
        write(&self.by_org).entry(org_id).or_default().insert(tool, effect);
    }
}
