//! `docs/denials.md` says what a person reads when something is refused, and every answer in it is the webhook's own.
//!
//! `BLESS=1 cargo test -p webhook --test denials` writes the answers anew; read the difference before keeping it.

// Helpers of tests are not known as tests to the lint that allows it there.
#![allow(clippy::unwrap_used)]

#[path = "denials/kubectl.rs"]
mod kubectl;
#[path = "denials/page.rs"]
mod page;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use webhook::inject::Installation;
use webhook::offline::files::Text;
use webhook::offline::{Options, Report, inject, validate};
use webhook::review::Reviewer;
use webhook::store::Store;
use webhook::validate::Rules;
use webhook::yaml::documents;

use page::{Role, Shown};

/// What the page is promised to hold; fewer would mean that it was not read.
const CASES_MIN: usize = 100;
/// A line that needs more than this is read by nobody; only what an endpoint's own violations are quoted in is longer.
const LINE_CHARS_MAX: usize = 400;
const NAMESPACE: &str = "factory";
/// Every message says what to do: one of these begins its remedy.
const REMEDIES: [&str; 11] = [
    ": write ",
    ", write ",
    ": remove ",
    ": keep ",
    ": move ",
    ": mend ",
    ": name ",
    ": apply ",
    ": mount ",
    ": let ",
    ": try ",
];

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/denials.md")
}

fn installation() -> Installation {
    Installation {
        image: "registry.example/dataflow-sidecar:1.0.0".to_owned(),
        version: "1.0.0".to_owned(),
    }
}

/// What the cases before a place of the page have set up.
#[derive(Default)]
struct World {
    frame: Value,
    there: Vec<Value>,
    cases: usize,
}

impl World {
    fn answer(&mut self, role: Role, yaml: &str) -> Option<String> {
        let mut values: Vec<Value> = documents(yaml)
            .unwrap_or_else(|error| panic!("{error} in\n{yaml}"))
            .into_iter()
            .map(|document| document.value)
            .collect();
        match role {
            Role::Frame => self.frame = values.remove(0),
            Role::Injected => self.frame = self.injected(&values[0]),
            Role::There => self.there = values,
            Role::Case(shown, at) => {
                self.cases += 1;
                let mut object = self.frame.clone();
                json_patch::merge(place(&mut object, &at), &values[0]);
                let text = self.shown(shown, object);
                assert!(!text.is_empty(), "nothing is said of\n{yaml}");
                return Some(text);
            }
        }
        None
    }

    fn shown(&self, shown: Shown, object: Value) -> String {
        match shown {
            Shown::Apply => kubectl::apply(&self.refused(&object, None, World::store)),
            Shown::Several => kubectl::apply_several(&self.refused(&object, None, World::store)),
            Shown::Event => kubectl::event(&self.refused(&object, None, World::store)),
            Shown::Update => {
                kubectl::apply(&self.refused(&object, Some(&self.frame), World::store))
            }
            Shown::Away => kubectl::apply(&self.refused(&object, None, |_| away())),
            Shown::Validate => {
                let text = Text::new("endpoint.yaml", object.to_string());
                told(validate(&[text], &options()))
            }
            Shown::Inject => told(inject(
                &[Text::new("pod.yaml", object.to_string())],
                &self.endpoints_file(),
                &options(),
            )),
        }
    }

    /// The pod as it comes out of an injection.
    fn injected(&self, pod: &Value) -> Value {
        let text = Text::new("pod.yaml", pod.to_string());
        let report = inject(&[text], &self.endpoints_file(), &options());
        let mut written = documents(&report.stdout).unwrap();
        assert_eq!(written.len(), 1, "{}", report.stderr);
        written.remove(0).value
    }

    fn endpoints_file(&self) -> Vec<Text> {
        let texts = self.there.iter();
        texts
            .map(|endpoint| Text::new("endpoints.yaml", endpoint.to_string()))
            .collect()
    }

    fn store(&self) -> Store {
        Store::of_resources(&self.there, NAMESPACE)
    }

    /// The webhook's answer, which must be a refusal that helps.
    fn refused(
        &self,
        object: &Value,
        old: Option<&Value>,
        store: impl FnOnce(&World) -> Store,
    ) -> Value {
        let response = review(|| store(self), object, old);
        assert_eq!(response["allowed"], false, "{object:#}");
        for cause in response["status"]["details"]["causes"].as_array().unwrap() {
            let message = cause["message"].as_str().unwrap();
            assert!(!cause["field"].as_str().unwrap().is_empty(), "{message}");
            assert!(
                REMEDIES.iter().any(|remedy| message.contains(remedy)),
                "no remedy: {message}"
            );
            assert!(
                message.chars().count() <= LINE_CHARS_MAX || message.contains("mend the endpoint"),
                "{} characters: {message}",
                message.chars().count()
            );
            assert!(!message.contains('…'), "cut: {message}");
        }
        response
    }
}

/// Where a case stands in its frame; what is not there yet is made.
fn place<'a>(object: &'a mut Value, at: &[String]) -> &'a mut Value {
    at.iter()
        .fold(object, |object, step| match step.parse::<usize>() {
            Ok(index) => &mut object[index],
            Err(_) => &mut object[step.as_str()],
        })
}

/// A store whose cluster never answers.
fn away() -> Store {
    let hanging = tower::service_fn(|_: hyper::Request<kube::client::Body>| {
        std::future::pending::<
            Result<hyper::Response<http_body_util::Full<bytes::Bytes>>, std::convert::Infallible>,
        >()
    });
    Store::of_cluster(kube::Client::new(hanging, NAMESPACE))
}

fn review(store: impl FnOnce() -> Store, object: &Value, old: Option<&Value>) -> Value {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": object["kind"]},
            "namespace": NAMESPACE, "name": object["metadata"]["name"], "operation": operation,
            "object": object, "oldObject": old,
        },
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let answered = runtime.block_on(async {
        let reviewer = Reviewer {
            // A client's tasks need the runtime.
            store: store(),
            installation: installation(),
            rules: Rules::Deny,
            excluded: Vec::new(),
        };
        reviewer.answer(review.to_string().as_bytes()).await
    });
    let body: Value = serde_json::from_slice(&answered.body.unwrap()).unwrap();
    body["response"].clone()
}

fn options() -> Options {
    Options {
        namespace: NAMESPACE.to_owned(),
        installation: installation(),
    }
}

fn told(report: Report) -> String {
    assert_eq!(report.exit.code(), 1, "{report:?}");
    assert_eq!(report.stdout, "");
    report.stderr
}

#[test]
fn every_denial_is_as_it_is_documented() {
    let page = fs::read_to_string(path()).unwrap();
    let mut world = World::default();
    let rendered = page::render(&page, |role, yaml| world.answer(role, yaml));
    assert!(world.cases >= CASES_MIN, "{} cases", world.cases);
    if std::env::var_os("BLESS").is_some() {
        fs::write(path(), &rendered).unwrap();
        return;
    }
    for (number, (page, rendered)) in page.lines().zip(rendered.lines()).enumerate() {
        assert_eq!(page, rendered, "docs/denials.md line {}", number + 1);
    }
    assert_eq!(page.lines().count(), rendered.lines().count());
}
