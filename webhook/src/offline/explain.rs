//! `explain`: in words, what a pod gets and why, or why it gets nothing.

mod annotations;

use endpoint::contract::{Annotation, LABEL_INJECTED, Readiness};
use endpoint::{Authentication, Protocol, Settings};

use super::files::Text;
use super::objects::{Object, Role};
use super::{Exit, Notes, Options, Report, manifests, store};
use crate::inject::annotations::endpoint_names;
use crate::inject::container::RunAs;
use crate::inject::fault::Fault;
use crate::inject::pod::text;
use crate::inject::resources::{Amount, Class};
use crate::inject::{Listener, Outcome, Plan, Subject, inject};
use crate::store::Store;
use crate::workload::misplaced;
use annotations::Fate;

/// Explains every pod and workload of `texts`.
pub fn explain(texts: &[Text], endpoints: &[Text], options: &Options) -> Report {
    let mut notes = Notes::new();
    let manifests_in = manifests(texts, &mut notes);
    let endpoint_manifests = manifests(endpoints, &mut notes);
    let store = store(manifests_in.iter().chain(&endpoint_manifests), options);
    let mut stdout = String::new();
    for manifest in &manifests_in {
        for object in manifest.objects() {
            if object.pod_place().is_none() {
                continue;
            }
            let (page, refused) = explain_object(&manifest.file, &object, &store, options);
            if !stdout.is_empty() {
                stdout.push('\n');
            }
            stdout.push_str(&page);
            if refused {
                notes.exit = notes.exit.max(Exit::Failed);
            }
        }
    }
    if stdout.is_empty() && notes.exit == Exit::Good {
        notes.line("nothing to explain: the files hold no pod and no workload");
    }
    notes.report(stdout)
}

/// Lines, each at its depth.
struct Page {
    text: String,
}

impl Page {
    fn title(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn head(&mut self, line: &str) {
        self.text.push_str(&format!("  {line}\n"));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(&format!("    {line}\n"));
    }
}

fn explain_object(
    file: &str,
    object: &Object<'_>,
    store: &Store,
    options: &Options,
) -> (String, bool) {
    let mut page = Page {
        text: String::new(),
    };
    let namespace = object.namespace(&options.namespace);
    let title = format!("{} in namespace {namespace} ({file})", object.title());
    let Some(pod) = object.pod() else {
        page.title(&format!(
            "{title}: has no pod template, so nothing is injected."
        ));
        return (page.text, false);
    };
    let answers = store.cached(namespace, &endpoint_names(pod));
    let subject = Subject {
        pod,
        namespace,
        answers: &answers,
    };
    let decision = inject(subject, &options.installation);
    let mut warnings = decision.warnings;
    if let Role::Workload(workload) = object.role {
        warnings.extend(misplaced(workload, &object.value));
    }
    let refused = matches!(decision.outcome, Outcome::Denied(_));
    match decision.outcome {
        Outcome::NotAnnotated => page.title(&format!(
            "{title}: gets no sidecar, because its pods have no annotation {}.",
            Annotation::Endpoint
        )),
        Outcome::OptedOut => {
            page.title(&format!(
                "{title}: gets no sidecar, because {} is \"false\".",
                Annotation::Inject
            ));
            annotations::lines(&mut page, pod, &Fate::OptedOut);
        }
        Outcome::Again { plan } => {
            page.title(&format!(
                "{title}: carries its sidecar already and stays as it is. To change it, inject the original manifest again."
            ));
            annotations::lines(&mut page, pod, &Fate::Again(&plan));
        }
        Outcome::Denied(faults) => {
            page.title(&format!("{title}: is refused."));
            refusals(&mut page, &faults, object);
            annotations::lines(&mut page, pod, &Fate::Refused(&faults));
        }
        Outcome::Injected { plan, .. } => {
            page.title(&format!("{title}: gets a sidecar."));
            plan_page(&mut page, &plan);
            annotations::lines(&mut page, pod, &Fate::Injected(&plan));
        }
    }
    if !warnings.is_empty() {
        page.head("Warnings");
        for warning in warnings {
            page.line(&warning);
        }
    }
    (page.text, refused)
}

fn refusals(page: &mut Page, faults: &[Fault], object: &Object<'_>) {
    let path = object.pod_place().map_or("", |(_, path)| path);
    page.head("Why, and what to write");
    for fault in faults {
        page.line(&format!("{}: {}", fault.place.path(path), fault.message));
    }
}

fn plan_page(page: &mut Page, plan: &Plan) {
    page.head("Endpoints");
    for listener in &plan.listeners {
        page.line(&endpoint(listener));
    }
    page.head(
        "Container dataflow-sidecar, first of the init containers and running as long as the pod",
    );
    page.line(&format!("image {}", plan.image));
    page.line("holds back every other container until it listens, at most 10 s at a time, and ends after them");
    page.line(&run_as(plan.run_as));
    page.line(&resources(plan));
    page.line(&format!(
        "admin server on port {}; {}",
        plan.admin_port,
        readiness(plan.readiness)
    ));
    page.head("Volumes, mounted into that container only");
    for volume in &plan.volumes {
        page.line(&format!(
            "{} at {}: {}",
            volume.name, volume.path, volume.source
        ));
    }
    page.head("Environment of the app");
    environment(page, plan);
    page.head("Metadata");
    page.line(&format!(
        "label {LABEL_INJECTED}, annotation {}",
        Annotation::Status.key()
    ));
    page.line(if plan.scraped {
        "annotations prometheus.io/scrape, port and path, because the pod has none of them"
    } else {
        "no prometheus.io annotations, because the pod has its own"
    });
}

fn endpoint(listener: &Listener) -> String {
    let settings = &listener.settings;
    let carrier = match &settings.protocol {
        Protocol::Mqtt => "MQTT".to_owned(),
        Protocol::WebSockets { path } => format!("MQTT in WebSockets at {path}"),
    };
    let tls = match &settings.tls {
        None => "without TLS".to_owned(),
        Some(_) => match settings.trusted_ca() {
            Some(name) => format!("over TLS, trusting ConfigMap {name}"),
            None => "over TLS, trusting the public authorities".to_owned(),
        },
    };
    format!(
        "{} listens on localhost:{} and speaks {carrier} with {} {tls}; {}",
        listener.name,
        listener.port,
        settings.host,
        authentication(settings)
    )
}

fn authentication(settings: &Settings) -> String {
    match &settings.authentication {
        Authentication::ServiceAccountToken { audience } => {
            format!("it proves who the pod is with a service account token for audience {audience}")
        }
        Authentication::X509Certificate { secret } => {
            format!("it shows the certificate of Secret {secret}")
        }
        Authentication::SystemAssignedManagedIdentity { audience } => {
            format!("it uses the system-assigned managed identity, for audience {audience}")
        }
        Authentication::UserAssignedManagedIdentity { client_id, .. } => {
            format!("it uses the managed identity with client id {client_id}")
        }
        Authentication::AccessToken { secret } => format!("it uses the token of Secret {secret}"),
        Authentication::Anonymous => "it is anonymous".to_owned(),
    }
}

fn run_as(run_as: RunAs) -> String {
    let why = match run_as {
        RunAs::Apps(_) => "the one that every app container has",
        RunAs::Default => "its own, because the app containers have no common one but root's",
    };
    format!(
        "uid {}, {why}; it needs no right that Pod Security restricted refuses",
        run_as.uid()
    )
}

fn resources(plan: &Plan) -> String {
    let resources = &plan.resources;
    let amount = |name: &str, amount: &Amount| {
        let limit = amount.limit.as_deref().unwrap_or("none");
        format!(
            "{name} request {}, limit {limit}",
            amount.request.as_deref().unwrap_or("none")
        )
    };
    let why = match resources.class {
        Class::PodLevel => "the pod has resources that its containers share",
        Class::Guaranteed => "equal, so that the pod stays in QoS class Guaranteed",
        Class::Other => "limits only where every app container has one",
    };
    format!(
        "{}; {} ({why})",
        amount("cpu", &resources.cpu),
        amount("memory", &resources.memory)
    )
}

fn readiness(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Listener => "ready as soon as it listens",
        Readiness::Broker => "ready while no session is without its broker",
    }
}

fn environment(page: &mut Page, plan: &Plan) {
    if plan.environments.is_empty() {
        page.line(&format!(
            "none, because {} is \"false\"",
            Annotation::AppEnv
        ));
    }
    for environment in &plan.environments {
        let names: Vec<&str> = environment
            .variables
            .iter()
            .map(|variable| text(variable, "name"))
            .collect();
        let names = if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        };
        let note = environment
            .note
            .as_deref()
            .map_or_else(String::new, |note| format!(", because it {note}"));
        page.line(&format!(
            "container {}: {names}{note}",
            environment.container
        ));
    }
}
