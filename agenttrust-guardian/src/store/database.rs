//! Which database, as a URL names it.

use std::fmt;
#[cfg(any(feature = "cli", test))]
use std::path::Path;
use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use crate::domain::GuardianError;
use crate::domain::file::is_open_to_others;

/// The database to open.
#[derive(Clone)]
pub(crate) enum Database {
    /// SQLite in memory: gone with the Guardian.
    Memory,
    /// An SQLite file, made if it is not there.
    File(PathBuf),
    /// PostgreSQL, for several replicas.
    Postgres(Box<PgConnectOptions>),
}

impl Database {
    /// Reads `memory`, `sqlite::memory:`, `sqlite://path`, `sqlite:path`, a path, or
    /// `postgres://user@host/name`. Whatever else is refused, without being repeated.
    pub(crate) fn parse(url: &str) -> Result<Self, GuardianError> {
        super::database_url::read(url)
    }

    /// Returns whether another process can write to it as well.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Returns whether other Guardians may be at work on it.
    pub(crate) fn has_replicas(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Returns whether only the owner of this process reaches what is in it: it is in memory, or a file of mode 600.
    pub(crate) fn is_private(&self) -> bool {
        match self {
            Self::Memory => true,
            Self::File(path) => is_owners_alone(path),
            Self::Postgres(_) => false,
        }
    }

    /// Returns a file beside the SQLite file, by whichever link that was named; `None` for any other database.
    pub(crate) fn beside(&self, ending: &str) -> Option<PathBuf> {
        let Self::File(path) = self else { return None };
        let mut path = path.canonicalize().unwrap_or_else(|_| path.clone()).into_os_string();
        path.push(ending);
        Some(path.into())
    }

    /// Returns the SQLite file, which must be there.
    #[cfg(feature = "cli")]
    pub(super) fn existing(&self) -> Result<&Path, GuardianError> {
        match self {
            Self::File(path) if path.is_file() => Ok(path),
            _ => Err(self.refused(
                "there is no such file; name the database that `agenttrust serve` uses".to_owned(),
            )),
        }
    }

    pub(super) fn refused(&self, reason: String) -> GuardianError {
        GuardianError::Database { url: self.to_string(), reason }
    }
}

/// Returns `false`: without permissions, the system does not say who else may read the file.
fn is_owners_alone(path: &std::path::Path) -> bool {
    cfg!(unix) && path.metadata().is_ok_and(|found| !is_open_to_others(&found))
}

/// Writes the URL, without password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(options) => write!(
                f,
                "postgres://{}@{}:{}/{}",
                options.get_username(),
                options.get_host(),
                options.get_port(),
                options.get_database().unwrap_or_default()
            ),
        }
    }
}

/// The same: what the driver shows holds the password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_database_is_read() {
        for memory in ["memory", "sqlite::memory:", "sqlite://:memory:", ":memory:"] {
            assert!(matches!(Database::parse(memory), Ok(Database::Memory)), "{memory}");
        }
        for (url, path) in [
            ("sqlite:///var/at.db", "/var/at.db"),
            ("sqlite://at.db", "at.db"),
            ("sqlite:at.db", "at.db"),
            ("data/at.db", "data/at.db"),
        ] {
            match Database::parse(url) {
                Ok(Database::File(found)) => assert_eq!(found, Path::new(path), "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
        for url in ["postgres://me@there:5433/at", "postgresql://me:secret@there:5433/at"] {
            let database = Database::parse(url).unwrap();
            assert!(database.has_replicas());
            assert_eq!(database.to_string(), "postgres://me@there:5433/at");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_database_is_private_in_memory_and_in_a_file_that_its_owner_alone_reaches() {
        use std::os::unix::fs::PermissionsExt;

        let file = tempfile::NamedTempFile::new().unwrap();
        let of_mode = |mode| {
            let permissions = std::fs::Permissions::from_mode(mode);
            file.as_file().set_permissions(permissions).unwrap();
            Database::File(file.path().to_owned()).is_private()
        };
        assert!(Database::Memory.is_private() && of_mode(0o600) && of_mode(0o400));
        assert!(![0o640, 0o604, 0o620, 0o610, 0o777].into_iter().any(of_mode));
        assert!(!Database::File("/nowhere/guardian.db".into()).is_private());
        assert!(!Database::parse("postgres://me@there/at").unwrap().is_private());
    }

    #[test]
    fn what_is_no_database_is_refused_with_the_way_out_and_without_its_password() {
        for url in ["mysql://x", "sqlite://", "sqlite://a.db?mode=ro"] {
            let error = Database::parse(url).unwrap_err().to_string();
            assert!(error.contains("sqlite://PATH") || error.contains("remove them"), "{error}");
        }
        let error = Database::parse("postgres://me:hunter2@there:port/at").unwrap_err().to_string();
        assert!(error.contains("USER:PASSWORD@HOST:PORT") && !error.contains("hunter2"), "{error}");
    }
}
