//! Looking for each setting: among the flags, in the environment, in the file.

use std::env::VarError;
use std::path::PathBuf;

use super::file::{self, File};
use super::flags::Flags;
use super::setting::{Kind, Setting, Unset};
use super::settings::{Origin, SettingValue, Settings};
use super::table;
use crate::domain::GuardianError;

/// Looks for every setting: among the flags, in the environment, in the file. Beside them is what the owner of the
/// file should know.
pub(super) fn gather(flags: &Flags) -> Result<(Settings, Vec<String>), GuardianError> {
    let file = match &flags.config {
        Some(path) => Some(path.clone()),
        None => variable("AGENTTRUST_CONFIG")?.map(PathBuf::from),
    };
    let file = file.as_deref().map(file::load).transpose()?.unwrap_or_default();
    let each = table::ALL.iter().map(|&setting| Ok((setting, look(setting, flags, &file)?)));
    let settings = each.collect::<Result<_, GuardianError>>().map(Settings::new)?;
    Ok((settings, file.warnings))
}

fn look(
    setting: &Setting,
    flags: &Flags,
    file: &File,
) -> Result<Option<SettingValue>, GuardianError> {
    if let Some(text) = flags.get(setting) {
        return Ok(Some(SettingValue { text: text.to_owned(), origin: Origin::Flag }));
    }
    if let Some(text) = variable(&setting.variable())? {
        return Ok(Some(SettingValue { text, origin: Origin::Environment }));
    }
    if let Some(found) = file.get(setting) {
        return Ok(Some(found.clone()));
    }
    let default = match (setting.kind, &setting.default) {
        _ if setting.name == table::REPLICA.name => Some(machine()),
        (_, Unset::Is(default)) => Some((*default).to_owned()),
        (Kind::Switch, Unset::Absent) => Some("false".to_owned()),
        (_, Unset::Absent | Unset::Computed(_)) => None,
    };
    Ok(default.map(|text| SettingValue { text, origin: Origin::Default }))
}

/// Returns this variable, if it is set and not empty.
fn variable(name: &str) -> Result<Option<String>, GuardianError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(GuardianError::Invalid(format!("{name} is not UTF-8; set it again")))
        }
    }
}

/// Returns the name of this machine, as far as it is known without asking the network.
fn machine() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    [kernel, std::env::var("HOSTNAME").ok(), std::env::var("COMPUTERNAME").ok()]
        .into_iter()
        .flatten()
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "guardian".to_owned())
}
