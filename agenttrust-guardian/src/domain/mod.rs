//! What every room speaks of: names and secrets, who may do what, what is refused and why.

mod address_range;
mod base;
pub(crate) mod card;
mod card_key;
pub(crate) mod challenge;
mod decision;
mod destination;
pub(crate) mod duration;
mod elevation;
mod error;
mod event;
pub(crate) mod federation;
pub(crate) mod file;
mod guardian_error;
pub(crate) mod host;
pub(crate) mod ids;
mod key;
pub(crate) mod limits;
pub(crate) mod lists;
pub(crate) mod names;
pub(crate) mod numbers;
mod peer;
mod quota;
pub(crate) mod restrictions;
pub(crate) mod role;
pub(crate) mod seal;
pub(crate) mod secret;
pub(crate) mod spelling;
pub(crate) mod task;
pub(crate) mod trace;
mod unseen;
mod versions;

pub(crate) use self::address_range::AddressRange;
pub(crate) use self::base::Base;
pub(crate) use self::card_key::CardSigner;
pub(crate) use self::decision::{Answer, Decision, DecisionKind};
pub(crate) use self::destination::{DestinationKind, EventFormat};
pub(crate) use self::elevation::{AccessAnswer, Elevating, Unserved};
pub(crate) use self::error::{Error, ErrorKind};
pub(crate) use self::event::Event;
pub use self::guardian_error::GuardianError;
pub(crate) use self::key::{Key, Reach};
pub(crate) use self::peer::Peer;
pub(crate) use self::quota::{Quota, QuotaUse};
pub(crate) use self::role::Permission;
pub use self::role::{ParseRoleError, Role};
pub(crate) use self::seal::{SealKey, Sealer};
pub(crate) use self::secret::{Fingerprint, Secret};
pub(crate) use self::trace::Trace;
pub(crate) use self::unseen::is_unseen;
pub(crate) use self::versions::Versions;

/// The organisation of a Guardian that was told of no other.
pub(crate) const DEFAULT_ORG: &str = "org_default";
