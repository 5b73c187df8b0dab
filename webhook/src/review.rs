//! One review: from the body of a request to the body of its answer.
//!
//! The only thing that is waited for is an endpoint that the cache does not know. Nothing is changed anywhere, so a dry
//! run is answered like any other review.

pub mod request;
pub mod response;
pub mod verdict;

use crate::inject::annotations::endpoint_names;
use crate::inject::{Installation, Subject, inject};
use crate::store::Store;
use crate::validate::{Rules, validate};
use crate::workload::{self, Applied, Workload};
use request::{Kind, Operation, Owner, Request, Unreadable};
use response::{Named, Response};
use verdict::Verdict;

/// What reviews are answered with.
#[derive(Debug)]
pub struct Reviewer {
    /// Where endpoints are looked up.
    pub store: Store,
    /// What the installation says about every sidecar.
    pub installation: Installation,
    /// Whose custom resource definition the cluster has.
    pub rules: Rules,
    /// Namespaces whose pods never come here.
    pub excluded: Vec<String>,
}

/// The answer to one review, and what is to be counted and logged of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The body; `None` where the question has no id that an answer could repeat.
    pub body: Option<Vec<u8>>,
    /// What it came to.
    pub verdict: Verdict,
    /// Who was asked about.
    pub about: About,
}

/// The object of a review, for the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// The review's id.
    pub uid: String,
    /// The object's kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name, or what its name begins with.
    pub name: String,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// The controller that makes it, of a pod.
    pub owner: Option<Owner>,
}

impl Reviewer {
    /// Answers a body.
    pub async fn answer(&self, body: &[u8]) -> Answered {
        match Request::parse(body) {
            Ok(request) => self.answer_request(request).await,
            Err(unreadable) => answer_unreadable(unreadable),
        }
    }

    async fn answer_request(&self, request: Request) -> Answered {
        let verdict = self.review(&request).await;
        let named = Named {
            group: &request.group,
            kind: &request.kind_name,
            name: &request.name,
        };
        Answered {
            body: Some(Response::of(&request.uid, named, &verdict).to_json()),
            verdict,
            about: About {
                owner: (request.kind == Kind::Pod)
                    .then(|| Owner::of(&request.object))
                    .flatten(),
                uid: request.uid,
                kind: request.kind_name,
                namespace: request.namespace,
                name: request.name,
                dry_run: request.dry_run,
            },
        }
    }

    async fn review(&self, request: &Request) -> Verdict {
        match (request.kind, request.operation) {
            (Kind::Pod, Operation::Create) => self.pod(request).await,
            (Kind::Endpoint, Operation::Create) => self.endpoint(request, false),
            (Kind::Endpoint, Operation::Update) => self.endpoint(request, true),
            (Kind::Workload(workload), Operation::Create) => {
                self.workload(request, workload, false).await
            }
            (Kind::Workload(workload), Operation::Update) => {
                self.workload(request, workload, true).await
            }
            // Registered by mistake: what is not ours is nobody's to refuse here.
            (Kind::Other, _) | (_, Operation::Other) | (Kind::Pod, Operation::Update) => {
                Verdict::untouched("not_ours")
            }
        }
    }

    async fn pod(&self, request: &Request) -> Verdict {
        let names = endpoint_names(&request.object);
        let answers = self.store.answers(&request.namespace, &names).await;
        let subject = Subject {
            pod: &request.object,
            namespace: &request.namespace,
            answers: &answers,
        };
        Verdict::of_pod(inject(subject, &self.installation))
    }

    fn endpoint(&self, request: &Request, update: bool) -> Verdict {
        let old = request.old_object.as_ref().filter(|_| update);
        Verdict::of_endpoint(validate(&request.object, old, self.rules))
    }

    async fn workload(&self, request: &Request, workload: Workload, update: bool) -> Verdict {
        let names = workload
            .template(&request.object)
            .map(endpoint_names)
            .unwrap_or_default();
        let answers = self.store.answers(&request.namespace, &names).await;
        let applied = Applied {
            workload,
            new: &request.object,
            old: request.old_object.as_ref().filter(|_| update),
            namespace: &request.namespace,
            answers: &answers,
            excluded: self.excluded.contains(&request.namespace),
        };
        let findings = workload::check(applied, &self.installation);
        Verdict::of_workload(findings, workload.template_path())
    }
}

fn answer_unreadable(unreadable: Unreadable) -> Answered {
    let verdict = Verdict::unreadable(unreadable.to_string());
    Answered {
        body: unreadable
            .uid
            .as_deref()
            .map(|uid| Response::of(uid, Named::default(), &verdict).to_json()),
        verdict,
        about: About {
            uid: unreadable.uid.unwrap_or_default(),
            ..About::default()
        },
    }
}

#[cfg(test)]
mod tests;
