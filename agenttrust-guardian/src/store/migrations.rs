//! What brings the tables up to date: the files in `migrations`, each of them run once on a database.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The migrations of a folder, by their file names.
macro_rules! migrations {
    ($folder:literal: $($file:literal)*) => {
        &[$(($file, include_str!(concat!("../../migrations/", $folder, "/", $file, ".sql")))),*]
    };
}

const FOR_SQLITE: &[(&str, &str)] = migrations!("sqlite":
    "0001_init"
    "0002_audit"
    "0003_tool_manifest"
    "0004_changes"
    "0005_policies"
    "0006_audit_checkpoints"
    "0007_approvals"
    "0008_telemetry"
    "0009_keys"
    "0010_approval_keys"
    "0011_issued"
    "0012_agent_versions"
    "0013_raised_by_agents"
    "0014_owners"
    "0015_delegations"
    "0016_mcp_servers"
    "0017_agent_cards"
    "0018_tasks"
    "0019_task_pushes"
    "0020_tasks_as_seen"
    "0021_task_push_sessions"
    "0022_approvals_of_messages"
    "0023_federation"
    "0024_workload_identity"
    "0025_siem"
    "0026_access_requests"
    "0027_audit_log_ids"
    "0028_audit_added"
);
const FOR_POSTGRES: &[(&str, &str)] = migrations!("postgres":
    "0001_init"
    "0002_policies"
    "0003_audit_checkpoints"
    "0004_approvals"
    "0005_telemetry"
    "0006_keys"
    "0007_approval_keys"
    "0008_issued"
    "0009_agent_versions"
    "0010_raised_by_agents"
    "0011_owners"
    "0012_delegations"
    "0013_mcp_servers"
    "0014_agent_cards"
    "0015_tasks"
    "0016_task_pushes"
    "0017_tasks_as_seen"
    "0018_task_push_sessions"
    "0019_approvals_of_messages"
    "0020_federation"
    "0021_workload_identity"
    "0022_siem"
    "0023_access_requests"
    "0024_audit_log_ids"
    "0025_audit_added"
);

pub(super) fn for_sqlite() -> Migrator {
    migrator(FOR_SQLITE)
}

pub(super) fn for_postgres() -> Migrator {
    migrator(FOR_POSTGRES)
}

/// Returns numbers and describes them as `sqlx::migrate!` did, which databases remember.
fn migrator(files: &'static [(&str, &str)]) -> Migrator {
    let migrations = (1..).zip(files).map(|(version, (file, sql))| {
        let description = file.get("0001_".len()..).unwrap_or(file).replace('_', " ");
        let sql = SqlStr::from_static(sql);
        Migration::new(version, description.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::db::{Db, query};
    use super::super::primary::{Primary, Purpose};
    use super::*;

    #[test]
    fn every_file_in_the_folder_is_run_under_the_number_in_its_name() {
        for (folder, listed) in [("sqlite", FOR_SQLITE), ("postgres", FOR_POSTGRES)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let mut there: Vec<String> = fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            there.sort();
            let listed: Vec<String> =
                listed.iter().map(|(file, _)| format!("{file}.sql")).collect();
            assert_eq!(there, listed);
            for (version, file) in (1..).zip(&listed) {
                assert!(file.starts_with(&format!("{version:04}_")), "{file} is number {version}");
            }
        }
    }

    /// What `sqlx::migrate!` wrote into databases that are there: of a migration that is described or summed up
    /// otherwise, a Guardian says that the database is another program's.
    #[test]
    fn databases_know_the_migrations_by_what_they_were_written_as() {
        let migrator = for_sqlite();
        let checkpoints = migrator.iter().nth(5).unwrap();
        assert_eq!(checkpoints.version, 6);
        assert_eq!(checkpoints.description, "audit checkpoints");
        let sum: String = checkpoints.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            sum,
            "6d0b7c0bcbc3c579c0ac976e8c802b76246465e9701e66256a5a5fe5fae8649f6315933990fd28cd3a6e5373750c0681"
        );
    }

    /// What `tool_raised` held before it knew whose word it was, and what of it counts for whom since.
    #[tokio::test]
    async fn what_was_raised_before_counts_for_the_agents_of_its_key_or_else_for_everybody() {
        let sqlite = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
        let sqlite = sqlite.connect("sqlite::memory:").await.unwrap();
        raised_before(for_sqlite(), Db::Sqlite(sqlite)).await;
        let Some(database) = agenttrust_testkit::postgres::Fresh::or_skip() else { return };
        let options = database.url().parse().unwrap();
        let postgres = Primary::connect(&options, Purpose::Writing).await.unwrap();
        raised_before(for_postgres(), Db::Postgres(postgres.clone())).await;
        postgres.close().await;
    }

    async fn raised_before(all: Migrator, db: Db) {
        const KEYS: &str = "INSERT INTO keys (id, org_id, hash, role, agents, created_at) VALUES \
            ('one', 'org', 'a', 'agent', '[\"agt_1\"]', 0), \
            ('two', 'org', 'b', 'agent', '[\"agt_2\",\"agt_3\"]', 0), ('none', 'org', 'c', 'agent', '[]', 0)";
        const RAISED: &str = "INSERT INTO tool_raised (org_id, tool, effect, raised_by, raised_at) VALUES \
            ('org', 'a', 'admin', 'one', 0), ('org', 'b', 'destructive', 'two', 0), \
            ('org', 'c', 'admin', 'none', 0), ('org', 'd', 'admin', 'gone', 0)";
        const NOW: &str = "SELECT tool, agent_id, effect FROM tool_raised ORDER BY tool, agent_id";
        let raised = all.iter().position(|one| one.description == "raised by agents").unwrap();
        let before = Migrator::with_migrations(all.iter().take(raised).cloned().collect());
        for migrator in [before, all] {
            match &db {
                Db::Sqlite(pool) => migrator.run(pool).await.unwrap(),
                Db::Postgres(primary) => migrator.run(&primary.pool()).await.unwrap(),
            }
            if migrator.iter().count() == raised {
                query(KEYS).execute(&db).await.unwrap();
                query(RAISED).execute(&db).await.unwrap();
            }
        }
        let now: Vec<(String, String, String)> = query(NOW).fetch_all(&db).await.unwrap();
        let now: Vec<_> =
            now.iter().map(|(a, b, c)| [a.as_str(), b.as_str(), c.as_str()]).collect();
        let expected = [
            ["a", "agt_1", "admin"],
            ["b", "agt_2", "destructive"],
            ["b", "agt_3", "destructive"],
            ["c", "", "admin"],
            ["d", "", "admin"],
        ];
        assert_eq!(now, expected);
    }
}
