use std::time::Duration;

use super::*;

#[test]
fn page_has_every_family_with_bounded_labels() {
    let metrics = Metrics::new().unwrap();
    let endpoint = metrics.endpoint("default");
    endpoint.on_broker_connect(Connected::Refused);
    endpoint.on_reload(Kind::Token, false);
    let page = String::from_utf8(metrics.page().unwrap()).unwrap();
    for line in [
        r#"dataflow_sidecar_broker_connects_total{endpoint="default",result="refused"} 1"#,
        r#"dataflow_sidecar_reloads_total{endpoint="default",kind="token",result="error"} 1"#,
        r#"dataflow_sidecar_messages_total{direction="to_broker",endpoint="default",qos="2"} 0"#,
        r#"dataflow_sidecar_messages_refused_total{endpoint="default",reason="client_gone"} 0"#,
        r#"dataflow_sidecar_settings_stale{endpoint="default"} 0"#,
        r#"dataflow_sidecar_publish_ack_seconds_bucket{endpoint="default",le="0.00005"} 0"#,
        "dataflow_sidecar_build_info{version=",
        "process_resident_memory_bytes",
    ] {
        assert!(page.contains(line), "{line} is missing in\n{page}");
    }
}

#[test]
fn tally_is_counted_once_and_emptied() {
    let metrics = Metrics::new().unwrap();
    let endpoint = metrics.endpoint("default");
    let mut tally = Tally::default();
    tally.messages[1][2] = 3;
    tally.message_bytes[0] = 7;
    tally.refused[Refusal::Expired as usize] = 1;
    tally.publish_acks.push(Duration::from_micros(60));
    endpoint.on_tally(&mut tally);
    endpoint.on_tally(&mut tally);
    let page = String::from_utf8(metrics.page().unwrap()).unwrap();
    for line in [
        r#"messages_total{direction="to_client",endpoint="default",qos="2"} 3"#,
        r#"message_bytes_total{direction="to_broker",endpoint="default"} 7"#,
        r#"messages_refused_total{endpoint="default",reason="expired"} 1"#,
        r#"publish_ack_seconds_bucket{endpoint="default",le="0.0001"} 1"#,
        r#"publish_ack_seconds_bucket{endpoint="default",le="0.00005"} 0"#,
    ] {
        assert!(page.contains(line), "{line} is missing in\n{page}");
    }
}
