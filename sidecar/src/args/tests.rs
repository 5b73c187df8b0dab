use super::*;

fn parsed(line: &str) -> Arguments {
    match parse(words(line)) {
        Outcome::Run(arguments) => arguments,
        Outcome::Help(text) | Outcome::BadUsage(text) => panic!("{line}: {text}"),
    }
}

fn refused(line: &str) -> String {
    match parse(words(line)) {
        Outcome::BadUsage(text) => text,
        _ => panic!("{line} must be refused"),
    }
}

fn words(line: &str) -> impl Iterator<Item = OsString> {
    ["dataflow-sidecar"]
        .into_iter()
        .chain(line.split_whitespace())
        .map(OsString::from)
}

#[test]
fn run_takes_listeners_repeated_or_separated_by_commas() {
    for line in [
        "run --listen a=localhost:1883 --listen b=127.0.0.1:1884",
        "run --listen a=localhost:1883,b=127.0.0.1:1884",
    ] {
        let Command::Run(run) = parsed(line).command else {
            panic!("{line}")
        };
        let listen: Vec<String> = run.listen.iter().map(ToString::to_string).collect();
        assert_eq!(listen, ["a=localhost:1883", "b=127.0.0.1:1884"]);
        assert_eq!(run.mounts, PathBuf::from(contract::MOUNTS));
        assert_eq!((run.admin, run.readiness), (None, Readiness::Listener));
        assert!(!run.instance.is_empty());
    }
}

#[test]
fn run_takes_every_flag() {
    let line = "run --listen a=localhost:0 --mounts /m --admin [::]:9 --instance pod-0 --readiness broker --log debug";
    let Command::Run(run) = parsed(line).command else {
        panic!("{line}")
    };
    assert_eq!(run.admin, Some("[::]:9".parse().unwrap()));
    assert_eq!(
        (run.instance.as_str(), run.readiness),
        ("pod-0", Readiness::Broker)
    );
}

#[test]
fn run_is_told_what_fills_the_mounts() {
    let Command::Run(run) =
        parsed(r#"run --listen a=localhost:1883 --sources {"a":{"secret":"s"}}"#).command
    else {
        panic!("run")
    };
    assert_eq!(run.sources["a"].secret.as_deref(), Some("s"));
    let text = refused("run --listen a=localhost:1883 --sources s");
    assert!(text.contains("--sources"), "{text}");
}

#[test]
fn every_fault_is_told_at_once() {
    let text = refused(
        "run --listen default --listen a=localhost:1,a=localhost:2 --listen b=localhost:1 --admin 9464 --readiness x --log loud",
    );
    for fault in [
        "default",
        "endpoint a twice",
        "port 1 to a and to b",
        "--admin",
        "readiness mode",
        "log filter",
    ] {
        assert!(text.contains(fault), "{fault} is missing in {text}");
    }
    assert_eq!(text.lines().count(), 6, "{text}");
}

#[test]
fn run_without_listener_says_what_to_write() {
    assert!(refused("run").contains("default=localhost:1883"));
}

#[test]
fn unknown_commands_and_flags_are_bad_usage() {
    for line in ["", "rnu", "run --lisen a=localhost:1"] {
        refused(line);
    }
}

#[test]
fn help_and_version_are_no_faults() {
    for line in ["--help", "--version", "run --help"] {
        assert!(matches!(parse(words(line)), Outcome::Help(_)), "{line}");
    }
}

#[test]
fn probe_goes_to_the_first_listener_unless_told() {
    for (line, expected) in [
        ("probe", ("localhost", 1883)),
        (
            "probe --listen a=127.0.0.1:5,b=localhost:6",
            ("127.0.0.1", 5),
        ),
        ("probe --address [::1]:7", ("[::1]", 7)),
    ] {
        let Command::Probe(probe) = parsed(line).command else {
            panic!("{line}")
        };
        assert_eq!((probe.address.0.as_str(), probe.address.1), expected);
    }
    let text = refused("probe --address localhost --count 0 --protocol 4");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn check_takes_the_served_endpoints_unless_told() {
    for (line, expected) in [
        ("check", &[] as &[&str]),
        ("check --listen a=localhost:1,b=localhost:2", &["a", "b"]),
        ("check --listen a=localhost:1 --endpoint c", &["c"]),
    ] {
        let Command::Check(check) = parsed(line).command else {
            panic!("{line}")
        };
        assert_eq!(check.endpoints, expected);
    }
}

#[test]
fn wait_has_a_limit() {
    let Command::Wait(wait) = parsed("wait --listen a=localhost:1").command else {
        panic!()
    };
    assert_eq!(wait.timeout, Duration::from_secs(10));
    assert!(refused("wait --timeout 0").contains("--timeout"));
}

#[test]
fn help_teaches_and_the_version_is_told() {
    command().debug_assert();
    for (line, wanted) in [
        ("--help", "config/endpoint.json"),
        ("run --help", "Example: dataflow-sidecar run"),
        ("check --help", "Example: kubectl exec"),
        ("probe --help", "Example: dataflow-sidecar probe"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        match parse(words(line)) {
            Outcome::Help(text) => assert!(text.contains(wanted), "{line}: {text}"),
            _ => panic!("{line} must be help"),
        }
    }
}
