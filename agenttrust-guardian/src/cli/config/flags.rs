//! The flags of `agenttrust serve`.

use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::setting::{Kind, Setting, Unset, joined};
use super::table;

const CONFIG: &str = "config";
const PRINT_CONFIG: &str = "print-config";

/// The arguments of `agenttrust serve` on the command line.
// Defaults and the environment are not clap's business here: the file comes in between.
pub(in crate::cli) struct Flags {
    pub(super) config: Option<PathBuf>,
    pub(in crate::cli) print_config: bool,
    given: Vec<(&'static Setting, String)>,
}

impl Flags {
    /// Returns what this setting's flag was given.
    pub(super) fn get(&self, setting: &Setting) -> Option<&str> {
        let given = self.given.iter().find(|(flag, _)| flag.name == setting.name);
        given.map(|(_, text)| text.as_str())
    }
}

// Some of what was given may be secret.
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.given.iter().map(|(setting, _)| setting.name);
        f.debug_set().entries(given).finish()
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("A TOML file of settings, named as the flags are; else AGENTTRUST_CONFIG");
        let print_config = Arg::new(PRINT_CONFIG)
            .long(PRINT_CONFIG)
            .action(ArgAction::SetTrue)
            .help("Print the settings and where each came from, and do nothing else");
        command.arg(config).arg(print_config).args(flags().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: &'static Setting| {
            let all = matches.get_many::<String>(setting.name)?;
            Some((setting, joined(all.map(String::as_str))))
        };
        Ok(Self {
            config: matches.get_one(CONFIG).cloned(),
            print_config: matches.get_flag(PRINT_CONFIG),
            given: flags().filter_map(given).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Returns every setting that has a flag.
fn flags() -> impl Iterator<Item = &'static Setting> {
    table::ALL.iter().copied().filter(|setting| setting.kind != Kind::Secret)
}

fn flag(setting: &'static Setting) -> Arg {
    let help = match setting.default {
        Unset::Absent => setting.help.to_owned(),
        Unset::Is(default) | Unset::Computed(default) => {
            format!("{} [default: {default}]", setting.help)
        }
    };
    let flag = Arg::new(setting.name).long(setting.name).value_name(setting.value_name).help(help);
    if setting.name == table::DATABASE.name {
        return flag.conflicts_with(table::DEV.name);
    }
    match setting.kind {
        Kind::Switch => flag.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::List => flag.action(ArgAction::Append),
        Kind::Text | Kind::Url | Kind::Secret | Kind::Number => flag,
    }
}
