//! `agenttrust serve`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::config::{Config, Flags};
use super::listen::{self, Addresses, Listening, Places, Stop};
use super::log::{self, Filter};
use super::notify::notify;
use super::out::say;
use super::reload::Reload;
use super::stop::{Sighup, StopSignal};
use super::tls::Identity;
use crate::audit::commands::Options;
use crate::builder::GuardianBuilder;
use crate::domain::GuardianError;
use crate::guardian::Guardian;
use crate::store::Database;

/// The time that requests that are under way may take once the program is to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The key that `--dev` knows.
const DEV_KEY: &str = "sk_test_dev";

/// Serves a Guardian until the program is to stop.
pub(super) async fn run(flags: Flags) -> Result<ExitCode, GuardianError> {
    let config = Config::load(&flags)?;
    if flags.print_config {
        say(config.to_toml().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    export(config, flags).await?;
    Ok(ExitCode::SUCCESS)
}

/// Serves, with spans for a collector where there is one.
#[cfg(feature = "otel")]
async fn export(config: Config, flags: Flags) -> Result<(), GuardianError> {
    if collector().is_none() {
        let filter = log::start(&config.values.log, config.values.log_format, None)?;
        return serve(config, flags, filter).await;
    }
    let exporter = crate::otel::Exporter::start(&config.values.replica)?;
    let spans = Some(exporter.layer());
    let filter = log::start(&config.values.log, config.values.log_format, spans)?;
    let served = serve(config, flags, filter).await;
    exporter.close().await;
    served
}

/// Serves, and says so where spans are expected.
#[cfg(not(feature = "otel"))]
async fn export(config: Config, flags: Flags) -> Result<(), GuardianError> {
    let filter = log::start(&config.values.log, config.values.log_format, None)?;
    if let Some(variable) = collector() {
        tracing::warn!(
            "{variable} is set, and this program was built without the feature `otel`: \
             no spans are exported"
        );
    }
    serve(config, flags, filter).await
}

/// Returns the variable that names a collector.
fn collector() -> Option<&'static str> {
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

async fn serve(config: Config, flags: Flags, filter: Filter) -> Result<(), GuardianError> {
    let sighup = Sighup::listen();
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let addresses = Addresses::find("listen", &config.values.listen)?;
    if config.values.dev && addresses.exposed() {
        return Err(GuardianError::Invalid(format!(
            "--dev has a key that everybody knows, so it does not listen on {}; \
             use a loopback address such as 127.0.0.1:8080",
            config.values.listen
        )));
    }
    let places = Places::new(listen::connections(config.values.max_connections)?);
    // Before the database: a first key is printed once, so nothing may fail after it was made.
    let tls = config.tls().map(|(certificate, key)| Identity::new(certificate, key).serve());
    let tls = tls.transpose()?;
    let names = config.values.public_urls.iter().map(|url| url.host().clone());
    let listening = addresses.bind()?.under(names);
    let metrics = match &config.values.metrics_listen {
        Some(text) => Some(Addresses::find("metrics-listen", text)?.bind()?),
        None => None,
    };
    let guardian = guardian(&config).await?;
    // Before the key: a signal between making it and showing it would lose it.
    let stopping = StopSignal::listen();
    show_first_admin_key(&config, &guardian).await?;

    let scheme = if tls.is_some() { "https" } else { "http" };
    if listening.exposed && tls.is_none() {
        tracing::warn!(
            address = %listening.address,
            "listening beyond this machine without TLS: keys travel in the clear"
        );
    }
    say(&format!("listening on {scheme}://{}", listening.address))?;

    let stop = Stop::new();
    tokio::spawn(end(guardian.clone(), stop.clone(), stopping));
    if let Some(metrics) = metrics {
        serve_metrics(metrics, &guardian, &stop)?;
    }
    let certificate = tls.as_ref().map(|tls| Arc::clone(&tls.config));
    let reload = Reload {
        flags,
        started: config,
        guardian: guardian.clone(),
        log: filter,
        places: places.clone(),
        tls,
    };
    let reloading = tokio::spawn(reload.run(sighup));
    // Not before: a signal that came earlier would end the program, or find nothing to read again.
    notify("READY=1");
    listening.serve(&guardian, certificate, places, stop).await;
    reloading.abort();
    guardian.close().await;
    Ok(())
}

/// Ends what is served, once the program is to stop.
async fn end(guardian: Guardian, stop: Stop, stopping: StopSignal) {
    stopping.heard().await;
    notify("STOPPING=1");
    tracing::info!("stopping: no new requests, those under way have {DRAIN:?}");
    guardian.begin_shutdown();
    stop.gently();
    tokio::time::sleep(DRAIN).await;
    if stop.now() {
        tracing::warn!("requests were still under way and are cut off");
    }
}

/// Serves the numbers, and nothing else, to each caller.
fn serve_metrics(
    listening: Listening,
    guardian: &Guardian,
    stop: &Stop,
) -> Result<(), GuardianError> {
    if listening.exposed {
        tracing::warn!(
            address = %listening.address,
            "metrics are served beyond this machine, to every caller"
        );
    }
    say(&format!("metrics on http://{}/metrics", listening.address))?;
    let (guardian, stop) = (guardian.clone(), stop.clone());
    tokio::spawn(async move { listening.serve_metrics(&guardian, stop).await });
    Ok(())
}

/// Says how the Guardian is reached and named.
fn reached(mut builder: GuardianBuilder, config: &Config) -> GuardianBuilder {
    for url in &config.values.public_urls {
        builder = builder.public_url(url.as_str());
    }
    if let Some(trust_domain) = &config.values.trust_domain {
        builder = builder.trust_domain(trust_domain);
    }
    if config.tls().is_some() {
        builder = builder.over_tls();
    }
    builder
}

/// Sets what calls that leave may reach, what they trust and what is kept for them.
fn leaving(mut builder: GuardianBuilder, config: &Config) -> GuardianBuilder {
    for range in &config.values.allow_outbound {
        builder = builder.allow_outbound(range.to_string());
    }
    if let Some(file) = &config.values.outbound_ca {
        builder = builder.outbound_ca(file);
    }
    for folder in &config.values.siem_files {
        builder = builder.siem_files(folder);
    }
    if let Some(keys) = &config.values.secret_key {
        builder = builder.secret_key(keys.expose());
    }
    builder
}

/// Has the commands about the audit that errors and the log advise name this Guardian's database and files.
fn advise(config: &Config) -> Result<(), GuardianError> {
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
    };
    let database = match Database::parse(config.values.database.0.as_str())? {
        Database::Memory => None,
        Database::File(path) => Some(format!("sqlite://{}", absolute(&path))),
        // Without its password.
        postgres @ Database::Postgres(_) => Some(postgres.to_string()),
    };
    let audit_key = config.values.audit_key.as_ref().map(absolute);
    let audit_checkpoints = config.values.audit_checkpoints.as_ref().map(absolute);
    Options { database, audit_key, audit_checkpoints }.advise();
    Ok(())
}

async fn guardian(config: &Config) -> Result<Guardian, GuardianError> {
    let mut builder = Guardian::builder()
        .approval_ttl(config.values.approval_ttl)
        .session_ttl(config.values.session_ttl)
        .check_deadline(config.values.check_deadline.0)
        .max_requests(config.values.max_requests)
        .mcp_timeout(config.values.mcp_timeout)
        .dpop_nonces(config.values.dpop_nonces)
        .replica(&config.values.replica);
    if let Some(folder) = &config.values.policies {
        builder = builder.policies(folder);
    }
    if let Some(file) = &config.values.audit_key {
        builder = builder.audit_key(file);
    }
    if let Some(file) = &config.values.audit_checkpoints {
        builder = builder.audit_checkpoints(file);
    }
    if let Some(hold) = config.values.mcp_hold {
        builder = builder.mcp_hold(hold);
    }
    builder = leaving(reached(builder, config), config);
    if let Some(keep) = config.values.audit_retention {
        builder = builder.audit_retention(keep);
    }
    if config.values.dev {
        tracing::warn!(
            "DEVELOPMENT MODE: everything is in memory, the key {DEV_KEY} may do anything, and \
             requests may be approved with the key that made them"
        );
        return builder.development(DEV_KEY).build().await;
    }
    if config.values.allow_self_approval {
        tracing::warn!("self-approval is allowed: a key may decide what it asked for itself");
    }
    advise(config)?;
    builder = builder
        .database(config.values.database.0.as_str())
        .allow_self_approval(config.values.allow_self_approval);
    if let Some(key) = &config.values.admin_key {
        return builder.admin_key(key.expose()).build().await;
    }
    builder.build().await
}

/// Makes and shows the first admin key, where the Guardian was given none and has none.
async fn show_first_admin_key(config: &Config, guardian: &Guardian) -> Result<(), GuardianError> {
    if config.values.dev || config.values.admin_key.is_some() {
        return Ok(());
    }
    if let Some(key) = guardian.create_first_admin_key().await? {
        say(&format!("admin key, shown this once: {}", key.expose()))?;
    }
    Ok(())
}
