//! `docs/metrics.md` is made of what both programs answer to a scrape.
//!
//! `BLESS=1 cargo test -p tests --test pages metrics` writes it anew; read the difference before committing it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tests::eventually;
use tests::mounts::Mounts;
use tests::sidecar::Sidecar;
use tests::webhook::Webhook;

/// Labels with values that a person chose or a release brings.
const OPEN_LABELS: [&str; 2] = ["endpoint", "version"];
/// Bounds of buckets are no label that somebody selects by.
const BUCKET: &str = "le";

/// What a scrape says of one family.
#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_as_the_programs_serve_them() {
    let mounts = Mounts::new(serde_json::json!({
        "host": "localhost:1", "authentication": { "method": "Anonymous" }, "tls": { "mode": "Disabled" },
    }));
    let sidecar = Sidecar::start(&mounts).await;
    let webhook = Webhook::start("").await;
    let of_sidecar = eventually::holds("a scrape", || sidecar.get("/metrics")).await;
    let of_webhook = eventually::holds("a scrape", || webhook.get("/metrics")).await;
    compare(&page(&families(&of_sidecar), &families(&of_webhook)));
}

/// Every metric that the chart's alerts and dashboard ask for must be served.
#[test]
fn alerts_and_dashboard_ask_for_metrics_that_are_documented() {
    let documented = read("docs/metrics.md");
    for file in [
        "deploy/chart/files/alerts.yaml",
        "deploy/chart/files/dashboard.json",
    ] {
        let names = names_in(&read(file));
        assert!(names.len() > 5, "{file}: {names:?}");
        for name in names {
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            let known = |name: &str| documented.contains(&format!("`{name}`"));
            assert!(
                known(&name) || family.is_some_and(known),
                "{file} asks for {name}, which nothing serves"
            );
        }
    }
}

fn names_in(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| {
            word.starts_with("dataflow_sidecar_") || word.starts_with("dataflow_webhook_")
        })
        .map(str::to_owned)
        .collect()
}

fn families(scrape: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in scrape.lines() {
        if let Some((name, help)) = comment(line, "# HELP ") {
            families.entry(name).or_default().help = help;
        } else if let Some((name, kind)) = comment(line, "# TYPE ") {
            families.entry(name).or_default().kind = kind;
        } else if let Some((name, rest)) = line.split_once('{') {
            let family = ["_bucket", "_sum", "_count", ""]
                .iter()
                .filter_map(|suffix| name.strip_suffix(suffix))
                .find(|name| families.contains_key(*name))
                .expect("HELP comes before samples")
                .to_owned();
            let labels = rest.split_once('}').expect("labels end").0;
            for pair in labels.split("\",") {
                let (label, value) = pair.split_once("=\"").expect("a label and its value");
                let values = &mut families.entry(family.clone()).or_default().labels;
                let values = values.entry(label.to_owned()).or_default();
                values.insert(value.trim_end_matches('"').to_owned());
            }
        }
    }
    families
}

fn comment(line: &str, begin: &str) -> Option<(String, String)> {
    let (name, text) = line.strip_prefix(begin)?.split_once(' ')?;
    Some((name.to_owned(), text.to_owned()))
}

fn page(sidecar: &BTreeMap<String, Family>, webhook: &BTreeMap<String, Family>) -> String {
    format!(
        "# Metrics\n\n\
        <!-- Generated: BLESS=1 cargo test -p tests --test pages metrics -->\n\n\
        Both programs serve them at `/metrics` of their admin port, 9464 without another setting. \
        A counter begins at 0 with its process. Every label's values are a closed set, but for names that people chose.\n\n\
        ## dataflow-sidecar\n\n{}\n## dataflow-webhook\n\n\
        The label `reason` of reviews is also the kind of fault of a refused object; only the values that are served from the start are listed.\n\n{}",
        table(sidecar),
        table(webhook)
    )
}

fn table(families: &BTreeMap<String, Family>) -> String {
    let mut text = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for (name, Family { kind, help, labels }) in families {
        let labels: Vec<String> = labels
            .iter()
            .filter(|(label, _)| *label != BUCKET)
            .map(|(label, values)| {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                match OPEN_LABELS.contains(&label.as_str()) {
                    true => format!("`{label}`"),
                    false => format!("`{label}`: {}", values.join(", ")),
                }
            })
            .collect();
        text += &format!("| `{name}` | {kind} | {} | {help} |\n", labels.join("; "));
    }
    text
}

fn compare(page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, page).expect("writable");
    }
    assert!(
        page == fs::read_to_string(&path).unwrap_or_default(),
        "docs/metrics.md is not what is served: run BLESS=1 cargo test -p tests --test pages metrics; served:\n{page}"
    );
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
