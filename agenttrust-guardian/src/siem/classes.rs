//! The classes of OCSF that rows are sent as, and what may be said to have happened in each.

/// The released schema that events are written in.
pub(super) const SCHEMA: &str = "1.8.0";

/// The number of an activity that has no word in the schema.
pub(super) const OTHER: u8 = 99;

/// A class of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// The class of events that have no class of their own.
    BaseEvent,
    EventLogActivity,
    DetectionFinding,
    Authentication,
    AuthorizeSession,
    EntityManagement,
    ApplicationLifecycle,
    ApiActivity,
}

impl Class {
    /// Returns its number in the schema.
    pub(super) const fn uid(self) -> u32 {
        match self {
            Self::BaseEvent => 0,
            Self::EventLogActivity => 1_008,
            Self::DetectionFinding => 2_004,
            Self::Authentication => 3_002,
            Self::AuthorizeSession => 3_003,
            Self::EntityManagement => 3_004,
            Self::ApplicationLifecycle => 6_002,
            Self::ApiActivity => 6_003,
        }
    }

    pub(super) const fn caption(self) -> &'static str {
        match self {
            Self::BaseEvent => "Base Event",
            Self::EventLogActivity => "Event Log Activity",
            Self::DetectionFinding => "Detection Finding",
            Self::Authentication => "Authentication",
            Self::AuthorizeSession => "Authorize Session",
            Self::EntityManagement => "Entity Management",
            Self::ApplicationLifecycle => "Application Lifecycle",
            Self::ApiActivity => "API Activity",
        }
    }

    /// Returns the number and the name of its category.
    pub(super) const fn category(self) -> (u32, &'static str) {
        match self {
            Self::BaseEvent => (0, "Uncategorized"),
            Self::EventLogActivity => (1, "System Activity"),
            Self::DetectionFinding => (2, "Findings"),
            Self::Authentication | Self::AuthorizeSession | Self::EntityManagement => {
                (3, "Identity & Access Management")
            }
            Self::ApplicationLifecycle | Self::ApiActivity => (6, "Application Activity"),
        }
    }

    /// Returns the number of an activity, by the word that the schema has for it; [`OTHER`] where it has none.
    pub(super) fn activity(self, word: &str) -> u8 {
        let known: &[(u8, &str)] = match self {
            Self::BaseEvent => &[],
            Self::EventLogActivity => &[(2, "Delete"), (8, "Restart")],
            Self::DetectionFinding => &[(1, "Create")],
            Self::Authentication => &[(1, "Logon"), (2, "Logoff")],
            Self::AuthorizeSession => &[(1, "Assign Privileges")],
            Self::EntityManagement => &[
                (1, "Create"),
                (2, "Read"),
                (3, "Update"),
                (4, "Delete"),
                (8, "Enable"),
                (9, "Disable"),
                (12, "Suspend"),
                (13, "Resume"),
            ],
            Self::ApplicationLifecycle => &[(3, "Start")],
            Self::ApiActivity => &[(1, "Create"), (2, "Read"), (3, "Update"), (4, "Delete")],
        };
        known.iter().find(|(_, known)| *known == word).map_or(OTHER, |(number, _)| *number)
    }
}

/// The severity of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Informational,
    Low,
    Medium,
    High,
}

impl Severity {
    /// Returns its number in the schema.
    pub(super) const fn id(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
        }
    }

    pub(super) const fn caption(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}
