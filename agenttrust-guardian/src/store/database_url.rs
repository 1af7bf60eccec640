//! Reading which database is meant.
//!
//! What is not understood is refused and no part of it repeated: it may be a URL with a password in it that was
//! mistyped. Nor is it taken for the path of a file, which would begin an empty database of that name.

use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;
use sqlx::postgres::PgConnectOptions;

use super::database::Database;
use crate::domain::GuardianError;
use crate::domain::spelling::nearest;

/// The parameters that the driver takes in the query of a URL; it would log any other with its value, and go on
/// without it.
const PARAMETERS: [&str; 16] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];
/// The parameters that are not worth guessing.
const MORE_PARAMETERS: [&str; 2] = ["ssl-mode", "statement-cache-capacity"];
/// The parameters that libpq takes and the driver does not: no secret begins so.
const OF_LIBPQ: [&str; 18] = [
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "passfile",
    "require_auth",
    "service",
    "sslcrl",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
];
/// The message about a list of hosts, of which the driver would take all for one name.
const SEVERAL_HOSTS: &str =
    "it names several hosts, and one is taken: the one that leads to the server that takes writes";
/// The begins of database URLs that lost their colon.
const SCHEMES: [&str; 8] =
    ["postgresql", "postgres", "pgsql", "psql", "mysql", "mariadb", "https", "http"];

/// Reads the forms that [`Database::parse`] knows.
pub(super) fn read(text: &str) -> Result<Database, GuardianError> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return postgres(text);
    }
    let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
    match path.unwrap_or(text) {
        ":memory:" => Ok(Database::Memory),
        "memory" if path.is_none() => Ok(Database::Memory),
        "" => Err(GuardianError::UnsupportedDatabase(
            "the database URL names no file: use memory or sqlite://PATH".to_owned(),
        )),
        path => match no_path(path) {
            None => Ok(Database::File(PathBuf::from(path))),
            Some(why) => Err(GuardianError::UnsupportedDatabase(format!(
                "the database is {why}, and is not repeated here, as it may hold a password: use memory, \
                 sqlite://PATH, a path or postgres://USER:PASSWORD@HOST:PORT/NAME; a path with a name like that \
                 begins with ./"
            ))),
        },
    }
}

/// Returns the reason why this is not taken for the path of a file; `None` where it is one.
fn no_path(text: &str) -> Option<&'static str> {
    if text.contains('?') {
        return Some("a path with options, and none are supported (remove them)");
    }
    let after_word = text.trim_start_matches(|at: char| {
        at.is_ascii_alphanumeric() || matches!(at, '+' | '-' | '_' | '.')
    });
    let word = text.len() - after_word.len();
    let begins_with_letter = text.starts_with(|at: char| at.is_ascii_alphabetic());
    // `C:\at.db` is a path where there are drives.
    let drive = cfg!(windows) && word == 1;
    if (begins_with_letter && after_word.starts_with(':') && !drive) || text.contains("://") {
        return Some("a URL of a kind that is not supported");
    }
    let lower = text.to_ascii_lowercase();
    let lost_colon = SCHEMES.iter().filter_map(|scheme| lower.strip_prefix(scheme));
    if lost_colon.into_iter().any(|rest| rest.starts_with("//") || rest.starts_with('\\')) {
        return Some("a URL without the colon after its first word");
    }
    let begins_with_setting = begins_with_letter && after_word.trim_start().starts_with('=');
    if begins_with_setting
        || text.trim() != text
        || (lower.contains("password") && lower.contains('='))
    {
        return Some("a list of settings or a mistyped URL");
    }
    // Somebody and a password: `ada:pa55@there/at`.
    match text.split_once(':') {
        Some((_, rest)) if rest.contains('@') => Some("a URL without its beginning"),
        _ => None,
    }
}

fn postgres(text: &str) -> Result<Database, GuardianError> {
    let wrong = |why: &str| {
        GuardianError::UnsupportedDatabase(format!(
            "the PostgreSQL URL cannot be read ({why}): write postgres://USER:PASSWORD@HOST:PORT/NAME, with \
             ?sslmode=verify-full beyond this machine"
        ))
    };
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // The rest of a password would be taken for a database, a parameter or nothing, and be shown as such.
    let smells = |at: char| at == '#' || at == '\\' || at.is_whitespace() || at.is_control();
    if after.contains('@') || text.contains(smells) {
        return Err(wrong(
            "it holds a character that has to be percent-encoded, such as / ? # or @ in a password: %2F %3F %23 %40",
        ));
    }
    let (_, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    if hosts.contains(',') {
        return Err(wrong(SEVERAL_HOSTS));
    }
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    for (name, _) in url.query_pairs() {
        check_parameter(&name).map_err(|why| wrong(&why))?;
    }
    // What the driver says may repeat a value.
    let options = PgConnectOptions::from_str(text).map_err(|_| {
        wrong(
            "one of its parameters has a value that is not taken: sslmode is disable, allow, prefer, require, \
             verify-ca or verify-full, hostaddr an address, port and statement-cache-capacity numbers",
        )
    })?;
    if options.get_host().contains(',') {
        return Err(wrong(SEVERAL_HOSTS));
    }
    Ok(Database::Postgres(Box::new(options.application_name("agenttrust"))))
}

/// Refuses a parameter that the driver would leave out. One that is neither near a known one nor libpq's may be part
/// of a password, and is not named.
fn check_parameter(name: &str) -> Result<(), String> {
    let option = name.strip_prefix("options[").is_some_and(|name| name.ends_with(']'));
    if option || PARAMETERS.contains(&name) || MORE_PARAMETERS.contains(&name) {
        return Ok(());
    }
    if OF_LIBPQ.contains(&name) {
        return Err(format!(
            "the parameter {name} is libpq's and not supported here; leave it out"
        ));
    }
    Err(match nearest(name, PARAMETERS) {
        Some(meant) => format!("it has a parameter {name:?}; did you mean {meant}?"),
        None => format!("one of its parameters is not known; known are {}", PARAMETERS.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_form_fits_is_refused_with_the_forms_and_without_repeating_it() {
        for text in [
            "postgres//u:SECRET@h/at",
            "postgres//SECRET",
            "postgresql:/u:SECRET@h/at",
            "postgres:u:SECRET@h/at",
            "postgres:\\\\u:SECRET@h/at",
            "postgres\\\\u:SECRET@h/at",
            "postgres;//u:SECRET@h/at",
            "POSTGRES://u:SECRET@h/at",
            " postgres://u:SECRET@h/at",
            "\"postgres://u:SECRET@h/at\"",
            "DATABASE_URL=postgres://u:SECRET@h/at",
            "jdbc:postgresql://h/at?user=u&password=SECRET",
            "sqlite://postgres://u:SECRET@h/at",
            "sqlite:postgres:/u:SECRET@h/at",
            "mysql://u:SECRET@h/at",
            "SECRET://h",
            "u:SECRET@h/at",
            "/u:SECRET@h/at",
            "//u:SECRET@h/at",
            "://u:SECRET@h/at",
            "h:5432/SECRET",
            "host=h password=SECRET",
            "host = h password = SECRET",
            "  host=h password=SECRET",
            "PASSWORD=SECRET host=h",
            "pass_word=SECRET",
            "dbname=SECRET",
            "at.db?key=SECRET",
            "at.db?password=SECRET",
            "./at.db password=SECRET",
            "at.db\n",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(!error.contains("SECRET"), "{text:?}: {error}");
            assert!(error.contains("sqlite://PATH"), "{text:?}: {error}");
        }
    }

    #[test]
    fn path_of_a_file_is_one_all_the_same() {
        for path in [
            "at.db",
            "data/at.db",
            "data//at.db",
            "/var/lib/agenttrust/at.db",
            "../at.db",
            "./a:b.db",
            "/var/ada@home/at.db",
            "/env=prod/at.db",
            "my data/at.db",
            "postgres/at.db",
            "./host=h",
        ] {
            for text in [path.to_owned(), format!("sqlite://{path}"), format!("sqlite:{path}")] {
                let found = read(&text);
                assert!(
                    matches!(&found, Ok(Database::File(file)) if file == std::path::Path::new(path)),
                    "{text}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn parameter_that_the_driver_would_leave_out_is_refused_and_its_value_never_shown() {
        for (query, says) in [
            ("pasword=SECRET", "a parameter \"pasword\"; did you mean password?"),
            ("sslmod=SECRET", "did you mean sslmode?"),
            ("connect_timeout=SECRET", "connect_timeout is libpq's"),
            ("sslmode=require&SECRETpart", "one of its parameters is not known; known are"),
            ("a=b&SECRET=x", "one of its parameters is not known"),
            ("options[a=SECRET", "did you mean options?"),
            ("sslmode=SECRET", "a value that is not taken: sslmode is"),
            ("port=SECRET", "a value that is not taken"),
            ("hostaddr=SECRET", "a value that is not taken"),
        ] {
            let error = read(&format!("postgres://u@h/at?{query}")).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("SECRET"), "{query}: {error}");
        }
        for query in ["sslmode=require&sslrootcert=a", "user=u&password=p&host=h", "options[a]=b"] {
            assert!(read(&format!("postgres:///at?{query}")).is_ok(), "{query}");
        }
    }

    #[test]
    fn several_hosts_are_refused_with_what_to_name_instead() {
        for url in [
            "postgres://u:SECRET@a,b/at",
            "postgres://u:SECRET@a:5432,b:5433/at",
            "postgres://a,b",
            "postgres:///at?user=u&password=SECRET&host=a,b",
        ] {
            let error = read(url).unwrap_err().to_string();
            assert!(error.contains("the server that takes writes"), "{url}: {error}");
            assert!(!error.contains("SECRET"), "{url}: {error}");
        }
        assert!(read("postgres://u:a,b@h/at").is_ok());
    }

    #[test]
    fn password_that_is_not_encoded_is_refused_and_not_taken_for_something_else() {
        for url in [
            "postgres://u:1/SECRET@h/at",
            "postgres://u:1?SECRET@h/at",
            "postgres://u:1?a=SECRET@h/at",
            "postgres://u:1#SECRET@h/at",
            "postgres://u:SECRET x@h/at",
            "postgres://u:SECRET@h/at#x",
            "postgres://u:SECRET@h:port/at",
            "postgres://u:SE/CRET@h/at",
        ] {
            let error = read(url).unwrap_err().to_string();
            assert!(error.contains("USER:PASSWORD@HOST:PORT"), "{url}: {error}");
            assert!(!error.contains("SECRET") && !error.contains("CRET@"), "{url}: {error}");
        }
        let database = read("postgres://u:SECRET%2F%40@h:5433/at").unwrap();
        assert_eq!(database.to_string(), "postgres://u@h:5433/at");
        assert_eq!(format!("{database:?}"), "postgres://u@h:5433/at");
    }
}
