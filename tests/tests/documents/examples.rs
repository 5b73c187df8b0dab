//! Examples and commands, by the programs themselves.

use std::fs;
use std::process::{Command, Output};

use crate::pages::{Page, all, root};
use tests::built_program;

fn webhook(arguments: &[&str], directory: &std::path::Path) -> Output {
    Command::new(built_program("dataflow-webhook"))
        .current_dir(directory)
        .args(arguments)
        .output()
        .expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Resources are whole where they have a kind; the other YAML is a piece of one.
fn resources(page: &Page) -> Vec<String> {
    let blocks = page.blocks().into_iter();
    blocks
        .filter(|block| block.language == "yaml" && block.text.contains("kind:"))
        .map(|block| block.text)
        .collect()
}

#[test]
fn every_resource_is_good() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut checked = 0;
    for page in all() {
        for resource in resources(&page) {
            fs::write(directory.path().join("resource.yaml"), &resource).expect("writable");
            let output = webhook(&["validate", "-f", "resource.yaml"], directory.path());
            assert!(
                output.status.success(),
                "{}: {}\n{resource}",
                page.path,
                said(&output)
            );
            checked += 1;
        }
    }
    assert!(checked > 7, "{checked} examples");
}

/// The page of methods has a complete example of each.
#[test]
fn authentication_has_an_example_of_every_method() {
    let page = all()
        .into_iter()
        .find(|page| page.path == "docs/authentication.md")
        .expect("it is there");
    let examples = resources(&page).concat();
    for method in endpoint::Method::ALL {
        assert!(
            examples.contains(&format!("method: {method}\n")),
            "docs/authentication.md has no example of {method}"
        );
    }
}

/// Commands without a cluster are run on an endpoint and an app of the examples; of the others the program is asked for
/// its help, so that a subcommand or a flag that is gone is found.
#[test]
fn every_command_of_the_programs_works() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (from, to) in [
        ("endpoint.yaml", "endpoint.yaml"),
        ("deployment.yaml", "app.yaml"),
    ] {
        let from = root().join("deploy/examples").join(from);
        fs::copy(from, directory.path().join(to)).expect("writable");
    }
    let mut run = 0;
    for page in all() {
        for command in page.commands() {
            // By kubectl in a pod, or by hand.
            let own = command
                .split_once(" -- /")
                .map_or(command.as_str(), |(_, own)| own);
            let mut arguments: Vec<&str> = own.split_whitespace().collect();
            let program = arguments.remove(0);
            if !["dataflow-sidecar", "dataflow-webhook"].contains(&program) {
                continue;
            }
            arguments.retain(|word| !word.starts_with('>') && *word != "injected.yaml");
            let offline = ["validate", "inject", "explain", "crd"];
            if !arguments
                .first()
                .is_some_and(|first| offline.contains(first))
            {
                arguments.push("--help");
            }
            let output = Command::new(built_program(program))
                .current_dir(directory.path())
                .args(&arguments)
                .output()
                .expect("it starts");
            assert!(
                output.status.success(),
                "{}: {command}\n{}",
                page.path,
                said(&output)
            );
            run += 1;
        }
    }
    assert!(run > 7, "{run} commands");
}

#[test]
fn every_make_target_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("it is there");
    for page in all() {
        for command in page.commands() {
            let Some(rest) = command.strip_prefix("make ") else {
                continue;
            };
            let target = rest.split_whitespace().next().unwrap_or_default();
            assert!(
                makefile.contains(&format!("\n{target}:")),
                "{}: make {target} is not in the Makefile",
                page.path
            );
        }
    }
}
