//! The alert rules that go with the Guardian: all that they name is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use agenttrust_testkit::ADMIN;
use serde_json::json;

use crate::support::open;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("alerts/agenttrust.rules.yml")
}

/// An alert: its name, and everything that is said of it, each with its text in one line.
type Alert = (String, BTreeMap<String, String>);

/// Returns the rules, read as far as they are written: a key and a text, which may go on in the lines below it.
fn alerts() -> Vec<Alert> {
    let text = std::fs::read_to_string(path()).unwrap();
    let mut alerts: Vec<Alert> = Vec::new();
    let mut key = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let said = line.trim();
        if let Some(name) = said.strip_prefix("- alert: ") {
            alerts.push((name.to_owned(), BTreeMap::new()));
            continue;
        }
        let Some((_, about)) = alerts.last_mut() else { continue };
        let keys = ["expr", "for", "labels", "summary", "description"];
        match said.split_once(':').filter(|(first, _)| keys.contains(first)) {
            Some((first, rest)) => {
                key = first.to_owned();
                about.insert(key.clone(), rest.trim().trim_start_matches(">-").trim().to_owned());
            }
            None if !["annotations:", "rules:", "- name:"]
                .iter()
                .any(|key| said.starts_with(key)) =>
            {
                let known = about.entry(key.clone()).or_default();
                *known = format!("{known} {said}").trim().to_owned();
            }
            None => {}
        }
    }
    alerts
}

/// The metrics of the Guardian: their labels, and the values of those.
type Metrics = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn known(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let known = metrics.entry(name.to_owned()).or_default();
        for (label, value) in labels_of(labels.trim_end_matches('}')) {
            known.entry(label).or_default().insert(value);
        }
    }
    metrics
}

/// Returns `a="b",c="d"`, as pairs.
fn labels_of(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (label, value) = pair.split_once('=').unwrap();
            (label.trim().to_owned(), value.trim().trim_matches('"').to_owned())
        })
        .collect()
}

/// Returns what an expression names: each metric with its labels.
fn named(expr: &str) -> Vec<(String, Vec<(String, String)>)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = expr;
    while let Some(at) = rest.find("agenttrust_") {
        let word: String = rest[at..].chars().take_while(|c| is_word(*c)).collect();
        rest = &rest[at + word.len()..];
        let labels = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        found.push((word, labels.map(|(labels, _)| labels_of(labels)).unwrap_or_default()));
    }
    found
}

/// Returns the labels that an expression keeps: `by (a, b)`.
fn kept(expr: &str) -> Vec<String> {
    let lists = expr.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
    lists.flat_map(|list| list.split(',').map(|label| label.trim().to_owned())).collect()
}

/// Returns every metric of a Guardian in which something of everything happened.
async fn all_metrics() -> Metrics {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    api.check(ADMIN, &agent, "search").await.allowed();
    known(api.get("/metrics", ADMIN).await.ok().body.as_str().unwrap())
}

#[tokio::test]
async fn alert_rules_name_metrics_labels_and_values_that_there_are() {
    let metrics = all_metrics().await;
    let alerts = alerts();
    assert!(alerts.len() > 15, "{alerts:?}");
    let mut used = BTreeSet::new();
    for (alert, about) in &alerts {
        let expr = &about["expr"];
        let named = named(expr);
        // What Prometheus says itself of those that it scrapes.
        let is_up = expr == "up{job=\"agenttrust\"} == 0";
        assert!(is_up || !named.is_empty(), "{alert} is about no metric of ours: {expr}");
        for (name, labels) in &named {
            let known =
                metrics.get(name).unwrap_or_else(|| panic!("{alert}: there is no metric {name}"));
            for (label, value) in labels {
                let values =
                    known.get(label).unwrap_or_else(|| panic!("{alert}: {name} has no {label}"));
                assert!(values.contains(value), "{alert}: {label} of {name} is never {value:?}");
            }
            used.insert(name.clone());
        }
        for label in kept(expr) {
            let has = |(name, _): &(String, _)| metrics[name].contains_key(&label);
            assert!(label == "instance" || named.iter().any(has), "{alert}: nothing has {label}");
        }
    }
    // What is there to be woken by.
    for name in [
        "agenttrust_in_touch",
        "agenttrust_audit_healthy",
        "agenttrust_undecided_checks_total",
        "agenttrust_denial_bursts_total",
        "agenttrust_webhook_messages_total",
        "agenttrust_siem_lag_seconds",
        "agenttrust_siem_events_set_aside_total",
        "agenttrust_siem_rows_cut_total",
    ] {
        assert!(used.contains(name), "no alert is about {name}");
    }
}

#[tokio::test]
async fn alert_says_what_happened_and_what_to_do() {
    let api = open().await;
    let document = api.get("/openapi.json", "").await.ok().body;
    let paths = document["paths"].as_object().unwrap();
    let mut names = BTreeSet::new();
    for (alert, about) in alerts() {
        assert!(names.insert(alert.clone()), "{alert} is there twice");
        let summary = about["summary"].trim_matches('"');
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{alert}: {summary}");
        assert!(about["labels"].contains("severity: "), "{alert}");
        let description = &about["description"];
        assert!(description.ends_with('.') && description.matches(". ").count() > 0, "{alert}");
        for said in description.split("/api/").skip(1) {
            let end = said.find([' ', ')', ',', ';']).unwrap_or(said.len());
            let path = format!("/api/{}", said[..end].trim_end_matches('.'));
            assert!(paths.contains_key(&path), "{alert}: the Guardian has no {path}");
        }
    }
}

#[tokio::test]
async fn approvals_that_wait_are_counted_with_the_age_of_the_oldest() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let key = api.key("agent", &[&agent]).await;
    let id = api.check(&key, &agent, "db_delete").await.held();
    let pending = async |count: u64| {
        let text = api.get("/metrics", ADMIN).await.ok().body;
        let line = format!("agenttrust_approvals_pending {count}");
        text.as_str().unwrap().lines().any(|other| other == line)
    };
    agenttrust_testkit::eventually("it is not counted", async || pending(1).await).await;
    api.deny(ADMIN, &id).await.ok();
    agenttrust_testkit::eventually("it is still counted", async || pending(0).await).await;
    let metrics = known(api.get("/metrics", ADMIN).await.ok().body.as_str().unwrap());
    assert!(metrics.contains_key("agenttrust_approvals_oldest_pending_seconds"), "{metrics:?}");
    assert!(json!(metrics).to_string().contains("agenttrust_in_touch"));
}

#[test]
fn alert_rules_are_rules_of_prometheus() {
    // Where its tool is not installed, the other tests still hold what the rules name.
    let Ok(checked) = Command::new("promtool").arg("check").arg("rules").arg(path()).output()
    else {
        eprintln!("skipped: there is no promtool, which Debian's package prometheus brings");
        return;
    };
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
    assert!(said.contains(&format!("{} rules found", alerts().len())), "{said}");
}

#[test]
fn every_alert_fires_when_it_is_due_and_is_quiet_until_then() {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/alerts.yml");
    let text = std::fs::read_to_string(&tests).unwrap();
    for (alert, _) in alerts() {
        for of in ["fires", "is quiet"] {
            assert!(text.contains(&format!("- name: {alert} {of}\n")), "no test: {alert} {of}");
        }
    }
    let Ok(tested) = Command::new("promtool").arg("test").arg("rules").arg(&tests).output() else {
        eprintln!("skipped: there is no promtool, which Debian's package prometheus brings");
        return;
    };
    let said = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success(), "{said}{}", String::from_utf8_lossy(&tested.stderr));
}
